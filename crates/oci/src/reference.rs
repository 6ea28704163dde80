//! Names of images in registries, as docker writes and reads them.
//!
//! Follows the grammar of `github.com/distribution/reference`, with docker's defaults: without a
//! registry it is docker.io, there without a folder it is `library/`, and without a tag and a
//! digest the tag is `latest`.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, DigestError};

const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_FOLDER: &str = "library/";
const DEFAULT_TAG: &str = "latest";

/// The longest name that docker takes, registry included.
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// Where an image is in a registry: `registry/repository:tag@digest`.
///
/// Shown in full, such as `docker.io/library/alpine:3.20`; see [`Reference::familiar`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing was given.
    #[error("the name of the image is empty")]
    Empty,
    /// 64 hexadecimal digits, which docker takes for the identifier of an image.
    #[error("an image is named, not identified by digits: {text}")]
    Identifier {
        /// What was given.
        text: String,
    },
    /// The registry is not a host, or a host and a port.
    #[error("not a registry, which is HOST or HOST:PORT: {registry} in {text}")]
    Registry {
        /// What stands before the first slash.
        registry: String,
        /// What was given.
        text: String,
    },
    /// The repository has capitals.
    #[error("the name of an image has lower-case letters only: {text}")]
    Capitals {
        /// What was given.
        text: String,
    },
    /// The repository has a character that names do not have, or none where one must be.
    #[error("not the name of an image: {text}")]
    Repository {
        /// What was given.
        text: String,
    },
    /// The tag is none.
    #[error("not a tag: {tag:?} in {text}")]
    Tag {
        /// What stands after the colon.
        tag: String,
        /// What was given.
        text: String,
    },
    /// What stands after `@` is no digest.
    #[error("the digest of {text} cannot be used")]
    Digest {
        /// What was given.
        text: String,
        /// Why not.
        source: DigestError,
    },
    /// The name is longer than registries take.
    #[error("the name of an image has at most {NAME_MAX} characters, this one {length}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

impl ReferenceError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Identifier { .. } => "write NAME@sha256:DIGITS for an image by its digest",
            Self::Tag { .. } => {
                "a tag has up to 128 letters, digits and _ . - and begins with none of . and -"
            }
            Self::Capitals { .. }
            | Self::Repository { .. }
            | Self::Empty
            | Self::Registry { .. } => {
                "an image is [REGISTRY/]NAME[:TAG][@sha256:DIGITS], such as alpine:3.20 or localhost:5000/team/app"
            }
            Self::Digest { .. } | Self::TooLong { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

impl Reference {
    /// The host, with its port if one was given. `docker.io` is the name, not the address, of
    /// Docker's own.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, such as `library/alpine`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; there is one, or a digest, or both, of which the digest decides.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest or index that is meant, if it was given.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// As docker shows it: without what it would add itself, but with the tag.
    pub fn familiar(&self) -> String {
        let name = match self.registry.as_str() {
            DEFAULT_REGISTRY => {
                self.repository.strip_prefix(DEFAULT_FOLDER).unwrap_or(&self.repository).to_owned()
            }
            registry => format!("{registry}/{}", self.repository),
        };
        format!("{name}{}", self.suffix())
    }

    fn suffix(&self) -> String {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}"));
        let digest = self.digest.as_ref().map(|digest| format!("@{digest}"));
        [tag, digest].into_iter().flatten().collect()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.registry, self.repository, self.suffix())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// Reads a reference; a leading `docker://` is taken off.
    fn from_str(given: &str) -> Result<Self, ReferenceError> {
        let text = given.strip_prefix("docker://").unwrap_or(given);
        let error_text = || text.to_owned();
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if Digest::from_hex(text).is_some() {
            return Err(ReferenceError::Identifier { text: error_text() });
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let digest = digest.parse();
                let bad = |source| ReferenceError::Digest { text: error_text(), source };
                (rest, Some(digest.map_err(bad)?))
            }
            None => (text, None),
        };
        let (registry, rest) = split_registry(rest);
        if registry.is_some_and(|registry| !is_registry(registry)) {
            let registry = registry.unwrap_or_default().to_owned();
            return Err(ReferenceError::Registry { registry, text: error_text() });
        }
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) if is_tag(tag) => (path, Some(tag.to_owned())),
            Some((_, tag)) => {
                return Err(ReferenceError::Tag { tag: tag.to_owned(), text: error_text() });
            }
            None => (rest, None),
        };
        check_path(path, text)?;
        let registry = match registry {
            None | Some("index.docker.io") => DEFAULT_REGISTRY,
            Some(registry) => registry,
        };
        let folder =
            if registry == DEFAULT_REGISTRY && !path.contains('/') { DEFAULT_FOLDER } else { "" };
        let repository = format!("{folder}{path}");
        let length = registry.len() + 1 + repository.len();
        if length > NAME_MAX {
            return Err(ReferenceError::TooLong { length });
        }
        let tag = match (&digest, tag) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (_, tag) => tag,
        };
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }
}

/// What stands before the first slash is a registry if it could not be a folder of docker.io.
fn split_registry(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((first, rest))
            if first == "localhost"
                || first.contains(['.', ':'])
                || first.contains(|letter: char| letter.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, text),
    }
}

/// A host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (None, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').unwrap_or("")) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    host.is_none_or(|host| host.split('.').all(label))
        && port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok())
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = tag.as_bytes();
    bytes.len() <= TAG_MAX
        && bytes.first().is_some_and(|first| word(*first))
        && bytes.iter().all(|byte| word(*byte) || b".-".contains(byte))
}

fn check_path(path: &str, text: &str) -> Result<(), ReferenceError> {
    if path.split('/').all(is_component) {
        return Ok(());
    }
    let text = text.to_owned();
    let lower = path.to_ascii_lowercase();
    if lower != path && lower.split('/').all(is_component) {
        return Err(ReferenceError::Capitals { text });
    }
    Err(ReferenceError::Repository { text })
}

/// Lower-case letters and digits, with `.`, `_`, `__` or dashes between them.
fn is_component(component: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    component.starts_with(plain)
        && component.ends_with(plain)
        && component.split(plain).all(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn docker_reads_and_shows_them_so() {
        let pinned = format!("alpine@{DIGEST}");
        let both = format!("h.example:5000/a/b:t@{DIGEST}");
        for (text, full, familiar) in [
            ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("docker://alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
            ("valkey/valkey:9.0.0", "docker.io/valkey/valkey:9.0.0", "valkey/valkey:9.0.0"),
            ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
            ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest", "127.0.0.1:5000/a/b/c:latest"),
            ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
            ("Host/app", "Host/app:latest", "Host/app:latest"),
            (
                "quay.example/a_b/c__d/e-f--g.h:T_1.x-y",
                "quay.example/a_b/c__d/e-f--g.h:T_1.x-y",
                "quay.example/a_b/c__d/e-f--g.h:T_1.x-y",
            ),
            (&pinned, &format!("docker.io/library/{pinned}"), &pinned),
            (&both, &both, &both),
        ] {
            let reference: Reference =
                text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(reference.to_string(), full, "{text}");
            assert_eq!(reference.familiar(), familiar, "{text}");
            // What is shown names the same image.
            assert_eq!(full.parse::<Reference>().unwrap(), reference);
            assert_eq!(familiar.parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn what_names_no_image_says_why() {
        let digits = &DIGEST[7..];
        let long = "a".repeat(300);
        for (text, message) in [
            ("", "the name of the image is empty".to_owned()),
            ("docker://", "the name of the image is empty".to_owned()),
            (digits, format!("an image is named, not identified by digits: {digits}")),
            ("Alpine", "the name of an image has lower-case letters only: Alpine".to_owned()),
            ("a//b", "not the name of an image: a//b".to_owned()),
            ("../../etc", "not a registry, which is HOST or HOST:PORT: .. in ../../etc".to_owned()),
            ("a..b", "not the name of an image: a..b".to_owned()),
            ("a___b", "not the name of an image: a___b".to_owned()),
            ("-a", "not the name of an image: -a".to_owned()),
            ("a b", "not the name of an image: a b".to_owned()),
            ("h.example/", "not the name of an image: h.example/".to_owned()),
            ("a:", "not a tag: \"\" in a:".to_owned()),
            ("a:b c", "not a tag: \"b c\" in a:b c".to_owned()),
            ("a:-b", "not a tag: \"-b\" in a:-b".to_owned()),
            (
                "h:99999/a",
                "not a registry, which is HOST or HOST:PORT: h:99999 in h:99999/a".to_owned(),
            ),
            ("h:/a", "not a registry, which is HOST or HOST:PORT: h: in h:/a".to_owned()),
            ("[::g]/a", "not a registry, which is HOST or HOST:PORT: [::g] in [::g]/a".to_owned()),
            ("a@sha256:12", "the digest of a@sha256:12 cannot be used".to_owned()),
            (&long, "the name of an image has at most 255 characters, this one 318".to_owned()),
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
    }
}
