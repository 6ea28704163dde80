//! A program on a terminal, and who sits there.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus};

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::child::Child;
use crate::{PATIENCE, Transcript};

/// A program on a terminal of its own; killed when dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The terminal as the program has it; while it is open, it keeps its attributes.
    device: OwnedFd,
    /// Its attributes before the program was started.
    pub before: Attributes,
    /// What it shows.
    pub screen: Transcript,
}

impl Terminal {
    /// Starts `command`, which makes its standard input its controlling terminal.
    pub(crate) fn start(mut command: Command, rows: u16, cols: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller = openpt(flags).expect("a pseudo terminal");
        grantpt(&controller).expect("a terminal of ours");
        unlockpt(&controller).expect("a terminal of ours");
        let device = ioctl_tiocgptpeer(&controller, flags).expect("the terminal's device");
        set_size(&device, rows, cols);
        let before = attributes(&device);
        let stream = || device.try_clone().expect("a descriptor");
        command.stdin(stream()).stdout(stream()).stderr(stream());
        let child = Child::start(&mut command);
        let keyboard = File::from(controller);
        let screen = Transcript::of(keyboard.try_clone().expect("a descriptor"));
        Self { child, keyboard, device, before, screen }
    }

    /// Types `text` as it is: a line ends with `\r`, which is what the key gives.
    ///
    /// # Panics
    ///
    /// If the terminal is gone.
    pub fn type_text(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the terminal is there");
    }

    /// Gives the terminal another size; its foreground process group is told.
    pub fn resize(&self, rows: u16, cols: u16) {
        set_size(&self.device, rows, cols);
    }

    /// Its attributes as they are now.
    ///
    /// # Panics
    ///
    /// If the terminal is gone.
    pub fn attributes(&self) -> Attributes {
        attributes(&self.device)
    }

    /// Sends the program a signal.
    ///
    /// # Panics
    ///
    /// If it cannot be sent.
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Waits for the program's end, and returns how it ended and the terminal's attributes then.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[track_caller]
    pub fn finish(mut self) -> (ExitStatus, Attributes) {
        let status = self.child.wait(PATIENCE);
        (status, self.attributes())
    }
}

/// What of a terminal's attributes raw mode changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
}

fn attributes(device: &OwnedFd) -> Attributes {
    let termios = tcgetattr(device).expect("it is a terminal");
    Attributes {
        input: termios.input_modes.bits(),
        output: termios.output_modes.bits(),
        control: termios.control_modes.bits(),
        local: termios.local_modes.bits(),
    }
}

fn set_size(device: &OwnedFd, rows: u16, cols: u16) {
    let size = Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(device, size).expect("a terminal takes any size");
}
