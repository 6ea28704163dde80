//! `mote run`: each flag has a key of the same name in a recipe's `[run]` table, and wins over it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use mote_kernel::source::SourceSpec;
use mote_manifest::{
    Accel, HostName, Memory, MemoryError, Network, Publish, PublishError, Pull, Rootfs, Tmpfs,
    UnknownWord,
};

use super::hinted;

#[derive(Debug, Args)]
pub struct Run {
    /// What to run: an image's NAME[:TAG], or what follows oci:, oci-archive:, docker-archive:,
    /// tar:, dir: or recipe:; or the path of a mote.toml
    #[arg(value_name = "SOURCE")]
    pub program: OsString,

    /// The command, instead of the image's or the recipe's
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

    /// Set the variables of a file, a line each as for --env; lines that begin with # are none
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,

    /// The program that gets the command as its arguments, instead of the image's; empty: none
    #[arg(long, value_name = "PROGRAM")]
    pub entrypoint: Option<String>,

    /// Who the command runs as, by names or numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    pub user: Option<String>,

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
    #[arg(long, value_name = "N", value_parser = processors)]
    pub cpus: Option<u32>,

    /// The guest's network
    #[arg(long, alias = "net", value_name = "user|user:dhcp|none", value_parser = network)]
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

    /// What the root file system is: initramfs, erofs (a read-only disk below memory) or ext4 (a
    /// writable disk that lives as long as the run)
    #[arg(long, value_name = "initramfs|erofs|ext4", value_parser = |text: &str| hinted(text.parse::<Rootfs>(), UnknownWord::hint))]
    pub rootfs: Option<Rootfs>,

    /// Keep the root file system as the image has it
    #[arg(long)]
    pub read_only: bool,

    /// Mount a file system in memory; its options are those of tmpfs, such as size=64m
    #[arg(long, value_name = "PATH[:OPTIONS]")]
    pub tmpfs: Vec<Tmpfs>,

    /// Give the guest a further name for an address
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub add_host: Vec<HostName>,

    /// Refuse an image that unpacks to more than this, with b, k, m or g [default: 64g]
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| hinted(text.parse::<Memory>(), MemoryError::hint))]
    pub unpack_limit: Option<Memory>,

    /// When to ask the registry for the image
    #[arg(long, value_name = "missing|always|never", value_parser = |text: &str| hinted(text.parse::<Pull>(), UnknownWord::hint))]
    pub pull: Option<Pull>,

    /// Leave nothing of the machine behind, as every run does; docker's word for it
    #[arg(long)]
    pub rm: bool,

    /// Boot this kernel: a folder, or the beginning of a key in the cache
    #[arg(long, value_name = "DIR|KEY")]
    pub kernel: Option<PathBuf>,

    /// What else the kernel is to have (see `mote kernel features`)
    #[arg(long = "feature", value_name = "NAME", value_delimiter = ',', conflicts_with = "kernel")]
    pub feature: Vec<String>,

    /// Boot a kernel that has what is asked of it and nothing else, instead of any that has all of it
    #[arg(long, conflicts_with = "kernel")]
    pub exact: bool,

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

/// Docker's networks have no like here.
fn network(text: &str) -> Result<Network, String> {
    match text {
        "host" | "bridge" | "default" => Err(
            "a guest has a network of its own (leave it out; -p publishes ports, and the host is \
             10.0.2.2)"
                .to_owned(),
        ),
        _ => hinted(text.parse::<Network>(), UnknownWord::hint),
    }
}

/// A share of a processor is nothing that a machine can have.
fn processors(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a guest has whole processors, 1 or more".to_owned()),
        Ok(count) => Ok(count),
    }
}
