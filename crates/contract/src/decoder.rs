//! Frames out of a byte stream that comes in arbitrary pieces from the other side, which is not trusted.

use alloc::vec::Vec;

use crate::frame::{HEADER_LEN, PAYLOAD_LIMIT};

/// What is wrong with a stream. It cannot be read any further: where the next frame begins is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No frame of this direction has this kind.
    #[error("unknown frame kind {kind:#04x}")]
    UnknownKind {
        /// The kind's byte.
        kind: u8,
    },
    /// The three bytes after the kind are not zero.
    #[error("reserved bytes of a frame header are not zero")]
    Reserved,
    /// The length is above [`PAYLOAD_LIMIT`].
    #[error("frame of {len} bytes, the limit is {PAYLOAD_LIMIT}")]
    TooLong {
        /// The length in the header.
        len: u32,
    },
    /// The payload is too short, too long, or has a value that means nothing.
    #[error("invalid payload of {len} bytes in a frame of kind {kind:#04x}")]
    Payload {
        /// The frame's kind.
        kind: u8,
        /// Bytes of its payload.
        len: usize,
    },
}

/// A frame of one direction.
pub trait Frame<'a>: Sized {
    /// Whether a frame of this direction has this kind.
    fn knows(kind: u8) -> bool;

    /// The frame of a kind and a payload.
    ///
    /// # Errors
    ///
    /// [`FrameError::UnknownKind`] and [`FrameError::Payload`].
    fn parse(kind: u8, payload: &'a [u8]) -> Result<Self, FrameError>;
}

/// Collects the bytes of one frame at a time. It never holds more than one header and one payload, and allocates
/// for a payload only after its length was checked.
#[derive(Debug, Default)]
pub struct Decoder {
    header: [u8; HEADER_LEN],
    header_len: usize,
    payload: Vec<u8>,
    error: Option<FrameError>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the front of `input` until a frame is complete and returns it, or takes them all and
    /// returns `None`: call it until then.
    ///
    /// # Errors
    ///
    /// When the stream breaks the protocol; the same error again at every later call.
    pub fn next<'d, F: Frame<'d>>(
        &'d mut self,
        input: &mut &[u8],
    ) -> Result<Option<F>, FrameError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.fill::<F>(input) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => return Err(*self.error.insert(error)),
        }
        self.header_len = 0;
        match F::parse(self.header[0], &self.payload) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => Err(*self.error.insert(error)),
        }
    }

    /// Whether the stream stands between two frames, where alone it may end.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.header_len == 0
    }

    /// Whether a whole frame has been collected.
    fn fill<'d, F: Frame<'d>>(&mut self, input: &mut &[u8]) -> Result<bool, FrameError> {
        if self.header_len < HEADER_LEN {
            let bytes = take(input, HEADER_LEN - self.header_len);
            self.header[self.header_len..][..bytes.len()].copy_from_slice(bytes);
            self.header_len += bytes.len();
            if self.header_len < HEADER_LEN {
                return Ok(false);
            }
            self.payload.clear();
            let len = check_header::<F>(self.header)?;
            // In powers of two, of which the limit is one: init never gives memory back.
            self.payload.reserve_exact(len.next_power_of_two());
        }
        let wanted = payload_len(self.header) as usize;
        let missing = wanted - self.payload.len();
        self.payload.extend_from_slice(take(input, missing));
        Ok(self.payload.len() == wanted)
    }
}

fn check_header<'d, F: Frame<'d>>(header: [u8; HEADER_LEN]) -> Result<usize, FrameError> {
    let kind = header[0];
    if !F::knows(kind) {
        return Err(FrameError::UnknownKind { kind });
    }
    if header[1..4] != [0; 3] {
        return Err(FrameError::Reserved);
    }
    match payload_len(header) {
        len if len as usize > PAYLOAD_LIMIT => Err(FrameError::TooLong { len }),
        len => Ok(len as usize),
    }
}

fn payload_len([.., a, b, c, d]: [u8; HEADER_LEN]) -> u32 {
    u32::from_le_bytes([a, b, c, d])
}

fn take<'i>(input: &mut &'i [u8], at_most: usize) -> &'i [u8] {
    let (bytes, rest) = input.split_at(at_most.min(input.len()));
    *input = rest;
    bytes
}

/// Reads the fields of a payload.
pub(crate) struct Payload<'a> {
    kind: u8,
    len: usize,
    rest: &'a [u8],
}

impl<'a> Payload<'a> {
    pub(crate) fn new(kind: u8, bytes: &'a [u8]) -> Self {
        Self { kind, len: bytes.len(), rest: bytes }
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.invalid())?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    pub(crate) fn finish(self) -> Result<(), FrameError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(self.invalid()),
        }
    }

    pub(crate) const fn invalid(&self) -> FrameError {
        FrameError::Payload { kind: self.kind, len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Failure, GuestFrame, HostFrame, Outcome, Stop, Stream};
    use alloc::string::String;
    use alloc::vec;
    use proptest::prelude::*;
    use std::format;

    fn outcome() -> impl Strategy<Value = Outcome> {
        let failure =
            prop_oneof![Just(Failure::Mote), Just(Failure::NotExecutable), Just(Failure::NotFound)];
        prop_oneof![
            any::<u8>().prop_map(Outcome::Exit),
            (1..=64u8).prop_map(Outcome::Signal),
            (failure, any::<String>())
                .prop_map(|(failure, message)| Outcome::Failed { failure, message }),
        ]
    }

    fn stop() -> impl Strategy<Value = Stop> {
        prop_oneof![Just(Stop::Ended), Just(Stop::Poweroff), Just(Stop::Reboot), Just(Stop::Halt)]
    }

    fn guest_frame(bytes: &[u8]) -> impl Strategy<Value = GuestFrame<'_>> {
        prop_oneof![
            any::<(u32, u64)>()
                .prop_map(|(protocol, boottime_ns)| GuestFrame::Hello { protocol, boottime_ns }),
            any::<u64>().prop_map(|boottime_ns| GuestFrame::SystemUp { boottime_ns }),
            any::<(u64, u32)>()
                .prop_map(|(boottime_ns, pid)| GuestFrame::Started { boottime_ns, pid }),
            (0..=bytes.len()).prop_map(|len| GuestFrame::Stdout(&bytes[..len])),
            (0..=bytes.len()).prop_map(|len| GuestFrame::Stderr(&bytes[..len])),
            any::<u32>().prop_map(|bytes| GuestFrame::StdinCredit { bytes }),
            (any::<u64>(), outcome())
                .prop_map(|(boottime_ns, outcome)| GuestFrame::Ended { boottime_ns, outcome }),
            stop().prop_map(GuestFrame::Stopping),
        ]
    }

    fn host_frame(bytes: &[u8]) -> impl Strategy<Value = HostFrame<'_>> {
        prop_oneof![
            (0..=bytes.len()).prop_map(|len| HostFrame::Stdin(&bytes[..len])),
            any::<(u16, u16)>().prop_map(|(rows, cols)| HostFrame::Resize { rows, cols }),
            any::<u8>().prop_map(|number| HostFrame::Signal { number }),
            prop_oneof![Just(Stream::Stdout), Just(Stream::Stderr)]
                .prop_map(HostFrame::CloseOutput),
        ]
    }

    static BYTES: [u8; 300] = [0xa5; 300];

    /// Frames as text: they borrow from the decoder, so they cannot be kept.
    macro_rules! decoded {
        ($frame:ident, $wire:expr, $step:expr) => {{
            let mut decoder = Decoder::new();
            let mut found = vec![];
            for mut input in $wire.chunks($step) {
                while let Some(frame) = decoder.next::<$frame>(&mut input).unwrap() {
                    found.push(format!("{frame:?}"));
                }
            }
            assert!(decoder.is_between_frames());
            found
        }};
    }

    proptest! {
        #[test]
        fn guest_frames_survive_any_cut(
            frames in prop::collection::vec(guest_frame(&BYTES), 0..8),
            step in 1usize..400,
        ) {
            let mut wire = vec![];
            frames.iter().for_each(|frame| frame.encode(&mut wire));
            let sent: Vec<_> = frames.iter().map(|frame| format!("{frame:?}")).collect();
            prop_assert_eq!(decoded!(GuestFrame, wire, step), sent);
        }

        #[test]
        fn host_frames_survive_any_cut(
            frames in prop::collection::vec(host_frame(&BYTES), 0..8),
            step in 1usize..400,
        ) {
            let mut wire = vec![];
            frames.iter().for_each(|frame| frame.encode(&mut wire));
            let sent: Vec<_> = frames.iter().map(|frame| format!("{frame:?}")).collect();
            prop_assert_eq!(decoded!(HostFrame, wire, step), sent);
        }

        #[test]
        fn random_bytes_never_panic_nor_grow_the_decoder(
            wire in prop::collection::vec(any::<u8>(), 0..200),
            kind in 0x80u8..0x8a,
            step in 1usize..20,
        ) {
            for first in [wire.first().copied().unwrap_or_default(), kind, kind & 7] {
                let mut wire = wire.clone();
                if let [byte, a, b, c, ..] = &mut wire[..] {
                    (*byte, *a, *b, *c) = (first, 0, 0, 0);
                }
                let mut guest = Decoder::new();
                let mut host = Decoder::new();
                for piece in wire.chunks(step) {
                    let mut input = piece;
                    while let Ok(Some(_)) = guest.next::<GuestFrame>(&mut input) {}
                    let mut input = piece;
                    while let Ok(Some(_)) = host.next::<HostFrame>(&mut input) {}
                }
                prop_assert!(guest.payload.capacity() <= PAYLOAD_LIMIT);
                prop_assert!(host.payload.capacity() <= PAYLOAD_LIMIT);
            }
        }
    }

    #[test]
    fn each_violation_has_its_error_and_stays() {
        let cases: [(&[u8], FrameError); 6] = [
            (b"\x01\0\0\0\0\0\0\0", FrameError::UnknownKind { kind: 0x01 }),
            (b"\x89\0\0\0\0\0\0\0", FrameError::UnknownKind { kind: 0x89 }),
            (b"\x84\0\x01\0\0\0\0\0", FrameError::Reserved),
            (b"\x84\0\0\0\x01\0\x01\0", FrameError::TooLong { len: 65_537 }),
            (b"\x88\0\0\0\x01\0\0\0\x04", FrameError::Payload { kind: 0x88, len: 1 }),
            (b"\x86\0\0\0\x05\0\0\0\0\0\0\0\0", FrameError::Payload { kind: 0x86, len: 5 }),
        ];
        for (wire, error) in cases {
            let mut decoder = Decoder::new();
            for _ in 0..2 {
                let mut input = wire;
                assert_eq!(decoder.next::<GuestFrame>(&mut input), Err(error));
            }
        }
    }

    #[test]
    fn a_payload_above_the_limit_is_split() {
        let bytes = vec![7; PAYLOAD_LIMIT + 1];
        let mut wire = vec![];
        GuestFrame::Stderr(&bytes).encode(&mut wire);
        assert_eq!(wire.len(), bytes.len() + 2 * HEADER_LEN);
        let mut input = wire.as_slice();
        let mut decoder = Decoder::new();
        let first = decoder.next::<GuestFrame>(&mut input).unwrap();
        assert_eq!(first, Some(GuestFrame::Stderr(&bytes[1..])));
        let second = decoder.next::<GuestFrame>(&mut input).unwrap();
        assert_eq!(second, Some(GuestFrame::Stderr(&[7])));
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let outcome = Outcome::Failed { failure: Failure::Mote, message: "€".repeat(50_000) };
        let mut wire = vec![];
        let boottime_ns = 1;
        GuestFrame::Ended { boottime_ns, outcome }.encode(&mut wire);
        let mut input = wire.as_slice();
        let mut decoder = Decoder::new();
        let Some(GuestFrame::Ended { outcome: Outcome::Failed { message, .. }, .. }) =
            decoder.next(&mut input).unwrap()
        else {
            panic!("another frame");
        };
        assert_eq!(message, "€".repeat(4096 / 3));
    }
}
