//! A tiny HTTP server that does what a test tells it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mote_oci::Digest;

use crate::fixture::Fixture;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// With its query.
    pub path: String,
    /// By names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// What is answered.
#[derive(Default)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// After how many bytes of the body the connection ends.
    pub cut_after: Option<usize>,
    /// Whether nothing is said at all.
    pub silent: bool,
}

impl Response {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// A server on threads that end with the test's process.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::default());
        let answer: Arc<Answer> = Arc::new(answer);
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&shared));
                thread::spawn(move || serve(&stream.unwrap(), &*answer, &seen));
            }
        });
        Self { address, seen }
    }

    /// The requests whose path holds `part`.
    pub fn seen(&self, part: &str) -> Vec<Request> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|request| request.path.contains(part)).cloned().collect()
    }
}

fn serve(stream: &TcpStream, answer: &Answer, seen: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        seen.lock().unwrap().push(request.clone());
        if write_response(stream, &answer(&request)).is_none() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body: String::from_utf8(body).ok()? })
}

/// Nothing, if the connection ends.
fn write_response(mut stream: &TcpStream, response: &Response) -> Option<()> {
    if response.silent {
        thread::sleep(Duration::from_secs(60));
        return None;
    }
    let (status, length) = (response.status, response.body.len());
    let mut head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {length}\r\n");
    for (name, value) in &response.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    let cut = response.cut_after.unwrap_or(length).min(length);
    stream.write_all(&response.body[..cut]).ok()?;
    (cut == length).then_some(())
}

/// What a well-behaved registry answers that has one image, `app:v1`.
pub fn well_behaved(image: &Fixture, request: &Request) -> Response {
    let name = request.path.rsplit('/').next().unwrap_or_default();
    if request.path == "/v2/" {
        return Response::ok("{}");
    }
    let digest = match name {
        "v1" => Some(image.manifest),
        name => name.parse::<Digest>().ok(),
    };
    let Some(bytes) = digest.and_then(|digest| image.blobs.get(&digest)) else {
        return Response::status(404);
    };
    let from = request
        .headers
        .get("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        None => Response::ok(bytes.clone()),
        Some(from) if from < bytes.len() => {
            let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
            let body = bytes[from..].to_vec();
            Response { status: 206, body, ..Response::default() }.with("content-range", range)
        }
        Some(_) => Response::status(416),
    }
}
