//! The registries, with skopeo in the place of mote.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use mote_testkit::{Access, PASSWORD, Registry, USER};

/// An image of no layers.
fn layout(dir: &Path) {
    for args in [&["init", "--layout", "layout"][..], &["new", "--image", "layout:latest"]] {
        let done = Command::new("umoci").current_dir(dir).args(args).output();
        let done = done.expect("install Debian's package umoci");
        assert!(done.status.success(), "{done:?}");
    }
}

/// Whether skopeo finds the image, as [`USER`] or as nobody.
fn found(reference: &str, login: &str) -> bool {
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy", "inspect", "--raw", "--tls-verify=false"]);
    match login {
        "" => command.arg("--no-creds"),
        login => command.args(["--creds", login]),
    };
    let done = command.arg(format!("docker://{reference}")).output();
    let done = done.expect("install Debian's package skopeo");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() || said.contains("unauthorized") || said.contains("denied"),
        "{said}"
    );
    done.status.success()
}

#[test]
fn a_registry_lets_in_whom_it_should() {
    let dir = tempfile::tempdir().unwrap();
    layout(dir.path());
    let right = format!("{USER}:{PASSWORD}");
    let wrong = format!("{USER}:wrong");
    // Who finds a/b, and who finds public/b: nobody in particular, the user, an impostor.
    for (access, private, public) in [
        (Access::Open, [true, true, true], [true, true, true]),
        (Access::Password, [false, true, false], [false, true, false]),
        (Access::Token, [false, true, false], [true, true, false]),
    ] {
        let registry = Registry::start(access);
        for (name, expected) in [("a/b:1", private), ("public/b", public)] {
            let reference = registry.push(&dir.path().join("layout"), name);
            let finds = ["", &right, &wrong].map(|login| found(&reference, login));
            assert_eq!(finds, expected, "{access:?} {name}");
        }
    }
}

#[test]
fn a_dropped_registry_is_gone() {
    let mut registry = Registry::start(Access::Open);
    let address = registry.address();
    let mut client = TcpStream::connect(&address).unwrap();
    client.write_all(b"GET /v2/ HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK"), "{answer}");
    registry.log.wait_for("GET /v2/");
    drop(registry);
    assert!(TcpStream::connect(&address).is_err());
}
