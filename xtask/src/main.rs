//! Developer chores.

mod boot_cost;
mod docs;
mod host;

use std::process::ExitCode;

use clap::Parser;

/// Developer chores
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Measure what kernels cost until PID 1: instructions, device accesses, memory, bytes
    BootCost(boot_cost::Args),
    /// Write docs/features.md from the feature files
    Docs(docs::Args),
}

fn main() -> ExitCode {
    let result = match Chore::parse() {
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
