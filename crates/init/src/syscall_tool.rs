//! `sys NAME ARGUMENT…`: makes one system call, for the probes of kernel features.
//!
//! An argument is a number (decimal, `0x` or negative), `@N` for a pointer to N zero bytes, or any other text for a
//! pointer to it. It prints the result and exits with 0, or prints the error's name and exits with 1; 2 is for an
//! unknown call or too many arguments.

#![allow(unsafe_code)]

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::sys::{self, Errno};

/// Number and name of each call, one in a line (`arch/x86/entry/syscalls/syscall_64.tbl` of Linux 6.12).
const TABLE: &str = include_str!("syscalls-x86_64.txt");

const USAGE: &str = "usage: sys NAME [NUMBER | @BYTES | TEXT]...\n";

/// What the tool prints, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// The call's result.
    Result(usize),
    /// The call's error.
    Error(Errno),
    /// It was called wrongly.
    Usage,
}

impl Answer {
    /// The exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Result(_) => 0,
            Self::Error(_) => 1,
            Self::Usage => 2,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result(value) => writeln!(f, "{value}"),
            Self::Error(errno) => writeln!(f, "{errno}"),
            Self::Usage => f.write_str(USAGE),
        }
    }
}

/// Makes the call that the arguments describe.
#[must_use]
pub fn answer(arguments: &[&[u8]]) -> Answer {
    match parse(arguments) {
        // SAFETY: the pointers among the arguments are to memory that lives until the call returned. What else the
        // call does to this process is what the user asked for.
        Some((number, mut values)) => match unsafe { sys::raw_call(number, words(&mut values)) } {
            Ok(value) => Answer::Result(value),
            Err(errno) => Answer::Error(errno),
        },
        None => Answer::Usage,
    }
}

fn parse(arguments: &[&[u8]]) -> Option<(usize, Vec<Value>)> {
    let [name, arguments @ ..] = arguments else {
        return None;
    };
    let values: Vec<Value> = arguments.iter().copied().map(parse_value).collect();
    (values.len() <= 6).then_some((number_of(name)?, values))
}

fn number_of(name: &[u8]) -> Option<usize> {
    let mut calls = TABLE.lines().filter_map(|line| line.split_once(' '));
    let (number, _) = calls.find(|(_, known)| known.as_bytes() == name)?;
    number.parse().ok()
}

/// An argument of a call.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    Number(usize),
    /// Memory that the call gets a pointer to.
    Memory(Vec<u8>),
}

fn words(values: &mut [Value]) -> [usize; 6] {
    let mut words = [0; 6];
    for (word, value) in words.iter_mut().zip(values) {
        *word = value.word();
    }
    words
}

impl Value {
    fn word(&mut self) -> usize {
        match self {
            Self::Number(number) => *number,
            Self::Memory(bytes) => bytes.as_mut_ptr() as usize,
        }
    }
}

fn parse_value(argument: &[u8]) -> Value {
    let text = str::from_utf8(argument).unwrap_or_default();
    if let Some(number) = parse_number(text) {
        return Value::Number(number);
    }
    if let Some(len) = text.strip_prefix('@').and_then(parse_number) {
        return Value::Memory(vec![0; len]);
    }
    let mut bytes = argument.to_vec();
    bytes.push(0);
    Value::Memory(bytes)
}

fn parse_number(text: &str) -> Option<usize> {
    match (text.strip_prefix("0x"), text.strip_prefix('-')) {
        (Some(digits), _) => usize::from_str_radix(digits, 16).ok(),
        (_, Some(digits)) => digits.parse::<usize>().ok().map(usize::wrapping_neg),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(arguments: &[&str]) -> Answer {
        let arguments: Vec<&[u8]> = arguments.iter().map(|text| text.as_bytes()).collect();
        answer(&arguments)
    }

    #[test]
    fn calls_are_made() {
        let own = std::process::id() as usize;
        let cases: [(&[&str], Answer); 8] = [
            (&["getpid"], Answer::Result(own)),
            (&["access", "/", "0"], Answer::Result(0)),
            (&["access", "/there/is/no/such", "0"], Answer::Error(Errno::ENOENT)),
            (&["close", "-1"], Answer::Error(Errno::EBADF)),
            (&["clock_gettime", "0x1", "@16"], Answer::Result(0)),
            (&["no_such_call"], Answer::Usage),
            (&["getpid", "1", "2", "3", "4", "5", "6", "7"], Answer::Usage),
            (&[], Answer::Usage),
        ];
        for (arguments, expected) in cases {
            assert_eq!(ask(arguments), expected, "{arguments:?}");
        }
    }

    #[test]
    fn arguments() {
        let text = |text: &[u8]| Value::Memory(text.to_vec());
        let cases: [(&[u8], Value); 8] = [
            (b"7", Value::Number(7)),
            (b"0xff", Value::Number(255)),
            (b"-100", Value::Number(-100_isize as usize)),
            (b"@3", text(b"\0\0\0")),
            (b"@x", text(b"@x\0")),
            (b"0xg", text(b"0xg\0")),
            (b"\xff", text(b"\xff\0")),
            (b"", text(b"\0")),
        ];
        for (argument, value) in cases {
            assert_eq!(parse_value(argument), value);
        }
    }

    #[test]
    fn the_table_is_complete() {
        for (name, number) in [("read", 0), ("clone", 56), ("close_range", 436), ("mseal", 462)] {
            assert_eq!(number_of(name.as_bytes()), Some(number));
        }
        assert!(TABLE.lines().all(|line| line.split_once(' ').is_some()));
    }
}
