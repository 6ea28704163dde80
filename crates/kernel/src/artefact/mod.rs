//! The kernel that comes out: a folder that says of itself what it is made of.

mod digest;
mod elf;
mod error;
mod key;
mod load;
mod record;
mod write;

pub(crate) use digest::sha256_hex;
pub use error::ArtefactError;
pub use key::{KernelInputs, KernelSpec};
pub use load::{Integrity, Kernel};
pub use record::{FileRecord, InputRecord, KernelRecord, SCHEMA, SourceRecord};
pub(crate) use write::write;
