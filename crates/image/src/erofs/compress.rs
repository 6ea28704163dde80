//! Compressed images, which `mkfs.erofs` makes of a tar stream.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;

use mote_process::{Cancel, Command, ProcessError, Program};
use mote_rootfs::tree::{SOURCE_DATE_EPOCH, Tree};

use crate::tar::{TarError, write_tar};

/// How `mkfs.erofs` compresses the contents of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compressor {
    /// LZ4, which every kernel with compressed EROFS reads.
    Lz4,
    /// Zstandard, which Linux reads from 6.10 on.
    Zstd,
}

/// Why there is no compressed image.
#[derive(Debug, thiserror::Error)]
pub enum CompressError {
    /// It only takes directories, and mote unpacks nothing onto the host; or it cannot set the time
    /// of the image alone.
    #[error("{mkfs} is too old: it makes no image of a tar stream")]
    NoTar {
        /// The program.
        mkfs: String,
    },
    /// It was built without the compressor.
    #[error("{mkfs} does not compress with {compressor}")]
    NoCompressor {
        /// The program.
        mkfs: String,
        /// What was asked for.
        compressor: Compressor,
    },
    /// It failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The tree could not be handed over.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The image could not be opened for the program, or measured.
    #[error("the image could not be written")]
    Output(#[source] io::Error),
}

impl CompressError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoTar { .. } => {
                Some("install erofs-utils 1.8 or later, or leave the image uncompressed".to_owned())
            }
            Self::NoCompressor { .. } => {
                Some("install erofs-utils 1.8 or later, built with that compressor".to_owned())
            }
            Self::Process(error) => error.hint(),
            Self::Tar(_) | Self::Output(_) => None,
        }
    }
}

impl Compressor {
    /// The word for it in flags, of mote and of `mkfs.erofs`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes a tree as a compressed EROFS image into `out`, an empty file that can be opened again
/// by `/proc`, and gives its size in bytes. `mkfs.erofs` reads the tree as a tar stream, and keeps
/// contents in a temporary file of its own. Whether it can do it is known from [`check_mkfs`].
///
/// # Errors
///
/// See [`CompressError`].
pub fn write_compressed_erofs(
    tree: &Tree,
    compressor: Compressor,
    mkfs: &Program,
    out: &File,
    cancel: &Cancel,
) -> Result<u64, CompressError> {
    let (stdin, tar) = io::pipe().map_err(CompressError::Output)?;
    let inherited = out.try_clone().map_err(CompressError::Output)?;
    let image = format!("/proc/self/fd/{}", inherited.as_raw_fd());
    let mut command = Command::new(mkfs);
    command
        .arg(format!("-z{compressor}"))
        .arg("--tar=f")
        .args(["-U", "00000000-0000-0000-0000-000000000000"])
        // The time of the image alone: files keep theirs.
        .args([format!("-T{SOURCE_DATE_EPOCH}"), "--mkfs-time".to_owned()])
        .arg(image)
        .inherit(inherited)
        .stdin(stdin);
    let (made, sent) = std::thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let mut tar = BufWriter::with_capacity(64 << 10, tar);
            write_tar(tree, &mut tar)?;
            tar.flush().map_err(TarError::Output)
        });
        let made = command.output(cancel);
        // With it goes the end of the pipe that nobody may have read.
        drop(command);
        (made, sender.join().expect("the sender does not panic"))
    });
    match sent {
        // A program that failed does not read on: what it said is the reason.
        Err(TarError::Output(_)) | Ok(()) => made?,
        Err(error) => return Err(error.into()),
    };
    Ok(out.metadata().map_err(CompressError::Output)?.len())
}

/// Looks whether the program can do it, by its help: versions are built with different compressors.
///
/// # Errors
///
/// [`CompressError::NoTar`], [`CompressError::NoCompressor`], or a program that does not run.
pub fn check_mkfs(
    mkfs: &Program,
    compressor: Compressor,
    cancel: &Cancel,
) -> Result<(), CompressError> {
    let help = Command::new(mkfs).arg("--help").output(cancel)?;
    let help = [help.stdout, help.stderr].concat();
    let help = String::from_utf8_lossy(&help);
    let name = || mkfs.path().display().to_string();
    if !["--tar=", "--mkfs-time"].iter().all(|option| help.contains(option)) {
        return Err(CompressError::NoTar { mkfs: name() });
    }
    let mut words = help.split(|letter: char| !letter.is_ascii_alphanumeric());
    if !words.any(|word| word == compressor.as_str()) {
        return Err(CompressError::NoCompressor { mkfs: name(), compressor });
    }
    Ok(())
}
