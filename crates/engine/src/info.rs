//! What there is of mote on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use mote_vmm::find_qemu;
use serde::Serialize;

use crate::cache::Shelf;
use crate::host::Host;
use crate::prune::bytes_on_disk;
use crate::{EngineError, pull};

/// What there is.
#[derive(Debug, Clone, Serialize)]
pub struct Info {
    /// What QEMU says of its version, if it is installed.
    pub qemu: Option<String>,
    /// Where everything is that can be made again.
    pub cache: PathBuf,
    /// How much room each folder of the cache takes on the disk.
    pub folders: Vec<Folder>,
    /// Where machines keep what outlives them.
    pub state: PathBuf,
    /// How many kernels are built.
    pub kernels: usize,
    /// How many images were pulled.
    pub images: usize,
}

/// A folder of the cache.
#[derive(Debug, Clone, Serialize)]
pub struct Folder {
    /// Its name.
    pub name: String,
    /// In bytes.
    pub bytes: u64,
}

/// Finds out what there is.
///
/// # Errors
/// When the cache cannot be read.
pub fn info(host: &Host) -> Result<Info, EngineError> {
    let qemu = find_qemu(&host.search_path).ok();
    let qemu = qemu.and_then(|qemu| qemu.version_line(&host.cancel).ok());
    let cache = host.cache.root().to_owned();
    Ok(Info {
        qemu,
        folders: folders(&cache)?,
        cache,
        state: host.state.clone(),
        kernels: host.cache.entries(Shelf::Kernels)?.len(),
        images: pull::pulled(host)?.len(),
    })
}

fn folders(cache: &Path) -> Result<Vec<Folder>, EngineError> {
    let mut folders = Vec::new();
    let entries = match fs::read_dir(cache) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(folders),
        other => other.map_err(EngineError::io("list", cache))?,
    };
    for entry in entries {
        let path = entry.map_err(EngineError::io("list", cache))?.path();
        if path.is_dir() {
            let bytes = bytes_on_disk(&path).map_err(EngineError::io("examine", &path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            folders.push(Folder { name, bytes });
        }
    }
    folders.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(folders)
}
