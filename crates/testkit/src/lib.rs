//! What the tests of the command share: a sandbox to run `mote` in, its streams or its terminal,
//! the kernel that it boots, and images with a registry to pull them from.
//!
//! Whatever goes wrong here is a panic with what was seen so far: this crate is for tests only.

mod child;
mod finished;
mod images;
mod invocation;
mod kernel;
mod processes;
mod registry;
mod running;
mod sandbox;
mod terminal;
mod transcript;

pub use finished::Finished;
pub use images::image;
pub use invocation::Invocation;
pub use processes::Process;
pub use registry::{Access, PASSWORD, Registry, USER};
pub use running::Running;
pub use rustix::process::Signal;
pub use sandbox::Sandbox;
pub use terminal::{Attributes, Terminal};
pub use transcript::Transcript;

use std::time::Duration;

/// How long anything may take that does not build: a boot under TCG takes a second by itself, and
/// the machine may have twenty other things to do.
pub const PATIENCE: Duration = Duration::from_secs(240);
