//! QEMU's monitor: commands to a machine that runs, by QMP
//! (QEMU's docs/interop/qmp-spec.rst), over a socket that QEMU has inherited.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

/// How long QEMU may take to answer. It answers from its main loop, within a millisecond.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Our end of a monitor.
#[derive(Debug)]
pub(crate) struct Monitor {
    socket: BufReader<UnixStream>,
    is_greeted: bool,
}

/// Why QEMU did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    /// It cannot be spoken with.
    #[error("qemu's monitor: {0}")]
    Io(#[from] io::Error),
    /// It says something that is not QMP.
    #[error("qemu's monitor says what nobody understands: {0}")]
    NotQmp(String),
    /// It refuses.
    #[error("{0}")]
    Refused(String),
}

impl MonitorError {
    /// Whether QEMU has ended.
    pub(crate) fn is_end(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
        matches!(self, Self::Io(error) if [BrokenPipe, ConnectionReset, UnexpectedEof].contains(&error.kind()))
    }
}

impl Monitor {
    /// A monitor at the other end of `socket`, which blocks.
    ///
    /// # Errors
    ///
    /// When the socket takes no time limit.
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket: BufReader::new(socket), is_greeted: false })
    }

    /// Has QEMU execute a command and gives what it returns.
    ///
    /// # Errors
    ///
    /// Any [`MonitorError`].
    pub(crate) fn execute(
        &mut self,
        command: &str,
        arguments: &Value,
    ) -> Result<Value, MonitorError> {
        if !self.is_greeted {
            // QEMU speaks first, and takes no other command before this one.
            self.receive()?;
            self.command("qmp_capabilities", &json!({}))?;
            self.is_greeted = true;
        }
        self.command(command, arguments)
    }

    /// Has QEMU execute a command of its human monitor, for what QMP has no command for, and gives
    /// what that prints: nothing, where all went well.
    ///
    /// # Errors
    ///
    /// Any [`MonitorError`].
    pub(crate) fn human(&mut self, line: &str) -> Result<String, MonitorError> {
        let said = self.execute("human-monitor-command", &json!({ "command-line": line }))?;
        match said {
            Value::String(said) => Ok(said.trim().to_owned()),
            other => Err(MonitorError::NotQmp(other.to_string())),
        }
    }

    fn command(&mut self, command: &str, arguments: &Value) -> Result<Value, MonitorError> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        self.socket.get_mut().write_all(line.as_bytes())?;
        loop {
            let mut answer = self.receive()?;
            if let Some(error) = answer.get("error") {
                let said = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
                return Err(MonitorError::Refused(said.to_owned()));
            }
            // Events come at any time; nobody waits for one yet.
            if let Some(returned) = answer.get_mut("return") {
                return Ok(returned.take());
            }
        }
    }

    /// The next message: one line.
    fn receive(&mut self) -> Result<Value, MonitorError> {
        let mut line = Vec::new();
        (&mut self.socket).take(MOST_BYTES).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        serde_json::from_slice(&line)
            .map_err(|_| MonitorError::NotQmp(String::from_utf8_lossy(&line).trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#;
    const DONE: &str = r#"{"return": {}}"#;

    /// What comes of a command line when QEMU says `lines`, and what QEMU gets to read.
    fn human(lines: &[&str]) -> (Result<String, MonitorError>, String) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let said: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let qemu = thread::spawn(move || {
            // Whoever has understood enough hangs up.
            let _ = theirs.write_all(said.as_bytes());
            let _ = theirs.shutdown(std::net::Shutdown::Write);
            let mut read = Vec::new();
            let _ = theirs.read_to_end(&mut read);
            String::from_utf8(read).unwrap()
        });
        let answer = Monitor::new(ours).unwrap().human("info");
        (answer, qemu.join().unwrap())
    }

    #[test]
    fn a_command_is_executed_after_the_greeting_and_beside_events() {
        let event = r#"{"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 2}}"#;
        let (said, read) = human(&[GREETING, DONE, event, r#"{"return": "all is well\r\n"}"#]);
        assert_eq!(said.unwrap(), "all is well");
        let read: Vec<Value> =
            read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            read,
            [
                json!({ "execute": "qmp_capabilities", "arguments": {} }),
                json!({ "execute": "human-monitor-command", "arguments": { "command-line": "info" } }),
            ]
        );
    }

    #[test]
    fn what_goes_wrong_is_told() {
        let refusal = r#"{"error": {"class": "CommandNotFound", "desc": "The command is gone"}}"#;
        for (lines, told) in [
            (&[GREETING, DONE, refusal][..], "The command is gone"),
            (
                &[GREETING, DONE, "{\"return\": 1}"],
                "qemu's monitor says what nobody understands: 1",
            ),
            (&[GREETING, "hello"], "qemu's monitor says what nobody understands: hello"),
            (&[GREETING, DONE], "qemu's monitor: unexpected end of file"),
            (&[], "qemu's monitor: unexpected end of file"),
        ] {
            assert_eq!(human(lines).0.unwrap_err().to_string(), told, "{lines:?}");
        }
        let endless = "x".repeat(MOST_BYTES as usize + 1);
        assert!(human(&[&endless]).0.is_err());
    }
}
