//! The one thread that starts programs.
//!
//! The kernel sends the parent-death signal (prctl(2), `PR_SET_PDEATHSIG`) when the *thread* that forked ends, not
//! when its process does. A program started by a short-lived worker thread would be killed with that thread; so all
//! are started by this one, which lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;

struct Job {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

static KEEPER: Mutex<Option<Sender<Job>>> = Mutex::new(None);

/// Starts `command` on the keeper thread and waits until it runs.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    let (answer, answered) = channel();
    let gone = || io::Error::other("the thread that starts programs has ended");
    jobs()?.send(Job { command, answer }).map_err(|_| gone())?;
    answered.recv().map_err(|_| gone())?
}

fn jobs() -> io::Result<Sender<Job>> {
    let mut keeper = KEEPER.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(jobs) = &*keeper {
        return Ok(jobs.clone());
    }
    let (jobs, queue) = channel::<Job>();
    thread::Builder::new().name("process-keeper".to_owned()).spawn(move || {
        for mut job in queue {
            let child = job.command.spawn();
            // The descriptors meant for the child must be closed here when the caller goes on.
            drop(job.command);
            // A caller that is gone has dropped its interest: `Child` has no `Drop` that kills, so do it here.
            if let Err(unwanted) = job.answer.send(child)
                && let Ok(mut child) = unwanted.0
            {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    })?;
    Ok(keeper.insert(jobs).clone())
}
