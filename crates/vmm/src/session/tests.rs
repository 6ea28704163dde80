//! The loop against a guest played by a thread: no QEMU, but a real child, real sockets and real frames.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use mote_contract::{
    Decoder, Failure, GuestFrame, HostFrame, INITIAL_STDIN_WINDOW, Outcome as SessionOutcome,
    PROTOCOL_VERSION, Stop, Stream, TerminalSize,
};
use mote_process::{Cancel, Command, Program, Streams};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use sha2::{Digest, Sha256};

use super::{Control, Event, Running, SessionIo, Sink};
use crate::ports::HeldPorts;
use crate::qemu::Forwarding;
use crate::{Addressing, Awaited, End, Forward, Outcome, Protocol, UserNetwork};

/// A guest played by a thread may be held up, but not for so long.
const SILENCE: Duration = Duration::from_secs(10);

/// The guest's ends of a machine whose QEMU is a program that exits when `power` is closed.
struct Guest {
    console: UnixStream,
    channel: UnixStream,
    said: PipeWriter,
    #[expect(dead_code, reason = "held open")]
    power: PipeWriter,
}

fn machine() -> (Running, Guest) {
    let pair = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (ours, theirs)
    };
    let ((console, their_console), (channel, their_channel)) = (pair(), pair());
    let (said, their_said) = io::pipe().unwrap();
    let (power_off, power) = io::pipe().unwrap();
    let mut command = Command::new(&Program::at("/bin/cat"));
    let streams = Streams { stdin: power_off.into(), stdout: Stdio::null(), stderr: Stdio::null() };
    let child = command.spawn(streams).unwrap();
    let running = Running {
        child,
        console,
        channel: Some(channel),
        forwarding: None,
        said,
        spawned: Instant::now(),
        no_init: None,
    };
    (running, Guest { console: their_console, channel: their_channel, said: their_said, power })
}

impl Guest {
    fn send(&mut self, frames: &[GuestFrame<'_>]) {
        self.channel.write_all(&encode(frames)).unwrap();
    }

    /// What init does last: it announces the end and waits for the host to hang up.
    fn stop(mut self, stop: Stop) {
        self.send(&[GuestFrame::Stopping(stop)]);
        let mut rest = Vec::new();
        let _ = self.channel.read_to_end(&mut rest);
    }

    /// All that the host sends until `enough`.
    fn receive(&mut self, mut enough: impl FnMut(HostFrame<'_>) -> bool) {
        let (mut decoder, mut buffer) = (Decoder::new(), [0_u8; 1000]);
        loop {
            let length = self.channel.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "the host has hung up");
            let mut input = &buffer[..length];
            while let Some(frame) = decoder.next::<HostFrame<'_>>(&mut input).unwrap() {
                if enough(frame) {
                    return;
                }
            }
        }
    }
}

const HELLO: GuestFrame<'_> = GuestFrame::Hello { protocol: PROTOCOL_VERSION, boottime_ns: 11 };
const STARTED: GuestFrame<'_> = GuestFrame::Started { boottime_ns: 22, pid: 2 };
const CREDIT: GuestFrame<'_> = GuestFrame::StdinCredit { bytes: INITIAL_STDIN_WINDOW };

fn ended(outcome: SessionOutcome) -> GuestFrame<'static> {
    GuestFrame::Ended { boottime_ns: 33, outcome }
}

fn encode(frames: &[GuestFrame<'_>]) -> Vec<u8> {
    let mut wire = Vec::new();
    frames.iter().for_each(|frame| frame.encode(&mut wire));
    wire
}

/// What a run has left on the host.
struct Seen {
    outcome: Outcome,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    events: Vec<Event>,
}

/// Runs `guest` in a thread and attaches to it with outputs in memory.
fn run(stdin: Option<PipeReader>, guest: impl FnOnce(Guest) + Send + 'static) -> Seen {
    run_with(stdin, &Control::new().unwrap(), &Cancel::default(), None, guest)
}

fn run_with(
    stdin: Option<PipeReader>,
    control: &Control,
    cancel: &Cancel,
    timeout: Option<Duration>,
    guest: impl FnOnce(Guest) + Send + 'static,
) -> Seen {
    let played = Played { stdin, control, cancel, timeout };
    run_machine(machine(), played, &mut |_| {}, guest)
}

/// The host's side of a machine whose guest is played.
struct Played<'a> {
    stdin: Option<PipeReader>,
    control: &'a Control,
    cancel: &'a Cancel,
    timeout: Option<Duration>,
}

fn run_machine(
    (running, ends): (Running, Guest),
    played: Played<'_>,
    on_event: &mut dyn FnMut(&Event),
    guest: impl FnOnce(Guest) + Send + 'static,
) -> Seen {
    let guest = thread::spawn(move || guest(ends));
    let (mut stdout, mut stderr, mut events) = (Vec::new(), Vec::new(), Vec::new());
    let io = SessionIo {
        stdin: played.stdin.as_ref().map(AsFd::as_fd),
        stdout: Sink::Writer(&mut stdout),
        stderr: Sink::Writer(&mut stderr),
        console_log: None,
        control: played.control.clone(),
        timeout: played.timeout,
        silence_limit: SILENCE,
        on_event: &mut |event| {
            events.push(event.clone());
            on_event(event);
        },
    };
    let outcome = running.attach(io, played.cancel).unwrap();
    guest.join().unwrap();
    Seen { outcome, stdout, stderr, events }
}

/// Bytes without a pattern that a mistake could hide in.
fn noise(length: usize, mut state: u64) -> Vec<u8> {
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_megabyte_on_each_stream_arrives_however_it_is_cut() {
    let (out, err) = (noise(1 << 20, 1), noise(1 << 20, 2));
    let digests = [Sha256::digest(&out), Sha256::digest(&err)];
    let seen = run(None, move |mut guest| {
        let mut frames = vec![HELLO, STARTED];
        for (out, err) in out.chunks(50_000).zip(err.chunks(50_000)) {
            frames.extend([GuestFrame::Stdout(out), GuestFrame::Stderr(err)]);
        }
        frames.push(ended(SessionOutcome::Exit(3)));
        let wire = encode(&frames);
        let sizes = noise(wire.len(), 3);
        let (mut at, mut sizes) = (0, sizes.iter().cycle());
        while at < wire.len() {
            // From single bytes to several frames at once.
            let size = usize::from(*sizes.next().unwrap()).pow(2) + 1;
            let end = wire.len().min(at + size);
            guest.channel.write_all(&wire[at..end]).unwrap();
            at = end;
        }
        guest.stop(Stop::Ended);
    });
    assert_eq!(seen.outcome.end, End::Session(SessionOutcome::Exit(3)));
    assert_eq!([Sha256::digest(&seen.stdout), Sha256::digest(&seen.stderr)], digests);
    assert_eq!(
        seen.events,
        [Event::Hello, Event::Started, Event::Ended, Event::Stopping(Stop::Ended)]
    );
    let timeline = seen.outcome.timeline;
    assert_eq!(timeline.hello.unwrap().boottime_ns, 11);
    assert_eq!(timeline.started.unwrap().boottime_ns, 22);
    assert_eq!(timeline.ended.unwrap().boottime_ns, 33);
    assert!(timeline.first_output.unwrap() <= timeline.ended.unwrap().seen);
    assert!(timeline.exited.unwrap() >= timeline.stopping.unwrap());
}

#[test]
fn standard_input_keeps_to_the_window_and_ends() {
    let input = noise(300_000, 4);
    let digest = Sha256::digest(&input);
    let (stdin, mut writer) = io::pipe().unwrap();
    let writer = thread::spawn(move || writer.write_all(&input).unwrap());
    let seen = run(Some(stdin), move |mut guest| {
        guest.send(&[HELLO, STARTED, CREDIT]);
        let (mut window, mut hash, mut is_over) =
            (INITIAL_STDIN_WINDOW as usize, Sha256::new(), false);
        while !is_over {
            let mut taken = 0;
            guest.receive(|frame| {
                let HostFrame::Stdin(bytes) = frame else { panic!("{frame:?}") };
                assert!(bytes.len() <= window, "more than the credit");
                window -= bytes.len();
                taken += bytes.len();
                hash.update(bytes);
                is_over = bytes.is_empty();
                is_over || window == 0
            });
            if !is_over {
                window = taken;
                guest.send(&[GuestFrame::StdinCredit { bytes: taken as u32 }]);
            }
        }
        assert_eq!(hash.finalize(), digest);
        guest.send(&[ended(SessionOutcome::Exit(0))]);
        guest.stop(Stop::Ended);
    });
    writer.join().unwrap();
    assert_eq!(seen.outcome.end, End::Session(SessionOutcome::Exit(0)));
}

#[test]
fn without_standard_input_the_session_is_told_so_once() {
    run(None, |mut guest| {
        guest.send(&[HELLO, STARTED, CREDIT]);
        guest.receive(|frame| {
            assert_eq!(frame, HostFrame::Stdin(b""));
            true
        });
        guest.send(&[CREDIT, ended(SessionOutcome::Exit(0)), GuestFrame::Stopping(Stop::Ended)]);
        assert_eq!(guest.channel.read(&mut [0; 8]).unwrap(), 0, "nothing but the end");
    });
}

#[test]
fn each_stop_is_told_apart() {
    let table =
        [(Stop::Poweroff, End::Poweroff), (Stop::Reboot, End::Reboot), (Stop::Halt, End::Halt)];
    for (stop, end) in table {
        let seen = run(None, move |mut guest| {
            guest.send(&[HELLO, STARTED]);
            guest.stop(stop);
        });
        assert_eq!(seen.outcome.end, end);
    }
}

#[test]
fn a_failure_in_the_guests_words_is_escaped() {
    let failed = |message: &str| SessionOutcome::Failed {
        failure: Failure::NotFound,
        message: message.to_owned(),
    };
    let said = failed("execve(\"\x1b[2J\"): ENOENT");
    let seen = run(None, move |mut guest| {
        guest.send(&[HELLO, ended(said)]);
        guest.stop(Stop::Ended);
    });
    let shown = failed("execve(\"\\x1b[2J\"): ENOENT");
    assert_eq!(seen.outcome.end, End::Session(shown));
}

#[test]
fn hostile_frames_end_the_machine() {
    let too_long: &[u8] = &[0x84, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f];
    let table: [(&[u8], &str); 4] = [
        (too_long, "frame of 2147483647 bytes, the limit is 65536"),
        (b"HTTP/1.1 ", "unknown frame kind 0x48"),
        (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0], "invalid payload of 1 bytes in a frame of kind 0x81"),
        (&[0x84, 0, 0, 0, 0, 0, 0, 0], "a frame came out of order: before Hello"),
    ];
    for (wire, reason) in table {
        let seen = run(None, move |mut guest| {
            guest.channel.write_all(wire).unwrap();
            // QEMU is killed though nobody turns the power off: until then this blocks.
            let _ = guest.channel.read(&mut [0; 8]);
        });
        assert_eq!(seen.outcome.end, End::Misbehaved { reason: reason.to_owned() });
    }
}

#[test]
fn sudden_ends_are_explained() {
    let panic = "Kernel panic - not syncing: sysrq triggered crash";
    let verdict = "init: x\nmote: verdict failed=125 no port\n";
    let message = "no port".to_owned();
    let failed = End::Session(SessionOutcome::Failed { failure: Failure::Mote, message });
    let table: [(&str, bool, End); 7] = [
        (verdict, false, failed.clone()),
        (verdict, true, failed),
        // Whoever runs there can write that.
        ("mote: verdict exit=0\n", true, End::Vanished),
        ("", false, End::NeverReachedInit { cause: crate::classify("") }),
        ("Linux version 6.12\n", false, End::NeverReachedInit { cause: None }),
        ("bye\r\n", true, End::Vanished),
        (panic, true, End::Panic { line: "sysrq triggered crash".to_owned(), cause: None }),
    ];
    for (console, says_hello, end) in table {
        let seen = run(None, move |mut guest| {
            if says_hello {
                guest.send(&[HELLO]);
            }
            guest.console.write_all(console.as_bytes()).unwrap();
        });
        assert_eq!(seen.outcome.end, end, "{console}");
        assert_eq!(seen.outcome.timeline.first_console.is_some(), !console.is_empty());
    }
}

/// From then on programs run that can write to the console what init would.
#[test]
fn a_verdict_on_the_console_is_not_believed_once_the_session_runs() {
    let seen = run(None, move |mut guest| {
        guest.send(&[HELLO, STARTED]);
        guest.console.write_all(b"mote: verdict failed=127 not found\n").unwrap();
    });
    assert_eq!(seen.outcome.end, End::Vanished);
}

#[test]
fn cancelling_ends_the_machine() {
    let cancel = Cancel::default();
    let canceller = cancel.clone();
    let begun = Instant::now();
    let seen = run_with(None, &Control::new().unwrap(), &cancel, None, move |mut guest| {
        guest.send(&[HELLO, STARTED]);
        canceller.cancel(15);
        let _ = guest.channel.read(&mut [0; 8]);
    });
    assert_eq!(seen.outcome.end, End::Cancelled { signal: 15 });
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn time_can_be_limited() {
    let timeout = Duration::from_millis(200);
    let seen =
        run_with(None, &Control::new().unwrap(), &Cancel::default(), Some(timeout), |mut guest| {
            guest.send(&[HELLO]);
            let _ = guest.channel.read(&mut [0; 8]);
        });
    assert_eq!(seen.outcome.end, End::TimedOut { after: timeout });
}

#[test]
fn a_guest_that_stays_silent_is_given_up() {
    let limit = Duration::from_millis(200);
    for (frames, awaited) in [(vec![], Awaited::Init), (vec![HELLO], Awaited::System)] {
        let (running, mut guest) = machine();
        let guest = thread::spawn(move || {
            guest.send(&frames);
            guest.console.write_all(b"booting\n").unwrap();
            let _ = guest.channel.read(&mut [0; 8]);
        });
        let io = SessionIo {
            stdin: None,
            stdout: Sink::Writer(&mut io::sink()),
            stderr: Sink::Writer(&mut io::sink()),
            console_log: None,
            control: Control::new().unwrap(),
            timeout: None,
            silence_limit: limit,
            on_event: &mut |_| {},
        };
        let outcome = running.attach(io, &Cancel::default()).unwrap();
        guest.join().unwrap();
        let End::Silent { after, awaited: what, cause: None } = outcome.end else {
            panic!("{:?}", outcome.end);
        };
        assert!(after >= limit && what == awaited, "{after:?} {what}");
        assert_eq!(outcome.console_tail, "booting");
    }
}

#[test]
fn a_session_may_be_silent() {
    let (running, mut guest) = machine();
    let guest = thread::spawn(move || {
        guest.send(&[HELLO, STARTED]);
        thread::sleep(Duration::from_millis(400));
        guest.send(&[ended(SessionOutcome::Exit(0))]);
        guest.stop(Stop::Ended);
    });
    let io = SessionIo {
        stdin: None,
        stdout: Sink::Writer(&mut io::sink()),
        stderr: Sink::Writer(&mut io::sink()),
        console_log: None,
        control: Control::new().unwrap(),
        timeout: None,
        silence_limit: Duration::from_millis(200),
        on_event: &mut |_| {},
    };
    let outcome = running.attach(io, &Cancel::default()).unwrap();
    guest.join().unwrap();
    assert_eq!(outcome.end, End::Session(SessionOutcome::Exit(0)));
}

#[test]
fn requests_of_other_threads_reach_the_session() {
    let control = Control::new().unwrap();
    control.resize(TerminalSize { rows: 1, cols: 2 });
    let other = control.clone();
    run_with(None, &control, &Cancel::default(), None, move |mut guest| {
        guest.send(&[HELLO, STARTED]);
        guest.receive(|frame| frame == HostFrame::Resize { rows: 1, cols: 2 });
        thread::spawn(move || other.signal(2));
        guest.receive(|frame| frame == HostFrame::Signal { number: 2 });
        guest.send(&[ended(SessionOutcome::Signal(2))]);
        guest.stop(Stop::Ended);
    });
}

#[test]
fn a_session_whose_reader_is_gone_is_told() {
    let (running, mut guest) = machine();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let guest = thread::spawn(move || {
        guest.send(&[HELLO, STARTED, GuestFrame::Stdout(b"into the void")]);
        guest.receive(|frame| frame == HostFrame::CloseOutput(Stream::Stdout));
        guest.send(&[GuestFrame::Stdout(b"more"), ended(SessionOutcome::Signal(13))]);
        guest.stop(Stop::Ended);
    });
    let io = SessionIo {
        stdin: None,
        stdout: Sink::Descriptor(writer.as_fd()),
        stderr: Sink::Writer(&mut io::sink()),
        console_log: None,
        control: Control::new().unwrap(),
        timeout: None,
        silence_limit: crate::SILENCE_LIMIT,
        on_event: &mut |_| {},
    };
    let outcome = running.attach(io, &Cancel::default()).unwrap();
    guest.join().unwrap();
    assert_eq!(outcome.end, End::Session(SessionOutcome::Signal(13)));
}

#[test]
fn a_slow_reader_holds_up_the_guest_but_not_the_user() {
    let (running, mut guest) = machine();
    let (reader, writer) = io::pipe().unwrap(); // nobody reads: 64 KiB and no more
    let cancel = Cancel::default();
    let canceller = cancel.clone();
    let guest = thread::spawn(move || {
        guest.send(&[HELLO, STARTED]);
        guest.channel.set_nonblocking(true).unwrap();
        let wire = encode(&[GuestFrame::Stdout(&[b'x'; 60_000])]);
        let mut sent = 0_u64;
        loop {
            match guest.channel.write(&wire) {
                Ok(length) => sent += length as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && sent > 0 => break,
                Err(error) => panic!("{error}"),
            }
            assert!(sent < 100 << 20, "the host takes without end");
        }
        canceller.cancel(2);
    });
    let io = SessionIo {
        stdin: None,
        stdout: Sink::Descriptor(writer.as_fd()),
        stderr: Sink::Writer(&mut io::sink()),
        console_log: None,
        control: Control::new().unwrap(),
        timeout: None,
        silence_limit: crate::SILENCE_LIMIT,
        on_event: &mut |_| {},
    };
    let outcome = running.attach(io, &cancel).unwrap();
    guest.join().unwrap();
    assert_eq!(outcome.end, End::Cancelled { signal: 2 });
    drop(reader);
}

#[test]
fn the_console_is_kept_whole_and_passed_on_in_lines() {
    let sandbox = tempfile::tempdir().unwrap();
    let log = sandbox.path().join("console.log");
    let (running, mut guest) = machine();
    let guest = thread::spawn(move || {
        guest.console.write_all(b"first\r\n\x1b[2Jsecond\r\nthi").unwrap();
        guest.console.write_all(b"rd").unwrap();
        drop(guest);
    });
    let mut events = Vec::new();
    let io = SessionIo {
        stdin: None,
        stdout: Sink::Writer(&mut io::sink()),
        stderr: Sink::Writer(&mut io::sink()),
        console_log: Some(File::create(&log).unwrap()),
        control: Control::new().unwrap(),
        timeout: None,
        silence_limit: crate::SILENCE_LIMIT,
        on_event: &mut |event| events.push(event.clone()),
    };
    let outcome = running.attach(io, &Cancel::default()).unwrap();
    guest.join().unwrap();
    assert_eq!(std::fs::read(&log).unwrap(), b"first\r\n\x1b[2Jsecond\r\nthird");
    let lines = ["first", "\\x1b[2Jsecond", "third"].map(|line| Event::Console(line.to_owned()));
    assert_eq!(events, lines);
    assert_eq!(outcome.console_tail, "first\n\\x1b[2Jsecond\nthird");
}

#[test]
fn a_stuck_kvm_is_not_waited_for() {
    let seen = run(None, |mut guest| {
        guest.said.write_all(b"KVM internal error. Suberror: 1\nemulation failure\n").unwrap();
        let _ = guest.channel.read(&mut [0; 8]);
    });
    let End::VmmFailed { said, .. } = seen.outcome.end else { panic!("{:?}", seen.outcome.end) };
    assert_eq!(said, "KVM internal error. Suberror: 1\nemulation failure");
}

const SYSTEM_UP: GuestFrame<'_> = GuestFrame::SystemUp { boottime_ns: 15 };

/// Runs a guest that passes its milestones; QEMU's monitor gives `answer` to the forwarding. Tells
/// whether the monitor had heard of it before `after` was acted upon.
fn forwarded(addressing: Addressing, after: &Event, answer: &str) -> (Seen, bool) {
    let (mut running, guest) = machine();
    let (ours, mut monitor) = UnixStream::pair().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let host = free.to_string().parse().unwrap();
    let forward = Forward { protocol: Protocol::Tcp, host, guest_port: 80 };
    let network = UserNetwork { addressing, ..UserNetwork::new(vec![forward]) };
    let ports = HeldPorts::hold(&network.forwards).unwrap();
    running.forwarding = Some(Forwarding::new(ours, network, ports).unwrap());
    let answers = format!("{{\"QMP\": {{}}}}\n{{\"return\": {{}}}}\n{answer}\n");
    monitor.write_all(answers.as_bytes()).unwrap();

    let heard = monitor.try_clone().unwrap();
    let mut heard_before = None;
    let mut on_event = |event: &Event| {
        if event == after {
            let mut fds = [PollFd::new(&heard, PollFlags::IN)];
            heard_before = Some(poll(&mut fds, Some(&Timespec::default())).unwrap() > 0);
        }
    };
    let play = move |mut guest: Guest| {
        guest.send(&[HELLO, SYSTEM_UP, STARTED]);
        let (mut said, rule) = (String::new(), format!("hostfwd_add net0 tcp:{host}-10.0.2.15:80"));
        while !said.contains(&rule) {
            let mut buffer = [0; 4096];
            let length = monitor.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "not forwarded: {said}");
            said.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        // A host that could not forward has killed the machine.
        let frames = [ended(SessionOutcome::Exit(0)), GuestFrame::Stopping(Stop::Ended)];
        let _ = guest.channel.write_all(&encode(&frames));
        let _ = guest.channel.read_to_end(&mut Vec::new());
    };
    let (control, cancel) = (Control::new().unwrap(), Cancel::default());
    let played = Played { stdin: None, control: &control, cancel: &cancel, timeout: None };
    let seen = run_machine((running, guest), played, &mut on_event, play);
    (seen, heard_before.expect("it has passed all milestones"))
}

/// Before that, who connects would wait for seconds.
#[test]
fn ports_are_forwarded_once_the_guest_has_its_address() {
    const DONE: &str = r#"{"return": ""}"#;
    for (addressing, after) in [
        (Addressing::Init, Event::Hello),
        (Addressing::Dhcp, Event::Hello),
        (Addressing::Dhcp, Event::SystemUp),
    ] {
        let (seen, heard_before) = forwarded(addressing, &after, DONE);
        assert_eq!(seen.outcome.end, End::Session(SessionOutcome::Exit(0)));
        assert!(!heard_before, "{addressing:?}: forwarded before {after:?}");
    }
    // And not later.
    assert!(forwarded(Addressing::Init, &Event::SystemUp, DONE).1);
    assert!(forwarded(Addressing::Dhcp, &Event::Started, DONE).1);
}

#[test]
fn a_port_that_cannot_be_forwarded_ends_the_machine() {
    let refusal = r#"{"return": "could not set up host forwarding rule 'x'\r\n"}"#;
    let (seen, _) = forwarded(Addressing::Init, &Event::Hello, refusal);
    let End::NotForwarded { reason } = seen.outcome.end else { panic!("{:?}", seen.outcome.end) };
    assert!(reason.starts_with("cannot forward 127.0.0.1:"), "{reason}");
    assert!(reason.ends_with("/tcp: could not set up host forwarding rule 'x'"), "{reason}");
}
