//! `cargo xtask bench …`: what takes time on the host, against the usual tools and against what
//! cannot be avoided, in one run.

mod child;
mod image;
mod layout;
mod limit;
mod ports;
mod samples;
mod second_run;
mod table;
mod ways;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args as ClapArgs, Subcommand};

/// What is measured.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// From an OCI layout to a disk image, and what a second run of an image costs
    Image(image::Args),
    /// How soon a published port answers a client that comes too early
    Ports(ports::Args),
}

/// Measures, writes the tables, and checks the limits.
///
/// # Errors
///
/// Those of the benchmark.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.bench {
        Bench::Image(args) => image::run(args),
        Bench::Ports(args) => ports::run(args),
    }
}
