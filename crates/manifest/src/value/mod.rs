//! The values that flags and recipes share.

mod memory;
mod mount;
mod publish;
pub(crate) mod text;
mod word;

pub use memory::{Memory, MemoryError};
pub use mount::{HostName, MalformedValue, Tmpfs};
pub use publish::{HostPort, Protocol, Publish, PublishError};
pub use word::{Accel, Addressing, Network, Pull, Rootfs, UnknownWord};
