//! Docker's credential helpers: `docker-credential-NAME get`, the registry on standard input, JSON
//! on standard output.

use std::ffi::OsStr;
use std::io::{self, PipeReader, Read, Write};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use mote_process::{Cancel, Child, Command, Program, Streams, poll_until, printable};
use rustix::event::{PollFd, PollFlags};
use serde::Deserialize;

use super::{Credential, HelperError};

/// A helper may ask the user to unlock something.
const TIMEOUT: Duration = Duration::from_secs(60);

/// More than any credentials.
const OUTPUT_MAX: usize = 64 << 10;

/// What helpers print that know nothing (docker-credential-helpers, credentials/error.go).
const UNKNOWN: &str = "credentials not found in native keychain";

/// The user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// What the helper has for the registry.
pub(super) fn ask(
    name: &str,
    key: &str,
    search: &OsStr,
    cancel: &Cancel,
) -> Result<Option<Credential>, HelperError> {
    let program = Program::find(&format!("docker-credential-{name}"), search)?;
    let (input, mut to_helper) = io::pipe()?;
    let (from_helper, output) = io::pipe()?;
    // A key is far shorter than what a pipe holds.
    to_helper.write_all(format!("{key}\n").as_bytes())?;
    drop(to_helper);
    let streams =
        Streams { stdin: input.into(), stdout: output.into(), stderr: std::process::Stdio::null() };
    let mut child = Command::new(&program).arg("get").spawn(streams)?;
    let (status, said) = follow(&mut child, from_helper, cancel)?;
    if !status.success() {
        let said = printable(&said).trim().to_owned();
        return if said == UNKNOWN { Ok(None) } else { Err(HelperError::Failed { status, said }) };
    }
    let Answer { username: user, secret } =
        serde_json::from_slice(&said).map_err(HelperError::Malformed)?;
    Ok(match user.as_str() {
        "" => None,
        TOKEN_USER => Some(Credential::IdentityToken(secret)),
        _ => Some(Credential::Password { user, secret }),
    })
}

/// Reads what it prints until it ends.
fn follow(
    child: &mut Child,
    mut output: PipeReader,
    cancel: &Cancel,
) -> Result<(ExitStatus, Vec<u8>), HelperError> {
    let deadline = Instant::now() + TIMEOUT;
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let mut fds = [PollFd::new(&output, PollFlags::IN), PollFd::new(cancel, PollFlags::IN)];
        if !poll_until(&mut fds, Some(deadline))? {
            return Err(HelperError::TimedOut { seconds: TIMEOUT.as_secs() });
        }
        cancel.check()?;
        let length = output.read(&mut buffer)?;
        if length == 0 || said.len() + length > OUTPUT_MAX {
            break;
        }
        said.extend_from_slice(&buffer[..length]);
    }
    drop(output);
    match child.wait_timeout(deadline.saturating_duration_since(Instant::now()))? {
        Some(status) => Ok((status, said)),
        None => Err(HelperError::TimedOut { seconds: TIMEOUT.as_secs() }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;

    fn ask_script(script: &str, cancel: &Cancel) -> Result<Option<Credential>, HelperError> {
        let sandbox = tempfile::tempdir().unwrap();
        let path = sandbox.path().join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        ask("test", "h.example", sandbox.path().as_os_str(), cancel)
    }

    #[test]
    fn helpers_answer() {
        let cancel = Cancel::default();
        let user = |user: &str, secret: &str| {
            Some(Credential::Password { user: user.to_owned(), secret: secret.to_owned() })
        };
        let echo = r#"read key; printf '{"ServerURL":"%s","Username":"%s","Secret":"s"}' "$key" "$1-$key""#;
        assert_eq!(ask_script(echo, &cancel).unwrap(), user("get-h.example", "s"));
        let token = r#"printf '{"ServerURL":"x","Username":"<token>","Secret":"t"}'"#;
        let identity = Some(Credential::IdentityToken("t".to_owned()));
        assert_eq!(ask_script(token, &cancel).unwrap(), identity);
        let unknown = format!("echo '{UNKNOWN}'; exit 1");
        assert_eq!(ask_script(&unknown, &cancel).unwrap(), None);
    }

    #[test]
    fn helpers_fail() {
        let cancel = Cancel::default();
        let error = ask_script("echo locked; exit 3", &cancel).unwrap_err();
        assert_eq!(error.to_string(), "it failed (exit status: 3): locked");
        assert!(matches!(ask_script("echo hello", &cancel), Err(HelperError::Malformed(_))));
        let missing = ask("none", "h", OsStr::new("/nowhere"), &cancel).unwrap_err();
        assert_eq!(missing.to_string(), "program not found: docker-credential-none");
    }

    #[test]
    fn a_helper_that_hangs_can_be_interrupted() {
        let cancel = Cancel::default();
        let began = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                cancel.cancel(2);
            });
            let error = ask_script("sleep 30", &cancel).unwrap_err();
            assert_eq!(error.to_string(), "stopped by SIGINT");
        });
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
