//! The configuration of an image: what it runs and how.
//!
//! Follows the OCI image specification 1.1, config.md; docker's has the same form.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::document::DocumentError;
use crate::{Digest, Platform};

/// What an image runs and how. All of it is the image's word, and no text holds a zero byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConfig {
    /// What it was built for.
    pub platform: Platform,
    /// The program and its first arguments; the command comes after them.
    pub entrypoint: Vec<String>,
    /// What is run, or given to the entry point, when the user says nothing.
    pub cmd: Vec<String>,
    /// `NAME=VALUE`.
    pub env: Vec<String>,
    /// `USER`, `USER:GROUP`, by name or number.
    pub user: Option<String>,
    /// Where the program starts.
    pub working_dir: Option<String>,
    /// As they are written: `6379/tcp`, `53/udp`, `80`.
    pub exposed_ports: BTreeSet<String>,
    /// Directories that hold data.
    pub volumes: BTreeSet<String>,
    /// The signal that asks the program to end: `SIGINT`, `2`.
    pub stop_signal: Option<String>,
    /// Whatever its maker wrote down.
    pub labels: BTreeMap<String, String>,
    /// The digests of the layers' tar archives as they are when inflated, from the lowest.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct RawConfig {
    os: Option<String>,
    architecture: Option<String>,
    variant: Option<String>,
    config: Option<RawExecution>,
    rootfs: Option<RawRootfs>,
}

#[derive(Deserialize)]
struct RawRootfs {
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct RawExecution {
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    env: Option<Vec<String>>,
    user: Option<String>,
    working_dir: Option<String>,
    exposed_ports: Option<BTreeMap<String, IgnoredAny>>,
    volumes: Option<BTreeMap<String, IgnoredAny>>,
    stop_signal: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

impl ImageConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is not of the form that the specification says, or no program could be started
    /// with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let raw: RawConfig =
            serde_json::from_slice(bytes).map_err(DocumentError::MalformedConfig)?;
        let diff_ids = raw.rootfs.and_then(|rootfs| rootfs.diff_ids).unwrap_or_default();
        let diff_ids = diff_ids.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let execution = raw.config.unwrap_or_default();
        let keys = |map: Option<BTreeMap<String, IgnoredAny>>| {
            map.unwrap_or_default().into_keys().collect::<BTreeSet<_>>()
        };
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let default = Platform::default();
        let config = Self {
            platform: Platform {
                os: text(raw.os).unwrap_or(default.os),
                architecture: text(raw.architecture).unwrap_or(default.architecture),
                variant: text(raw.variant),
            },
            entrypoint: execution.entrypoint.unwrap_or_default(),
            cmd: execution.cmd.unwrap_or_default(),
            env: execution.env.unwrap_or_default(),
            user: text(execution.user),
            working_dir: text(execution.working_dir),
            exposed_ports: keys(execution.exposed_ports),
            volumes: keys(execution.volumes),
            stop_signal: text(execution.stop_signal),
            labels: execution.labels.unwrap_or_default(),
            diff_ids,
        };
        config.check()?;
        Ok(config)
    }

    /// The kernel takes texts that end at their first zero byte.
    fn check(&self) -> Result<(), DocumentError> {
        let lists: [(&'static str, Vec<&String>); 8] = [
            ("Entrypoint", self.entrypoint.iter().collect()),
            ("Cmd", self.cmd.iter().collect()),
            ("Env", self.env.iter().collect()),
            ("User", self.user.iter().collect()),
            ("WorkingDir", self.working_dir.iter().collect()),
            ("ExposedPorts", self.exposed_ports.iter().collect()),
            ("Volumes", self.volumes.iter().collect()),
            ("StopSignal", self.stop_signal.iter().collect()),
        ];
        let holds_zero = |texts: &[&String]| texts.iter().any(|text| text.contains('\0'));
        match lists.iter().find(|(_, texts)| holds_zero(texts)) {
            Some((field, _)) => Err(DocumentError::ZeroByte { field }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn all_of_it_is_read() {
        let text = format!(
            r#"{{"os":"linux","architecture":"amd64","created":"2026-01-01T00:00:00Z","config":{{
                "Entrypoint":["docker-entrypoint.sh"],"Cmd":["valkey-server"],"Env":["PATH=/bin","A="],
                "User":"valkey:1000","WorkingDir":"/data","ExposedPorts":{{"6379/tcp":{{}}}},
                "Volumes":{{"/data":{{}}}},"StopSignal":"SIGINT","Labels":{{"a":"b"}},"OnBuild":null}},
                "rootfs":{{"type":"layers","diff_ids":["{DIGEST}"]}},"history":[{{}}]}}"#
        );
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.platform, Platform::default());
        assert_eq!(config.entrypoint, ["docker-entrypoint.sh"]);
        assert_eq!(config.cmd, ["valkey-server"]);
        assert_eq!(config.env, ["PATH=/bin", "A="]);
        assert_eq!(config.user.as_deref(), Some("valkey:1000"));
        assert_eq!(config.working_dir.as_deref(), Some("/data"));
        assert!(config.exposed_ports.contains("6379/tcp"));
        assert!(config.volumes.contains("/data"));
        assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
        assert_eq!(config.labels["a"], "b");
        assert_eq!(config.diff_ids, [DIGEST.parse().unwrap()]);
    }

    #[test]
    fn what_go_leaves_empty_is_empty() {
        let text = r#"{"architecture":"arm64","os":"linux","variant":"v8","config":{"Entrypoint":null,"Cmd":null,
            "Env":null,"User":"","WorkingDir":"","Volumes":null,"ExposedPorts":null,"Labels":null}}"#;
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.platform.to_string(), "linux/arm64/v8");
        assert_eq!((config.user, config.working_dir), (None, None));
        assert_eq!((config.cmd.len(), config.env.len(), config.diff_ids.len()), (0, 0, 0));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (text, message) in [
            ("[", "not the configuration of an image"),
            (r#"{"config":{"Cmd":["a\u0000b"]}}"#, "the configuration has a zero byte in Cmd"),
            (r#"{"rootfs":{"diff_ids":["md5:1"]}}"#, "a digest in it cannot be used"),
        ] {
            assert_eq!(ImageConfig::parse(text.as_bytes()).unwrap_err().to_string(), message);
        }
    }
}
