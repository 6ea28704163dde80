//! `mote run`: each flag has a key of the same name in a recipe's `[run]` table, and wins over it.

use std::path::PathBuf;

use clap::Args;
use mote_kernel::source::SourceSpec;
use mote_manifest::{Accel, Memory, MemoryError, Network, Publish, PublishError, UnknownWord};

#[derive(Debug, Args)]
pub struct Run {
    /// What to run: recipe:NAME, recipe:FILE or the path of a mote.toml
    #[arg(value_name = "SOURCE")]
    pub program: String,

    /// The command, instead of the recipe's
    #[arg(value_name = "CMD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,

    /// Give the command standard input (a session without CMD has it)
    #[arg(short, long)]
    pub interactive: bool,

    /// Give the command a terminal (a session without CMD on a terminal has one)
    #[arg(short, long)]
    pub tty: bool,

    /// Set an environment variable, or pass on mote's own
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub env: Vec<String>,

    /// Where the command starts
    #[arg(short, long, value_name = "PATH")]
    pub workdir: Option<String>,

    /// The guest's host name
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,

    /// The guest's memory, with b, k, m or g
    #[arg(short, long, value_name = "SIZE", value_parser = |text: &str| hinted(text.parse::<Memory>(), MemoryError::hint))]
    pub memory: Option<Memory>,

    /// The guest's processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub cpus: Option<u32>,

    /// The guest's network
    #[arg(long, value_name = "user|user:dhcp|none", value_parser = |text: &str| hinted(text.parse::<Network>(), UnknownWord::hint))]
    pub network: Option<Network>,

    /// Publish a port of the guest, on 127.0.0.1 unless an address is given
    #[arg(short, long, value_name = "[ADDR:]HOST:GUEST[/udp]", value_parser = |text: &str| hinted(text.parse::<Publish>(), PublishError::hint))]
    pub publish: Vec<Publish>,

    /// How instructions are run; found by trying if not given
    #[arg(long, value_name = "kvm|tcg|whpx|hvf", value_parser = |text: &str| hinted(text.parse::<Accel>(), UnknownWord::hint))]
    pub accel: Option<Accel>,

    /// Further words for the kernel's command line, after mote's own
    #[arg(long, value_name = "WORDS")]
    pub append: Option<String>,

    /// The system's own init, run as PID 1 of its PID namespace
    #[arg(long, value_name = "PATH")]
    pub init: Option<String>,

    /// Boot this kernel: a folder, or the beginning of a key in the cache
    #[arg(long, value_name = "DIR|KEY")]
    pub kernel: Option<PathBuf>,

    /// What else the kernel is to have (see `mote kernel features`)
    #[arg(long = "feature", value_name = "NAME", value_delimiter = ',', conflicts_with = "kernel")]
    pub feature: Vec<String>,

    /// Show the kernel's messages on standard error
    #[arg(long)]
    pub verbose: bool,

    /// Say where the time went, on standard error
    #[arg(long)]
    pub timings: bool,

    /// Print the QEMU command instead of running it
    #[arg(long)]
    pub dry_run: bool,

    /// The Linux source of a kernel that has to be built
    #[arg(long, value_name = "auto|DIR|TARBALL|VERSION", conflicts_with = "kernel")]
    pub source: Option<SourceSpec>,
}

/// A parser's error as clap shows it: one text, with the hint.
fn hinted<T, E: ToString>(
    parsed: Result<T, E>,
    hint: fn(&E) -> Option<String>,
) -> Result<T, String> {
    parsed.map_err(|error| match hint(&error) {
        Some(hint) => format!("{} ({hint})", error.to_string()),
        None => error.to_string(),
    })
}
