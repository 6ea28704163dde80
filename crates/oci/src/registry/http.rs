//! HTTP. Each request runs on a thread of its own, so that an interruption does not wait for the
//! network: whoever stops listening leaves the thread to its timeouts.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{HeaderMap, Request as HttpRequest, Response, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

use super::address::{
    authority, goes_around_proxy, host_of, is_loopback, join, may_be_plain, origin,
};
use super::{RegistryError, TransferError, patience};
use crate::stop::{LOOK, Stop, Stopped};
use crate::{Access, OciError};

/// How much is handed over at once, and how often until the reader has to catch up.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 16;

/// How often we let ourselves be sent on.
const REDIRECTIONS_MAX: usize = 5;

/// How much of a refusal is read for what it says.
const DETAIL_MAX: usize = 16 << 10;

/// Connections to whoever has images.
pub(super) struct Http {
    direct: Agent,
    proxied: Option<Agent>,
    no_proxy: String,
    plain_http: Vec<String>,
}

/// Why an attempt failed.
pub(super) enum Trouble {
    /// The next one may succeed.
    Passing { host: String, error: TransferError, wait: Option<Duration> },
    /// The next one would fail in the same way.
    Lasting(OciError),
}

impl<E: Into<OciError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Lasting(error.into())
    }
}

/// What is asked for.
#[derive(Clone, Default)]
pub(super) struct Request {
    pub(super) url: String,
    pub(super) accept: Option<String>,
    /// Only for the server of `url`: it is not sent on.
    pub(super) authorization: Option<String>,
    /// The first byte that is wanted, unless it is all.
    pub(super) from: u64,
    /// A form to send (`POST`).
    pub(super) form: Option<String>,
}

/// A reply that is being received.
pub(super) struct Reply {
    /// Who answered at last.
    pub(super) url: String,
    /// Whether that is still the server that was asked.
    pub(super) same_origin: bool,
    pub(super) status: u16,
    headers: HeaderMap,
    receiver: Receiver<Piece>,
    received: u64,
}

enum Piece {
    Head(Box<Result<(u16, HeaderMap), ureq::Error>>),
    Data(io::Result<Vec<u8>>),
}

impl Http {
    pub(super) fn new(access: &Access) -> Result<Self, RegistryError> {
        let tls = tls(access)?;
        let agent = |proxy: Option<Proxy>| Agent::new_with_config(config(tls.clone(), proxy));
        let proxied = match &access.proxy {
            None => None,
            Some(url) => {
                let bad = |error: ureq::Error| RegistryError::BadAddress {
                    url: url.clone(),
                    source: error.into(),
                };
                Some(agent(Some(Proxy::new(url).map_err(bad)?)))
            }
        };
        Ok(Self {
            direct: agent(None),
            proxied,
            no_proxy: access.no_proxy.clone().unwrap_or_default(),
            plain_http: access.plain_http.clone(),
        })
    }

    /// Asks, and goes where we are sent. Any status is a reply.
    pub(super) fn send(&self, request: &Request, stop: &Stop<'_>) -> Result<Reply, Trouble> {
        let mut request = request.clone();
        let mut same_origin = true;
        for _ in 0..=REDIRECTIONS_MAX {
            let url = self.checked(&request.url)?;
            let mut reply = self.send_once(&request, same_origin, stop)?;
            reply.same_origin = same_origin;
            // A form holds what is meant for nobody else.
            let onward = reply.redirection().filter(|_| request.form.is_none());
            let Some(location) = onward else { return Ok(reply) };
            let next = join(&url, &location).ok_or_else(|| RegistryError::BadRedirection {
                host: authority(&request.url).to_owned(),
                location: mote_process::printable(location.as_bytes()),
            })?;
            if origin(&next) != origin(&url) {
                same_origin = false;
                request.authorization = None;
            }
            request.url = next.to_string();
        }
        let host = authority(&request.url).to_owned();
        Err(RegistryError::TooManyRedirections { host, limit: REDIRECTIONS_MAX }.into())
    }

    /// Whether the server may be spoken to without encryption.
    pub(super) fn may_be_plain(&self, authority: &str) -> bool {
        may_be_plain(authority, &self.plain_http)
    }

    /// An address that we may go to.
    fn checked(&self, url: &str) -> Result<Uri, RegistryError> {
        let bad = |error: ureq::http::uri::InvalidUri| RegistryError::BadAddress {
            url: mote_process::printable(url.as_bytes()),
            source: ureq::Error::BadUri(error.to_string()).into(),
        };
        let uri: Uri = url.parse().map_err(bad)?;
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if self.may_be_plain(authority(url)) => Ok(uri),
            _ => Err(RegistryError::Plain { url: mote_process::printable(url.as_bytes()) }),
        }
    }

    fn agent(&self, url: &str) -> &Agent {
        let host = authority(url);
        match &self.proxied {
            Some(agent)
                if url.starts_with("https:")
                    && !is_loopback(host_of(host))
                    && !goes_around_proxy(host, &self.no_proxy) =>
            {
                agent
            }
            _ => &self.direct,
        }
    }

    fn send_once(
        &self,
        request: &Request,
        same_origin: bool,
        stop: &Stop<'_>,
    ) -> Result<Reply, Trouble> {
        let bad = |error: ureq::http::Error| RegistryError::BadAddress {
            url: request.url.clone(),
            source: ureq::Error::Http(error).into(),
        };
        let agent = self.agent(&request.url).clone();
        let (sender, receiver) = mpsc::sync_channel(CHUNKS);
        let builder = request.builder();
        match &request.form {
            None => {
                let built = builder.body(()).map_err(bad)?;
                thread::spawn(move || receive(agent.run(built), &sender));
            }
            Some(form) => {
                let built = builder.method("POST").body(form.clone()).map_err(bad)?;
                thread::spawn(move || receive(agent.run(built), &sender));
            }
        }
        match wait(&receiver, stop)? {
            Some(Piece::Head(head)) => match *head {
                Ok((status, headers)) => {
                    let url = request.url.clone();
                    Ok(Reply { url, same_origin, status, headers, receiver, received: 0 })
                }
                Err(error) => Err(failed(&request.url, error)),
            },
            _ => Err(passing(&request.url, TransferError::Silent)),
        }
    }
}

fn tls(access: &Access) -> Result<TlsConfig, RegistryError> {
    let Some(path) = &access.ca_file else { return Ok(TlsConfig::builder().build()) };
    let unusable = |source| RegistryError::Certificates { path: path.clone(), source };
    let text = std::fs::read(path).map_err(unusable)?;
    let mut certificates = Vec::new();
    for item in parse_pem(&text) {
        match item.map_err(|error| unusable(io::Error::other(error)))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            _ => continue,
        }
    }
    if certificates.is_empty() {
        return Err(unusable(io::Error::new(io::ErrorKind::InvalidData, "there are none")));
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build())
}

fn config(tls: TlsConfig, proxy: Option<Proxy>) -> Config {
    Agent::config_builder()
        .proxy(proxy)
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("mote/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(patience::CONNECT))
        .timeout_connect(Some(patience::CONNECT))
        .timeout_per_read(Some(patience::SILENCE))
        .timeout_per_write(Some(patience::SILENCE))
        .build()
}

impl Request {
    fn builder(&self) -> ureq::http::request::Builder {
        let mut builder = HttpRequest::builder().uri(&self.url);
        if let Some(accept) = &self.accept {
            builder = builder.header(header::ACCEPT, accept);
        }
        if let Some(authorization) = &self.authorization {
            builder = builder.header(header::AUTHORIZATION, authorization);
        }
        if self.from > 0 {
            builder = builder.header(header::RANGE, format!("bytes={}-", self.from));
        }
        if self.form.is_some() {
            builder = builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        builder
    }
}

/// What an error of the connection means.
fn failed(url: &str, error: ureq::Error) -> Trouble {
    let host = authority(url).to_owned();
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            RegistryError::BadAddress { url: url.to_owned(), source: error.into() }.into()
        }
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            RegistryError::Tls { host, source: error.into() }.into()
        }
        ureq::Error::HostNotFound => {
            RegistryError::NoSuchHost { host, source: error.into() }.into()
        }
        ureq::Error::ConnectProxyFailed(_) => {
            RegistryError::Unreachable { host, attempts: 1, source: error.into() }.into()
        }
        ureq::Error::Io(io) => failed_io(host, io),
        error => passing(url, error.into()),
    }
}

/// What an error of the socket, or of what lies between it and HTTP, means.
fn failed_io(host: String, error: io::Error) -> Trouble {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, InvalidData, NetworkUnreachable};
    // The standard library gives getaddrinfo's failures no kind that can be matched.
    let unresolved = error.to_string().starts_with("failed to lookup address information");
    let kind = error.kind();
    let source = TransferError::from(ureq::Error::Io(error));
    match kind {
        _ if unresolved => RegistryError::NoSuchHost { host, source }.into(),
        // What rustls says of the handshake comes so.
        InvalidData => RegistryError::Tls { host, source }.into(),
        ConnectionRefused | HostUnreachable | NetworkUnreachable => {
            RegistryError::Unreachable { host, attempts: 1, source }.into()
        }
        _ => Trouble::Passing { host, error: source, wait: None },
    }
}

fn passing(url: &str, error: TransferError) -> Trouble {
    Trouble::Passing { host: authority(url).to_owned(), error, wait: None }
}

impl Reply {
    /// What the registry says under that name.
    pub(super) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// All that it says under that name.
    pub(super) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// Who answered.
    pub(super) fn host(&self) -> &str {
        authority(&self.url)
    }

    /// The byte that the body begins with, if it is said.
    pub(super) fn range_start(&self) -> Option<u64> {
        let range = self.header(header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
        range.split_once('-')?.0.trim().parse().ok()
    }

    /// Where we are sent, if we are.
    fn redirection(&self) -> Option<String> {
        match self.status {
            301 | 302 | 303 | 307 | 308 => Some(self.header(header::LOCATION)?.to_owned()),
            _ => None,
        }
    }

    /// The next bytes of the body, or nothing at its end.
    pub(super) fn next(&mut self, stop: &Stop<'_>) -> Result<Option<Vec<u8>>, Trouble> {
        match wait(&self.receiver, stop)? {
            Some(Piece::Data(Ok(data))) => {
                self.received += data.len() as u64;
                Ok(Some(data))
            }
            Some(Piece::Data(Err(source))) => {
                let received = self.received;
                Err(passing(&self.url, TransferError::Broken { received, source }))
            }
            Some(Piece::Head(_)) | None => Ok(None),
        }
    }

    /// The whole body, which must not be longer than `limit` bytes.
    pub(super) fn bytes(&mut self, limit: u64, stop: &Stop<'_>) -> Result<Vec<u8>, Trouble> {
        let mut bytes = Vec::new();
        while let Some(data) = self.next(stop)? {
            bytes.extend(data);
            if bytes.len() as u64 > limit {
                let (host, url) = (self.host().to_owned(), self.url.clone());
                return Err(RegistryError::TooLong { host, url, limit }.into());
            }
        }
        Ok(bytes)
    }

    /// What a refusal says, fit for a terminal.
    pub(super) fn detail(&mut self, stop: &Stop<'_>) -> String {
        let mut text = Vec::new();
        while let Ok(Some(data)) = self.next(stop) {
            text.extend(data);
            if text.len() > DETAIL_MAX {
                break;
            }
        }
        detail_of(&text)
    }

    /// What a status means that brings nothing.
    pub(super) fn refusal(mut self, stop: &Stop<'_>) -> Trouble {
        let detail = self.detail(stop);
        let (host, url, status) = (self.host().to_owned(), self.url.clone(), self.status);
        let wait = self.header(header::RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        let wait = wait.map(Duration::from_secs);
        match status {
            429 | 503 if wait.is_some_and(|wait| wait > patience::LONGEST_PAUSE) => {
                let wait_s = wait.map(|wait| wait.as_secs());
                RegistryError::RateLimited { host, wait_s }.into()
            }
            408 | 425 | 429 | 500.. => {
                Trouble::Passing { host, error: TransferError::Busy { status, detail }, wait }
            }
            _ => RegistryError::Status { host, url, status, detail }.into(),
        }
    }
}

/// The messages of a refusal in JSON (OCI distribution specification, "Error Codes").
fn detail_of(text: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        #[serde(default)]
        errors: Vec<Error>,
        #[serde(default)]
        details: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Error {
        code: Option<String>,
        message: Option<String>,
    }
    let Ok(said) = serde_json::from_slice::<Errors>(text) else { return String::new() };
    let message = |error: Error| error.message.filter(|text| !text.is_empty()).or(error.code);
    let mut messages: Vec<String> = said.errors.into_iter().filter_map(message).take(3).collect();
    messages.extend(said.details);
    let text: String = messages.join("; ").chars().take(300).collect();
    mote_process::printable(text.replace(['\n', '\t'], " ").as_bytes())
}

/// The next piece, or nothing when there are no more.
fn wait(receiver: &Receiver<Piece>, stop: &Stop<'_>) -> Result<Option<Piece>, Stopped> {
    loop {
        stop.check()?;
        match receiver.recv_timeout(LOOK) {
            Ok(piece) => return Ok(Some(piece)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

/// The other thread: sends what comes until it ends or nobody listens.
fn receive(response: Result<Response<Body>, ureq::Error>, sender: &SyncSender<Piece>) {
    let (head, body) = match response {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            (Ok((parts.status.as_u16(), parts.headers)), Some(body))
        }
        Err(error) => (Err(error), None),
    };
    if sender.send(Piece::Head(Box::new(head))).is_err() {
        return;
    }
    let Some(mut reader) = body.map(Body::into_reader) else { return };
    loop {
        let mut data = vec![0; CHUNK];
        let result = reader.read(&mut data);
        let last = !matches!(result, Ok(1..));
        let piece = match result {
            Ok(0) => return,
            Ok(length) => {
                data.truncate(length);
                Ok(data)
            }
            Err(error) => Err(error),
        };
        if sender.send(Piece::Data(piece)).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_why() {
        for (text, wanted) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"go\u001baway"},{"code":"UNKNOWN"}]}"#,
                r"go\x1baway; UNKNOWN",
            ),
            (r#"{"details":"incorrect username or password"}"#, "incorrect username or password"),
            ("<html>", ""),
            ("{}", ""),
        ] {
            assert_eq!(detail_of(text.as_bytes()), wanted);
        }
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(1000));
        assert_eq!(detail_of(long.as_bytes()).len(), 300);
    }
}
