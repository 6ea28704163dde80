//! External programs of the tests.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use mote_process::{Cancel, Child, Command, Program, Streams};

/// A program, or what to install.
pub fn program(name: &str, package: &str) -> Program {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Program::find(name, &path)
        .unwrap_or_else(|error| panic!("{error}: install Debian's {package}, as ./test does"))
}

/// Runs a program to its end.
pub fn run(name: &str, package: &str, args: &[&str]) -> Vec<u8> {
    let mut command = Command::new(&program(name, package));
    let output = command.args(args).output(&Cancel::default());
    output.unwrap_or_else(|error| panic!("{error}")).stdout
}

/// Copies an image, all platforms of it.
pub fn skopeo_copy(more: &[&str], from: &str, to: &str) {
    let mut args = vec!["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"];
    args.extend(more);
    args.extend([from, to]);
    run("skopeo", "skopeo", &args);
}

/// Debian's docker-registry on a port of this machine; it ends when dropped.
pub struct DockerRegistry {
    /// `127.0.0.1:PORT`.
    pub address: String,
    _child: Child,
}

impl DockerRegistry {
    /// Starts one that keeps its things in `dir`; `more` is added to its configuration.
    pub fn start(dir: &Path, more: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let storage = dir.join("storage");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\n\
             http:\n  addr: '{address}'\n{more}",
            storage.display()
        );
        let path = dir.join("registry.yml");
        fs::write(&path, config).unwrap();
        let log = fs::File::create(dir.join("registry.log")).unwrap();
        let streams = Streams {
            stdin: Stdio::null(),
            stdout: log.try_clone().unwrap().into(),
            stderr: log.into(),
        };
        let mut command = Command::new(&program("docker-registry", "docker-registry"));
        let mut child = command.arg("serve").arg(&path).spawn(streams).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&address).is_err() {
            let ended = child.wait_timeout(Duration::from_millis(20)).unwrap();
            let log = || fs::read_to_string(dir.join("registry.log")).unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{}", log());
        }
        Self { address, _child: child }
    }
}
