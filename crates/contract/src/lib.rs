//! What the host and the guest share: channel frames, the run configuration, the verdict line, and the names
//! both sides must spell alike. No input or output happens here, and nothing in it knows a VMM.
//!
//! ```
//! use mote_contract::{Decoder, GuestFrame};
//!
//! let mut wire = Vec::new();
//! GuestFrame::Stdout(b"hello").encode(&mut wire);
//! let (mut decoder, mut input) = (Decoder::new(), wire.as_slice());
//! while let Some(frame) = decoder.next::<GuestFrame>(&mut input)? {
//!     assert_eq!(frame, GuestFrame::Stdout(b"hello"));
//! }
//! # Ok::<(), mote_contract::FrameError>(())
//! ```

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod config;
mod decoder;
mod frame;
mod json;
mod names;
mod outcome;
mod verdict;

pub use config::{
    Cidr, CidrError, EntropySeed, Filesystem, HostEntry, Io, Network, Root, RunConfig, SeedError,
    Session, TerminalSize, Tmpfs, Writes,
};
pub use decoder::{Decoder, Frame, FrameError};
pub use frame::{
    GuestFrame, HEADER_LEN, HostFrame, INITIAL_STDIN_WINDOW, PAYLOAD_LIMIT, Stream, stream_header,
};
pub use json::{ConfigError, ConfigProblem};
pub use names::{
    CHANNEL_DEVICE, CHANNEL_PORT_NAME, CHANNEL_PORT_NUMBER, CONFIG_PATH, CONFIG_VERSION,
    CONSOLE_PATH, INIT_PATH, NETWORK_VARIABLE, PROTOCOL_VERSION, UP_PATH,
};
pub use outcome::{Failure, Outcome, Stop};
pub use verdict::{VERDICT_PREFIX, Verdict};
