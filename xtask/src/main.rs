//! Developer chores.

mod bench;
mod boot_cost;
mod docs;
mod host;
mod report;

use std::process::ExitCode;

use clap::Parser;

/// Developer chores
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Measure what takes time on the host
    Bench(bench::Args),
    /// Measure what kernels cost until PID 1: instructions, device accesses, memory, bytes
    BootCost(boot_cost::Args),
    /// Write docs/features.md from the feature files
    Docs(docs::Args),
}

fn main() -> ExitCode {
    let result = match Chore::parse() {
        Chore::Bench(args) => bench::run(&args),
        Chore::BootCost(args) => boot_cost::run(&args),
        Chore::Docs(args) => docs::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
