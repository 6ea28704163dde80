//! `kernel.json`: what a kernel is made of.

use std::collections::BTreeMap;

use mote_kconfig::Asked;
use serde::{Deserialize, Serialize};

use crate::Compiler;
use crate::source::SourceKind;

/// The schema of `kernel.json` that this mote writes and reads.
pub const SCHEMA: u64 = 1;

/// What a kernel is made of. What was *got* is the file `config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelRecord {
    /// [`SCHEMA`].
    pub schema: u64,
    /// What `uname -r` prints.
    pub release: String,
    /// The source.
    pub source: SourceRecord,
    /// The features asked for and all that they require, each after the ones it requires.
    pub features: Vec<String>,
    /// The user's fragments.
    pub fragments: Vec<InputRecord>,
    /// The configuration that was started from, unless all was `n`.
    pub base: Option<InputRecord>,
    /// Every symbol asked for, with who asked.
    pub asked: Asked,
    /// Who compiled and linked.
    pub compiler: Compiler,
    /// What compressed bzImage, with its version; empty in records from before it was written down.
    #[serde(default)]
    pub compressor: String,
    /// The build's time as the kernel tells it, in seconds since 1970.
    pub epoch_s: u64,
    /// Where the kernel's highest segment ends in physical memory, in bytes: less memory cannot do.
    pub load_end_bytes: u64,
    /// The physical address of the PVH entry point. Without one QEMU takes only the `bzImage`.
    pub pvh_entry: Option<u64>,
    /// The other files of the folder.
    pub files: BTreeMap<String, FileRecord>,
}

/// The source of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRecord {
    /// The version that its `Makefile` gives.
    pub version: String,
    /// What the digest covers.
    pub kind: SourceKind,
    /// SHA-256.
    pub sha256: String,
}

/// A file that went into a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRecord {
    /// The path as the user wrote it.
    pub file: String,
    /// SHA-256 of its text.
    pub sha256: String,
}

/// A file that came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its size, in bytes.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: String,
}
