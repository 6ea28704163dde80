//! The command without any boot: what it says of itself, and what it says about what it is given.

mod builds;
mod config;
mod docker;
mod images;
mod kernels;
mod machine;
mod reference;
mod runs;

use mote_testkit::Sandbox;

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_mote"))
}
