//! The command `mote`. The only crate that prints, reads the environment, or exits.
// They panic where nothing can be printed: `write_out` and `say` do not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod commands;
mod environment;
mod host;
mod signals;
mod terminal;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;

use args::Cli;
use terminal::{Progress, report, say};

/// mote itself failed, as docker says it.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            match args::explain(&error) {
                Some(text) => say(text),
                // Not being able to print the help leaves nothing else to do.
                None => drop(error.print()),
            }
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(FAILED) };
        }
    };
    let cancel = signals::watch();
    let progress = Arc::new(Progress::new(cli.quiet));
    let result = match host::host(cancel.clone(), progress.clone()) {
        Ok((host, settings)) => commands::run(cli.command, &host, &settings, &progress),
        Err(error) => commands::run_anywhere(&cli.command).unwrap_or(Err(error)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            let signal = cancel.signal().and_then(|signal| u8::try_from(signal).ok());
            ExitCode::from(signal.map_or(FAILED, |signal| 128 + signal))
        }
    }
}
