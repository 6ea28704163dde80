//! `mote pull`, `mote images` and `mote prune`

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use indicatif::{HumanBytes, HumanDuration};
use mote_engine::event::Event;
use mote_engine::prune::{self, Mode, PruneWanted, PrunedKind};
use mote_engine::{Host, pull};
use serde::Serialize;

use super::{print, write_out};
use crate::args::{Images, Prune, PullArgs, Remove};
use crate::terminal::table;

/// Prints the image's digest, as `docker pull --quiet` prints its name.
pub fn pull(args: PullArgs, host: &Host) -> Result<ExitCode> {
    let name = args.image.familiar();
    let image = pull::pull(host, args.image, &args.platform)?;
    let digest = image.manifest_digest.unwrap_or(image.config_digest);
    write_out(format!("{name}@{digest}\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub fn images(args: &Images, host: &Host) -> Result<ExitCode> {
    #[derive(Serialize)]
    struct Shown {
        name: String,
        digest: String,
        bytes: u64,
        pulled_unix_s: u64,
    }
    let images: Vec<_> = pull::pulled(host)?
        .into_iter()
        .map(|(image, bytes)| Shown {
            name: image.reference.familiar(),
            digest: image.digest.to_string(),
            bytes,
            pulled_unix_s: image.pulled_unix_s,
        })
        .collect();
    let digest = |image: &Shown| match args.no_trunc {
        true => image.digest.clone(),
        false => image.digest.trim_start_matches("sha256:")[..12].to_owned(),
    };
    print(&args.output, &images, |images| {
        if args.quiet {
            let mut digests: Vec<_> = images.iter().map(digest).collect();
            let mut seen = BTreeSet::new();
            digests.retain(|digest| seen.insert(digest.clone()));
            return digests.into_iter().map(|digest| digest + "\n").collect();
        }
        let rows = images.iter().map(|image| {
            vec![
                image.name.clone(),
                digest(image),
                ago(image.pulled_unix_s),
                HumanBytes(image.bytes).to_string(),
            ]
        });
        format!("{}\n", table(&["NAME", "DIGEST", "PULLED", "SIZE"], rows))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the name of each image that is gone.
pub fn remove(args: &Remove, host: &Host) -> Result<ExitCode> {
    let (gone, freed) = pull::remove(host, &args.images)?;
    let gone: String = gone.iter().map(|image| image.familiar() + "\n").collect();
    write_out(gone.as_bytes())?;
    (host.sink)(Event::Note(format!("{} freed", HumanBytes(freed.bytes))));
    Ok(ExitCode::SUCCESS)
}

fn ago(unix_s: u64) -> String {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s);
    format!("{} ago", HumanDuration(then.elapsed().unwrap_or_default()))
}

pub fn prune(args: &Prune, host: &Host) -> Result<ExitCode> {
    #[derive(Serialize)]
    struct Shown {
        kind: &'static str,
        name: String,
        bytes: u64,
    }
    let wanted = PruneWanted {
        older_than: args.older_than,
        keep_bytes: args.keep.map(|keep| u64::from(keep.mib()) << 20),
    };
    let mode = if args.dry_run { Mode::DryRun } else { Mode::Remove };
    let pruned: Vec<_> = prune::prune(host, &wanted, mode)?
        .into_iter()
        .map(|pruned| Shown {
            kind: match pruned.what {
                PrunedKind::Disk => "disk",
                PrunedKind::Image => "image",
                PrunedKind::Log => "log",
                PrunedKind::Unused => "unused",
            },
            name: pruned.name,
            bytes: pruned.bytes,
        })
        .collect();
    print(&args.output, &pruned, |pruned| {
        let line =
            |item: &Shown| format!("{} {}: {}\n", item.kind, item.name, HumanBytes(item.bytes));
        let total = HumanBytes(pruned.iter().map(|item| item.bytes).sum());
        let verb = if args.dry_run { "would be freed" } else { "freed" };
        format!("{}{total} {verb}\n", pruned.iter().map(line).collect::<String>())
    })?;
    Ok(ExitCode::SUCCESS)
}
