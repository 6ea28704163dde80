//! The host's terminal: raw mode that is always undone, and its size.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mote_contract::TerminalSize;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// The terminal in raw mode and how it was before; there is one at a time.
static SAVED: Mutex<Option<(OwnedFd, Termios)>> = Mutex::new(None);

/// The size of the terminal behind `descriptor`, if it is one and has a size.
pub fn terminal_size(descriptor: impl AsFd) -> Option<TerminalSize> {
    let size = tcgetwinsize(descriptor).ok()?;
    let terminal = TerminalSize { rows: size.ws_row, cols: size.ws_col };
    (terminal.rows > 0 && terminal.cols > 0).then_some(terminal)
}

/// Whether `descriptor` is a terminal.
pub fn is_terminal(descriptor: impl AsFd) -> bool {
    isatty(descriptor)
}

/// A terminal in raw mode: each key goes to the guest, none has a meaning here. Undone when dropped, so also by a
/// panic that unwinds; a thread that is about to end the process otherwise calls [`restore_terminal`].
#[derive(Debug)]
#[must_use = "dropping it leaves raw mode"]
pub struct RawMode(());

impl RawMode {
    /// Puts the terminal behind `descriptor` into raw mode.
    ///
    /// # Errors
    ///
    /// When it is no terminal, or one is in raw mode already.
    pub fn enter(descriptor: impl AsFd) -> io::Result<Self> {
        let mut saved = lock();
        if saved.is_some() {
            return Err(io::Error::other("a terminal is in raw mode already"));
        }
        let terminal = descriptor.as_fd().try_clone_to_owned()?;
        let before = tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Drain, &raw)?;
        *saved = Some((terminal, before));
        Ok(Self(()))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore_terminal();
    }
}

/// Leaves raw mode if a [`RawMode`] is alive: for a signal thread, before it ends the process. May be called at any
/// time and more than once.
pub fn restore_terminal() {
    if let Some((terminal, before)) = lock().take() {
        // `Flush` drops typed-ahead keys meant for the guest. A terminal that is gone needs no restoring.
        let _ = tcsetattr(terminal, OptionalActions::Flush, &before);
    }
}

fn lock() -> MutexGuard<'static, Option<(OwnedFd, Termios)>> {
    SAVED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use rustix::termios::{LocalModes, Winsize, tcsetwinsize};

    fn open_terminal() -> (OwnedFd, OwnedFd) {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let terminal =
            ioctl_tiocgptpeer(&controller, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        (controller, terminal)
    }

    fn is_raw(terminal: &OwnedFd) -> bool {
        !tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ICANON)
    }

    /// One test: raw mode is one for the process.
    #[test]
    fn raw_mode_is_undone_on_every_way_out() {
        let (_controller, terminal) = open_terminal();
        let guard = RawMode::enter(&terminal).unwrap();
        assert!(is_raw(&terminal));
        assert!(RawMode::enter(&terminal).is_err());
        drop(guard);
        assert!(!is_raw(&terminal), "after a drop");

        let panicked = std::panic::catch_unwind(|| {
            let _guard = RawMode::enter(&terminal).unwrap();
            panic!("as planned");
        });
        assert!(panicked.is_err() && !is_raw(&terminal), "after a panic");

        let _guard = RawMode::enter(&terminal).unwrap();
        restore_terminal();
        assert!(!is_raw(&terminal), "when the process is about to end");

        assert!(RawMode::enter(std::fs::File::open("/dev/null").unwrap()).is_err());
    }

    #[test]
    fn a_size_is_known_when_there_is_one() {
        let (_controller, terminal) = open_terminal();
        assert_eq!(terminal_size(&terminal), None, "0 by 0 is no size");
        tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })
            .unwrap();
        assert_eq!(terminal_size(&terminal), Some(TerminalSize { rows: 24, cols: 80 }));
        assert_eq!(terminal_size(std::fs::File::open("/dev/null").unwrap()), None);
        assert!(is_terminal(&terminal));
    }
}
