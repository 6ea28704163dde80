//! One registry, asked for one image.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use ureq::http::header;

use super::authorization::{Asker, Authorization};
use super::http::{Http, Reply, Request, Trouble};
use super::{RegistryError, TransferError, patience};
use crate::document::{ACCEPT, DOCUMENT_MAX_BYTES, Descriptor};
use crate::resolve::verify_digest;
use crate::stop::Stop;
use crate::{Access, Digest, OciError, PullEvent, Reference};

/// Where Docker's own registry is.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// The registry that has an image, and what it wants from us.
pub(crate) struct Registry<'a> {
    access: &'a Access,
    http: Http,
    reference: &'a Reference,
    /// `https://host:port`.
    base: String,
    authorization: Authorization,
    pub(super) stop: &'a Stop<'a>,
    pub(super) on_event: &'a (dyn Fn(PullEvent) + Sync),
}

impl<'a> Registry<'a> {
    /// The registry of `reference`. Nothing is sent, unless it may be spoken to in plain text:
    /// then it is found out how.
    pub(crate) fn connect(
        access: &'a Access,
        reference: &'a Reference,
        stop: &'a Stop<'a>,
        on_event: &'a (dyn Fn(PullEvent) + Sync),
    ) -> Result<Self, OciError> {
        let host = match reference.registry() {
            "docker.io" => DOCKER_HUB,
            host => host,
        };
        let http = Http::new(access)?;
        let base = format!("https://{host}");
        let authorization = Authorization::new();
        let mut registry = Self { access, http, reference, base, authorization, stop, on_event };
        if registry.http.may_be_plain(host) && registry.speaks_plain(host)? {
            registry.base = format!("http://{host}");
        }
        Ok(registry)
    }

    /// Whether the host answers at its `http:` address, and not only to say that it is the wrong
    /// one.
    fn speaks_plain(&self, host: &str) -> Result<bool, OciError> {
        let request = Request { url: format!("http://{host}/v2/"), ..Request::default() };
        self.persist(&Cell::new(0), &mut || match self.http.send(&request, self.stop) {
            Ok(reply) if reply.status >= 500 => Err(reply.refusal(self.stop)),
            Ok(reply) => Ok(reply.status != 400 && reply.url.starts_with("http:")),
            Err(trouble) if is_no_http(&trouble) => Ok(false),
            Err(trouble) => Err(trouble),
        })
    }

    /// What the reference means: the digest of a manifest or an index, and its bytes, verified.
    pub(crate) fn root(&self) -> Result<(Digest, Vec<u8>), OciError> {
        let named = match self.reference.digest() {
            Some(digest) => digest.to_string(),
            None => self.reference.tag().unwrap_or_default().to_owned(),
        };
        let (announced, bytes) = self.named_manifest(&named)?;
        let digest = Digest::of(&bytes);
        if let Some(wanted) = self.reference.digest().or(announced.as_ref()) {
            verify_digest(wanted, &bytes, || self.origin())?;
        }
        Ok((digest, bytes))
    }

    /// The bytes of the manifest with that digest, not verified.
    pub(crate) fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, OciError> {
        Ok(self.named_manifest(&digest.to_string())?.1)
    }

    /// The bytes of a manifest, and what the registry says that its digest is.
    fn named_manifest(&self, named: &str) -> Result<(Option<Digest>, Vec<u8>), OciError> {
        let url = self.url("manifests", named);
        let request = Request { url, accept: Some(ACCEPT.join(", ")), ..Request::default() };
        self.persist(&Cell::new(0), &mut || {
            let mut reply = self.send(&request)?;
            match reply.status {
                200 => {}
                404 => {
                    return Err(RegistryError::NotFound {
                        image: self.reference.familiar(),
                        registry: self.reference.registry().to_owned(),
                        detail: reply.detail(self.stop),
                    }
                    .into());
                }
                _ => return Err(reply.refusal(self.stop)),
            }
            let announced =
                reply.header("docker-content-digest").and_then(|text| text.parse().ok());
            let length = reply.header(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
            let bytes = reply.bytes(DOCUMENT_MAX_BYTES, self.stop)?;
            check_length(&reply, length, bytes.len() as u64)?;
            Ok((announced, bytes))
        })
    }

    /// The bytes of a small blob, not verified.
    pub(crate) fn small_blob(&self, descriptor: &Descriptor) -> Result<Vec<u8>, OciError> {
        let request = self.blob_request(descriptor, 0);
        self.persist(&Cell::new(0), &mut || {
            let mut reply = self.send(&request)?;
            if reply.status != 200 {
                return Err(self.blob_refusal(reply, descriptor));
            }
            let bytes = reply.bytes(DOCUMENT_MAX_BYTES, self.stop)?;
            check_length(&reply, Some(descriptor.size), bytes.len() as u64)?;
            Ok(bytes)
        })
    }

    pub(super) fn blob_request(&self, descriptor: &Descriptor, from: u64) -> Request {
        let url = self.url("blobs", &descriptor.digest.to_string());
        Request { url, from, ..Request::default() }
    }

    /// What a status means that brings no blob.
    pub(super) fn blob_refusal(&self, reply: Reply, descriptor: &Descriptor) -> Trouble {
        match reply.status {
            404 => RegistryError::MissingBlob {
                image: self.reference.familiar(),
                registry: reply.host().to_owned(),
                digest: descriptor.digest,
            }
            .into(),
            _ => reply.refusal(self.stop),
        }
    }

    /// Asks, and says who asks if the registry wants to know.
    pub(super) fn send(&self, request: &Request) -> Result<Reply, Trouble> {
        let used = self.authorization.header();
        let asked = |authorization: Option<String>| {
            self.http.send(&Request { authorization, ..request.clone() }, self.stop)
        };
        let reply = asked(used.clone())?;
        let mut reply = if reply.status == 401 && reply.same_origin {
            let Self { access, http, reference, .. } = self;
            let asker = Asker { access, http, reference };
            self.authorization.renew(&asker, &reply, used.as_deref(), self.stop)?;
            asked(self.authorization.header())?
        } else {
            reply
        };
        match reply.status {
            401 | 403 if reply.same_origin => Err(RegistryError::Denied {
                image: self.reference.familiar(),
                registry: self.reference.registry().to_owned(),
                detail: reply.detail(self.stop),
                with_credentials: self.authorization.with_credentials(),
            }
            .into()),
            _ => Ok(reply),
        }
    }

    /// Attempts until one succeeds, fails for good, or too many in a row got no further than
    /// `reached` says.
    pub(super) fn persist<T>(
        &self,
        reached: &Cell<u64>,
        attempt: &mut dyn FnMut() -> Result<T, Trouble>,
    ) -> Result<T, OciError> {
        let mut failures = 0;
        let mut furthest = reached.get();
        loop {
            let (host, error, wait) = match attempt() {
                Ok(done) => return Ok(done),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing { host, error, wait }) => (host, error, wait),
            };
            let now = reached.get();
            failures = if now > furthest { 1 } else { failures + 1 };
            furthest = furthest.max(now);
            if failures >= patience::ATTEMPTS {
                return Err(given_up(host, error, failures, wait).into());
            }
            let pause = wait.unwrap_or_else(|| patience::pause(failures));
            (self.on_event)(PullEvent::Retrying { host, reason: reason(&error), pause });
            self.stop.sleep(pause)?;
        }
    }

    fn url(&self, kind: &str, named: &str) -> String {
        format!("{}/v2/{}/{kind}/{named}", self.base, self.reference.repository())
    }

    /// Where the image is, for messages.
    pub(crate) fn origin(&self) -> String {
        self.reference.familiar()
    }
}

/// Whether nobody is there, or somebody who expects TLS and hangs up.
fn is_no_http(trouble: &Trouble) -> bool {
    use io::ErrorKind::{ConnectionReset, UnexpectedEof};
    match trouble {
        Trouble::Lasting(error) => {
            matches!(error, OciError::Registry(RegistryError::Unreachable { .. }))
        }
        Trouble::Passing { error: TransferError::Http(ureq::Error::Protocol(_)), .. } => true,
        Trouble::Passing { error: TransferError::Http(ureq::Error::Io(error)), .. } => {
            matches!(error.kind(), ConnectionReset | UnexpectedEof)
        }
        Trouble::Passing { .. } => false,
    }
}

/// A connection that ended too early may not do so again.
pub(super) fn check_length(
    reply: &Reply,
    announced: Option<u64>,
    received: u64,
) -> Result<(), Trouble> {
    match announced {
        Some(announced) if received < announced => Err(Trouble::Passing {
            host: reply.host().to_owned(),
            error: TransferError::Short { received, announced },
            wait: None,
        }),
        _ => Ok(()),
    }
}

fn given_up(
    host: String,
    error: TransferError,
    attempts: u32,
    wait: Option<Duration>,
) -> RegistryError {
    match error {
        TransferError::Busy { status: 429, .. } => {
            RegistryError::RateLimited { host, wait_s: wait.map(|wait| wait.as_secs()) }
        }
        source => RegistryError::Unreachable { host, attempts, source },
    }
}

/// An error with what caused it, in one line.
fn reason(error: &TransferError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
