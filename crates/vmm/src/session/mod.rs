//! A running machine and the session in it: one poll(2) loop over everything that can happen.

mod attach;
mod channel;
mod control;
mod events;
mod io;
mod record;
mod silence;
mod streams;
#[cfg(test)]
mod tests;

pub use attach::Running;
pub use control::Control;
pub use io::{Event, SessionIo, Sink};
pub use silence::SILENCE_LIMIT;
