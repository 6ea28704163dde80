//! What ends the programs that a program has started, should we be killed.
//!
//! The parent-death signal reaches the program alone: it is not inherited. Of a build, the compilers
//! would go on for seconds. A shell that reads from a pipe to which nobody but us can write sees its
//! end however we end, and kills the program's group.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// A shell that waits for our end; gone when dropped.
#[derive(Debug)]
pub(crate) struct Guard(Child);

impl Guard {
    /// Guards the group of the process `leader`, until that is reaped: then its number may become
    /// another's.
    pub(crate) fn new(leader: u32) -> io::Result<Self> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "read -r end; kill -s KILL -- \"-$1\"", "sh", &leader.to_string()]);
        // Not in our group: what is typed on our terminal is not for it.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its input ends, which it would take for our end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
