//! Handing over what was made: whole, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

use crate::EngineError;

/// A path beside `path`, on the same file system, for what is being made.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

/// Refuses a file that could not be written in the end, before anything is made for it.
///
/// # Errors
/// A directory; a file in a directory that does not exist.
pub fn check_file(to: &Path) -> Result<(), EngineError> {
    if to.is_dir() || to.as_os_str().as_bytes().ends_with(b"/") {
        return Err(EngineError::OutputIsDirectory { path: to.to_owned() });
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let there = fs::metadata(folder.unwrap_or(Path::new(".")));
    there.map(drop).map_err(EngineError::io("write", to))
}

/// Writes a file that gets its name when it is whole, so that at `to` there is the old file or the
/// new one. A device or a pipe is written to as it is.
pub(crate) fn replace_file<T>(
    to: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    check_file(to)?;
    if fs::metadata(to).is_ok_and(|there| !there.is_file()) {
        let file = File::options().write(true).open(to).map_err(EngineError::io("open", to))?;
        return write_all(to, file, write);
    }
    let partial = Partial(beside(to));
    let nameless = nameless_beside(to);
    let file = match &nameless {
        Some(file) => file.try_clone().map_err(EngineError::Descriptor)?,
        None => {
            let mut options = File::options();
            let new = options.read(true).write(true).create(true).truncate(true).open(&partial.0);
            new.map_err(EngineError::io("create", to))?
        }
    };
    let result = write_all(to, file, write)?;
    if let Some(file) = nameless {
        name(&file, &partial.0).map_err(EngineError::io("write", to))?;
    }
    fs::rename(&partial.0, to).map_err(EngineError::io("rename to", to))?;
    Ok(result)
}

/// A file without a name in the folder of `path`: of a killed mote nothing is left. Not every file
/// system has such (`O_TMPFILE`, open(2)).
fn nameless_beside(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o666);
    open(folder.unwrap_or(Path::new(".")), flags, mode).ok().map(File::from)
}

/// Gives a file without a name one (linkat(2), `O_TMPFILE` in open(2)).
fn name(file: &File, path: &Path) -> io::Result<()> {
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, descriptor, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

fn write_all<T>(
    to: &Path,
    file: File,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let mut writer = BufWriter::new(file);
    let result = write(&mut writer)?;
    writer.flush().map_err(EngineError::io("write", to))?;
    Ok(result)
}

/// Writes a text of the user's to `to`: the whole, or nothing.
///
/// # Errors
/// When the file system refuses.
pub fn write_text(to: &Path, text: &str) -> Result<(), EngineError> {
    replace_file(to, |file| file.write_all(text.as_bytes()).map_err(EngineError::io("write", to)))
}

/// Fills a folder under another name and renames it to `to`. A folder that is there already is
/// replaced if it is empty or holds the file `mark`, which says that mote wrote it.
pub(crate) fn replace_folder(
    to: &Path,
    mark: &str,
    fill: impl FnOnce(&Path) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let there = check_folder(to, mark)?;
    let partial = Partial(beside(to));
    fs::create_dir_all(&partial.0).map_err(EngineError::io("make the directory", &partial.0))?;
    fill(&partial.0)?;
    if there == There::Folder {
        fs::remove_dir_all(to).map_err(EngineError::io("replace", to))?;
    }
    fs::rename(&partial.0, to).map_err(EngineError::io("rename to", to))
}

/// What is where a folder is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    Nothing,
    /// One that may be replaced.
    Folder,
}

/// Refuses what [`replace_folder`] does not replace.
pub(crate) fn check_folder(to: &Path, mark: &str) -> Result<There, EngineError> {
    match fs::read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(There::Nothing),
        Err(error) => Err(EngineError::io("list", to)(error)),
        Ok(mut entries) => {
            if entries.next().is_some() && !to.join(mark).is_file() {
                return Err(EngineError::FolderInUse { path: to.to_owned() });
            }
            Ok(There::Folder)
        }
    }
}

/// What is being made: removed, whether file or folder, unless it was renamed.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn fill(text: &'static str) -> impl FnOnce(&Path) -> Result<(), EngineError> {
        move |dir| {
            fs::write(dir.join("mark"), text).unwrap();
            Ok(())
        }
    }

    #[test]
    fn a_folder_is_new_or_empty_or_ours() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        for text in ["new", "again"] {
            replace_folder(&to, "mark", fill(text)).unwrap();
            assert_eq!(fs::read_to_string(to.join("mark")).unwrap(), text);
        }
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        replace_folder(&empty, "mark", fill("new")).unwrap();
        assert_eq!(names(dir.path()), ["empty", "to"]);
    }

    #[test]
    fn what_is_the_users_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "").unwrap();
        let error = replace_folder(dir.path(), "mark", |_| unreachable!()).unwrap_err();
        assert!(error.to_string().contains("holds something else"), "{error}");
        assert_eq!(names(dir.path()), ["precious"]);
    }

    /// While it is written, there is nothing that a killed mote could leave.
    #[test]
    fn a_file_in_the_making_has_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("file");
        for text in ["new", "again"] {
            let before = names(dir.path());
            replace_file(&to, |file| {
                file.write_all(text.as_bytes()).unwrap();
                assert_eq!(names(dir.path()), before);
                Ok(())
            })
            .unwrap();
            assert_eq!(fs::read_to_string(&to).unwrap(), text);
            assert_eq!(names(dir.path()), ["file"]);
        }
    }

    #[test]
    fn what_fails_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("file");
        write_text(&to, "old").unwrap();
        let failed: Result<(), _> = replace_file(&to, |file| {
            file.write_all(b"new").unwrap();
            Err(EngineError::NoKernels)
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&to).unwrap(), "old");
        assert_eq!(names(dir.path()), ["file"]);
    }
}
