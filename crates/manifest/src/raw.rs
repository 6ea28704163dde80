//! A recipe as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

/// Only the schema's version, so that it is checked before any other key.
#[derive(Deserialize)]
pub(crate) struct Versioned {
    pub(crate) version: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Defaults {
    pub(crate) memory: Option<Spanned<String>>,
    pub(crate) cpus: Option<Spanned<u32>>,
    pub(crate) accel: Option<Spanned<String>>,
    pub(crate) network: Option<Spanned<String>>,
    pub(crate) pull: Option<Spanned<String>>,
    pub(crate) unpack_limit: Option<Spanned<String>>,
    pub(crate) source: Option<Spanned<String>>,
    pub(crate) mirror: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Recipe {
    #[serde(rename = "version")]
    _version: i64,
    pub(crate) name: Spanned<String>,
    #[serde(default)]
    pub(crate) summary: String,
    #[serde(default)]
    pub(crate) kernel: Kernel,
    pub(crate) busybox: Option<Busybox>,
    #[serde(default)]
    pub(crate) files: Vec<Spanned<File>>,
    #[serde(default)]
    pub(crate) run: Run,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Kernel {
    pub(crate) source: Option<String>,
    pub(crate) features: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) fragments: Vec<PathBuf>,
    pub(crate) config: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Busybox {
    pub(crate) binary: Option<String>,
    pub(crate) login: Option<Spanned<String>>,
    pub(crate) hostname: Option<Spanned<String>>,
    pub(crate) motd: Option<String>,
    pub(crate) shells: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(crate) users: BTreeMap<Spanned<String>, User>,
    #[serde(default)]
    pub(crate) groups: BTreeMap<Spanned<String>, Group>,
    #[serde(default)]
    pub(crate) start: Vec<Spanned<Start>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: Option<u32>,
    pub(crate) home: Option<Spanned<String>>,
    pub(crate) shell: Option<Spanned<String>>,
    pub(crate) gecos: Option<Spanned<String>>,
    pub(crate) password: Option<Spanned<String>>,
    pub(crate) password_hash: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) groups: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Group {
    pub(crate) gid: u32,
    #[serde(default)]
    pub(crate) members: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Start {
    pub(crate) name: Spanned<String>,
    pub(crate) script: Option<Spanned<String>>,
    pub(crate) file: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct File {
    pub(crate) path: Spanned<String>,
    pub(crate) content: Option<Spanned<String>>,
    pub(crate) source: Option<Spanned<PathBuf>>,
    pub(crate) symlink: Option<Spanned<String>>,
    pub(crate) directory: Option<Spanned<bool>>,
    pub(crate) mode: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) uid: u32,
    #[serde(default)]
    pub(crate) gid: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Run {
    #[serde(default)]
    pub(crate) command: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) env: BTreeMap<Spanned<String>, Spanned<String>>,
    pub(crate) entrypoint: Option<Vec<Spanned<String>>>,
    pub(crate) user: Option<Spanned<String>>,
    pub(crate) workdir: Option<Spanned<String>>,
    pub(crate) tty: Option<bool>,
    pub(crate) interactive: Option<bool>,
    pub(crate) hostname: Option<Spanned<String>>,
    pub(crate) memory: Option<Spanned<String>>,
    pub(crate) cpus: Option<Spanned<u32>>,
    pub(crate) network: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) publish: Vec<Spanned<String>>,
    pub(crate) accel: Option<Spanned<String>>,
    pub(crate) append: Option<Spanned<String>>,
    pub(crate) init: Option<Spanned<String>>,
    pub(crate) rootfs: Option<Spanned<String>>,
    pub(crate) read_only: Option<bool>,
    #[serde(default)]
    pub(crate) tmpfs: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) add_host: Vec<Spanned<String>>,
    pub(crate) pull: Option<Spanned<String>>,
    pub(crate) unpack_limit: Option<Spanned<String>>,
    pub(crate) kernel: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pub(crate) feature: Vec<String>,
    pub(crate) exact: Option<bool>,
    pub(crate) verbose: Option<bool>,
    pub(crate) timings: Option<bool>,
    pub(crate) dry_run: Option<bool>,
}
