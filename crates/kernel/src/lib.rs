//! Linux sources, features and the kernel's own build.
//!
//! From what is wanted to what is kept: a [`ConfigSpec`] names features, fragments and perhaps a
//! configuration to start from; for a version of the kernel it becomes a [`ConfigPlan`], whose
//! [`ConfigPlan::resolve`] has the kernel's own `conf` make a `.config` of it and compares asked with got. [`build()`]
//! then drives the kernel's own build and leaves a [`Kernel`]: a folder that says of itself what
//! it is made of.
//!
//! There is no cache and no lock here: the caller gives the folders.

pub mod feature;
pub mod source;
mod version;

pub use feature::{Catalogue, Feature, FeatureError, FeatureFileError, FeatureSymbol};
pub use version::{KernelVersion, VersionError};
