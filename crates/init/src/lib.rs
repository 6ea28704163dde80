//! mote's init: PID 1 of its guests, static, without libc. This library is its logic; the binaries add what a
//! program without a standard library needs ([`bin/runtime`](../bin/runtime)).
//!
//! [`boot`] is the whole story: [`root`], [`mounts`], [`setup`] and [`network`] change the machine through the [`kernel`]
//! trait, [`run`] starts the classic [`system`] and the [`session`] and moves bytes between the session's streams
//! and the [`channel`], [`report`] tells the host the end.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod account;
pub mod binary;
pub mod boot;
pub mod channel;
pub mod error;
pub mod input;
pub mod kernel;
pub mod mounts;
pub mod network;
pub mod outbox;
pub mod paths;
pub mod program;
pub mod report;
pub mod root;
pub mod run;
pub mod session;
pub mod setup;
pub mod sys;
pub mod syscall_tool;
pub mod system;
