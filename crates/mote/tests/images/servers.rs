//! Well-known servers and interpreters, as their images are: each serves a real request.

use mote_testkit::{Sandbox, Signal};

use crate::{ask, published, run, sandbox};

/// Boots an image, asks it something, and tells it to stop as docker would.
fn serves(flags: &str, name: &str, request: &[u8], wanted: &str) {
    let sandbox = sandbox();
    let mut running = run(&sandbox, flags, name, &[]).start();
    let server = published(&mut running);
    ask(server, request, wanted);
    running.signal(Signal::TERM);
    let ended = running.finish();
    let code = ended.status.code();
    assert!(matches!(code, Some(0 | 143)), "{name} ended with {code:?}:\n{}", ended.stderr);
    sandbox.assert_no_orphans();
}

const GET: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn nginx() {
    serves("-p 80", "nginx", GET, "HTTP/1.1 200 OK");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_program_that_forks_daemons() {
    serves("-p 80", "daemons", GET, "HTTP/1.1 200 OK");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_python_program() {
    serves("-p 8000", "python", GET, "200 OK");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_node_program() {
    serves("-p 3000", "node", GET, "200 OK");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_static_program_alone_in_its_image() {
    serves("-p 8080", "static", GET, "65532:65532");
}

/// A start packet and `SELECT 6 * 7` of PostgreSQL's protocol 3.0; the answer comes as text.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn postgres() {
    let message = |kind: &[u8], body: &[u8]| {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [kind, &length, body].concat()
    };
    let start = message(b"", b"\0\x03\0\0user\0postgres\0database\0postgres\0\0");
    let request = [start, message(b"Q", b"SELECT 6 * 7 AS answer\0")].concat();
    let flags = "-p 5432 -e POSTGRES_HOST_AUTH_METHOD=trust -e POSTGRES_INITDB_ARGS=--no-sync";
    serves(flags, "postgres", &request, "SELECT 1");
}

/// The first image of the blog post: started, asked, told to end by its own protocol.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn valkey_keeps_what_it_is_told_and_ends_when_it_is_told() {
    let sandbox: Sandbox = sandbox();
    let mut running = run(&sandbox, "-p 6379", "valkey", &[]).start();
    let server = published(&mut running);
    ask(server, b"PING\r\n", "+PONG\r\n");
    ask(server, b"SET answer 42\r\nGET answer\r\n", "+OK\r\n$2\r\n42\r\n");
    ask(server, b"SHUTDOWN NOSAVE\r\n", "");
    running.finish().expect_code(0);
    sandbox.assert_no_orphans();
}
