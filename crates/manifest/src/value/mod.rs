//! The values that flags and recipes share.

mod memory;
mod publish;
pub(crate) mod text;
mod word;

pub use memory::{Memory, MemoryError};
pub use publish::{HostPort, Protocol, Publish, PublishError};
pub use word::{Accel, Addressing, Network, UnknownWord};
