//! Runs of real programs over a real channel, as in a guest, but on this machine: everything of init between the
//! setting-up and the machine's end.
//!
//! Init reads signals from a descriptor and reaps every child, which needs a process where no other thread has signals
//! or children: so this is a program of its own, which runs its cases one by one.

use std::io::{Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use mote_contract::{
    Decoder, Failure, GuestFrame, HostFrame, Io, Network, Outcome, Root, RunConfig, Session, Stop,
    TerminalSize,
};
use mote_init::account::Account;
use mote_init::channel::Channel;
use mote_init::program::Program;
use mote_init::report;
use mote_init::run::Run;
use mote_init::sys::{self, Fd};

const CASES: [(&str, fn()); 12] = [
    ("exit_code_and_both_streams", exit_code_and_both_streams),
    ("killed_by_a_signal", killed_by_a_signal),
    ("not_found", not_found),
    ("input_reaches_its_end", input_reaches_its_end),
    ("much_in_both_directions", much_in_both_directions),
    ("much_on_both_streams_to_a_slow_host", much_on_both_streams_to_a_slow_host),
    ("a_program_that_does_not_read", a_program_that_does_not_read),
    ("a_terminal_and_its_size", a_terminal_and_its_size),
    ("a_terminal_shows_everything_before_the_end", a_terminal_shows_everything_before_the_end),
    ("signals_reach_the_group", signals_reach_the_group),
    ("a_background_process_does_not_hold_the_end_up", background_process),
    ("a_signal_to_init_stops_the_machine", a_signal_to_init_stops_the_machine),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| filter.is_none_or(|filter| name.contains(filter.as_str()));
    let cases = CASES.iter().filter(|(name, _)| wanted(name) && !has("--ignored"));
    if has("--list") {
        cases.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    // Threads inherit the mask.
    drop(sys::block_all_signals().expect("signals can be blocked"));
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases {
        let ok = catch_unwind(case).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        *(if ok { &mut passed } else { &mut failed }) += 1;
    }
    println!("\n{passed} passed; {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// What the host saw.
#[derive(Debug, Default)]
struct Seen {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    outcome: Option<Outcome>,
    stop: Option<Stop>,
}

/// The host's end of the channel.
struct Host {
    stream: UnixStream,
    decoder: Decoder,
    seen: Seen,
    started: bool,
    credit: usize,
}

impl Host {
    fn send(&mut self, frame: &HostFrame<'_>) {
        let mut wire = vec![];
        frame.encode(&mut wire);
        self.stream.write_all(&wire).expect("init reads the channel");
    }

    /// Reads once; false at the last frame.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 8192];
        let len = self.stream.read(&mut bytes).expect("init writes the channel");
        assert!(len > 0, "init closes the channel last");
        let mut input = &bytes[..len];
        while let Some(frame) = self.decoder.next::<GuestFrame>(&mut input).expect("valid frames") {
            match frame {
                GuestFrame::Started { .. } => self.started = true,
                GuestFrame::Stdout(bytes) => self.seen.stdout.extend_from_slice(bytes),
                GuestFrame::Stderr(bytes) => self.seen.stderr.extend_from_slice(bytes),
                GuestFrame::StdinCredit { bytes } => self.credit += bytes as usize,
                GuestFrame::Ended { outcome, .. } => self.seen.outcome = Some(outcome),
                GuestFrame::Stopping(stop) => self.seen.stop = Some(stop),
                GuestFrame::Hello { .. } | GuestFrame::SystemUp { .. } => {
                    panic!("only a boot has {frame:?}")
                }
            }
        }
        self.seen.stop.is_none()
    }

    fn read_until(&mut self, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let more = self.read();
            assert!(more || enough(self), "ended too early: {:?}", self.seen);
        }
    }

    fn wait_for_output(&mut self, text: &str) {
        let found = |seen: &Seen| String::from_utf8_lossy(&seen.stdout).contains(text);
        self.read_until(|host| found(&host.seen));
    }

    /// Sends as the credit allows.
    fn send_input(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.read_until(|host| host.credit > 0);
            let (now, later) = bytes.split_at(bytes.len().min(self.credit));
            self.send(&HostFrame::Stdin(now));
            self.credit -= now.len();
            bytes = later;
        }
    }

    fn end_input(&mut self) {
        self.send(&HostFrame::Stdin(b""));
    }
}

fn config(argv: &[&str], terminal: Option<TerminalSize>) -> RunConfig {
    let path = "/usr/local/bin:/usr/bin:/bin";
    RunConfig {
        version: mote_contract::CONFIG_VERSION,
        hostname: None,
        clock_unix_ns: None,
        entropy_seed: None,
        network: Network::None,
        hosts: Vec::new(),
        root: Root::Initramfs,
        tmpfs: Vec::new(),
        system: None,
        session: Session {
            argv: argv.iter().map(ToString::to_string).collect(),
            env: vec![("PATH".into(), path.into()), ("TERM".into(), "dumb".into())],
            cwd: "/".into(),
            user: None,
            terminal,
        },
        io: Io::Channel,
    }
}

/// How long init may be silent before a test fails instead of waiting for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs as init does, with `host` on the other side, which then reads to the end.
fn run(config: &RunConfig, host: impl FnOnce(&mut Host) + Send + 'static) -> Seen {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    theirs.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let host = thread::spawn(move || {
        let mut connection = Host {
            stream: theirs,
            decoder: Decoder::new(),
            seen: Seen::default(),
            started: false,
            credit: 0,
        };
        host(&mut connection);
        while connection.seen.stop.is_none() {
            connection.read();
        }
        connection.seen
    });
    let mut channel = Channel::over(Fd::take_over(ours.into_raw_fd())).expect("a channel");
    let signals = sys::block_all_signals().expect("signals can be blocked");
    let account = Account { identity: None, home: "/".into() };
    let end = Program::of_session(&config.session, account)
        .and_then(|program| Run::new(config, program, signals, Some(&mut channel), None).run());
    let end = end.unwrap_or_else(|error| report::failed(&error));
    report::over_channel(&mut channel, end);
    host.join().expect("the host's side")
}

fn sh(script: &str) -> RunConfig {
    config(&["sh", "-c", script], None)
}

const SIZE: TerminalSize = TerminalSize { rows: 24, cols: 80 };

fn exit_code_and_both_streams() {
    let seen = run(&sh("echo out; echo err >&2; exit 7"), |_| {});
    assert_eq!(seen.outcome, Some(Outcome::Exit(7)));
    assert_eq!(seen.stop, Some(Stop::Ended));
    assert_eq!((&seen.stdout[..], &seen.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
}

fn killed_by_a_signal() {
    let seen = run(&sh("kill -9 $$"), |_| {});
    assert_eq!(seen.outcome, Some(Outcome::Signal(9)));
}

fn not_found() {
    let seen = run(&config(&["no-such-program"], None), |_| {});
    let Some(Outcome::Failed { failure: Failure::NotFound, message }) = seen.outcome else {
        panic!("{:?}", seen.outcome);
    };
    assert_eq!(message, "no-such-program: not found in /usr/local/bin:/usr/bin:/bin");
}

fn input_reaches_its_end() {
    let seen = run(&config(&["cat"], None), |host| {
        host.send_input(b"hello");
        host.end_input();
    });
    assert_eq!(seen.stdout, b"hello");
    assert_eq!(seen.outcome, Some(Outcome::Exit(0)));
}

fn random(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut urandom = std::fs::File::open("/dev/urandom").expect("random bytes");
    urandom.read_exact(&mut bytes).expect("random bytes");
    bytes
}

fn much_in_both_directions() {
    let bytes = random(5_000_000);
    let sent = bytes.clone();
    let seen = run(&config(&["cat"], None), move |host| {
        host.send_input(&sent);
        host.end_input();
    });
    assert!(seen.stdout == bytes);
}

fn much_on_both_streams_to_a_slow_host() {
    let script = "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait";
    let seen = run(&sh(script), |host| {
        host.read_until(|host| host.started);
        thread::sleep(Duration::from_millis(300));
    });
    assert_eq!((seen.stdout.len(), seen.stderr.len()), (3_000_000, 3_000_000));
    assert_eq!(seen.outcome, Some(Outcome::Exit(0)));
}

fn a_program_that_does_not_read() {
    let seen = run(&sh("exec <&-; echo ready; sleep 1; echo done"), |host| {
        host.wait_for_output("ready");
        host.send_input(&[b'x'; 50_000]);
    });
    assert!(seen.stdout.ends_with(b"done\n"));
}

fn a_terminal_and_its_size() {
    // Whoever runs the tests in the background has them ignore ^C, which programs inherit.
    let shell = config(&["env", "--default-signal", "sh", "-i"], Some(SIZE));
    let seen = run(&shell, |host| {
        host.send_input(b"stty size; echo also to stderr >&2\n");
        host.wait_for_output("24 80");
        host.send(&HostFrame::Resize { rows: 50, cols: 132 });
        host.send_input(b"stty size; tty\n");
        host.wait_for_output("50 132");
        host.wait_for_output("/dev/pts/");
        // Quoted, so that the echo of the line does not look like the program's output.
        host.send_input(b"sh -c \"echo sta''rted; exec sleep 60\"\n");
        host.wait_for_output("started");
        host.send_input(b"\x03echo status=$?\n");
        host.wait_for_output("status=130");
        // Ctrl-D on an empty line ends the shell.
        host.end_input();
    });
    assert_eq!(seen.outcome, Some(Outcome::Exit(0)));
    assert!(seen.stderr.is_empty(), "a terminal has one stream");
}

fn a_terminal_shows_everything_before_the_end() {
    let lines = |end: &str| (1..=20_000).map(|line| format!("{line}{end}")).collect::<String>();
    let seen = run(&config(&["seq", "1", "20000"], Some(SIZE)), |_| {});
    assert!(seen.stdout == lines("\r\n").as_bytes());
}

fn signals_reach_the_group() {
    let seen = run(&sh("echo ready; sleep 60; echo not reached"), |host| {
        host.wait_for_output("ready");
        host.send(&HostFrame::Signal { number: 15 });
    });
    assert_eq!(seen.outcome, Some(Outcome::Signal(15)));
    assert_eq!(seen.stdout, b"ready\n");
}

fn background_process() {
    let seen = run(&sh("sleep 5 & echo done"), |_| {});
    assert_eq!(seen.stdout, b"done\n");
    assert_eq!(seen.outcome, Some(Outcome::Exit(0)));
}

fn a_signal_to_init_stops_the_machine() {
    for (signal, stop) in [("TERM", Stop::Reboot), ("USR2", Stop::Poweroff), ("USR1", Stop::Halt)] {
        let script = format!("echo asked; kill -{signal} $PPID; exec sleep 60");
        let seen = run(&sh(&script), |_| {});
        assert_eq!(seen.stop, Some(stop));
        assert_eq!((seen.outcome, &seen.stdout[..]), (None, &b"asked\n"[..]));
    }
}
