//! The verdict line: how a run without channel says on the console how it ended.

use alloc::string::{String, ToString};
use core::fmt;

use crate::outcome::{Failure, Outcome, Stop, is_signal};

/// What the line begins with.
pub const VERDICT_PREFIX: &str = "mote: verdict ";

/// The end of a run, as one line. Init writes it last, after a line break of its own; a program can print such a
/// line as well, so the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The session ended.
    Ended(Outcome),
    /// The machine was asked to stop.
    Stopping(Stop),
}

impl Verdict {
    /// The verdict that a line of the console holds, with or without its line ending; `None` when it is another
    /// line.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (key, value) =
            line.trim_end_matches(['\r', '\n']).strip_prefix(VERDICT_PREFIX)?.split_once('=')?;
        match key {
            "exit" => Some(Self::Ended(Outcome::Exit(value.parse().ok()?))),
            "signal" => {
                let number = value.parse().ok().filter(|number| is_signal(*number))?;
                Some(Self::Ended(Outcome::Signal(number)))
            }
            "failed" => {
                let (code, message) = value.split_once(' ').unwrap_or((value, ""));
                Some(Self::Ended(Outcome::Failed {
                    failure: Failure::from_code(code.parse().ok()?)?,
                    message: message.to_string(),
                }))
            }
            "stopping" => {
                STOPS.iter().find(|(word, _)| *word == value).map(|(_, stop)| Self::Stopping(*stop))
            }
            _ => None,
        }
    }
}

/// The line without its ending. Control characters of a message become spaces: it is one line.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERDICT_PREFIX)?;
        match self {
            Self::Ended(Outcome::Exit(code)) => write!(f, "exit={code}"),
            Self::Ended(Outcome::Signal(number)) => write!(f, "signal={number}"),
            Self::Ended(Outcome::Failed { failure, message }) => {
                let message: String =
                    message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                write!(f, "failed={} {message}", failure.code())
            }
            Self::Stopping(stop) => {
                let word = STOPS.iter().find(|(_, known)| known == stop);
                write!(f, "stopping={}", word.map_or("", |(word, _)| word))
            }
        }
    }
}

const STOPS: [(&str, Stop); 4] = [
    ("ended", Stop::Ended),
    ("poweroff", Stop::Poweroff),
    ("reboot", Stop::Reboot),
    ("halt", Stop::Halt),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;

    fn failed(message: &str) -> Verdict {
        Verdict::Ended(Outcome::Failed { failure: Failure::NotFound, message: message.into() })
    }

    #[test]
    fn lines() {
        let cases = [
            (Verdict::Ended(Outcome::Exit(3)), "mote: verdict exit=3"),
            (Verdict::Ended(Outcome::Signal(15)), "mote: verdict signal=15"),
            (failed("execve /bin/x: ENOENT"), "mote: verdict failed=127 execve /bin/x: ENOENT"),
            (Verdict::Stopping(Stop::Poweroff), "mote: verdict stopping=poweroff"),
            (Verdict::Stopping(Stop::Reboot), "mote: verdict stopping=reboot"),
            (Verdict::Stopping(Stop::Halt), "mote: verdict stopping=halt"),
        ];
        for (verdict, line) in cases {
            assert_eq!(verdict.to_string(), line);
            assert_eq!(Verdict::parse(line), Some(verdict.clone()));
            assert_eq!(Verdict::parse(&format!("{line}\r\n")), Some(verdict));
        }
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "mote: verdict",
            "mote: verdict exit",
            "mote: verdict exit=",
            "mote: verdict exit=256",
            "mote: verdict exit=-1",
            "mote: verdict signal=0",
            "mote: verdict signal=65",
            "mote: verdict failed=1 x",
            "mote: verdict stopping=soon",
            "mote: verdict other=1",
            " mote: verdict exit=0",
        ] {
            assert_eq!(Verdict::parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_message_stays_on_one_line() {
        let line = failed("a\nmote: verdict exit=0\x1b[2J").to_string();
        assert_eq!(line, "mote: verdict failed=127 a mote: verdict exit=0 [2J");
    }

    proptest! {
        #[test]
        fn messages_round_trip(message in "[^\\p{Cc}]*") {
            let line = failed(&message).to_string();
            prop_assert_eq!(Verdict::parse(&line), Some(failed(&message)));
        }

        #[test]
        fn any_line_can_be_parsed(line in "(mote: verdict )?(failed=|exit=)?.*") {
            let _ = Verdict::parse(&line);
        }
    }
}
