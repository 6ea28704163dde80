//! `cargo xtask bench ports`: how soon a published port answers a client that comes too early.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tempfile::TempDir;

use super::child::Usage;
use super::samples::Samples;
use crate::report;

/// How often the client knocks.
const EVERY: Duration = Duration::from_millis(50);

/// Compare a client that knocks from the start with one that waits until the program listens
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The program that is measured
    #[arg(long, value_name = "FILE", default_value = "target/release/mote")]
    mote: PathBuf,
    /// How often each client comes
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    rounds: usize,
    /// A kernel for the runs, as in `mote run --kernel`
    #[arg(long, value_name = "DIR")]
    kernel: Option<PathBuf>,
    /// Where bench-ports.md and bench-ports.json go
    #[arg(short, value_name = "DIR", default_value = "out")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Transport {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum Client {
    /// It comes when the program listens.
    Waits,
    /// It knocks from mote's start on.
    Knocks,
}

#[derive(Debug, Serialize)]
struct Row {
    transport: Transport,
    client: Client,
    /// From the program's word that it listens to the answer.
    answer: Samples,
}

/// Measures and writes the table.
///
/// # Errors
///
/// A compiler or a run that fails.
pub fn run(args: &Args) -> Result<ExitCode> {
    let scratch = TempDir::new()?;
    let root = root(scratch.path())?;
    let mut rows = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        for client in [Client::Waits, Client::Knocks] {
            rows.push(Row { transport, client, answer: Samples::default() });
        }
    }
    for _ in 0..args.rounds {
        for row in &mut rows {
            let took = once(args, &root, row.transport, row.client)?;
            row.answer.add(Usage { took, peak_kib: 0 });
        }
    }
    let mut markdown = format!(
        "# Published ports\n\nFrom the program's listening to its answer; medians of {} runs in \
         turns, the least and the most. A client knocks every {} ms.\n\n| | comes when the program \
         listens | knocks from the start |\n| --- | ---: | ---: |\n",
        args.rounds,
        EVERY.as_millis()
    );
    for pair in rows.chunks(2) {
        writeln!(
            markdown,
            "| {:?} | {} | {} |",
            pair[0].transport, pair[0].answer, pair[1].answer
        )?;
    }
    report::write(&args.output, "bench-ports", &markdown, &rows)?;
    print!("{markdown}");
    Ok(ExitCode::SUCCESS)
}

/// A root file system that is one static program.
fn root(scratch: &Path) -> Result<PathBuf> {
    let (root, source) = (scratch.join("root"), scratch.join("echo.c"));
    fs::create_dir(&root)?;
    fs::write(&source, include_str!("echo.c"))?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-static", "-O", "-w", "-o"]).arg(root.join("echo")).arg(&source);
    ensure!(gcc.status().context("the package gcc")?.success(), "{gcc:?}");
    Ok(root)
}

fn once(args: &Args, root: &Path, transport: Transport, client: Client) -> Result<Duration> {
    let host = free_port(transport)?;
    let mut mote = Command::new(&args.mote);
    mote.args(["--quiet", "run"]);
    if let Some(kernel) = &args.kernel {
        mote.arg("--kernel").arg(kernel);
    }
    let suffix = if transport == Transport::Udp { "/udp" } else { "" };
    mote.arg("--publish").arg(format!("{}:7{suffix}", host.port()));
    mote.arg(format!("dir:{}", root.display())).arg("/echo");
    let mut running = Running(mote.stdout(Stdio::piped()).spawn()?);
    let mut stdout = BufReader::new(running.0.stdout.take().context("it is a pipe")?);
    let listening = thread::spawn(move || {
        let mut line = String::new();
        stdout.read_line(&mut line).map(|_| (line, Instant::now()))
    });
    if client == Client::Waits {
        while !listening.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
    }
    while !knock(host, transport) {
        ensure!(running.0.try_wait()?.is_none(), "mote has ended");
        thread::sleep(EVERY);
    }
    let answered = Instant::now();
    let (line, since) = listening.join().expect("it does not panic")?;
    ensure!(line == "listening\n", "the guest says {line:?}");
    Ok(answered.saturating_duration_since(since))
}

/// A mote that ends with us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether it is answered.
fn knock(host: SocketAddrV4, transport: Transport) -> bool {
    let ask = || -> std::io::Result<usize> {
        let mut answer = [0; 16];
        match transport {
            Transport::Tcp => {
                let mut stream = TcpStream::connect(host)?;
                stream.write_all(b"hello")?;
                stream.read(&mut answer)
            }
            Transport::Udp => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.connect(host)?;
                socket.set_read_timeout(Some(EVERY))?;
                socket.send(b"hello")?;
                socket.recv(&mut answer)
            }
        }
    };
    ask().is_ok_and(|length| length > 0)
}

fn free_port(transport: Transport) -> Result<SocketAddrV4> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let port = match transport {
        Transport::Tcp => TcpListener::bind(any)?.local_addr()?.port(),
        Transport::Udp => UdpSocket::bind(any)?.local_addr()?.port(),
    };
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}
