//! `mote kernel …`

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Result, bail};
use mote_engine::event::Event;
use mote_engine::kernel::{self, CachedKernel, KernelWanted, Proof};
use mote_engine::{Host, SourceWanted, check_new_file, write_text};
use mote_kernel::{Catalogue, Kernel};
use mote_process::quote_word;
use serde::Serialize;

use super::{print, write_out};
use crate::args::{
    ConfigArgs, KernelBuild, KernelConfig, KernelExplain, KernelTest, Menuconfig, Output,
};
use crate::terminal::{say, table};

/// The features of a kernel that nobody described further.
const DEFAULT_FEATURE: &str = "busybox";

/// What was asked for, and the host with the mirror that was named.
fn wanted(args: ConfigArgs, host: &Host) -> Result<(KernelWanted, Host)> {
    let host = mirrored(host, args.source.mirror);
    let mut features = args.features;
    if features.is_empty() && args.config.is_none() {
        features.push(DEFAULT_FEATURE.to_owned());
    }
    let pinned = args.source.source_digest.map(|text| text.parse()).transpose()?;
    let wanted = KernelWanted {
        source: SourceWanted { spec: args.source.source, pinned },
        features,
        fragments: args.fragments,
        config: args.config,
    };
    Ok((wanted, host))
}

/// The host, with the mirror that was named.
fn mirrored(host: &Host, mirror: Option<String>) -> Host {
    let mut host = host.clone();
    if let Some(base_url) = mirror {
        host.mirror.base_url = base_url;
    }
    host
}

pub fn build(args: KernelBuild, host: &Host) -> Result<ExitCode> {
    let (wanted, mut host) = wanted(args.config, host)?;
    host.jobs = args.jobs.unwrap_or(host.jobs);
    args.output.as_deref().map(kernel::check_export).transpose()?;
    let CachedKernel { key, kernel, .. } = kernel::ensure(&host, &wanted)?;
    let shown = match &args.output {
        None => kernel.dir(),
        Some(to) => {
            kernel::export(&kernel, to)?;
            to
        }
    };
    let built = format!("Linux {}, kernel {}", kernel.record().release, &key[..12]);
    (host.sink)(Event::Note(built));
    write_out(format!("{}\n", shown.display()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub fn config(args: KernelConfig, host: &Host) -> Result<ExitCode> {
    let (wanted, host) = wanted(args.config, host)?;
    let resolved = kernel::resolve(&host, &wanted)?;
    write_out(if args.full { &resolved.outcome.text } else { &resolved.asked }.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub fn menuconfig(args: Menuconfig, host: &Host) -> Result<ExitCode> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!("menuconfig needs a terminal");
    }
    // What was changed in the editor shall not be lost in the end, nor a fragment of before.
    check_new_file(&args.output)?;
    let term = std::env::var_os("TERM").unwrap_or_else(|| "linux".into());
    let mut build = args.config.words();
    let (wanted, host) = wanted(args.config, host)?;
    let fragment = kernel::menuconfig(&host, &wanted, &term)?;
    if fragment.is_empty() {
        say("nothing was changed\n");
        return Ok(ExitCode::SUCCESS);
    }
    write_text(&args.output, &fragment)?;
    let path = quote_word(args.output.as_os_str());
    build.push(format!("--fragment {path}"));
    say(format_args!("wrote {path}; build with it: mote kernel build {}\n", build.join(" ")));
    Ok(ExitCode::SUCCESS)
}

pub fn explain(args: KernelExplain, host: &Host) -> Result<ExitCode> {
    let kernel = kernel::find(host, args.kernel.as_deref())?;
    let symbol = args.symbol.strip_prefix("CONFIG_").unwrap_or(&args.symbol).parse()?;
    let host = mirrored(host, args.mirror);
    let explanation = kernel::explain(&host, &kernel, &symbol, args.source)?;
    print(&args.output, &explanation, |explanation| explanation.render().join("\n") + "\n")?;
    Ok(ExitCode::SUCCESS)
}

pub fn test(args: KernelTest, host: &Host) -> Result<ExitCode> {
    let kernel = kernel::find(host, args.kernel.as_deref())?;
    let proofs = kernel::prove(host, &kernel)?;
    print(&args.output, &proofs, |proofs| proofs.iter().map(render_proof).collect())?;
    let proven = proofs.iter().all(|proof| proof.result.is_proven());
    Ok(if proven { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn render_proof(proof: &Proof) -> String {
    let output = proof.output.lines().map(|line| format!("    {line}\n"));
    let output: String = if proof.result.is_proven() { String::new() } else { output.collect() };
    format!("{:<16} {}\n{output}", proof.feature, proof.result)
}

pub fn features(output: &Output) -> Result<ExitCode> {
    #[derive(Serialize)]
    struct Shown<'a> {
        name: &'a str,
        summary: &'a str,
        requires: &'a [String],
        symbols: usize,
    }
    let features: Vec<_> = Catalogue::builtin()
        .iter()
        .map(|feature| Shown {
            name: &feature.name,
            summary: &feature.summary,
            requires: &feature.requires,
            symbols: feature.symbols.len(),
        })
        .collect();
    print(output, &features, |features| {
        let rows = features.iter().map(|feature| {
            vec![
                feature.name.to_owned(),
                feature.symbols.to_string(),
                feature.summary.to_owned(),
                feature.requires.join(" "),
            ]
        });
        format!("{}\n", table(&["FEATURE", "SYMBOLS", "SUMMARY", "REQUIRES"], rows))
    })?;
    Ok(ExitCode::SUCCESS)
}

pub fn ls(output: &Output, host: &Host) -> Result<ExitCode> {
    #[derive(Serialize)]
    struct Shown {
        key: String,
        release: String,
        features: Vec<String>,
        vmlinux_bytes: u64,
        bzimage_bytes: u64,
        made_unix_s: u64,
        path: String,
    }
    let bytes =
        |kernel: &Kernel, name: &str| kernel.record().files.get(name).map_or(0, |file| file.bytes);
    let kernels: Vec<_> = kernel::list(host)?
        .into_iter()
        .map(|CachedKernel { key, kernel, made }| Shown {
            key,
            release: kernel.record().release.clone(),
            features: kernel.record().features.clone(),
            vmlinux_bytes: bytes(&kernel, Kernel::VMLINUX),
            bzimage_bytes: bytes(&kernel, Kernel::BZIMAGE),
            made_unix_s: made
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs()),
            path: kernel.dir().display().to_string(),
        })
        .collect();
    print(output, &kernels, |kernels| {
        let rows = kernels.iter().map(|kernel| {
            vec![
                kernel.key[..12].to_owned(),
                kernel.release.clone(),
                indicatif::HumanBytes(kernel.vmlinux_bytes).to_string(),
                indicatif::HumanBytes(kernel.bzimage_bytes).to_string(),
                kernel.features.join(" "),
            ]
        });
        format!("{}\n", table(&["KEY", "RELEASE", "VMLINUX", "BZIMAGE", "FEATURES"], rows))
    })?;
    Ok(ExitCode::SUCCESS)
}
