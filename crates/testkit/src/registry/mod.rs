//! Debian's registry server on loopback.

mod server;
mod tokens;

pub use server::{Access, PASSWORD, Registry, USER};
