//! The one wrapper around external programs.
//!
//! Every program that mote runs goes through [`Command`]: the child leads its own process group, dies with us
//! whatever happens ([`Child`]), stops when the user does ([`Cancel`]), and a failure shows a command that can be
//! pasted, how it ended, the end of its output and where the whole log is ([`ProcessError`]).
//!
//! This crate knows no program by name, prints nothing and reads no environment variable itself.

mod cancel;
mod child;
mod command;
mod error;
mod guard;
mod keeper;
mod poll;
mod program;
mod quote;
mod run;
mod spawn;
mod tail;
mod text;

pub use cancel::{Cancel, Cancelled};
pub use child::Child;
pub use command::{Command, Output, Streams};
pub use error::ProcessError;
pub use poll::poll_until;
pub use program::Program;
pub use quote::quote_word;
pub use tail::Tail;
pub use text::printable;
