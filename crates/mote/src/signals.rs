//! What signals mean: before a session runs, stop; while it runs, the session's business.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mote_process::Cancel;
use mote_vmm::{Control, restore_terminal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::terminal;

/// How long a session that was told to end may take; docker's `stop` waits as long.
const GRACE: Duration = Duration::from_secs(10);

/// The session that gets the signals now, if there is one.
static SESSION: Mutex<Option<Session>> = Mutex::new(None);

struct Session {
    control: Control,
    /// Whether it was told to end before.
    told: bool,
}

/// Starts to handle signals. The first that asks to stop cancels what is under way, or goes to the
/// session if one is attached; the second ends mote, and with it all that it started. What the user's
/// own signals mean only a session knows; a session gets every SIGHUP.
///
/// # Panics
/// When the process cannot start a thread: at its start, there is nothing else to do.
pub fn watch() -> Cancel {
    terminal::note();
    let cancel = Cancel::default();
    let handled = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];
    let mut signals = Signals::new(handled).expect("these signals can be handled");
    let watched = cancel.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGWINCH => resize(),
                SIGUSR1 | SIGUSR2 => pass_on(signal),
                _ => stop(signal, &watched),
            }
        }
    });
    cancel
}

/// Gives the signals to a session until the returned value is dropped, and the size that the terminal has
/// now: since it was asked for last, much may have been pulled and built.
#[must_use = "dropping it takes the signals away from the session"]
pub fn attach(control: Control) -> Attached {
    *session() = Some(Session { control, told: false });
    resize();
    Attached(())
}

/// A session gets the signals.
pub struct Attached(());

impl Drop for Attached {
    fn drop(&mut self) {
        *session() = None;
    }
}

fn session() -> std::sync::MutexGuard<'static, Option<Session>> {
    SESSION.lock().unwrap_or_else(PoisonError::into_inner)
}

fn resize() {
    if let (Some(session), Some(size)) = (session().as_ref(), terminal::size()) {
        session.control.resize(size);
    }
}

fn pass_on(signal: i32) {
    if let Some(session) = session().as_ref() {
        // The handled signals have small numbers.
        session.control.signal(signal as u8);
    }
}

fn stop(signal: i32, cancel: &Cancel) {
    if cancel.signal().is_some() {
        restore_terminal();
        std::process::exit(128 + signal);
    }
    match session().as_mut() {
        Some(session) if signal == SIGHUP => {
            session.control.signal(signal as u8);
            // Who sends it to a server wants it to read its configuration anew. Only when the terminal
            // has gone is nobody there any more.
            insist(signal, cancel.clone(), terminal::is_gone);
        }
        Some(session) if !session.told => {
            session.told = true;
            // The handled signals have small numbers.
            session.control.signal(signal as u8);
            if signal != SIGINT && signal != SIGQUIT {
                insist(signal, cancel.clone(), || true);
            }
        }
        Some(_) | None => cancel.cancel(signal),
    }
}

/// Ends what has not ended by itself after a while, if `holds` then.
fn insist(signal: i32, cancel: Cancel, holds: fn() -> bool) {
    let end = move || {
        if holds() {
            cancel.cancel(signal);
        }
    };
    let end_later = end.clone();
    let waiting = thread::Builder::new().spawn(move || {
        thread::sleep(GRACE);
        end_later();
    });
    // Without a thread to be had, nobody can wait.
    if waiting.is_err() {
        end();
    }
}
