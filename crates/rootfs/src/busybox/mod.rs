//! The BusyBox system: from a BusyBox binary and a description to a tree that boots by itself.
//!
//! [`load_busybox`] takes a binary that exists, [`build_busybox`] makes one from source, and
//! [`build_tree`] makes the tree of a [`BusyboxSpec`].

mod accounts;
mod applets;
mod binary;
mod build;
mod crypt;
mod environment;
mod spec;
mod tree;

pub use binary::{Busybox, BusyboxBinary, LoadError, load_busybox};
pub use build::{BUILD_CONFIG, BuildError, BuildEvent, BuildSpec, build_busybox};
pub use spec::{BusyboxSpec, ExtraFile, Group, Login, Password, SpecError, StartScript, User};
pub use tree::build_tree;
