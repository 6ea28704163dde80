//! What `mote run` of an image that was run before takes of its own, until it starts QEMU.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::child::Usage;
use super::samples::Samples;

/// The program that mote starts, and our name for a script that notes when.
const QEMU: &str = "qemu-system-x86_64";

/// The passages of a run.
#[derive(Debug, Default, Serialize)]
pub struct SecondRun {
    /// From mote's start to QEMU's, the noting itself included.
    pub own: Samples,
    /// From QEMU's start to the first byte that the program has printed.
    pub guest: Samples,
}

/// Runs of one image.
#[derive(Debug)]
pub struct Runs {
    mote: PathBuf,
    bin: PathBuf,
    further: Vec<String>,
}

impl Runs {
    /// Puts a script in the place of QEMU into `scratch`; `further` are flags of `mote run`.
    ///
    /// # Errors
    ///
    /// QEMU is not installed, the script cannot be written.
    pub fn prepare(mote: &Path, scratch: &Path, further: Vec<String>) -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let qemu =
            mote_process::Program::find(QEMU, &path).context("the package qemu-system-x86")?;
        let qemu = mote_process::quote_word(qemu.path().as_os_str());
        let bin = scratch.join("bin");
        fs::create_dir_all(&bin)?;
        let script = bin.join(QEMU);
        let note = "printf '%s\\n' \"${EPOCHREALTIME/,/.}\" >>\"$0.log\"";
        fs::write(&script, format!("#!/bin/bash\n{note}\nexec {qemu} \"$@\"\n"))?;
        fs::set_permissions(&script, Permissions::from_mode(0o755))?;
        Ok(Self { mote: mote.to_owned(), bin, further })
    }

    /// Runs the image in `layout`: once to have everything that can be kept, then as often as
    /// `rounds` says.
    ///
    /// # Errors
    ///
    /// A run that fails.
    pub fn measure(&self, layout: &Path, rounds: usize) -> Result<SecondRun> {
        self.once(layout)?;
        let mut runs = SecondRun::default();
        for _ in 0..rounds {
            let (own, guest) = self.once(layout)?;
            runs.own.add(Usage { took: own, peak_kib: 0 });
            runs.guest.add(Usage { took: guest, peak_kib: 0 });
        }
        Ok(runs)
    }

    fn once(&self, layout: &Path) -> Result<(Duration, Duration)> {
        let log = self.bin.join(format!("{QEMU}.log"));
        fs::write(&log, "")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.bin.clone()).chain(std::env::split_paths(&path));
        let mut mote = Command::new(&self.mote);
        mote.args(["--quiet", "run"]).args(&self.further);
        mote.arg(format!("oci:{}", layout.display())).args(["echo", "here"]);
        mote.env("PATH", std::env::join_paths(folders)?);
        let (wall, clock) = (SystemTime::now(), Instant::now());
        let mut child = mote.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut stdout = child.stdout.take().context("it is a pipe")?;
        let mut first = [0];
        let count = stdout.read(&mut first)?;
        let all = clock.elapsed();
        let mut rest = Vec::new();
        stdout.read_to_end(&mut rest)?;
        let status = child.wait()?;
        ensure!(status.success() && count == 1 && rest == b"ere\n", "{mote:?}: {status}");
        let own =
            last_note(&fs::read_to_string(&log)?)?.saturating_sub(wall.duration_since(UNIX_EPOCH)?);
        Ok((own, all.saturating_sub(own)))
    }
}

/// When QEMU was started last, since 1970: before that mote may ask it what it can.
fn last_note(log: &str) -> Result<Duration> {
    let last = log.lines().last().context("QEMU was not started")?;
    let (seconds, micros) = last.split_once('.').context("bash has no EPOCHREALTIME")?;
    Ok(Duration::from_secs(seconds.parse()?) + Duration::from_micros(micros.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_note_counts() {
        let log = "1700000000.000001\n1700000000.250000\n";
        assert_eq!(last_note(log).unwrap(), Duration::from_millis(1_700_000_000_250));
        assert!(last_note("").is_err());
    }
}
