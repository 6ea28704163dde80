//! The user's credentials for registries, as docker and podman keep them.
//!
//! Follows docker's `config.json` (credHelpers, credsStore, auths), podman's
//! `containers-auth.json(5)` (keys that name a repository) and the protocol of docker's credential
//! helpers.

mod file;
mod helper;

use std::fmt;
use std::io;
use std::path::PathBuf;

use mote_process::{Cancel, Cancelled, ProcessError};

use self::file::{CredentialFile, Finding};
use crate::{Access, Reference};

/// How docker calls its own registry in these files.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What a registry, or its token server, is told.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Password {
        user: String,
        secret: String,
    },
    /// What a token server takes in exchange for tokens (OAuth 2.0's refresh token).
    IdentityToken(String),
    /// A token for the registry itself.
    RegistryToken(String),
}

/// Why credentials could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("cannot read the credentials in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not what docker writes.
    #[error("not a file of credentials as docker writes it: {}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The entry of a registry cannot be decoded.
    #[error("the credentials for {key} are not base64 of USER:PASSWORD in {}", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The entry.
        key: String,
    },
    /// The helper cannot be run.
    #[error("cannot ask the credential helper {name}, which {} names", path.display())]
    Helper {
        /// Its name without `docker-credential-`.
        name: String,
        /// The file that names it.
        path: PathBuf,
        /// Why not.
        source: Box<HelperError>,
    },
}

/// Why a credential helper gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// It could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It could not be talked to.
    #[error("cannot talk to it")]
    Io(#[from] io::Error),
    /// It failed.
    #[error("it failed ({status}): {said}")]
    Failed {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it printed.
        said: String,
    },
    /// It takes too long.
    #[error("it gave no answer within {seconds} seconds")]
    TimedOut {
        /// How long was waited.
        seconds: u64,
    },
    /// What it printed is no answer.
    #[error("it printed no credentials")]
    Malformed(#[source] serde_json::Error),
    /// The user interrupted.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl CredentialsError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Read { .. } | Self::Malformed { .. } | Self::Entry { .. } => {
                "log in again with docker login or podman login".to_owned()
            }
            Self::Helper { name, source, .. }
                if matches!(**source, HelperError::Process(ProcessError::NotFound { .. })) =>
            {
                format!("install docker-credential-{name}, or take it out of the file")
            }
            Self::Helper { .. } => return None,
        };
        Some(hint)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(f, "Password of {user}"),
            Self::IdentityToken(_) => f.write_str("IdentityToken"),
            Self::RegistryToken(_) => f.write_str("RegistryToken"),
        }
    }
}

/// What the user has for the image's registry, if anything.
pub(crate) fn find(
    access: &Access,
    reference: &Reference,
    cancel: &Cancel,
) -> Result<Option<Credential>, CredentialsError> {
    for path in &access.credential_files {
        let Some(file) = CredentialFile::read(path)? else { continue };
        let found = match file.find(reference)? {
            Finding::Nothing => None,
            Finding::Credential(credential) => Some(credential),
            Finding::AskHelper { name, key } => {
                let helper = |source| CredentialsError::Helper {
                    name: name.clone(),
                    path: path.clone(),
                    source: Box::new(source),
                };
                helper::ask(&name, &key, &access.program_path, cancel).map_err(helper)?
            }
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
