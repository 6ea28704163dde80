//! The root file system of a run.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use mote_contract::{Filesystem, Root, Writes};
use mote_manifest::{Rootfs, RunSettings};
use mote_rootfs::tree::Tree;
use mote_vmm::{Drive, DriveAccess, descriptor_path};

use super::fit::{self, Lack};
use crate::EngineError;
use crate::contents::Contents;
use crate::disk::{self, Disk, DiskFormat};
use crate::host::Host;
use crate::image::Journal;
use crate::program::Program;

/// The first drive of a machine, as the guest sees it.
const DEVICE: &str = "/dev/vda";

/// What the root file system of `program` is to be: what the user says, or else memory for a
/// system that mote makes, and a read-only disk for all that may be large.
pub(super) fn kind(program: &Program, settings: &RunSettings) -> Result<Rootfs, EngineError> {
    let usual = match program {
        Program::Recipe(_) => Rootfs::Initramfs,
        Program::Image(_) | Program::Tar(_) | Program::Directory(_) => Rootfs::Erofs,
    };
    let kind = settings.rootfs.unwrap_or(usual);
    match (kind, settings.read_only) {
        (Rootfs::Initramfs, Some(true)) => Err(EngineError::ReadOnlyInitramfs),
        _ => Ok(kind),
    }
}

/// The root file system, ready for a machine.
pub(super) enum RootDisk {
    /// It is unpacked into the guest's memory.
    Memory(Tree),
    /// It is on a disk.
    Disk { disk: Disk, format: DiskFormat, writes: Writes },
}

impl RootDisk {
    pub(super) fn make(
        host: &Host,
        contents: &Contents,
        settings: &RunSettings,
        kind: Rootfs,
    ) -> Result<Self, EngineError> {
        let read_only = settings.read_only == Some(true);
        let (format, writes) = match kind {
            Rootfs::Initramfs => return Ok(Self::Memory(contents.tree(host, None)?)),
            Rootfs::Erofs => (DiskFormat::Erofs, Writes::Memory),
            Rootfs::Ext4 => {
                (DiskFormat::Ext4 { size_bytes: None, journal: Journal::None }, Writes::Disk)
            }
        };
        let disk = disk::of_run(host, contents, format)?;
        Ok(Self::Disk { disk, format, writes: if read_only { Writes::Refused } else { writes } })
    }

    /// What of the tree belongs into the initramfs.
    pub(super) fn tree(&self) -> Option<&Tree> {
        match self {
            Self::Memory(tree) => Some(tree),
            Self::Disk { .. } => None,
        }
    }

    /// What init is told.
    pub(super) fn told(&self) -> Root {
        match self {
            Self::Memory(_) => Root::Initramfs,
            Self::Disk { format, writes, .. } => Root::Disk {
                device: DEVICE.to_owned(),
                filesystem: match format {
                    DiskFormat::Erofs => Filesystem::Erofs,
                    DiskFormat::Ext4 { .. } => Filesystem::Ext4,
                },
                writes: *writes,
            },
        }
    }

    /// What a kernel must have for it.
    pub(super) fn needs(&self) -> Vec<Lack> {
        match self {
            Self::Memory(_) => Vec::new(),
            Self::Disk { format, writes, .. } => {
                let mut needs = vec![fit::DISK];
                needs.push(match format {
                    DiskFormat::Erofs => fit::EROFS,
                    DiskFormat::Ext4 { .. } => fit::EXT4,
                });
                needs.extend((*writes != Writes::Disk).then_some(fit::OVERLAY));
                needs
            }
        }
    }

    /// The drive of a machine that inherits `descriptors`.
    pub(super) fn drive(
        &self,
        descriptors: &mut Vec<OwnedFd>,
    ) -> Result<Option<Drive>, EngineError> {
        let Self::Disk { disk, .. } = self else { return Ok(None) };
        let file: File = disk.file.try_clone().map_err(EngineError::Descriptor)?;
        let drive = self.drive_of(descriptor_path(&file));
        descriptors.push(file.into());
        Ok(Some(drive))
    }

    /// The drive of a machine that is started by hand; its file is in the cache.
    pub(super) fn pasteable_drive(&self, host: &Host) -> Result<Option<Drive>, EngineError> {
        let Self::Disk { disk, .. } = self else { return Ok(None) };
        Ok(Some(self.drive_of(disk.keep(host)?)))
    }

    fn drive_of(&self, file: PathBuf) -> Drive {
        let writes = matches!(self, Self::Disk { writes: Writes::Disk, .. });
        let access = if writes { DriveAccess::ReadWrite } else { DriveAccess::ReadOnly };
        Drive { file, access }
    }
}
