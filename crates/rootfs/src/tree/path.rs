//! Paths inside a tree.

use std::fmt;

/// Longest name of one directory entry, in bytes (`NAME_MAX` of `include/uapi/linux/limits.h`).
pub const NAME_MAX: usize = 255;

/// Longest path, in bytes without the closing NUL (`PATH_MAX - 1` of the same header).
pub const PATH_MAX: usize = 4095;

/// A checked absolute path inside a tree.
///
/// Bytes, not text: Linux allows every byte but `/` and NUL in a name. Stored without the leading
/// slash, so that the root is the empty string; `.` components and repeated or trailing slashes
/// are dropped when parsing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(Vec<u8>);

/// Why a string of bytes cannot be a path inside a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The empty string.
    #[error("the path is empty")]
    Empty,
    /// A NUL byte somewhere.
    #[error("the path {path:?} holds a NUL byte")]
    Nul {
        /// The path as given, made printable.
        path: String,
    },
    /// A `..` component: a path in a tree never climbs.
    #[error("the path {path:?} holds `..`")]
    Climbs {
        /// The path as given, made printable.
        path: String,
    },
    /// A component of more than [`NAME_MAX`] bytes.
    #[error("a name in {path:?} has {len} bytes; the most is {NAME_MAX}")]
    NameTooLong {
        /// The path as given, made printable.
        path: String,
        /// Length of the component in bytes.
        len: usize,
    },
    /// More than [`PATH_MAX`] bytes in all.
    #[error("the path has {len} bytes; the most is {PATH_MAX}")]
    TooLong {
        /// Length of the path in bytes.
        len: usize,
    },
}

impl TreePath {
    /// The root directory.
    pub fn root() -> Self {
        Self(Vec::new())
    }

    /// Reads `etc/passwd`, `/etc/passwd` and `./etc//passwd/` as the same path.
    ///
    /// # Errors
    ///
    /// See [`PathError`].
    pub fn parse(path: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let path = path.as_ref();
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        if path.contains(&0) {
            return Err(PathError::Nul { path: printable(path) });
        }
        let mut clean = Vec::with_capacity(path.len());
        for name in path.split(|&byte| byte == b'/') {
            match name {
                b"" | b"." => continue,
                b".." => {
                    return Err(PathError::Climbs { path: printable(path) });
                }
                _ if name.len() > NAME_MAX => {
                    return Err(PathError::NameTooLong { path: printable(path), len: name.len() });
                }
                _ => {}
            }
            if !clean.is_empty() {
                clean.push(b'/');
            }
            clean.extend_from_slice(name);
        }
        if clean.len() > PATH_MAX {
            return Err(PathError::TooLong { len: clean.len() });
        }
        Ok(Self(clean))
    }

    /// The path without its leading slash; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root directory.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names from the root down; none for the root itself.
    pub fn components(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
    }

    /// The directory that holds this path, and its name there; `None` for the root.
    pub fn split_last(&self) -> Option<(TreePath, &[u8])> {
        if self.is_root() {
            return None;
        }
        Some(match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (Self(self.0[..slash].to_vec()), &self.0[slash + 1..]),
            None => (Self::root(), &self.0),
        })
    }

    /// The path of an entry `name`, which is one name, of this directory.
    pub(crate) fn join(&self, name: &[u8]) -> Result<Self, PathError> {
        let mut path = self.clone();
        path.push(name)?;
        Ok(path)
    }

    /// Goes on to an entry `name`, which is one name, of this directory.
    pub(super) fn push(&mut self, name: &[u8]) -> Result<(), PathError> {
        if !self.is_root() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
        if name.len() > NAME_MAX {
            return Err(PathError::NameTooLong { path: printable(&self.0), len: name.len() });
        }
        if self.0.len() > PATH_MAX {
            return Err(PathError::TooLong { len: self.0.len() });
        }
        Ok(())
    }

    /// Goes back to the path of so many bytes that this one begins with.
    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// The first `depth` names of the path.
    pub(super) fn ancestor(&self, depth: usize) -> Self {
        let len = self.components().take(depth).map(|name| name.len() + 1).sum::<usize>();
        Self(self.0[..len.saturating_sub(1)].to_vec())
    }

    /// The path of an entry `name`, which was checked before, of this directory.
    pub(super) fn child(&self, name: &[u8]) -> Self {
        let mut path = Vec::with_capacity(self.0.len() + 1 + name.len());
        path.extend_from_slice(&self.0);
        if !self.is_root() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Self(path)
    }
}

/// With the leading slash; bytes that are not printable ASCII appear as `\xNN`.
impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The start of a hostile string, fit for a message.
fn printable(bytes: &[u8]) -> String {
    const SHOWN: usize = 64;
    let cut = &bytes[..bytes.len().min(SHOWN)];
    let dots = if bytes.len() > SHOWN { "…" } else { "" };
    format!("{}{dots}", String::from_utf8_lossy(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_are_equal() {
        let want = TreePath::parse("etc/passwd").unwrap();
        for spelling in ["/etc/passwd", "./etc/passwd", "etc//passwd", "etc/./passwd/"] {
            assert_eq!(TreePath::parse(spelling).unwrap(), want, "{spelling}");
        }
        for root in ["/", ".", "./", "//"] {
            assert!(TreePath::parse(root).unwrap().is_root(), "{root}");
        }
    }

    #[test]
    fn refusals_name_their_reason() {
        let long_name = "n".repeat(NAME_MAX + 1);
        let long_path = "abc/".repeat(1025);
        let table: [(&[u8], &str); 6] = [
            (b"", "the path is empty"),
            (b"a\0b", "the path \"a\\0b\" holds a NUL byte"),
            (b"../etc", "the path \"../etc\" holds `..`"),
            (b"a/../b", "the path \"a/../b\" holds `..`"),
            (long_name.as_bytes(), "has 256 bytes; the most is 255"),
            (long_path.as_bytes(), "the path has 4099 bytes; the most is 4095"),
        ];
        for (path, message) in table {
            let error = TreePath::parse(path).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn longest_names_and_paths_are_accepted() {
        assert!(TreePath::parse("n".repeat(NAME_MAX)).is_ok());
        let path = format!("{}{}", "d".repeat(NAME_MAX) + "/", "abc/".repeat(960));
        let path = TreePath::parse(&path[..PATH_MAX + 1]).unwrap();
        assert_eq!(path.as_bytes().len(), PATH_MAX);
    }

    #[test]
    fn splits_into_parent_and_name() {
        let path = TreePath::parse("/a/b/c").unwrap();
        assert_eq!(path.components().collect::<Vec<_>>(), [b"a", b"b", b"c"]);
        let (parent, name) = path.split_last().unwrap();
        assert_eq!((parent, name), (TreePath::parse("a/b").unwrap(), &b"c"[..]));
        let top = TreePath::parse("a").unwrap();
        assert_eq!(top.split_last(), Some((TreePath::root(), &b"a"[..])));
        assert_eq!(TreePath::root().split_last(), None);
    }

    #[test]
    fn display_escapes_what_a_terminal_would_obey() {
        let path = TreePath::parse(b"a\x1b[2J/\xff").unwrap();
        assert_eq!(path.to_string(), r"/a\x1b[2J/\xff");
    }
}
