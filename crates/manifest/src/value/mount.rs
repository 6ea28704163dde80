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
    /// tmpfs' own options, with commas between them, as in tmpfs(5); may be empty.
    pub options: String,
}

impl FromStr for Tmpfs {
    type Err = MalformedValue;

    fn from_str(text: &str) -> Result<Self, MalformedValue> {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        if !text::is_guest_path(path) || options.contains(char::is_control) {
            let wanted = "an absolute path, or one with options such as /tmp:size=64m";
            return Err(MalformedValue { wanted, text: text.to_owned() });
        }
        Ok(Self { path: path.to_owned(), options: options.to_owned() })
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
