//! Why an image could not be had.

use std::io;
use std::path::{Path, PathBuf};

use mote_process::Cancelled;

use crate::stop::Stopped;
use crate::{CredentialsError, Digest, DocumentError, Platform, RegistryError};

/// Why an image could not be had.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Another part of the same image failed, and so this one was given up.
    #[error("given up, as another part of the image failed")]
    Useless,
    /// The registry, or the way to it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The user's credentials.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: a verb and, where needed, a preposition.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A manifest, an index or a configuration cannot be used.
    #[error("cannot use {what} of {image}")]
    Document {
        /// Such as `the manifest sha256:…`.
        what: String,
        /// The image.
        image: String,
        /// Why not.
        source: DocumentError,
    },
    /// A manifest, an index or a configuration is longer than any real one.
    #[error("{what} of {image} has {size} bytes, at most {limit} are accepted")]
    DocumentTooLarge {
        /// Such as `the manifest sha256:…`.
        what: String,
        /// The image.
        image: String,
        /// Its length, as far as it is known.
        size: u64,
        /// What is accepted.
        limit: u64,
    },
    /// Indexes that name indexes, without end.
    #[error("the indexes of {image} are nested more than {limit} deep")]
    Nested {
        /// The image.
        image: String,
        /// How deep is accepted.
        limit: usize,
    },
    /// There is no such image for the platform.
    #[error("{image} is not available for {wanted}, only for {}", listed(found))]
    WrongPlatform {
        /// The image.
        image: String,
        /// What was wanted.
        wanted: Platform,
        /// What there is.
        found: Vec<Platform>,
    },
    /// Something is not what its digest says.
    #[error("the content of {wanted} has another digest, {got}: {origin}")]
    WrongDigest {
        /// What it must be.
        wanted: Digest,
        /// What it is.
        got: Digest,
        /// Where it came from.
        origin: String,
    },
    /// Something is longer or shorter than was announced.
    #[error("{digest} has {got} bytes instead of {wanted}: {origin}")]
    WrongSize {
        /// Which blob.
        digest: Digest,
        /// What was announced.
        wanted: u64,
        /// What there is, as far as it was received.
        got: u64,
        /// Where it came from.
        origin: String,
    },
    /// A blob that the image names is not there.
    #[error("{digest} is missing in {origin}")]
    MissingBlob {
        /// Which blob.
        digest: Digest,
        /// Where it should be.
        origin: String,
    },
    /// It was not pulled, and it must not be.
    #[error("{image} has not been pulled")]
    NotPulled {
        /// The image.
        image: String,
    },
    /// There is nothing at the path.
    #[error("no such file or directory: {}", path.display())]
    NotFound {
        /// What was given.
        path: PathBuf,
    },
    /// Something else is at the path.
    #[error("not {wanted}, {missing} is missing: {}", path.display())]
    WrongKind {
        /// Such as `an OCI image layout`.
        wanted: &'static str,
        /// The file that every such thing has.
        missing: &'static str,
        /// What was given.
        path: PathBuf,
    },
    /// The archive is no tar archive, or a damaged one.
    #[error("the archive is damaged: {}", path.display())]
    DamagedArchive {
        /// The archive.
        path: PathBuf,
        /// Where it broke.
        source: io::Error,
    },
    /// The archive is too long when inflated.
    #[error("the archive has more than {limit} bytes when inflated: {}", path.display())]
    ArchiveTooLarge {
        /// The archive.
        path: PathBuf,
        /// What is accepted.
        limit: u64,
    },
    /// There are several images, and none was named.
    #[error("there are several images in {origin}: {}", listed(found))]
    Ambiguous {
        /// The layout or archive.
        origin: String,
        /// Their names.
        found: Vec<String>,
    },
    /// There is no image of that name.
    #[error("there is no image {tag} in {origin}")]
    NoSuchTag {
        /// The layout or archive.
        origin: String,
        /// What was given.
        tag: String,
        /// The names that there are.
        found: Vec<String>,
    },
    /// There is no image at all.
    #[error("there is no image in {origin}")]
    NoImage {
        /// The layout or archive.
        origin: String,
    },
    /// The list of pulled images cannot be read.
    #[error("the list of pulled images is damaged: {}", path.display())]
    DamagedNames {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Someone pulls or reads images now.
    #[error("images are being pulled or read: {}", path.display())]
    InUse {
        /// The store.
        path: PathBuf,
    },
}

impl OciError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Registry(error) => return error.hint(),
            Self::Credentials(error) => return error.hint(),
            Self::Document { source, .. } => return source.hint(),
            Self::NotPulled { .. } => "pull it while there is a network".to_owned(),
            Self::NoSuchTag { found, .. } if !found.is_empty() => {
                format!("there is {}", listed(found))
            }
            Self::Ambiguous { origin, .. } => format!("name one of them after a colon: {origin}:NAME"),
            Self::WrongKind { .. } => {
                "oci: is a directory, oci-archive: a tar archive of one, docker-archive: what docker save writes".to_owned()
            }
            Self::WrongDigest { .. } | Self::WrongSize { .. } => {
                "get it again; if that does not help, what it came from is damaged".to_owned()
            }
            Self::DamagedNames { path, .. } => {
                format!("remove {} and pull again", path.display())
            }
            Self::InUse { .. } => "try again when that has ended".to_owned(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "free some space; what was received is kept, and the next pull goes on from there".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// What `error` of opening what the user named means.
    pub(crate) fn open(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path: path.to_owned() },
            _ => Self::io("open", path)(error),
        }
    }
}

impl From<Stopped> for OciError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Cancelled(cancelled) => Self::Cancelled(cancelled),
            Stopped::Useless => Self::Useless,
        }
    }
}

/// As many as a line takes.
fn listed<T: ToString>(items: &[T]) -> String {
    const MOST: usize = 20;
    let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.dedup();
    let more = texts.len().saturating_sub(MOST);
    texts.truncate(MOST);
    let list = mote_process::printable(texts.join(", ").as_bytes());
    match (more, list.is_empty()) {
        (0, true) => "nothing".to_owned(),
        (0, false) => list,
        (more, _) => format!("{list} and {more} more"),
    }
}
