//! What an operation may use of the machine it runs on.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mote_kernel::source::{Mirror, SourceSpec};
use mote_oci::Access;
use mote_process::Cancel;
use mote_rootfs::layer::Limits;

use crate::cache::Cache;
use crate::event::{Event, Sink};

/// The host as the caller describes it: the engine looks at no environment variable and at no
/// home directory by itself.
#[derive(Clone)]
pub struct Host {
    /// What was made once.
    pub cache: Cache,
    /// Where the state of runs is kept.
    pub state: PathBuf,
    /// Where programs are looked for, in the form of `PATH`.
    pub search_path: OsString,
    /// Where Debian puts kernel sources.
    pub debian_sources: PathBuf,
    /// What the kernel source `auto` means, if it is not to be found on the machine.
    pub auto_source: SourceSpec,
    /// Where kernel sources are downloaded from.
    pub mirror: Mirror,
    /// How registries are reached.
    pub access: Access,
    /// How much an image may unpack to.
    pub limits: Limits,
    /// How many compilers run at once, and how many layers are inflated.
    pub jobs: NonZeroUsize,
    /// The user's wish to stop.
    pub cancel: Cancel,
    /// Where events go.
    pub sink: Arc<Sink>,
}

impl Host {
    /// Where Debian's `linux-source` packages put their tarballs.
    pub const DEBIAN_SOURCES: &'static str = "/usr/src";

    /// Where each machine that runs has a folder, and those that failed have left one.
    pub(crate) fn instances(&self) -> PathBuf {
        self.state.join("instances")
    }

    pub(crate) fn note(&self, text: String) {
        (self.sink)(Event::Note(text));
    }

    pub(crate) fn warn(&self, text: String) {
        (self.sink)(Event::Warning(text));
    }
}

/// How a path is named to the user.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
