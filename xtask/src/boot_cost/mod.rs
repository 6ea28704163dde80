//! `cargo xtask boot-cost`: what a kernel costs until PID 1, for mote's kernels and for those of
//! comparable systems, on the same source in the same run.

mod kernels;
mod measure;
mod pid1;
mod table;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mote_engine::SourceWanted;
use mote_kernel::source::SourceSpec;

use kernels::{Candidate, candidates};
use measure::{Form, Measurement};
use table::Report;

/// Measure what kernels cost until PID 1
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Linux source, as in `mote kernel build`
    #[arg(long, value_name = "auto|DIR|TARBALL|VERSION", default_value = "auto")]
    source: String,
    /// Only these kernels, separated by commas
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Where the configurations of comparable systems are
    #[arg(long, value_name = "DIR", default_value = "../shared/anchors")]
    anchors: PathBuf,
    /// Where boot-cost.md and boot-cost.json go
    #[arg(short, value_name = "DIR", default_value = "out")]
    output: PathBuf,
}

/// Measures, writes the tables, and checks the limits.
///
/// # Errors
///
/// A kernel of mote's that cannot be built or measured, a directory that cannot be written. What
/// is wrong with a comparable system's configuration is a line of the table.
pub fn run(args: &Args) -> Result<ExitCode> {
    let host = crate::host::host()?;
    let spec: SourceSpec = args.source.parse().context("--source")?;
    let source = SourceWanted { spec, pinned: None };
    let candidates = select(candidates(&args.anchors), &args.only)?;
    let bench = measure::Bench::prepare(&host)?;

    let mut report = Report::new(&bench);
    for candidate in candidates {
        eprintln!("== {}", candidate.name);
        let kernel = match candidate.kernel(&host, &source, &args.output.join("boot-cost")) {
            Ok(kernel) => kernel,
            Err(reason) if candidate.is_anchor() => {
                report.skip(candidate.name, format!("{reason:#}"));
                continue;
            }
            Err(error) => return Err(error.context(candidate.name)),
        };
        report.release(&kernel.record().release);
        for form in [Form::Vmlinux, Form::Bzimage] {
            if form == Form::Vmlinux && kernel.record().pvh_entry.is_none() {
                continue;
            }
            for way in candidate.ways {
                let cost = bench.measure(&kernel, form, *way);
                let cost = cost.with_context(|| format!("{} as {form}, {way}", candidate.name))?;
                let measured =
                    Measurement { kernel: candidate.name.to_owned(), form, way: *way, cost };
                eprintln!("{}", table::line(&measured));
                report.add(measured);
            }
        }
    }
    crate::report::write(&args.output, "boot-cost", &report.markdown(), &report)?;
    print!("{}", report.markdown());
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn select(all: Vec<Candidate>, only: &[String]) -> Result<Vec<Candidate>> {
    if let Some(unknown) = only.iter().find(|name| all.iter().all(|one| one.name != **name)) {
        let names: Vec<_> = all.iter().map(|one| one.name).collect();
        bail!("no kernel is called {unknown}; there are {}", names.join(", "));
    }
    let wanted = |one: &Candidate| only.is_empty() || only.iter().any(|name| one.name == name);
    Ok(all.into_iter().filter(wanted).collect())
}
