//! `mote run`, `pull`, `images` and `prune` with real images, from a real registry, in real boots.
//!
//! `MOTE_TEST_IMAGES` names the folder that `scripts/images` has filled.

mod faults;
mod privileges;
mod registries;
mod roots;
mod servers;
mod settings;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use mote_testkit::{Invocation, PATIENCE, Running, Sandbox, image};

/// A sandbox with a cache of its own: nothing was pulled or built before.
fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_mote"))
}

/// The folder of the kernel that all tests boot.
fn kernel() -> &'static Path {
    Sandbox::with_shared_cache(env!("CARGO_BIN_EXE_mote")).kernel()
}

/// `oci:` and the layout of a test image.
fn layout(name: &str) -> String {
    format!("oci:{}", image(name).display())
}

/// A run of a test image, flags and command, both taken apart at spaces.
fn run<'s>(sandbox: &'s Sandbox, flags: &str, name: &str, command: &[&str]) -> Invocation<'s> {
    let run = sandbox.mote(["run", "--kernel"]).arg(kernel());
    run.args(flags.split_whitespace()).arg(layout(name)).args(command.iter().copied())
}

/// The host's address of the only port of the guest, which mote has chosen.
fn published(running: &mut Running) -> SocketAddr {
    running.stderr.wait_for("of the guest is at ");
    running.stderr.wait_for("\n").trim_end().parse().expect("an address")
}

/// Sends `request` as soon as the guest's server takes it, and gives the beginning of its reply,
/// which must hold `wanted`. The user network accepts connections before the guest does: whoever
/// gets no reply asks again.
#[track_caller]
fn ask(server: SocketAddr, request: &[u8], wanted: &str) -> String {
    let end = Instant::now() + PATIENCE;
    let mut last = String::new();
    while Instant::now() < end {
        match reply(server, request, wanted) {
            Ok(reply) if reply.contains(wanted) => return reply,
            Ok(other) => last = other,
            Err(error) => last = error.to_string(),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{server} never said {wanted:?}, only {last:?}");
}

fn reply(server: SocketAddr, request: &[u8], wanted: &str) -> std::io::Result<String> {
    let mut client = TcpStream::connect(server)?;
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    client.write_all(request)?;
    let (mut reply, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        match client.read(&mut bytes)? {
            0 => break,
            length => reply.extend_from_slice(&bytes[..length]),
        }
        if String::from_utf8_lossy(&reply).contains(wanted) {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}
