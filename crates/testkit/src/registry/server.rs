//! The server and what is pushed to it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mote_process::{Cancel, Child, Command, Program, Streams};
use tempfile::TempDir;

use super::tokens::TokenServer;
use crate::Transcript;

/// Who may push to a registry, and pull from one that is not open.
pub const USER: &str = "mote";
/// The user's password; only the first colon of `USER:PASSWORD` separates them.
pub const PASSWORD: &str = "se:cret";
/// `htpasswd -nbB -C 5 mote se:cret`: the server takes no other kind of hash.
const HTPASSWD: &str = "mote:$2y$05$LcEwJLPJ4p5Tf.pQOhqH5.BzJVgpuapnhJTBXgFJWHmTziHTeFqNi\n";
/// A push of the largest image that tests have takes seconds.
const PUSH_PATIENCE: Duration = Duration::from_secs(600);

/// Whom a registry lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// [`USER`] by basic authentication.
    Password,
    /// Who has a token, which [`USER`] gets for everything and everybody for pulling what is below
    /// `public/`.
    Token,
}

/// Debian's `docker-registry` with a storage of its own, at a free port of 127.0.0.1; killed when
/// dropped.
#[derive(Debug)]
pub struct Registry {
    access: Access,
    port: u16,
    /// What the server says of itself and of each request.
    pub log: Transcript,
    // Killed before its storage is removed.
    _server: Child,
    _dir: TempDir,
}

impl Registry {
    /// Starts an empty registry.
    ///
    /// # Panics
    ///
    /// If the server is not installed or does not start.
    pub fn start(access: Access) -> Self {
        let dir = tempfile::Builder::new().prefix("mote-registry-").tempdir();
        let dir = dir.expect("a temporary directory");
        let config = dir.path().join("config.yml");
        let text = configuration(dir.path()) + &authentication(access, dir.path());
        fs::write(&config, text).expect("a file of the registry");

        let (said, output) = io::pipe().expect("a pipe");
        let errors = output.try_clone().expect("a descriptor");
        let mut command = Command::new(&program("docker-registry", "docker-registry"));
        command.arg("serve").arg(&config);
        let server = command.spawn(Streams {
            stdin: Stdio::null(),
            stdout: output.into(),
            stderr: errors.into(),
        });
        let server = server.unwrap_or_else(|error| panic!("no registry: {error}"));
        let mut log = Transcript::of(said);
        log.wait_for("listening on 127.0.0.1:");
        let port = log.wait_for("\"").parse().expect("the server says its port");
        Self { access, port, log, _server: server, _dir: dir }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes the image of the layout at `layout` as `name`, which may have a tag, and returns its
    /// reference: `127.0.0.1:PORT/NAME`. Of an index, all platforms are pushed.
    ///
    /// # Panics
    ///
    /// With what skopeo said, if it failed.
    #[track_caller]
    pub fn push(&self, layout: &Path, name: &str) -> String {
        let reference = format!("{}/{name}", self.address());
        let mut command = Command::new(&program("skopeo", "skopeo"));
        command.args(["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"]);
        command.arg("--dest-tls-verify=false");
        if self.access != Access::Open {
            command.arg("--dest-creds").arg(format!("{USER}:{PASSWORD}"));
        }
        command.arg(format!("oci:{}", layout.display())).arg(format!("docker://{reference}"));
        let pushed = command.timeout(PUSH_PATIENCE).output(&Cancel::default());
        pushed.unwrap_or_else(|error| panic!("{reference} was not pushed: {error}"));
        reference
    }

    /// A `~/.docker/config.json` of one who has logged in.
    pub fn docker_config(&self) -> String {
        let login = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
        format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, self.address())
    }
}

/// A program of the machine.
pub(super) fn program(name: &str, package: &str) -> Program {
    let path = std::env::var_os("PATH").expect("the tests run with a PATH");
    let found = Program::find(name, OsStr::new(&path));
    found.unwrap_or_else(|error| panic!("{error}: install Debian's package {package}"))
}

fn configuration(dir: &Path) -> String {
    format!(
        "version: 0.1\n\
         log: {{ level: info }}\n\
         storage:\n  filesystem: {{ rootdirectory: {} }}\n\
         http: {{ addr: 127.0.0.1:0, secret: of-a-test }}\n",
        dir.join("storage").display()
    )
}

/// The part of the configuration that says who is let in, and what that takes.
fn authentication(access: Access, dir: &Path) -> String {
    match access {
        Access::Open => String::new(),
        Access::Password => {
            let path = dir.join("htpasswd");
            fs::write(&path, HTPASSWD).expect("a file of the registry");
            format!("auth:\n  htpasswd: {{ realm: mote, path: {} }}\n", path.display())
        }
        Access::Token => {
            let TokenServer { realm, certificate } = TokenServer::start(dir);
            let (issuer, service) = (TokenServer::ISSUER, TokenServer::SERVICE);
            format!(
                "auth:\n  token:\n    realm: {realm}\n    service: {service}\n    \
                 issuer: {issuer}\n    rootcertbundle: {}\n",
                certificate.display()
            )
        }
    }
}
