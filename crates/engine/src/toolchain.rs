//! Compiler and linker, identified without running them each time.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;

use mote_kernel::{Compiler, Toolchain};
use mote_process::Program;

use crate::EngineError;
use crate::digest::Hasher;
use crate::host::Host;

/// All that a kernel build calls.
pub(crate) fn find(host: &Host) -> Result<Toolchain, EngineError> {
    Ok(Toolchain::find(&host.search_path, &host.cancel)?)
}

/// Who compiles and links. Remembered for as long as the programs do not change, so that a kernel
/// in the cache is found without starting a program.
pub(crate) fn compiler(host: &Host) -> Result<Compiler, EngineError> {
    let note = host.cache.memo()?.join(format!("compiler-{}", fingerprint(&host.search_path)));
    let known = fs::read(&note).ok().and_then(|json| serde_json::from_slice(&json).ok());
    if let Some(compiler) = known {
        return Ok(compiler);
    }
    let compiler = find(host)?.compiler;
    if let Ok(json) = serde_json::to_vec(&compiler) {
        // Only a note: without it the next run asks again.
        let _ = fs::write(&note, json);
    }
    Ok(compiler)
}

/// Changes when another compiler or linker is installed or comes first in the search path.
fn fingerprint(search: &OsStr) -> String {
    let mut hasher = Hasher::new("toolchain");
    for name in ["gcc", "ld"] {
        let Ok(program) = Program::find(name, search) else { continue };
        hasher.field(program.path().as_os_str().as_encoded_bytes());
        if let Ok(metadata) = fs::metadata(program.path()) {
            for number in [metadata.dev(), metadata.ino(), metadata.len()] {
                hasher.field(&number.to_le_bytes());
            }
            hasher.field(&metadata.mtime_nsec().to_le_bytes());
            hasher.field(&metadata.mtime().to_le_bytes());
        }
    }
    hasher.finish()
}
