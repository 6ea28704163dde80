//! `mote run`

use std::collections::BTreeMap;
use std::env::VarError;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use mote_contract::{Outcome as SessionOutcome, TerminalSize};
use mote_engine::program::Program;
use mote_engine::run::{Ended, Plan, RunWanted};
use mote_engine::{EngineError, Host};
use mote_kernel::source::SourceSpec;
use mote_manifest::{Defaults, RunSettings};
use mote_vmm::{Control, End, Event, RawMode, SILENCE_LIMIT, SessionIo, Sink};

use super::{limited, write_out};
use crate::args::Run;
use crate::host::Settings;
use crate::terminal::{self, Progress, say};
use crate::{FAILED, signals};

/// The size of a terminal that does not say.
const USUAL_SIZE: TerminalSize = TerminalSize { rows: 24, cols: 80 };

pub fn run(args: Run, host: &Host, defaults: &Settings, progress: &Progress) -> Result<ExitCode> {
    let (program, settings, kernel_source) = wanted(args, &defaults.defaults)?;
    let (verbose, timings) = (settings.verbose == Some(true), settings.timings == Some(true));
    let streams = Streams::of(&program, &settings);
    let terminal = streams.terminal_size()?;
    let dry_run = settings.dry_run == Some(true);
    let host = &limited(host, settings.unpack_limit);
    let plan = Plan::make(host, RunWanted { program, settings, kernel_source, terminal })?;
    if dry_run {
        write_out(format!("{}\n", plan.dry_run(host)?).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    for published in plan.published().iter().filter(|published| published.chosen) {
        let forward = published.forward;
        let (port, protocol) = (forward.guest_port, forward.protocol.name());
        say(format_args!("port {port}/{protocol} of the guest is at {}\n", forward.host));
    }
    let ended = attach(host, &plan, streams, verbose)?;
    if timings {
        say(terminal::timings(progress, &ended));
    }
    exit_code(&ended)
}

/// What is run, and how: the user's defaults, with the recipe's settings, if it is one, and then the
/// flags laid over them.
fn wanted(args: Run, defaults: &Defaults) -> Result<(Program, RunSettings, Option<SourceSpec>)> {
    let program = Program::parse(&args.program).map_err(EngineError::from)?;
    // There is no other way to run: nothing has to be done about it.
    let _ = args.rm;
    let mut env = BTreeMap::new();
    for file in &args.env_file {
        env.extend(variables_of(file)?);
    }
    for text in &args.env {
        env.extend([variable(text)?]);
    }
    let flags = RunSettings {
        command: args.command,
        env,
        entrypoint: args.entrypoint.map(|program| match program.is_empty() {
            true => Vec::new(),
            false => vec![program],
        }),
        user: args.user,
        workdir: args.workdir,
        tty: args.tty.then_some(true),
        interactive: args.interactive.then_some(true),
        hostname: args.hostname,
        memory: args.memory,
        cpus: args.cpus,
        network: args.network,
        publish: args.publish,
        accel: args.accel,
        append: args.append,
        init: args.init,
        rootfs: args.rootfs,
        read_only: args.read_only.then_some(true),
        tmpfs: args.tmpfs,
        add_host: args.add_host,
        pull: args.pull,
        unpack_limit: args.unpack_limit,
        kernel: args.kernel,
        feature: args.feature,
        exact: args.exact.then_some(true),
        verbose: args.verbose.then_some(true),
        timings: args.timings.then_some(true),
        dry_run: args.dry_run.then_some(true),
    };
    let settings = defaults.run.clone().overridden_by(program.settings()).overridden_by(flags);
    Ok((program, settings, args.source))
}

/// A variable and its value, if it has one.
type Variable = (String, Option<String>);

/// `KEY=VALUE`, or `KEY` for mote's own value if there is one.
fn variable(text: &str) -> Result<Variable> {
    if let Some((key, value)) = text.split_once('=') {
        return Ok((key.to_owned(), Some(value.to_owned())));
    }
    match std::env::var(text) {
        Ok(value) => Ok((text.to_owned(), Some(value))),
        Err(VarError::NotPresent) => Ok((text.to_owned(), None)),
        Err(VarError::NotUnicode(value)) => bail!("{text}: the value is not UTF-8: {value:?}"),
    }
}

/// The variables of a file, as docker reads it: nothing is quoted or expanded, and a name that mote has no
/// value for is passed over.
fn variables_of(file: &Path) -> Result<Vec<Variable>> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the variables in {}", file.display()))?;
    let mut variables = Vec::new();
    for (line, number) in text.lines().map(str::trim_start).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) {
            bail!("{}:{number}: no name of a variable: {name:?}", file.display());
        }
        variables.push(variable(line)?);
    }
    variables.retain(|(_, value)| value.is_some());
    Ok(variables)
}

/// How the session is connected to mote's own streams.
#[derive(Clone, Copy)]
struct Streams {
    input: bool,
    terminal: bool,
}

impl Streams {
    /// As docker does it; but a recipe without a command is a shell that somebody wants to use.
    fn of(program: &Program, run: &RunSettings) -> Self {
        let shell = matches!(program, Program::Recipe(_)) && run.command.is_empty();
        Self {
            input: run.interactive.unwrap_or(shell),
            terminal: run.tty.unwrap_or(shell && stdin().is_terminal() && stdout().is_terminal()),
        }
    }

    fn terminal_size(self) -> Result<Option<TerminalSize>> {
        if !self.terminal {
            return Ok(None);
        }
        if self.input && !stdin().is_terminal() {
            bail!("the input device is not a terminal: leave out --tty, or --interactive");
        }
        Ok(Some(terminal::size().unwrap_or(USUAL_SIZE)))
    }
}

/// Runs the machine with its session on mote's own streams.
fn attach(host: &Host, plan: &Plan, streams: Streams, verbose: bool) -> Result<Ended> {
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    let control = Control::new()?;
    let instance = plan.start(host)?;
    // While the session runs. Before, ^C is mote's.
    let (mut raw, mut attached) = (None, None);
    let mut on_event = |event: &Event| match event {
        // A terminal in raw mode does not return the carriage at the end of a line.
        Event::Console(line) if verbose && raw.is_some() => say(format_args!("{line}\r\n")),
        Event::Console(line) if verbose => say(format_args!("{line}\n")),
        Event::StillWaiting { awaited, silent } => {
            let seconds = silent.as_secs();
            say(format_args!("still waiting for {awaited}, {seconds} s; ^C stops\n"));
        }
        Event::Started => {
            if streams.terminal && streams.input {
                let entered = RawMode::enter(&stdin);
                let warn = |error| say(format_args!("warning: no raw mode: {error}\n"));
                raw = entered.map_err(warn).ok();
            }
            attached = Some(signals::attach(control.clone()));
        }
        Event::Ended => (raw, attached) = (None, None),
        _ => {}
    };
    let io = SessionIo {
        stdin: streams.input.then(|| stdin.as_fd()),
        stdout: Sink::Descriptor(stdout.as_fd()),
        stderr: Sink::Descriptor(stderr.as_fd()),
        console_log: None,
        control: control.clone(),
        timeout: None,
        silence_limit: SILENCE_LIMIT,
        on_event: &mut on_event,
    };
    Ok(instance.attach(host, io)?)
}

/// The exit code that says how the machine ended; what went wrong is an error.
fn exit_code(ended: &Ended) -> Result<ExitCode> {
    if let Some(failure) = ended.failure() {
        return Err(EngineError::from(failure).into());
    }
    let code = match ended.end() {
        End::Session(SessionOutcome::Exit(code)) => *code,
        // At most 64.
        End::Session(SessionOutcome::Signal(number)) => 128 + number,
        End::Session(SessionOutcome::Failed { failure, message }) => {
            say(format_args!("error: {message}\n"));
            failure.code()
        }
        End::Poweroff => told("the guest was powered off"),
        End::Reboot => told("the guest asked for a reboot, which ends the machine"),
        End::Halt => told("the guest was halted"),
        End::Cancelled { signal } => u8::try_from(128 + signal).unwrap_or(FAILED),
        // Everything else is a failure, which was returned above.
        _ => FAILED,
    };
    Ok(ExitCode::from(code))
}

fn told(what: &str) -> u8 {
    say(format_args!("{what}\n"));
    0
}
