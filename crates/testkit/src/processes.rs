//! Who runs in a sandbox, by the environment that each process inherits and the folder it works in.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its arguments, the program first.
    pub argv: Vec<String>,
}

impl Process {
    /// The program's name, without its folder.
    pub fn name(&self) -> &str {
        let program = self.argv.first().map_or("", String::as_str);
        program.rsplit('/').next().unwrap_or_default()
    }

    fn of(pid: u32) -> Option<Self> {
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let cmdline = cmdline.strip_suffix(b"\0")?;
        let argv = cmdline.split(|byte| *byte == 0);
        Some(Self {
            pid,
            argv: argv.map(|arg| String::from_utf8_lossy(arg).into_owned()).collect(),
        })
    }
}

/// The processes whose home is in `folder`, or that work there: a build has no environment of ours. A
/// zombie has neither.
pub(crate) fn started_in(folder: &Path) -> Vec<Process> {
    let listing = fs::read_dir("/proc").expect("/proc is mounted");
    let pids = listing.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let home = [b"HOME=", folder.as_os_str().as_bytes(), b"/"].concat();
    let belongs = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(&home))
            || fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
    };
    pids.filter(belongs).filter_map(Process::of).collect()
}
