//! The initramfs of one run: mote's init with the run's configuration, behind the user's tree if
//! that is not on a disk.

use std::fs::File;
use std::io::{self, Seek, Write};

use mote_contract::{CONFIG_PATH, CONSOLE_PATH, INIT_PATH, RunConfig};
use mote_image::cpio::WriteError;
use mote_image::{Compression, join_padding, write_initramfs};
use mote_process::Cancel;
use mote_rootfs::tree::{Inode, PathError, Tree, TreeError, TreePath};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::guest;

/// Why an initramfs could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum InitrdError {
    /// The kernel gave no memory file.
    #[error("cannot make a file in memory")]
    Memory(#[source] io::Error),
    /// A part could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The parts could not be joined.
    #[error("cannot write the initramfs of the run")]
    Join(#[source] io::Error),
    /// A path that no tree can hold.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A path that no file can have.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The configuration cannot be written down.
    #[error("cannot write down the run's configuration")]
    Config(#[from] serde_json::Error),
}

/// Writes the initramfs of a run into memory.
pub(crate) fn in_memory(
    system: Option<&Tree>,
    config: &RunConfig,
    cancel: &Cancel,
) -> Result<File, InitrdError> {
    let memory = memfd_create("mote-initramfs", MemfdFlags::CLOEXEC)
        .map_err(|error| InitrdError::Memory(error.into()))?;
    let mut file = File::from(memory);
    write(system, config, &mut file, cancel)?;
    file.rewind().map_err(InitrdError::Join)?;
    Ok(file)
}

/// Writes the initramfs of a run.
pub(crate) fn write(
    system: Option<&Tree>,
    config: &RunConfig,
    out: &mut dyn Write,
    cancel: &Cancel,
) -> Result<(), InitrdError> {
    let mut on_progress = |_| cancel.check();
    if let Some(system) = system {
        let written = write_initramfs(system, Compression::None, out, &mut on_progress)?;
        let padding = join_padding(written.bytes);
        out.write_all(&vec![0; padding]).map_err(InitrdError::Join)?;
    }
    write_initramfs(&own_tree(system, config)?, Compression::None, out, &mut on_progress)?;
    Ok(())
}

/// What mote adds to the user's tree. The kernel unpacks it last, and so it has the root as that is.
fn own_tree(system: Option<&Tree>, config: &RunConfig) -> Result<Tree, InitrdError> {
    let mut tree = Tree::new();
    let mut insert = |path: &str, inode| {
        tree.insert(&TreePath::parse(path)?, inode)?;
        Ok::<_, InitrdError>(())
    };
    if let Some(root) = system.and_then(|system| system.get(&TreePath::root())) {
        insert("/", root.clone())?;
    }
    // PID 1 gets its console from the kernel before anything is mounted on /dev.
    insert(CONSOLE_PATH, Inode::char_device(5, 1, 0o600))?;
    insert(INIT_PATH, Inode::file(guest::INIT.to_vec(), 0o755))?;
    insert(CONFIG_PATH, Inode::file(serde_json::to_vec(config)?, 0o600))?;
    Ok(tree)
}
