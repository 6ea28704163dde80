//! Features: named, documented sets of kernel symbols, with what they require and how to prove
//! them in a booted guest. Each is a data file, `features/<name>.toml`; all of them are built in.

mod builtin;
mod catalogue;
mod file;

pub use catalogue::{Catalogue, FeatureError};
pub use file::{Feature, FeatureFileError, FeatureSymbol};
