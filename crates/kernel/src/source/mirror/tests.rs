//! Downloads from a server of the tests' own that behaves as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::source::SourceSpec;

const FILE: &str = "/pub/linux/kernel/v6.x/linux-6.12.95.tar.xz";
const SUMS: &str = "/pub/linux/kernel/v6.x/sha256sums.asc";

/// What the server does beside serving files.
#[derive(Clone, Copy, Default)]
struct Manners {
    /// Whether it knows `Range`.
    ranges: bool,
    /// After how many bytes of a body it closes the connection.
    cut_after: Option<usize>,
    /// After how many cuts it behaves.
    cuts: usize,
    /// Whether the files change their names (`ETag`) at every request.
    changing: bool,
    /// Whether it says nothing at all.
    silent: bool,
    /// What it answers to the first requests.
    busy: usize,
}

/// A server on a thread that ends with the test's process.
struct Server {
    mirror: Mirror,
    state: Arc<State>,
}

struct State {
    files: HashMap<&'static str, Vec<u8>>,
    manners: Manners,
    /// The `Range` of each request for the file.
    seen: Mutex<Vec<String>>,
    cuts: Mutex<usize>,
}

impl Server {
    fn new(files: &[(&'static str, &[u8])], manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        let files = files.iter().map(|(path, bytes)| (*path, bytes.to_vec())).collect();
        let (seen, cuts) = (Mutex::default(), Mutex::default());
        let state = Arc::new(State { files, manners, seen, cuts });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || state.serve(stream.unwrap()));
            }
        });
        Self { mirror: Mirror { base_url, proxy: None }, state }
    }

    /// The ranges that were asked for, with what the server answered.
    fn seen(&self) -> Vec<String> {
        self.state.seen.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while let Some(Ok(request)) = lines.next() {
            let headers: HashMap<String, String> = lines
                .by_ref()
                .map_while(|line| line.ok().filter(|line| !line.is_empty()))
                .filter_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    Some((name.to_lowercase(), value.to_owned()))
                })
                .collect();
            if request.starts_with("CONNECT") {
                self.seen.lock().unwrap().push(request.clone());
            }
            let path = request.split(' ').nth(1).unwrap_or_default();
            if !self.answer(path, &headers, &stream) {
                return;
            }
        }
    }

    /// Whether the connection goes on.
    fn answer(
        &self,
        path: &str,
        headers: &HashMap<String, String>,
        mut stream: &TcpStream,
    ) -> bool {
        let manners = self.manners;
        if manners.silent {
            thread::sleep(Duration::from_secs(60));
            return false;
        }
        let Some(file) = self.files.get(path) else {
            return write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").is_ok();
        };
        let mut seen = self.seen.lock().unwrap();
        let number = seen.len();
        let etag = if manners.changing { format!("\"{number}\"") } else { "\"name\"".to_owned() };
        let same = headers.get("if-range").is_none_or(|validator| *validator == etag);
        let range = headers.get("range").filter(|_| manners.ranges && same);
        let start =
            range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let start: usize = start.unwrap_or(0);
        let status = match start {
            _ if number < manners.busy => "503 Service Unavailable",
            0 => "200 OK",
            start if start < file.len() => "206 Partial Content",
            _ => "416 Range Not Satisfiable",
        };
        let asked = headers.get("range").map_or("all", String::as_str);
        seen.push(format!("{asked}: {}", &status[..3]));
        drop(seen);
        let body = if status.starts_with('2') { &file[start..] } else { &[] };
        let range = match status.split(' ').next() {
            Some("206") => {
                format!("content-range: bytes {start}-{}/{}\r\n", file.len() - 1, file.len())
            }
            Some("416") => format!("content-range: bytes */{}\r\n", file.len()),
            _ => String::new(),
        };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\netag: {etag}\r\n{range}content-length: {length}\r\n\r\n"
        )
        .unwrap();
        let mut cuts = self.cuts.lock().unwrap();
        match manners.cut_after {
            Some(limit) if *cuts < manners.cuts && limit < body.len() => {
                *cuts += 1;
                let _ = stream.write_all(&body[..limit]);
                false
            }
            _ => stream.write_all(body).is_ok(),
        }
    }
}

/// A file that does not repeat itself.
fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn sums_of(content: &[u8]) -> Vec<u8> {
    format!("{}  linux-6.12.95.tar.xz\n", Digest::of_bytes(content)).into_bytes()
}

fn serving(manners: Manners) -> Server {
    let content = content();
    Server::new(&[(FILE, &content), (SUMS, &sums_of(&content))], manners)
}

fn version(text: &str) -> VersionWanted {
    match text.parse() {
        Ok(SourceSpec::Version(version)) => version,
        _ => panic!("{text}"),
    }
}

fn release(server: &Server) -> Release {
    let digest = Digest::of_bytes(&content());
    server.mirror.pinned(&version("6.12.95"), digest).unwrap()
}

fn download(server: &Server, dir: &Path) -> Result<PathBuf, SourceError> {
    server.mirror.download(&release(server), dir, &Cancel::default(), &|_, _| ())
}

fn names(dir: &Path) -> Vec<String> {
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_series_is_downloaded() {
    let server = serving(Manners { ranges: true, ..Manners::default() });
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("sources");
    let cancel = Cancel::default();
    let release = server.mirror.find(&version("6.12"), &cancel).unwrap();
    assert_eq!(release.file_name, "linux-6.12.95.tar.xz");

    let steps = std::cell::RefCell::new(Vec::new());
    let progress = |done, total| steps.borrow_mut().push((done, total));
    let path = server.mirror.download(&release, &dir, &cancel, &progress).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content());
    assert_eq!(names(&dir), ["linux-6.12.95.tar.xz"]);
    let total = Some(content().len() as u64);
    assert_eq!(steps.borrow().first(), Some(&(0, total)));
    assert_eq!(steps.borrow().last(), Some(&(1_200_000, total)));

    assert_eq!(downloaded(&version("6.12.95"), &dir), Some(path));
    assert_eq!(downloaded(&version("6.12.94"), &dir), None);
    assert_eq!(downloaded(&version("6.12"), &dir), None);
}

#[test]
fn a_connection_that_breaks_is_taken_up() {
    let manners = Manners { ranges: true, cut_after: Some(400_000), cuts: 2, ..Manners::default() };
    let server = serving(manners);
    let dir = tempfile::tempdir().unwrap();
    let path = download(&server, dir.path()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(server.seen(), ["all: 200", "bytes=400000-: 206", "bytes=800000-: 206"]);
}

#[test]
fn without_ranges_it_starts_again() {
    let server = serving(Manners { cut_after: Some(400_000), cuts: 1, ..Manners::default() });
    let dir = tempfile::tempdir().unwrap();
    let path = download(&server, dir.path()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(server.seen(), ["all: 200", "bytes=400000-: 200"]);
}

#[test]
fn a_file_that_changed_is_not_mixed() {
    let manners = Manners {
        ranges: true,
        changing: true,
        cut_after: Some(400_000),
        cuts: 1,
        ..Manners::default()
    };
    let server = serving(manners);
    let dir = tempfile::tempdir().unwrap();
    let path = download(&server, dir.path()).unwrap();
    assert_eq!(fs::read(path).unwrap(), content());
    assert_eq!(server.seen(), ["all: 200", "bytes=400000-: 200"]);
}

#[test]
fn what_an_earlier_run_left_is_used() {
    let server = serving(Manners { ranges: true, ..Manners::default() });
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("linux-6.12.95.tar.xz.part");
    let note = dir.path().join("linux-6.12.95.tar.xz.part.from");
    let url = release(&server).url;

    fs::write(&part, &content()[..1000]).unwrap();
    fs::write(&note, format!("{url}\n\"name\"\n")).unwrap();
    download(&server, dir.path()).unwrap();

    // All of it, but killed before it got its name.
    fs::rename(dir.path().join("linux-6.12.95.tar.xz"), &part).unwrap();
    fs::write(&note, format!("{url}\n\"name\"\n")).unwrap();
    download(&server, dir.path()).unwrap();

    // From somewhere else, or nobody knows where from.
    for from in [Some("http://elsewhere\n\n"), None] {
        fs::write(&part, b"something else").unwrap();
        if let Some(from) = from {
            fs::write(&note, from).unwrap();
        }
        download(&server, dir.path()).unwrap();
    }
    let seen = ["bytes=1000-: 206", "bytes=1200000-: 416", "all: 200", "all: 200"];
    assert_eq!(server.seen(), seen);
    assert_eq!(names(dir.path()), ["linux-6.12.95.tar.xz"]);
}

#[test]
fn a_part_that_is_longer_than_the_file_is_thrown_away() {
    let server = serving(Manners { ranges: true, ..Manners::default() });
    let dir = tempfile::tempdir().unwrap();
    let url = release(&server).url;
    fs::write(dir.path().join("linux-6.12.95.tar.xz.part"), vec![0; 1_200_001]).unwrap();
    fs::write(dir.path().join("linux-6.12.95.tar.xz.part.from"), format!("{url}\n\n")).unwrap();
    download(&server, dir.path()).unwrap();
    assert_eq!(server.seen(), ["bytes=1200001-: 416", "all: 200"]);
}

#[test]
fn a_wrong_file_is_removed() {
    let content = content();
    let server = Server::new(&[(FILE, &content), (SUMS, &sums_of(b"other"))], Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::default();
    let release = server.mirror.find(&version("6.12.95"), &cancel).unwrap();
    let error = server.mirror.download(&release, dir.path(), &cancel, &|_, _| ()).unwrap_err();
    let (got, wanted) = (Digest::of_bytes(&content), Digest::of_bytes(b"other"));
    let message = format!(
        "the digest of {} is {got}, not {wanted}: what was downloaded has been removed",
        release.url
    );
    assert_eq!(error.to_string(), message);
    assert!(error.hint().unwrap().contains("another mirror"));
    assert!(names(dir.path()).is_empty(), "{:?}", names(dir.path()));
}

#[test]
fn a_busy_server_is_asked_again() {
    let server = serving(Manners { busy: 2, ..Manners::default() });
    let dir = tempfile::tempdir().unwrap();
    download(&server, dir.path()).unwrap();
    assert_eq!(server.seen(), ["all: 503", "all: 503", "all: 200"]);
}

#[test]
fn a_server_that_never_gets_further_is_given_up() {
    let server = serving(Manners { cut_after: Some(400_000), cuts: 99, ..Manners::default() });
    let dir = tempfile::tempdir().unwrap();
    let error = download(&server, dir.path()).unwrap_err();
    let url = release(&server).url;
    assert_eq!(error.to_string(), format!("cannot download {url} (tried 4 times)"));
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(server.seen().len(), 4, "the first one got further, three did not");
}

#[test]
fn what_is_not_there() {
    let server = Server::new(&[(SUMS, &sums_of(b""))], Manners::default());
    let dir = tempfile::tempdir().unwrap();
    let error = download(&server, dir.path()).unwrap_err();
    let url = release(&server).url;
    assert_eq!(error.to_string(), format!("the server answered 404 for {url}"));
    assert!(names(dir.path()).is_empty());

    let find = |text| {
        let error = server.mirror.find(&version(text), &Cancel::default()).unwrap_err();
        (error.to_string(), error.hint().unwrap())
    };
    let base = server.mirror.base_url.trim_end_matches('/');
    let sums = format!("{base}{SUMS}");
    let newest = "the newest of that series is 6.12.95".to_owned();
    assert_eq!(find("6.12.96"), (format!("no release 6.12.96 at {sums}"), newest));
    assert_eq!(find("6.11").0, format!("no release 6.11 at {sums}"));
    let missing = format!("{base}/pub/linux/kernel/v99.x/sha256sums.asc");
    assert_eq!(find("99.1").0, format!("the server answered 404 for {missing}"));
}

#[test]
fn a_page_is_no_list() {
    let server = Server::new(&[(SUMS, b"<html>hello</html>")], Manners::default());
    let error = server.mirror.find(&version("6.12"), &Cancel::default()).unwrap_err();
    assert!(error.to_string().starts_with("not a list of digests: http://127.0.0.1"), "{error}");
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mirror = Mirror { base_url, proxy: None };
    let error = mirror.find(&version("6.12"), &Cancel::default()).unwrap_err();
    assert!(error.to_string().starts_with("cannot download http://127.0.0.1"), "{error}");
    assert!(error.hint().unwrap().starts_with("without a network"), "{error}");
}

#[test]
fn addresses_that_are_none() {
    for (base_url, proxy) in
        [("nonsense", None), ("http://a b", None), ("http://127.0.0.1:1", Some("::"))]
    {
        let mirror = Mirror { base_url: base_url.to_owned(), proxy: proxy.map(str::to_owned) };
        let error = mirror.find(&version("6.12"), &Cancel::default()).unwrap_err();
        assert!(error.to_string().starts_with("not a usable address: "), "{error}");
    }
}

#[test]
fn the_proxy_is_used() {
    let server = serving(Manners::default());
    let proxy = server.mirror.base_url.clone();
    let mirror = Mirror { base_url: "http://kernel.invalid".to_owned(), proxy: Some(proxy) };
    // The server refuses to be one: what counts is that it was asked.
    mirror.find(&version("6.12"), &Cancel::default()).unwrap_err();
    assert_eq!(server.seen().first().unwrap(), "CONNECT kernel.invalid:80 HTTP/1.1");
}

#[test]
fn an_interruption_does_not_wait_for_the_server() {
    let server = serving(Manners { silent: true, ..Manners::default() });
    let cancel = Cancel::default();
    let other = cancel.clone();
    let signal = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        other.cancel(2);
    });
    let began = Instant::now();
    let error = server.mirror.find(&version("6.12"), &cancel).unwrap_err();
    assert!(matches!(error, SourceError::Cancelled(_)), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    signal.join().unwrap();
}

#[test]
fn a_series_cannot_be_pinned() {
    let server = serving(Manners::default());
    let error = server.mirror.pinned(&version("6.12"), Digest::of_bytes(b"")).unwrap_err();
    assert_eq!(error.to_string(), "a digest was given for 6.12, which is a series of releases");
}
