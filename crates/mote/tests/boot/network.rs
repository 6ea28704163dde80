//! The guest's network, from both sides.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use mote_testkit::{PATIENCE, Sandbox, Signal};

use crate::{bare, path, run_recipe, sandbox};

/// Serves `body` to one client, over HTTP.
fn serve_once(body: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = client.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /file HTTP/1.1\r\n"));
        let length = body.len();
        write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
    });
    address
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_guest_reaches_a_server_of_the_host() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    let port = serve_once("from the host\n").port();
    let url = format!("http://10.0.2.2:{port}/file");
    let done = run_recipe(&sandbox, "-q", &bare, &["wget", "-q", "-O", "-", &url]).run();
    assert_eq!(done.expect_code(0).text(), "from the host\n");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn without_a_network_there_is_only_loopback() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    let done = run_recipe(&sandbox, "--network none", &bare, &["ls", "/sys/class/net"]).run();
    assert_eq!(done.expect_code(0).text(), "lo\n");
    let refused = run_recipe(&sandbox, "--network none -p 80", &bare, &["true"]).run();
    refused.expect_code(125).expect_said(&[
        "error: without a network, no port can be published\n",
        "hint: leave out --network none, or --publish\n",
    ]);
}

/// A program that sends back each datagram; BusyBox has none.
fn udp_echo(sandbox: &Sandbox) -> String {
    let source = sandbox.write(
        "echo.c",
        r#"
        #include <arpa/inet.h>
        #include <stdio.h>
        #include <stdlib.h>
        int main(int argc, char **argv) {
            struct sockaddr_in at = { AF_INET, htons(atoi(argv[1])), { INADDR_ANY } };
            int s = socket(AF_INET, SOCK_DGRAM, 0);
            if (bind(s, (void *)&at, sizeof at)) return 1;
            puts("ready");
            fflush(stdout);
            for (;;) {
                char data[1500];
                socklen_t size = sizeof at;
                long n = recvfrom(s, data, sizeof data, 0, (void *)&at, &size);
                if (n < 0 || sendto(s, data, n, 0, (void *)&at, size) != n) return 1;
            }
        }
        "#,
    );
    let program = sandbox.home().join("udp-echo");
    let built =
        Command::new("gcc").args(["-static", "-s", "-o"]).arg(&program).arg(source).status();
    assert!(built.expect("gcc: apt-get install gcc libc6-dev").success());
    path(program)
}

/// The host's address of a published port that mote has chosen.
fn chosen(said: &str, guest_port: &str) -> SocketAddr {
    let line = format!("port {guest_port} of the guest is at ");
    let address = said.lines().find_map(|said| said.strip_prefix(&line));
    address.unwrap_or_else(|| panic!("no {line:?} in:\n{said}")).parse().unwrap()
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn published_ports_lead_into_the_guest_from_this_machine_only() {
    let sandbox = sandbox();
    let echo = udp_echo(&sandbox);
    let files = format!(
        "[[files]]\npath = \"/srv/index.html\"\ncontent = \"from the guest\\n\"\n\
         [[files]]\npath = \"/bin/udp-echo\"\nsource = \"{echo}\"\n"
    );
    let bare = bare(&sandbox, &files);
    // httpd goes into the background once it has bound its port.
    let script = "httpd -h /srv && exec udp-echo 53";
    let mut running = run_recipe(&sandbox, "-p 80 -p 53/udp", &bare, &["sh", "-c", script]).start();
    let said = running.stderr.wait_for("port 53/udp of the guest is at 127.0.0.1:");
    let web = chosen(&said, "80/tcp");
    let udp_port: u16 = running.stderr.wait_for("\n").parse().unwrap();
    running.stdout.wait_for("ready\n");

    assert_eq!(web.ip().to_string(), "127.0.0.1");
    let mut client = TcpStream::connect(web).unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.") && reply.ends_with("\r\n\r\nfrom the guest\n"), "{reply}");
    let elsewhere = TcpStream::connect(("127.0.0.2", web.port()));
    assert!(elsewhere.is_err(), "published on another address than 127.0.0.1");

    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(("127.0.0.1", udp_port)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send(b"a datagram").unwrap();
    let mut reply = [0; 100];
    let length = client.recv(&mut reply).unwrap();
    assert_eq!(&reply[..length], b"a datagram");

    running.signal(Signal::TERM);
    running.finish().expect_code(143);
    sandbox.assert_no_orphans();
    assert!(TcpStream::connect_timeout(&web, Duration::from_secs(5)).is_err(), "still open");
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_port_in_use_is_told_before_the_boot() {
    let sandbox = sandbox();
    let bare = bare(&sandbox, "");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let done = run_recipe(&sandbox, &format!("-p {port}:80"), &bare, &["true"]).run();
    done.expect_code(125).expect_said(&[
        &format!("error: port in use: 127.0.0.1:{port}/tcp\n"),
        &format!("hint: stop what listens on port {port}, or publish another port\n"),
    ]);
    sandbox.assert_no_orphans();
}
