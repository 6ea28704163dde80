//! Machines: from a typed specification to a running QEMU and its outcome.
//!
//! A [`MachineSpec`] says what a machine is; [`render_argv`] is the only place where it becomes QEMU's arguments.
//! [`Machine::start`] runs it, [`Running::attach`] connects a session to the caller's streams and tells how it ended.
//!
//! This crate builds nothing: kernel and file systems are files to it. It prints nothing and reads no environment.

mod accel;
mod cmdline;
mod console;
mod error;
mod kernel;
mod memory;
mod outcome;
mod ports;
mod qemu;
mod session;
mod spec;
mod terminal;

pub use accel::{
    Accel, AccelChoice, ProbeOutcome, ProbeVerdict, Setting, UnknownAccel, choose_accel, cpu_model,
    kernel_words, machine_options, measure_host_tsc_khz, probe_accel, probe_key,
};
pub use cmdline::{Cmdline, KernelMessages, Word};
pub use console::{Cause, classify, panic_line};
pub use error::VmmError;
pub use kernel::KernelFile;
pub use memory::minimum_memory_mib;
pub use outcome::{Awaited, End, Milestone, Outcome, Timeline};
pub use ports::check_ports;
pub use qemu::{
    Machine, QEMU_PACKAGE, QEMU_PROGRAM, Wiring, descriptor_path, find_qemu, render_argv,
};
pub use session::{Control, Event, Running, SILENCE_LIMIT, SessionIo, Sink};
pub use spec::{
    Addressing, Drive, DriveAccess, Forward, MachineSpec, Network, Protocol, Sandbox, UserNetwork,
};
pub use terminal::{RawMode, is_terminal, restore_terminal, terminal_size};
