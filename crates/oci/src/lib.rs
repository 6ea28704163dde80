//! Images in: where an OCI or docker image is, and what it consists of.
//!
//! [`load`] takes what the user named (an [`ImageSource`]) and gives an [`Image`]: its
//! configuration and its layers, each a stretch of a file on this host. What comes from a registry
//! is verified while it is downloaded into a [`BlobStore`], from which it is read again without a
//! network; layouts and archives are read where they are. The tar archives of the layers are not
//! looked into here, and a layer of a layout or an archive is not verified before it is read:
//! whoever inflates it compares its digests.
//!
//! Everything that a registry or an archive says is hostile.

mod access;
mod config;
mod credentials;
mod digest;
mod document;
mod error;
mod event;
mod image;
mod load;
mod local;
mod platform;
mod reference;
mod registry;
mod resolve;
mod source;
mod stop;
mod store;

pub use access::Access;
pub use config::ImageConfig;
pub use credentials::CredentialsError;
pub use digest::{Digest, DigestError};
pub use document::{
    DOCUMENT_MAX_BYTES, Descriptor, Document, DocumentError, Index, IndexEntry, LAYERS_MAX,
    Manifest,
};
pub use error::OciError;
pub use event::{PlannedBlob, PullEvent};
pub use image::{BlobFile, BlobReader, BlobRef, Compression, Image, Layer};
pub use load::{PullPolicy, load};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
pub use registry::{RegistryError, TransferError};
pub use source::{ImageSource, ImageSourceError};
pub use store::{BlobStore, Freed, StoredImage};
