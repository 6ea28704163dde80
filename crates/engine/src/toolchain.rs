//! Compiler, linker and compressor, identified without running them each time.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mote_kernel::{Compiler, ConfigPlan, Toolchain};
use mote_process::{Command, Program};
use serde::Serialize;
use serde::de::DeserializeOwned;

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
    let programs = ["gcc", "ld"].map(|name| Program::find(name, &host.search_path).ok());
    remembered(host, "compiler", programs.iter().flatten(), || Ok(find(host)?.compiler))
}

/// The C library that static programs are linked with; empty if there is none, without which none
/// can be linked.
pub(crate) fn static_libc(host: &Host) -> Result<Vec<u8>, EngineError> {
    let gcc = Program::find("gcc", &host.search_path)?;
    let mut ask = Command::new(&gcc);
    ask.env_clear().env("PATH", &host.search_path).env("LC_ALL", "C");
    let said = ask.arg("-print-file-name=libc.a").output(&host.cancel)?.stdout;
    let path = Path::new(OsStr::from_bytes(said.trim_ascii_end()));
    // Of a file that it does not have, gcc prints the bare name.
    match path.is_absolute() {
        true => fs::read(path).map_err(EngineError::io("read", path)),
        false => Ok(Vec::new()),
    }
}

/// What compresses the bzImage of `plan`, with its version; remembered likewise.
pub(crate) fn compressor(host: &Host, plan: &ConfigPlan) -> Result<String, EngineError> {
    let program = plan.find_compressor(&host.search_path)?;
    remembered(host, "compressor", [&program], || Ok(program.version_line(&host.cancel)?))
}

/// What was asked of `programs` before, or what `ask` says now.
fn remembered<'p, T: Serialize + DeserializeOwned>(
    host: &Host,
    what: &str,
    programs: impl IntoIterator<Item = &'p Program>,
    ask: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let note = host.cache.memo()?.join(format!("{what}-{}", fingerprint(programs)));
    let known = fs::read(&note).ok().and_then(|json| serde_json::from_slice(&json).ok());
    if let Some(known) = known {
        return Ok(known);
    }
    let said = ask()?;
    if let Ok(json) = serde_json::to_vec(&said) {
        // Only a note: without it the next run asks again.
        let _ = fs::write(&note, json);
    }
    Ok(said)
}

/// Changes when another of the programs is installed or comes first in the search path.
fn fingerprint<'p>(programs: impl IntoIterator<Item = &'p Program>) -> String {
    let mut hasher = Hasher::new("toolchain");
    for program in programs {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::host;

    #[test]
    fn the_static_c_library_is_an_archive() {
        let dir = tempfile::tempdir().unwrap();
        let libc = static_libc(&host(dir.path())).unwrap();
        assert!(libc.starts_with(b"!<arch>\n"), "{} bytes", libc.len());
    }
}
