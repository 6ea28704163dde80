//! What each verb does: one file a verb, which calls the engine and prints what came of it.

mod completion;
mod doctor;
mod env;
mod image;
mod info;
mod kernel;
mod pull;
mod recipe;
mod run;

use std::process::ExitCode;

use anyhow::Result;
use mote_engine::Host;
use mote_manifest::Memory;

use crate::args::{Command, Format, ImageCommand, KernelCommand, Output};
use crate::host::Settings;
use crate::terminal::Progress;

/// Does what was asked, where nothing is known of the machine: its configuration cannot be read.
pub fn run_anywhere(command: &Command) -> Option<Result<ExitCode>> {
    match command {
        Command::Recipe(args) => Some(recipe::recipe(args)),
        Command::Version(args) => Some(info::version(&args.output)),
        Command::Completion { shell } => Some(completion::completion(*shell)),
        Command::Man => Some(completion::man()),
        _ => None,
    }
}

/// Does what was asked.
pub fn run(
    command: Command,
    host: &Host,
    settings: &Settings,
    progress: &Progress,
) -> Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(*args, host, settings, progress),
        Command::Kernel(command) => match command {
            KernelCommand::Build(args) => kernel::build(args, host),
            KernelCommand::Config(args) => kernel::config(args, host),
            KernelCommand::Menuconfig(args) => kernel::menuconfig(args, host),
            KernelCommand::Explain(args) => kernel::explain(args, host),
            KernelCommand::Test(args) => kernel::test(args, host),
            KernelCommand::Features(output) => kernel::features(&output),
            KernelCommand::Ls(output) => kernel::ls(&output, host),
        },
        Command::Image(command) => match command {
            ImageCommand::Build(args) => image::build(args, host),
            ImageCommand::Inspect(args) => image::inspect(args, host),
            ImageCommand::Ls(args) => pull::images(&args, host),
            ImageCommand::Pull(args) => pull::pull(args, host),
            ImageCommand::Rm(args) => pull::remove(&args, host),
            ImageCommand::Prune(args) => pull::prune(&args, host),
        },
        Command::Pull(args) => pull::pull(args, host),
        Command::Images(args) => pull::images(&args, host),
        Command::Rmi(args) => pull::remove(&args, host),
        Command::Inspect(args) => image::inspect(args, host),
        Command::Prune(args) => pull::prune(&args, host),
        Command::Doctor(args) => doctor::doctor(&args.output, host),
        Command::Env(args) => env::env(&args.output, host, settings),
        Command::Info(args) => info::show(&args.output, host),
        Command::Recipe(args) => recipe::recipe(&args),
        Command::Version(args) => info::version(&args.output),
        Command::Completion { shell } => completion::completion(shell),
        Command::Man => completion::man(),
    }
}

/// The host, with the user's limit for what images unpack to.
fn limited(host: &Host, unpack_limit: Option<Memory>) -> Host {
    let mut host = host.clone();
    if let Some(limit) = unpack_limit {
        host.limits.bytes = u64::from(limit.mib()) << 20;
    }
    host
}

/// Prints `value` as JSON, or what `text` makes of it.
fn print<T: serde::Serialize>(
    output: &Output,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> Result<()> {
    let rendered = match output.format {
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
        Format::Text => text(value),
    };
    write_out(rendered.as_bytes())
}

/// Writes to standard output; a reader that has gone away is no failure.
fn write_out(bytes: &[u8]) -> Result<()> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
