//! PID 1 from its first instruction to the machine's end.

use mote_contract::{CONFIG_PATH, Io, RunConfig};

use crate::channel::Channel;
use crate::error::{InitError, Result};
use crate::kernel::Linux;
use crate::program::Program;
use crate::report;
use crate::run::{End, Run};
use crate::setup::{self, Now};
use crate::sys::{self, Fd, OpenFlags};
use crate::system::System;
use crate::{account, mounts, paths, root};

/// What the kernel gave PID 1.
#[derive(Debug)]
pub struct Start<'a> {
    /// When it executed its first instruction, nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
    /// Its arguments after the program's name: words of the kernel's command line that the kernel does not know.
    pub arguments: &'a [&'a [u8]],
    /// Its environment: such words with an equals sign.
    pub environment: &'a [&'a [u8]],
}

/// Does all that PID 1 does, but for ending the machine. Whatever fails is reported.
pub fn boot(start: &Start<'_>) {
    let mut kernel = Linux::default();
    let (config, signals) = match prepare(&mut kernel) {
        Ok(prepared) => prepared,
        Err(error) => return report::on_console(report::failed(&error)),
    };
    let now = Now { boottime_ns: sys::boottime_ns(), realtime_ns: sys::realtime_ns() };
    let ready = root::enter(&mut kernel, &config.root)
        .and_then(|()| setup::set_up(&mut kernel, &config, now))
        .and_then(|()| root::close(&mut kernel, &config.root));
    let mut channel = match config.io {
        Io::Console => None,
        Io::Channel => match Channel::open(start.boottime_ns) {
            Ok(channel) => Some(channel),
            Err(error) => return report::on_console(report::failed(&error)),
        },
    };
    let end = ready
        .and_then(|()| run(&mut kernel, start, &config, signals, channel.as_mut()))
        .unwrap_or_else(|error| report::failed(&error));
    // Before the end is told: the host gives the machine little time from then on. Whatever fails here, the disk has
    // been synced, and how the session ended is worth more.
    let _ = root::release(&mut kernel, &config.root);
    match &mut channel {
        Some(channel) => report::over_channel(channel, end),
        None => report::on_console(end),
    }
}

/// What the configuration cannot change: without it, the console is the only place to report to.
fn prepare(kernel: &mut Linux) -> Result<(RunConfig, Fd)> {
    let signals = sys::block_all_signals().map_err(InitError::call(format_args!("signalfd4()")))?;
    mounts::mount_devices(kernel)?;
    occupy_standard_streams()?;
    Ok((read_config()?, signals))
}

/// The kernel leaves the first three descriptors closed when it has no console. Nothing else may get them: a
/// program's streams are put there.
fn occupy_standard_streams() -> Result<()> {
    loop {
        let fd = sys::open(c"/dev/null", OpenFlags::ReadWrite)
            .map_err(InitError::call(format_args!("open(/dev/null)")))?;
        if fd.number() > 2 {
            return Ok(());
        }
        core::mem::forget(fd);
    }
}

fn read_config() -> Result<RunConfig> {
    let file = sys::open(paths::CONFIG, OpenFlags::Read);
    let text = file
        .and_then(|file| file.read_to_end())
        .map_err(InitError::call(format_args!("read({CONFIG_PATH})")))?;
    Ok(RunConfig::from_json(&text).map_err(InitError::Config)?)
}

fn run(
    kernel: &mut Linux,
    start: &Start<'_>,
    config: &RunConfig,
    signals: Fd,
    channel: Option<&mut Channel>,
) -> Result<End> {
    let system = config
        .system
        .as_ref()
        .map(|path| System::start(path, &config.network, start.arguments, start.environment));
    let system = system.transpose()?;
    let account = account::look_up(kernel, config.session.user.as_deref())?;
    let program = Program::of_session(&config.session, account)?;
    Run::new(config, program, signals, channel, system).run()
}
