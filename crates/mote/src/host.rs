//! What mote reads of its environment, in one place.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use etcetera::BaseStrategy;
use mote_engine::program::ProgramError;
use mote_engine::{Cache, EngineError, Host, Limits};
use mote_kernel::source::{Mirror, SourceSpec};
use mote_manifest::Defaults;
use mote_oci::Access;
use mote_process::Cancel;

use crate::terminal::Progress;

/// What the user has written down once and for all.
pub struct Settings {
    pub defaults: Defaults,
    /// The file that says so, whether it is there or not.
    pub config: PathBuf,
}

/// Describes this machine to the engine.
///
/// # Errors
/// Without a home directory; a `config.toml` that cannot be read or understood.
pub fn host(cancel: Cancel, progress: Arc<Progress>) -> Result<(Host, Settings)> {
    let base = etcetera::choose_base_strategy()
        .context("cannot find the home directory: HOME is not set")?;
    let config = base.config_dir().join("mote/config.toml");
    let defaults = Defaults::load(&config)
        .map_err(ProgramError::from)
        .map_err(EngineError::from)?
        .unwrap_or_default();
    let folder = config.parent().unwrap_or(Path::new(""));
    let Ok(source) = defaults.source.as_deref().unwrap_or("auto").parse::<SourceSpec>();
    let host = Host {
        cache: Cache::new(base.cache_dir().join("mote")),
        state: base.state_dir().unwrap_or_else(|| base.cache_dir()).join("mote"),
        search_path: search_path(),
        debian_sources: PathBuf::from(Host::DEBIAN_SOURCES),
        auto_source: source.relative_to(folder),
        mirror: Mirror { base_url: mirror(&defaults), proxy: proxy() },
        access: access(base.home_dir()),
        limits: Limits::default(),
        jobs: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        cancel,
        sink: Arc::new(move |event| progress.show(event)),
    };
    Ok((host, Settings { defaults, config }))
}

/// Where programs are looked for.
fn search_path() -> OsString {
    std::env::var_os("PATH")
        .unwrap_or_else(|| "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into())
}

/// Where kernel sources are downloaded from, unless a flag says otherwise.
fn mirror(defaults: &Defaults) -> String {
    let named = std::env::var("MOTE_KERNEL_MIRROR").ok().filter(|url| !url.is_empty());
    named.or_else(|| defaults.mirror.clone()).unwrap_or_else(|| Mirror::KERNEL_ORG.to_owned())
}

/// An address without the password that may stand in it: `http://user:***@host`.
pub fn masked(value: &str) -> String {
    let masked = || {
        let (scheme, rest) = value.split_once("://")?;
        let (user_info, host) = rest.rsplit_once('@')?;
        let (user, _) = user_info.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{host}"))
    };
    masked().unwrap_or_else(|| value.to_owned())
}

/// How registries are reached, and with whose credentials: those of docker and podman.
fn access(home: &Path) -> Access {
    let dir = |name| std::env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let docker = dir("DOCKER_CONFIG").unwrap_or_else(|| home.join(".docker"));
    let podman = dir("XDG_RUNTIME_DIR").map(|dir| dir.join("containers/auth.json"));
    let named = dir("REGISTRY_AUTH_FILE");
    let plain_http = std::env::var("MOTE_PLAIN_HTTP").unwrap_or_default();
    Access {
        credential_files: named
            .into_iter()
            .chain(podman)
            .chain([docker.join("config.json")])
            .collect(),
        program_path: search_path(),
        plain_http: plain_http
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
        ca_file: dir("SSL_CERT_FILE"),
        proxy: proxy(),
        no_proxy: ["no_proxy", "NO_PROXY"].into_iter().find_map(|name| std::env::var(name).ok()),
    }
}

/// The proxy for downloads, by the variables that curl reads for HTTPS.
fn proxy() -> Option<String> {
    ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
}
