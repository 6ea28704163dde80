//! Finding programs.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Cancel, Command, ProcessError, printable};

/// No sane program takes longer to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// A program that can be run, by its path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    /// The first executable file called `name` in the directories of `search`, which has the form of `PATH`.
    ///
    /// A `name` with a slash is a path and is not searched for.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NotFound`].
    pub fn find(name: &str, search: &OsStr) -> Result<Self, ProcessError> {
        let mut candidates: Vec<PathBuf> = Vec::new();
        if name.contains('/') {
            candidates.push(PathBuf::from(name));
        } else {
            let directories =
                std::env::split_paths(search).filter(|directory| !directory.as_os_str().is_empty());
            candidates.extend(directories.map(|directory| directory.join(name)));
        }
        candidates
            .into_iter()
            .find(|path| is_executable(path))
            .map(|path| Self { path })
            .ok_or_else(|| ProcessError::NotFound { name: name.to_owned() })
    }

    /// The program at `path`, unchecked: running it says what is wrong with it.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first line that it prints when asked for `--version`, on whichever stream.
    ///
    /// # Errors
    ///
    /// Those of [`Command::output`]; a program that prints nothing gives the empty string.
    pub fn version_line(&self, cancel: &Cancel) -> Result<String, ProcessError> {
        let output = Command::new(self).arg("--version").timeout(VERSION_TIMEOUT).output(cancel)?;
        let text = [output.stdout, output.stderr].concat();
        let text = printable(&text);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        Ok(line.unwrap_or_default().to_owned())
    }
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_executable_file_wins() {
        let sandbox = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| sandbox.path().join(name));
        std::fs::create_dir_all(first.join("tool")).unwrap();
        std::fs::create_dir_all(&second).unwrap();
        std::fs::write(second.join("tool"), "#!/bin/sh\n").unwrap();
        let search = std::env::join_paths([&first, &second]).unwrap();

        let missing = Program::find("tool", &search).unwrap_err();
        assert_eq!(missing.to_string(), "program not found: tool");

        std::fs::set_permissions(second.join("tool"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        assert_eq!(Program::find("tool", &search).unwrap().path(), second.join("tool"));
    }

    #[test]
    fn the_version_may_be_on_either_stream() {
        let sandbox = tempfile::tempdir().unwrap();
        for stream in ["1", "2"] {
            let script = format!(
                "#!/bin/sh\n[ \"$1\" = --version ] && printf '\\ntool 1.2\\nmore\\n' >&{stream}\n"
            );
            let path = sandbox.path().join(stream);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(Program::at(path).version_line(&Cancel::default()).unwrap(), "tool 1.2");
        }
    }
}
