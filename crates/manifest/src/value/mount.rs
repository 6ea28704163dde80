//! What a guest gets beside its image: mounts, and names of hosts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::text;

/// A text that is not what a flag takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {wanted}: {}", text.escape_debug())]
pub struct MalformedValue {
    /// What was expected, with its article.
    pub wanted: &'static str,
    /// What was given.
    pub text: String,
}

/// A file system in memory, `PATH[:OPTIONS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tmpfs {
    /// The directory of the guest that it is mounted on.
    pub path: String,
    /// Words of mount(8) and tmpfs' own options, with commas between them, as in tmpfs(5); may be empty.
    options: String,
}

const MS_RDONLY: u32 = 1;
const MS_NOSUID: u32 = 2;
const MS_NODEV: u32 = 4;
const MS_NOEXEC: u32 = 8;
const MS_SYNCHRONOUS: u32 = 1 << 4;
const MS_NOATIME: u32 = 1 << 10;
const MS_NODIRATIME: u32 = 1 << 11;
const MS_RELATIME: u32 = 1 << 21;
const MS_STRICTATIME: u32 = 1 << 24;

/// Words that are flags of mount(2): which they clear, and which they set.
const FLAGS: [(&str, u32, u32); 18] = [
    ("rw", MS_RDONLY, 0),
    ("ro", 0, MS_RDONLY),
    ("suid", MS_NOSUID, 0),
    ("nosuid", 0, MS_NOSUID),
    ("dev", MS_NODEV, 0),
    ("nodev", 0, MS_NODEV),
    ("exec", MS_NOEXEC, 0),
    ("noexec", 0, MS_NOEXEC),
    ("async", MS_SYNCHRONOUS, 0),
    ("sync", 0, MS_SYNCHRONOUS),
    ("atime", MS_NOATIME, 0),
    ("noatime", 0, MS_NOATIME),
    ("diratime", MS_NODIRATIME, 0),
    ("nodiratime", 0, MS_NODIRATIME),
    ("norelatime", MS_RELATIME, 0),
    ("relatime", 0, MS_RELATIME),
    ("nostrictatime", MS_STRICTATIME, 0),
    ("strictatime", 0, MS_STRICTATIME),
];

/// tmpfs' own options, which are more or fewer by the kernel's configuration: Documentation/filesystems/tmpfs.rst.
const OPTIONS: [&str; 10] =
    ["size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol", "inode32", "inode64"];

impl Tmpfs {
    /// What mount(2) gets: its flags, and tmpfs' own options. Without words that say otherwise nothing in it is
    /// executed, a device, or run as another user, as in docker.
    pub fn mount(&self) -> (u32, String) {
        let mut flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
        let mut options = Vec::new();
        for word in self.words() {
            match FLAGS.iter().find(|(name, ..)| *name == word) {
                Some((_, cleared, set)) => flags = flags & !cleared | set,
                None => options.push(word),
            }
        }
        (flags, options.join(","))
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.options.split(',').filter(|word| !word.is_empty())
    }
}

fn is_option(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    OPTIONS.contains(&name) || FLAGS.iter().any(|(flag, ..)| *flag == word)
}

impl FromStr for Tmpfs {
    type Err = MalformedValue;

    fn from_str(text: &str) -> Result<Self, MalformedValue> {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        if !text::is_guest_path(path) || options.contains(char::is_control) {
            let wanted = "an absolute path, or one with options such as /tmp:size=64m";
            return Err(MalformedValue { wanted, text: text.to_owned() });
        }
        let tmpfs = Self { path: path.to_owned(), options: options.to_owned() };
        if let Some(word) = tmpfs.words().find(|word| !is_option(word)) {
            let wanted = "an option of tmpfs, such as size=64m, or one of mount, such as exec";
            return Err(MalformedValue { wanted, text: word.to_owned() });
        }
        Ok(tmpfs)
    }
}

impl fmt::Display for Tmpfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.options.as_str() {
            "" => f.write_str(&self.path),
            options => write!(f, "{}:{options}", self.path),
        }
    }
}

/// A name and the address that it stands for, `NAME:ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
}

impl FromStr for HostName {
    type Err = MalformedValue;

    fn from_str(text: &str) -> Result<Self, MalformedValue> {
        let parsed = text.split_once(':').and_then(|(name, address)| {
            let address = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
            text::is_hostname(name).then(|| Self { name: name.to_owned(), address })
        });
        let wanted = "a name and an address, such as db:10.0.2.2";
        parsed.ok_or_else(|| MalformedValue { wanted, text: text.to_owned() })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_comes_back() {
        for text in ["/tmp", "/run/x:size=1m,mode=700"] {
            assert_eq!(text.parse::<Tmpfs>().unwrap().to_string(), text);
        }
        for text in ["db:10.0.2.2", "six:::1"] {
            assert_eq!(text.parse::<HostName>().unwrap().to_string(), text);
        }
        assert_eq!("six:[::1]".parse::<HostName>().unwrap().to_string(), "six:::1");
    }

    #[test]
    fn words_of_mount_are_flags() {
        let mount = |text: &str| text.parse::<Tmpfs>().unwrap().mount();
        let usual = MS_NOSUID | MS_NODEV | MS_NOEXEC;
        let cases = [
            ("/tmp", usual, ""),
            ("/tmp:", usual, ""),
            ("/run:rw,noexec,nosuid,size=65536k", usual, "size=65536k"),
            ("/tmp:exec,,mode=1777,uid=5", MS_NOSUID | MS_NODEV, "mode=1777,uid=5"),
            ("/tmp:suid,dev,exec,ro,noatime", MS_RDONLY | MS_NOATIME, ""),
        ];
        for (text, flags, options) in cases {
            assert_eq!(mount(text), (flags, options.to_owned()), "{text}");
        }
        let error = "/tmp:size=1m,nosiud".parse::<Tmpfs>().unwrap_err().to_string();
        assert!(
            error.starts_with("not an option of tmpfs") && error.ends_with(": nosiud"),
            "{error}"
        );
    }

    #[test]
    fn what_is_malformed_is_said() {
        for text in ["tmp", "/a/../b", "/tmp:a\nb", ""] {
            let error = text.parse::<Tmpfs>().unwrap_err().to_string();
            assert!(error.starts_with("not an absolute path, or one with options"), "{error}");
        }
        for text in ["db", "db:", ":1.2.3.4", "db:host", "a b:1.2.3.4"] {
            let error = text.parse::<HostName>().unwrap_err().to_string();
            assert!(error.starts_with("not a name and an address"), "{error}");
        }
    }
}
