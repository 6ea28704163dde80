//! What the tests of this crate share.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use mote_kernel::source::{Mirror, SourceSpec};
use mote_manifest::Pull;
use mote_oci::Platform;
use mote_process::Cancel;

use crate::contents::Contents;
use crate::program::Program;
use crate::{Cache, Host};

/// A machine with the programs of this one and all else in `dir`.
pub(crate) fn host(dir: &Path) -> Host {
    Host {
        cache: Cache::new(dir.join("cache")),
        state: dir.join("state"),
        search_path: std::env::var_os("PATH").unwrap(),
        debian_sources: dir.join("debian"),
        auto_source: SourceSpec::Auto,
        mirror: Mirror { base_url: String::new(), proxy: None },
        access: Default::default(),
        limits: Default::default(),
        jobs: NonZeroUsize::MIN,
        cancel: Cancel::default(),
        sink: Arc::new(|_| ()),
    }
}

/// What a tar archive holds.
pub(crate) fn contents_of_tar(host: &Host, path: &Path) -> Contents {
    let program = Program::Tar(path.to_owned());
    Contents::find(host, program, &Platform::default(), Pull::Never).unwrap()
}
