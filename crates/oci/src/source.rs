//! Where an image is taken from, as the user names it; the words are skopeo's.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::{Reference, ReferenceError};

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// In a registry: `NAME[:TAG][@DIGEST]`, or the same after `docker://`.
    Registry(Reference),
    /// In an OCI image layout: `oci:DIR[:TAG]`.
    Layout {
        /// The directory that holds `oci-layout` and `index.json`.
        dir: PathBuf,
        /// Which image of it; needed when there are several.
        tag: Option<String>,
    },
    /// In a tar archive of an OCI image layout: `oci-archive:FILE[:TAG]`.
    Archive {
        /// The archive; it may be compressed.
        file: PathBuf,
        /// Which image of it; needed when there are several.
        tag: Option<String>,
    },
    /// In what `docker save` and `podman save` write: `docker-archive:FILE[:NAME[:TAG]]`.
    DockerArchive {
        /// The archive; it may be compressed.
        file: PathBuf,
        /// Which image of it; needed when there are several.
        tag: Option<String>,
    },
}

/// A text that does not say where an image is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageSourceError {
    /// No name of an image in a registry.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// Not text, where only text can be meant.
    #[error("not the name of an image: {}", text.display())]
    NotText {
        /// What was given.
        text: std::ffi::OsString,
    },
    /// Nothing stands after `oci:` and the like.
    #[error("{prefix} is not followed by a path")]
    NoPath {
        /// With its colon.
        prefix: &'static str,
    },
}

impl ImageSourceError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Reference(error) => error.hint(),
            Self::NotText { .. } => None,
            Self::NoPath { prefix } => Some(format!("write {prefix}PATH, or {prefix}PATH:TAG")),
        }
    }
}

const LAYOUT: &str = "oci:";
const ARCHIVE: &str = "oci-archive:";
const DOCKER_ARCHIVE: &str = "docker-archive:";

impl ImageSource {
    /// Reads `docker://…`, `oci:…`, `oci-archive:…` and `docker-archive:…`; everything else is the
    /// name of an image in a registry. As skopeo has it, a path ends at its first colon.
    ///
    /// # Errors
    /// When there is no path, or no such name.
    pub fn parse(text: &OsStr) -> Result<Self, ImageSourceError> {
        if let Some((dir, tag)) = path_and_tag(text, LAYOUT)? {
            return Ok(Self::Layout { dir, tag });
        }
        if let Some((file, tag)) = path_and_tag(text, ARCHIVE)? {
            return Ok(Self::Archive { file, tag });
        }
        if let Some((file, tag)) = path_and_tag(text, DOCKER_ARCHIVE)? {
            return Ok(Self::DockerArchive { file, tag });
        }
        let not_text = || ImageSourceError::NotText { text: text.to_owned() };
        Ok(Self::Registry(text.to_str().ok_or_else(not_text)?.parse()?))
    }
}

/// What stands after `prefix`, if the text begins with it.
fn path_and_tag(
    text: &OsStr,
    prefix: &'static str,
) -> Result<Option<(PathBuf, Option<String>)>, ImageSourceError> {
    let Some(rest) = text.as_bytes().strip_prefix(prefix.as_bytes()) else { return Ok(None) };
    let mut halves = rest.splitn(2, |byte| *byte == b':');
    let path = halves.next().unwrap_or_default();
    if path.is_empty() {
        return Err(ImageSourceError::NoPath { prefix });
    }
    let tag = match halves.next() {
        None | Some([]) => None,
        Some(tag) => {
            let not_text = || ImageSourceError::NotText { text: OsStr::from_bytes(tag).to_owned() };
            Some(str::from_utf8(tag).map_err(|_| not_text())?.to_owned())
        }
    };
    Ok(Some((OsStr::from_bytes(path).into(), tag)))
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, path, tag) = match self {
            Self::Registry(reference) => return f.write_str(&reference.familiar()),
            Self::Layout { dir, tag } => (LAYOUT, dir, tag),
            Self::Archive { file, tag } => (ARCHIVE, file, tag),
            Self::DockerArchive { file, tag } => (DOCKER_ARCHIVE, file, tag),
        };
        write!(f, "{prefix}{}", path.display())?;
        tag.iter().try_for_each(|tag| write!(f, ":{tag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let tag = |text: &str| Some(text.to_owned());
        for (text, wanted) in [
            ("oci:/dir", ImageSource::Layout { dir: "/dir".into(), tag: None }),
            ("oci:dir:v1", ImageSource::Layout { dir: "dir".into(), tag: tag("v1") }),
            (
                "oci:dir:h:5000/a:v1",
                ImageSource::Layout { dir: "dir".into(), tag: tag("h:5000/a:v1") },
            ),
            ("oci-archive:a.tar:v1", ImageSource::Archive { file: "a.tar".into(), tag: tag("v1") }),
            (
                "docker-archive:a.tar:alpine:3",
                ImageSource::DockerArchive { file: "a.tar".into(), tag: tag("alpine:3") },
            ),
            ("docker://alpine:latest", ImageSource::Registry("alpine".parse().unwrap())),
            ("alpine:latest", ImageSource::Registry("alpine".parse().unwrap())),
        ] {
            let source = ImageSource::parse(OsStr::new(text)).unwrap();
            assert_eq!(source, wanted, "{text}");
            assert_eq!(source.to_string(), text.trim_start_matches("docker://"));
        }
    }

    #[test]
    fn paths_need_not_be_text() {
        let source = ImageSource::parse(OsStr::from_bytes(b"oci:\xff:t")).unwrap();
        let dir = OsStr::from_bytes(b"\xff").into();
        assert_eq!(source, ImageSource::Layout { dir, tag: Some("t".to_owned()) });
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, message) in [
            ("oci:", "oci: is not followed by a path"),
            ("docker-archive::tag", "docker-archive: is not followed by a path"),
            ("Alpine", "the name of an image has lower-case letters only: Alpine"),
        ] {
            let error = ImageSource::parse(OsStr::new(text)).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().is_some());
        }
    }
}
