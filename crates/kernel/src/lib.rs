//! Linux sources, features and the kernel's own build.
//!
//! From what is wanted to what is kept: a [`ConfigSpec`] names features, fragments and perhaps a
//! configuration to start from. For a version of the kernel it becomes a [`ConfigPlan`], of which
//! the kernel's own `conf` makes a `.config` ([`ConfigPlan::resolve`]), and asked is compared with
//! got. [`build()`] drives the kernel's own build and leaves a [`Kernel`]: a folder that says of
//! itself what it is made of.
//!
//! There is no cache and no lock here: the caller gives the folders.

mod artefact;
mod build;
mod config;
mod explain;
mod feature;
mod kbuild;
mod menuconfig;
pub mod source;
#[cfg(test)]
mod testing;
mod tools;
mod version;

pub use artefact::{
    ArtefactError, FileRecord, InputRecord, Integrity, Kernel, KernelInputs, KernelRecord,
    KernelSpec, SCHEMA, SourceRecord,
};
pub use build::{BuildDirs, BuildError, BuildEvent, BuildOutcome, Progress, build};
pub use config::{
    ConfigError, ConfigFile, ConfigOutcome, ConfigPlan, ConfigSpec, Unfulfilled, UnknownSymbol,
};
pub use explain::ExplainError;
pub use feature::{Catalogue, Feature, FeatureError, FeatureFileError, FeatureSymbol};
pub use menuconfig::MenuconfigError;
pub use tools::{BUILD_TOOLS, BuildTool, Compiler, ToolKind, Toolchain, ToolsError, missing_tools};
pub use version::{KernelVersion, VersionError};
