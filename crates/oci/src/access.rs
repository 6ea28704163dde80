//! What of the host a pull may use.

use std::ffi::OsString;
use std::path::PathBuf;

/// What of the host a pull may use, and how it reaches registries. Nothing is taken from the
/// environment: the caller says all of it.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Files with credentials in the form of docker's `config.json`, which podman's `auth.json`
    /// has too. The first one that knows the registry decides; one that is not there is skipped.
    pub credential_files: Vec<PathBuf>,
    /// Where credential helpers (`docker-credential-NAME`) are looked for, in the form of `PATH`.
    pub program_path: OsString,
    /// Registries, as `HOST` or `HOST:PORT`, that may be spoken to without encryption; loopback
    /// addresses and `localhost` always may.
    pub plain_http: Vec<String>,
    /// The proxy for encrypted connections, such as `http://proxy:3128`.
    pub proxy: Option<String>,
    /// Hosts that are reached without it, with commas between them, as in `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// A PEM file with the certificate authorities to trust. Without one, those of Mozilla's list
    /// are trusted, which is built in.
    pub ca_file: Option<PathBuf>,
}
