//! `cargo xtask bench image`: mote against the usual tools and the limit, in turns.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::layout::{Layer, layers};
use super::samples::Samples;
use super::second_run::Runs;
use super::table::{ImageReport, Report};
use super::ways::{Step, Ways};
use crate::report;

/// Compare the ways from an OCI layout to a disk image
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The images, by the names of their layouts
    #[arg(value_name = "IMAGE", default_values = ["busybox", "valkey", "valkey_whole", "postgres", "large"])]
    images: Vec<String>,
    /// Where the layouts are; `bash scripts/images IMAGE…` makes them
    #[arg(long, value_name = "DIR", default_value = "target/material/images")]
    layouts: PathBuf,
    /// The program that is measured
    #[arg(long, value_name = "FILE", default_value = "target/release/mote")]
    mote: PathBuf,
    /// How often each step is taken
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    rounds: usize,
    /// Where the steps work: what counts is how fast this disk is
    #[arg(long, value_name = "DIR", default_value = "target")]
    scratch: PathBuf,
    /// A kernel for the runs, as in `mote run --kernel`
    #[arg(long, value_name = "DIR")]
    kernel: Option<String>,
    /// Measure no runs
    #[arg(long)]
    no_runs: bool,
    /// Where bench-image.md and bench-image.json go
    #[arg(short, value_name = "DIR", default_value = "out")]
    output: PathBuf,
}

/// Measures, writes the tables, and checks the limits.
///
/// # Errors
///
/// An image or a program that is missing or fails. A run that fails is a line of the report.
pub fn run(args: &Args) -> Result<ExitCode> {
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    let layouts: Vec<_> = args.images.iter().map(|name| args.layouts.join(name)).collect();
    let images = layouts.iter().map(|layout| {
        layers(layout).with_context(|| "bash scripts/images IMAGE… makes the images")
    });
    let images = images.collect::<Result<Vec<_>>>()?;
    let scratch = TempDir::with_prefix_in("bench-", &args.scratch)
        .with_context(|| args.scratch.display().to_string())?;
    let ways = Ways {
        mote: args.mote.canonicalize().unwrap_or_else(|_| args.mote.clone()),
        scratch: scratch.path().to_owned(),
    };
    ways.check()?;

    let mut report = Report { conditions: conditions(args), ..Report::default() };
    for ((name, layout), layers) in args.images.iter().zip(&layouts).zip(&images) {
        eprintln!("== {name}");
        let mut image =
            measure(&ways, layout, layers, args.rounds).with_context(|| name.clone())?;
        image.name.clone_from(name);
        if !args.no_runs {
            let further =
                args.kernel.iter().flat_map(|kernel| ["--kernel".to_owned(), kernel.clone()]);
            let runs = Runs::prepare(&ways.mote, &ways.scratch, further.collect())?;
            match runs.measure(layout, args.rounds) {
                Ok(runs) => image.second_run = Some(runs),
                Err(error) => report.skipped.push(format!("runs of {name}: {error:#}")),
            }
        }
        report.images.push(image);
    }
    report::write(&args.output, "bench-image", &report.markdown(), &report)?;
    print!("{}", report.markdown());
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes all steps in turns, so that what slows the machine down slows all of them.
fn measure(ways: &Ways, layout: &Path, layers: &[Layer], rounds: usize) -> Result<ImageReport> {
    // After this all layers are in memory, for whoever reads them first.
    let archives_bytes = ways.inflate(layers)?;
    let entries = entries(layers)?;
    let mut steps = BTreeMap::<Step, Samples>::new();
    for round in 1..=rounds {
        for step in Ways::STEPS {
            let usage = ways.take(step, layout, layers).with_context(|| format!("{step:?}"))?;
            eprintln!("{round}/{rounds} {step:?}: {:.3} s", usage.took.as_secs_f64());
            steps.entry(step).or_default().add(usage);
        }
    }
    Ok(ImageReport {
        name: String::new(),
        layers_bytes: layers.iter().map(|layer| layer.len).sum(),
        archives_bytes,
        entries,
        steps,
        second_run: None,
    })
}

/// The members of the layers, as tar(1) counts them.
fn entries(layers: &[Layer]) -> Result<u64> {
    let mut entries = 0;
    for layer in layers {
        let list = Command::new("tar").arg("tf").arg(&layer.path).output().context("tar")?;
        ensure!(list.status.success(), "{}: {}", layer.path.display(), list.status);
        entries += list.stdout.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    Ok(entries)
}

fn conditions(args: &Args) -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let version = |program: &str| {
        let said = Command::new(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&said.stdout).lines().next()?.to_owned())
    };
    let versions: Vec<_> = ["skopeo", "umoci"].into_iter().filter_map(version).collect();
    format!(
        "{cores} processors; medians of {} rounds in turns, with the least and the most; layers in \
         memory, the disk at rest before each step; mote's cache empty. {}.\n\nThe limit is to read, \
         digest, inflate, digest and write each layer once, on all processors. The usual way is \
         `skopeo copy`, `umoci unpack`, and `mkfs.erofs` or `mke2fs -d`; the second ratio leaves the \
         copy out.",
        args.rounds,
        versions.join(", ")
    )
}
