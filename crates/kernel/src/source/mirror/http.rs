//! HTTP. Each request runs on a thread of its own, so that an interruption does not wait for the
//! network: whoever stops listening leaves the thread to its timeouts.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;

use mote_process::{Cancel, Cancelled};
use ureq::http::{HeaderMap, Response, header};
use ureq::{Agent, Body, Proxy};

use super::patience::{self, LOOK};
use crate::source::{SourceError, TransferError};

/// How much is handed over at once, and how often until the reader has to catch up.
const CHUNK: usize = 64 << 10;
const CHUNKS: usize = 16;

/// One address, and how to reach it.
pub(super) struct Client {
    agent: Agent,
    url: String,
}

/// Why an attempt failed.
pub(super) enum Trouble {
    /// The next one may succeed.
    Passing(TransferError),
    /// The next one would fail in the same way.
    Lasting(SourceError),
}

impl<E: Into<SourceError>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Lasting(error.into())
    }
}

/// Where to go on.
pub(super) struct Resume {
    /// The first byte that is wanted.
    pub(super) from: u64,
    /// What the server called the file when the bytes before it came: `If-Range`.
    pub(super) validator: Option<String>,
}

/// What a reply begins with.
pub(super) struct Head {
    pub(super) status: u16,
    /// Of the body that follows.
    pub(super) length: Option<u64>,
    /// What stands in `Content-Range`.
    pub(super) range: Option<ContentRange>,
    /// A name of this very file that `If-Range` takes: a strong `ETag`, or the date.
    pub(super) validator: Option<String>,
}

/// `bytes START-END/TOTAL`, or `bytes */TOTAL` (RFC 9110, 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) start: Option<u64>,
    pub(super) total: Option<u64>,
}

/// A reply that is being received.
pub(super) struct Reply {
    receiver: Receiver<Piece>,
}

enum Piece {
    Head(Box<Result<Head, ureq::Error>>),
    Data(io::Result<Vec<u8>>),
}

impl Client {
    pub(super) fn new(url: &str, proxy: Option<&str>) -> Result<Self, SourceError> {
        let bad = |url: &str, error| SourceError::BadAddress { url: url.to_owned(), source: error };
        let proxy = proxy.map(|url| Proxy::new(url).map_err(|error| bad(url, error.into())));
        let config = Agent::config_builder()
            .proxy(proxy.transpose()?)
            .http_status_as_error(false)
            .user_agent(concat!("mote/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(patience::CONNECT))
            .timeout_connect(Some(patience::CONNECT))
            .timeout_per_read(Some(patience::SILENCE))
            .timeout_per_write(Some(patience::SILENCE))
            .build();
        let agent = Agent::new_with_config(config);
        Ok(Self { agent, url: url.to_owned() })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The whole text at the address, which must not be longer than `limit` bytes.
    pub(super) fn text(&self, limit: u64, cancel: &Cancel) -> Result<String, SourceError> {
        self.persist(cancel, &mut || 0, &mut || {
            let (head, mut reply) = self.get(None, cancel)?;
            if head.status != 200 {
                return Err(self.status(head.status));
            }
            let mut text = Vec::new();
            while let Some(data) = reply.next(cancel, text.len() as u64)? {
                text.extend(data);
                if text.len() as u64 > limit {
                    return Err(SourceError::NotSums { url: self.url.clone() }.into());
                }
            }
            Ok(String::from_utf8_lossy(&text).into_owned())
        })
    }

    /// Attempts until one succeeds, fails for good, or too many in a row got no further than
    /// `reached` says.
    pub(super) fn persist<T>(
        &self,
        cancel: &Cancel,
        reached: &mut dyn FnMut() -> u64,
        attempt: &mut dyn FnMut() -> Result<T, Trouble>,
    ) -> Result<T, SourceError> {
        let mut failures = 0;
        let mut furthest = reached();
        loop {
            let error = match attempt() {
                Ok(done) => return Ok(done),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(error)) => error,
            };
            let now = reached();
            failures = if now > furthest { 1 } else { failures + 1 };
            furthest = furthest.max(now);
            if failures >= patience::ATTEMPTS {
                let url = self.url.clone();
                return Err(SourceError::Unreachable { url, attempts: failures, source: error });
            }
            patience::pause(failures, cancel)?;
        }
    }

    /// Asks for the address, or for the rest of it.
    pub(super) fn get(
        &self,
        resume: Option<&Resume>,
        cancel: &Cancel,
    ) -> Result<(Head, Reply), Trouble> {
        let mut request = self.agent.get(&self.url);
        if let Some(resume) = resume {
            request = request.header(header::RANGE, format!("bytes={}-", resume.from));
            if let Some(validator) = &resume.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let (sender, receiver) = mpsc::sync_channel(CHUNKS);
        thread::spawn(move || receive(request.call(), &sender));
        let reply = Reply { receiver };
        match reply.wait(cancel)? {
            Some(Piece::Head(head)) => match *head {
                Ok(head) => Ok((head, reply)),
                Err(error) => Err(self.failed(error)),
            },
            _ => Err(Trouble::Passing(TransferError::Silent)),
        }
    }

    fn failed(&self, error: ureq::Error) -> Trouble {
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::RequireHttpsOnly(_) => {
                SourceError::BadAddress { url: self.url.clone(), source: error.into() }.into()
            }
            error => Trouble::Passing(error.into()),
        }
    }

    /// What a status means that brings no file.
    pub(super) fn status(&self, status: u16) -> Trouble {
        match status {
            408 | 416 | 425 | 429 | 500.. => Trouble::Passing(TransferError::Busy { status }),
            _ => SourceError::Status { url: self.url.clone(), status }.into(),
        }
    }
}

impl Reply {
    /// The next bytes of the body, or nothing at its end; `received` of them came before.
    pub(super) fn next(
        &mut self,
        cancel: &Cancel,
        received: u64,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        match self.wait(cancel)? {
            Some(Piece::Data(Ok(data))) => Ok(Some(data)),
            Some(Piece::Data(Err(source))) => {
                Err(Trouble::Passing(TransferError::Broken { received, source }))
            }
            Some(Piece::Head(_)) | None => Ok(None),
        }
    }

    /// The next piece, or nothing when there are no more.
    fn wait(&self, cancel: &Cancel) -> Result<Option<Piece>, Cancelled> {
        loop {
            cancel.check()?;
            match self.receiver.recv_timeout(LOOK) {
                Ok(piece) => return Ok(Some(piece)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }
}

/// The other thread: sends what comes until it ends or nobody listens.
fn receive(response: Result<Response<Body>, ureq::Error>, sender: &SyncSender<Piece>) {
    let (head, body) = match response {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            (Ok(Head::new(parts.status.as_u16(), &parts.headers)), Some(body))
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

impl Head {
    fn new(status: u16, headers: &HeaderMap) -> Self {
        let text =
            |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        let strong = text(header::ETAG).filter(|etag| !etag.starts_with("W/"));
        Self {
            status,
            length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            range: text(header::CONTENT_RANGE).and_then(ContentRange::parse),
            validator: strong.or_else(|| text(header::LAST_MODIFIED)).map(str::to_owned),
        }
    }
}

impl ContentRange {
    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
        Some(Self { start, total: total.parse().ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let range = |start, total| Some(ContentRange { start, total });
        for (text, wanted) in [
            ("bytes 100-199/200", range(Some(100), Some(200))),
            ("bytes 100-199/*", range(Some(100), None)),
            ("bytes */200", range(None, Some(200))),
            ("lines 1-2/3", None),
            ("bytes 1-2", None),
        ] {
            assert_eq!(ContentRange::parse(text), wanted, "{text}");
        }
    }
}
