//! A machine that runs for somebody, and how it ended.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mote_vmm::{AccelChoice, End, Outcome, Running, SessionIo, Timeline};
use tempfile::TempDir;

use crate::EngineError;
use crate::cache::locked_folder;
use crate::host::Host;

/// A started machine and the folder that it has for its time.
pub struct Instance {
    running: Running,
    accel: AccelChoice,
    dir: TempDir,
    /// Of the folder: who has it is alive.
    lock: File,
}

impl Instance {
    pub(super) fn new(
        host: &Host,
        running: Running,
        accel: AccelChoice,
    ) -> Result<Self, EngineError> {
        let instances = host.instances();
        fs::create_dir_all(&instances)
            .map_err(EngineError::io("make the directory", &instances))?;
        let (dir, lock) = locked_folder(&instances, "run-")?;
        Ok(Self { running, accel, dir, lock })
    }

    /// Connects the session and waits for the machine's end. Of a machine that failed, the folder
    /// with its console's log stays until it is pruned.
    ///
    /// # Errors
    /// When the host's side fails; the machine is gone then.
    pub fn attach(self, host: &Host, io: SessionIo<'_>) -> Result<Ended, EngineError> {
        let Self { running, accel, dir, lock: _alive } = self;
        let log = dir.path().join("console.log");
        let file = File::create(&log).map_err(EngineError::io("create", &log))?;
        let outcome = running.attach(SessionIo { console_log: Some(file), ..io }, &host.cancel)?;
        let log = is_failure(&outcome.end).then(|| {
            let _stays = dir.keep();
            log
        });
        Ok(Ended { outcome, accel, log })
    }
}

fn is_failure(end: &End) -> bool {
    !matches!(
        end,
        End::Session(_) | End::Poweroff | End::Reboot | End::Halt | End::Cancelled { .. }
    )
}

/// How a machine ended.
pub struct Ended {
    outcome: Outcome,
    accel: AccelChoice,
    log: Option<PathBuf>,
}

impl Ended {
    /// What ended it.
    pub fn end(&self) -> &End {
        &self.outcome.end
    }

    /// When it passed what.
    pub fn timeline(&self) -> &Timeline {
        &self.outcome.timeline
    }

    /// What ran its instructions.
    pub fn accel(&self) -> &AccelChoice {
        &self.accel
    }

    /// Of a machine that failed, why.
    pub fn failure(&self) -> Option<GuestFailure> {
        let (what, cause) = match &self.outcome.end {
            End::Panic { line, cause } => (format!("the guest's kernel panicked: {line}"), *cause),
            End::NeverReachedInit { cause } => {
                ("the guest ended before its init ran".to_owned(), *cause)
            }
            End::Vanished => ("the guest was reset without a word".to_owned(), None),
            End::VmmFailed { status, said, cause } => {
                (format!("qemu failed, {status}: {said}"), *cause)
            }
            End::Silent { after, awaited, cause } => {
                let seconds = after.as_secs();
                (format!("waited for {awaited}, and nothing was heard for {seconds} s"), *cause)
            }
            End::Misbehaved { reason } => {
                (format!("the guest broke the protocol of the channel: {reason}"), None)
            }
            End::NotForwarded { reason } => (reason.clone(), None),
            End::TimedOut { after } => {
                (format!("the guest did not end within {} s", after.as_secs()), None)
            }
            End::Session(_) | End::Poweroff | End::Reboot | End::Halt | End::Cancelled { .. } => {
                return None;
            }
        };
        let mut text = what;
        if let Some(cause) = cause {
            let _ = write!(text, "\n  {}", cause.what);
        }
        if !self.outcome.console_tail.trim().is_empty() {
            text.push_str("\n  the end of its console:");
            for line in self.outcome.console_tail.lines() {
                let _ = write!(text, "\n    {line}");
            }
        }
        if let Some(log) = self.log() {
            let _ = write!(text, "\n  the whole console: {}", log.display());
        }
        Some(GuestFailure { text, hint: cause.map(|cause| cause.hint) })
    }

    fn log(&self) -> Option<&Path> {
        self.log.as_deref()
    }
}

/// Why a guest failed, with what its console said last.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct GuestFailure {
    text: String,
    hint: Option<&'static str>,
}

impl GuestFailure {
    /// What to do about it, where the cause is known.
    pub fn hint(&self) -> Option<String> {
        self.hint.map(str::to_owned)
    }
}
