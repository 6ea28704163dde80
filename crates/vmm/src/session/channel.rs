//! The host's side of the channel: frames in, frames out, and the window for standard input. No input or output
//! happens here.

use mote_contract::{Decoder, FrameError, GuestFrame, HostFrame, PROTOCOL_VERSION};

use super::control::Request;

/// What the host still has to send. No more standard input is read above this.
const MAX_OUTGOING_BYTES: usize = 128 << 10;
/// Bytes received at once.
pub(super) const RECEIVE_BYTES: usize = 64 << 10;

/// The state of the protocol.
#[derive(Default)]
pub(super) struct Channel {
    decoder: Decoder,
    /// Received and not yet decoded: from `at` on.
    received: Vec<u8>,
    at: usize,
    /// Encoded and not yet sent.
    outgoing: Vec<u8>,
    /// Bytes of standard input that the guest still allows.
    credit: u64,
    phase: Phase,
    /// Asked for before the session had started.
    early: Vec<Request>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Silent,
    Greeted,
    Started,
    Ended,
    Stopping,
}

/// How the guest broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misbehaviour {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the guest speaks version {0} of the protocol, not {PROTOCOL_VERSION}")]
    Version(u32),
    #[error("a frame came out of order: {0}")]
    Order(&'static str),
}

impl Channel {
    /// Takes what was received; only when all before was decoded.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        debug_assert!(!self.has_received());
        self.received.clear();
        self.received.extend_from_slice(bytes);
        self.at = 0;
    }

    /// Whether received bytes wait to be decoded.
    pub(super) fn has_received(&self) -> bool {
        self.at < self.received.len()
    }

    /// The next whole frame, once it was checked against those before it.
    pub(super) fn next_frame(&mut self) -> Result<Option<GuestFrame<'_>>, Misbehaviour> {
        let mut rest = &self.received[self.at..];
        let before = rest.len();
        let frame = self.decoder.next::<GuestFrame<'_>>(&mut rest);
        self.at += before - rest.len();
        let Some(frame) = frame? else { return Ok(None) };
        let next = next_phase(self.phase, &frame)?;
        if next == Phase::Started && self.phase != Phase::Started {
            for request in self.early.drain(..) {
                encode_request(request, &mut self.outgoing);
            }
        }
        self.phase = next;
        if let GuestFrame::StdinCredit { bytes } = frame {
            self.credit = self.credit.saturating_add(bytes.into());
        }
        Ok(Some(frame))
    }

    /// Bytes of standard input that may be read now.
    pub(super) fn stdin_window(&self) -> usize {
        if self.phase != Phase::Started || self.outgoing.len() > MAX_OUTGOING_BYTES {
            return 0;
        }
        usize::try_from(self.credit).unwrap_or(usize::MAX)
    }

    /// Queues standard input, no more than [`Channel::stdin_window`] allows; empty is its end.
    pub(super) fn send_stdin(&mut self, bytes: &[u8]) {
        self.credit -= bytes.len() as u64;
        HostFrame::Stdin(bytes).encode(&mut self.outgoing);
    }

    /// Queues a request; before the session has started, for then.
    pub(super) fn send_request(&mut self, request: Request) {
        match self.phase {
            Phase::Silent | Phase::Greeted => self.early.push(request),
            Phase::Started => encode_request(request, &mut self.outgoing),
            Phase::Ended | Phase::Stopping => {}
        }
    }

    /// What is to be sent.
    pub(super) fn outgoing(&self) -> &[u8] {
        &self.outgoing
    }

    /// The first `length` bytes of it were sent.
    pub(super) fn sent(&mut self, length: usize) {
        self.outgoing.drain(..length);
    }
}

/// The order that the contract lays down.
fn next_phase(phase: Phase, frame: &GuestFrame<'_>) -> Result<Phase, Misbehaviour> {
    match (phase, frame) {
        (Phase::Silent, GuestFrame::Hello { protocol: PROTOCOL_VERSION, .. }) => Ok(Phase::Greeted),
        (Phase::Silent, GuestFrame::Hello { protocol, .. }) => {
            Err(Misbehaviour::Version(*protocol))
        }
        (Phase::Silent, _) => Err(Misbehaviour::Order("before Hello")),
        (_, GuestFrame::Hello { .. }) => Err(Misbehaviour::Order("a second Hello")),
        (Phase::Stopping, _) => Err(Misbehaviour::Order("after Stopping")),
        (_, GuestFrame::Stopping(_)) => Ok(Phase::Stopping),
        (Phase::Ended, _) => Err(Misbehaviour::Order("after Ended")),
        (_, GuestFrame::Ended { .. }) => Ok(Phase::Ended),
        (Phase::Greeted, GuestFrame::Started { .. }) => Ok(Phase::Started),
        (Phase::Greeted, GuestFrame::SystemUp { .. }) => Ok(Phase::Greeted),
        (Phase::Greeted, _) => Err(Misbehaviour::Order("before Started")),
        (Phase::Started, GuestFrame::Started { .. }) => {
            Err(Misbehaviour::Order("a second Started"))
        }
        (Phase::Started, GuestFrame::SystemUp { .. }) => {
            Err(Misbehaviour::Order("SystemUp after Started"))
        }
        (Phase::Started, _) => Ok(Phase::Started),
    }
}

fn encode_request(request: Request, wire: &mut Vec<u8>) {
    let frame = match request {
        Request::Resize(size) => HostFrame::Resize { rows: size.rows, cols: size.cols },
        Request::Signal(number) => HostFrame::Signal { number },
        Request::CloseOutput(stream) => HostFrame::CloseOutput(stream),
    };
    frame.encode(wire);
}

#[cfg(test)]
mod tests {
    use super::*;
    use mote_contract::{Outcome, Stop, TerminalSize};

    const HELLO: GuestFrame<'_> = GuestFrame::Hello { protocol: PROTOCOL_VERSION, boottime_ns: 1 };
    const STARTED: GuestFrame<'_> = GuestFrame::Started { boottime_ns: 2, pid: 3 };
    const ENDED: GuestFrame<'_> = GuestFrame::Ended { boottime_ns: 4, outcome: Outcome::Exit(0) };

    /// Feeds frames until one is refused.
    fn feed(channel: &mut Channel, frames: &[GuestFrame<'_>]) -> Result<(), Misbehaviour> {
        for frame in frames {
            let mut wire = Vec::new();
            frame.encode(&mut wire);
            channel.receive(&wire);
            while channel.has_received() {
                channel.next_frame()?;
            }
        }
        Ok(())
    }

    #[test]
    fn frames_out_of_order_are_refused() {
        let up = GuestFrame::SystemUp { boottime_ns: 1 };
        let out = GuestFrame::Stdout(b"x");
        let stopping = GuestFrame::Stopping(Stop::Ended);
        let old = GuestFrame::Hello { protocol: 0, boottime_ns: 1 };
        let table: &[(&[GuestFrame<'_>], &str)] = &[
            (&[HELLO, up.clone(), STARTED, out.clone(), ENDED, stopping.clone()], ""),
            (&[HELLO, ENDED, stopping.clone()], ""),
            (&[HELLO, GuestFrame::Stopping(Stop::Reboot)], ""),
            (&[STARTED], "a frame came out of order: before Hello"),
            (&[HELLO, out.clone()], "a frame came out of order: before Started"),
            (&[HELLO, HELLO], "a frame came out of order: a second Hello"),
            (&[HELLO, STARTED, STARTED], "a frame came out of order: a second Started"),
            (&[HELLO, STARTED, ENDED, out], "a frame came out of order: after Ended"),
            (&[HELLO, stopping.clone(), stopping], "a frame came out of order: after Stopping"),
            (&[old], "the guest speaks version 0 of the protocol, not 1"),
        ];
        for (frames, expected) in table {
            let said = feed(&mut Channel::default(), frames)
                .map_or_else(|error| error.to_string(), |()| String::new());
            assert_eq!(said, *expected, "{frames:?}");
        }
    }

    #[test]
    fn a_hostile_length_is_refused_at_its_header() {
        let mut channel = Channel::default();
        channel.receive(&[0x84, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        let error = channel.next_frame().unwrap_err();
        assert_eq!(error.to_string(), "frame of 4294967295 bytes, the limit is 65536");
    }

    #[test]
    fn standard_input_keeps_to_its_window() {
        let mut channel = Channel::default();
        feed(&mut channel, &[HELLO, STARTED]).unwrap();
        assert_eq!(channel.stdin_window(), 0);
        feed(&mut channel, &[GuestFrame::StdinCredit { bytes: 10 }]).unwrap();
        channel.send_stdin(b"seven..");
        assert_eq!(channel.stdin_window(), 3);
        feed(&mut channel, &[GuestFrame::StdinCredit { bytes: u32::MAX }, ENDED]).unwrap();
        assert_eq!(channel.stdin_window(), 0, "nothing after the end");
    }

    #[test]
    fn requests_wait_for_the_session() {
        let mut channel = Channel::default();
        channel.send_request(Request::Resize(TerminalSize { rows: 2, cols: 3 }));
        feed(&mut channel, &[HELLO]).unwrap();
        assert!(channel.outgoing().is_empty());
        feed(&mut channel, &[STARTED]).unwrap();
        channel.send_request(Request::Signal(15));
        let mut expected = Vec::new();
        HostFrame::Resize { rows: 2, cols: 3 }.encode(&mut expected);
        HostFrame::Signal { number: 15 }.encode(&mut expected);
        assert_eq!(channel.outgoing(), expected);
        channel.sent(expected.len());
        feed(&mut channel, &[ENDED]).unwrap();
        channel.send_request(Request::Signal(15));
        assert!(channel.outgoing().is_empty());
    }
}
