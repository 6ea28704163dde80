//! What can go wrong with a registry.

use std::io;
use std::path::PathBuf;

use crate::Digest;

/// Why a registry did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry does not have the image, or says so.
    #[error("{image} was not found in {registry}{}", said(detail))]
    NotFound {
        /// The image.
        image: String,
        /// The registry.
        registry: String,
        /// What the registry says.
        detail: String,
    },
    /// The registry does not have a part of the image.
    #[error("{registry} does not have {digest}, which is a part of {image}")]
    MissingBlob {
        /// The image.
        image: String,
        /// The registry, or where it sent us.
        registry: String,
        /// The part.
        digest: Digest,
    },
    /// Nobody knows us there, or we may not.
    #[error("{registry} refuses access to {image}{}", said(detail))]
    Denied {
        /// The image.
        image: String,
        /// The registry, or its token server.
        registry: String,
        /// What it says.
        detail: String,
        /// Whether the user has credentials for it.
        with_credentials: bool,
    },
    /// The registry wants us to prove who we are in a way that is not known.
    #[error("{registry} asks for authentication in a way that is not known: {asked}")]
    UnknownChallenge {
        /// The registry.
        registry: String,
        /// What it asks for.
        asked: String,
    },
    /// The token server gave no token.
    #[error("the token server at {url} gave no token")]
    NoToken {
        /// Its address.
        url: String,
        /// What is wrong with what it gave.
        source: serde_json::Error,
    },
    /// Too many requests.
    #[error("{host} takes no more requests for now{}", for_seconds(*wait_s))]
    RateLimited {
        /// Who says so.
        host: String,
        /// For how many seconds, if it says that.
        wait_s: Option<u64>,
    },
    /// Any other status.
    #[error("{host} answered {status} for {url}{}", said(detail))]
    Status {
        /// Who answered.
        host: String,
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        detail: String,
    },
    /// The name of the host leads nowhere.
    #[error("cannot find the host {host}")]
    NoSuchHost {
        /// Its name.
        host: String,
        /// Why not.
        source: TransferError,
    },
    /// The connection is not safe.
    #[error("no safe connection to {host}")]
    Tls {
        /// The host.
        host: String,
        /// Why not.
        source: TransferError,
    },
    /// It cannot be connected to, or the connection broke too often.
    #[error("cannot reach {host}{}", after(*attempts))]
    Unreachable {
        /// The host.
        host: String,
        /// How often it was tried in a row without getting further.
        attempts: u32,
        /// What went wrong the last time.
        source: TransferError,
    },
    /// Somebody wants us to go where nothing is encrypted.
    #[error("refused to go to {url} without encryption")]
    Plain {
        /// The address.
        url: String,
    },
    /// We were sent to something that is no address.
    #[error("{host} sent us to what is no address: {location}")]
    BadRedirection {
        /// Who sent us.
        host: String,
        /// Where to.
        location: String,
    },
    /// We were sent from place to place.
    #[error("{host} sent us on more than {limit} times")]
    TooManyRedirections {
        /// Who did at last.
        host: String,
        /// How often we follow.
        limit: usize,
    },
    /// The reply is longer than any sensible one.
    #[error("the reply of {host} is longer than {limit} bytes: {url}")]
    TooLong {
        /// Who replied.
        host: String,
        /// What was asked for.
        url: String,
        /// What is accepted.
        limit: u64,
    },
    /// Something that was to be an address is none.
    #[error("not a usable address: {url}")]
    BadAddress {
        /// What it is.
        url: String,
        /// Why it cannot be used.
        source: TransferError,
    },
    /// The file with certificate authorities cannot be used.
    #[error("cannot use the certificates in {}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Why a transfer failed: the cause below a [`RegistryError`].
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// HTTP, TLS or the connection.
    #[error(transparent)]
    Http(#[from] ureq::Error),
    /// The connection broke while the body was read.
    #[error("the connection broke after {received} bytes")]
    Broken {
        /// Bytes received by this attempt.
        received: u64,
        /// Why.
        source: io::Error,
    },
    /// The connection ended before all had come.
    #[error("the connection ended after {received} of {announced} bytes")]
    Short {
        /// Bytes that are there.
        received: u64,
        /// Bytes that there should be.
        announced: u64,
    },
    /// The request ended without any reply.
    #[error("no reply")]
    Silent,
    /// The server has a trouble of its own that may pass.
    #[error("it answered {status}{}", said(detail))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// What it says.
        detail: String,
    },
}

impl RegistryError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotFound { .. } => "check the name and the tag".to_owned(),
            Self::Denied { with_credentials: false, registry, .. } => {
                format!("check the name; if the image is not public, log in first: docker login {registry}")
            }
            Self::Denied { with_credentials: true, registry, .. } => {
                format!("check the name; or the credentials may be old, log in again: docker login {registry}")
            }
            Self::RateLimited { .. } => {
                "wait, or log in: registries allow more to those they know".to_owned()
            }
            Self::NoSuchHost { .. } => {
                "check the network and the name; what was pulled before works without a network".to_owned()
            }
            Self::Unreachable { .. } => {
                "check the network; what was received is kept, and the next pull goes on from there".to_owned()
            }
            Self::Tls { host, .. } => format!(
                "if {host} has a certificate of your own authority, name its file in SSL_CERT_FILE; if it has none at all, allow plain HTTP with MOTE_PLAIN_HTTP={host}"
            ),
            Self::Plain { .. } => {
                "plain HTTP is spoken with this machine, and with registries that MOTE_PLAIN_HTTP names".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

fn said(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

fn after(attempts: u32) -> String {
    if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
}

fn for_seconds(wait_s: Option<u64>) -> String {
    wait_s.map_or(String::new(), |seconds| format!(", it says for {seconds} seconds"))
}
