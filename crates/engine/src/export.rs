//! Handing over what was made: whole, or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

use crate::EngineError;
use crate::cache::{locked_folder, remove_abandoned};

/// How names end of what is being made beside a file or folder, before some digits.
const PARTIAL: &str = "mote-partial-";

/// A path beside `path`, on the same file system, for what is being made. In containers, motes have
/// the same process number again and again; the time tells them apart.
fn beside(path: &Path) -> PathBuf {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{PARTIAL}{}-{}", std::process::id(), now.as_nanos()));
    path.with_file_name(name)
}

/// Removes what killed motes have left beside a file: those lock what they write.
fn remove_left_over(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(format!(".{PARTIAL}"));
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let is_partial = entry.file_name().as_bytes().starts_with(prefix.as_bytes());
        if is_partial
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
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

/// [`check_file`], for a file that is not to replace another.
///
/// # Errors
/// A file that is there already, and those of [`check_file`].
pub fn check_new_file(to: &Path) -> Result<(), EngineError> {
    check_file(to)?;
    match to.is_file() {
        true => Err(EngineError::OutputExists { path: to.to_owned() }),
        false => Ok(()),
    }
}

/// Writes a file that gets its name when it is whole, so that at `to` there is the old file or the
/// new one, with the old one's mode and owner. A link is followed. A device or a pipe is written to as
/// it is.
pub(crate) fn replace_file<T>(
    to: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let failed = |action| EngineError::io(action, to);
    check_file(to)?;
    let old = fs::metadata(to).ok();
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        let file = File::options().write(true).open(to).map_err(failed("open"))?;
        return write_all(to, file, write);
    }
    let target = follow(to).map_err(failed("follow the link"))?;
    remove_left_over(&target).map_err(failed("remove what was left beside"))?;
    let partial = Partial(beside(&target));
    let nameless = nameless_beside(&target);
    let file = match &nameless {
        Some(file) => file.try_clone().map_err(EngineError::Descriptor)?,
        None => {
            let mut options = File::options();
            let new = options.read(true).write(true).create_new(true).open(&partial.0);
            let new = new.map_err(failed("create"))?;
            new.lock().map_err(failed("lock"))?;
            new
        }
    };
    let kept = file.try_clone().map_err(EngineError::Descriptor)?;
    let result = write_all(to, file, write)?;
    if let Some(old) = old {
        keep(&kept, &old).map_err(failed("keep the mode of"))?;
    }
    if let Some(file) = nameless {
        // Before it has a name: another mote takes what nobody has locked for a left-over.
        file.lock().map_err(failed("lock"))?;
        name(&file, &partial.0).map_err(failed("write"))?;
    }
    fs::rename(&partial.0, &target).map_err(failed("rename to"))?;
    Ok(result)
}

/// Where a link leads, in as many steps as there are; there may be nothing yet.
fn follow(path: &Path) -> io::Result<PathBuf> {
    // As many as the kernel follows (path_resolution(7)).
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("")).join(target),
            // Not a link, or nothing there.
            Err(_) => return Ok(path),
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// Gives a new file the mode and, where that is allowed, the owner of the one that it replaces.
fn keep(new: &File, old: &fs::Metadata) -> io::Result<()> {
    // Only root may give files away; the owner's group can often be kept.
    let _ = std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid()));
    new.set_permissions(old.permissions())
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

/// The files of a folder that mote writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files {
    /// The one that says that mote wrote the folder.
    pub(crate) mark: &'static str,
    /// The others.
    pub(crate) others: &'static [&'static str],
}

impl Files {
    fn names(self) -> impl Iterator<Item = &'static str> {
        self.others.iter().copied().chain([self.mark])
    }

    /// How the names of folders begin that are filled within one that is there.
    fn partial(self) -> String {
        format!("{}.partial-", self.mark)
    }
}

/// Fills a folder that gets its name when it is whole. If there is one already, which must be empty
/// or hold these files and nothing else, it stays and its files are replaced: it may be a mount
/// point, or the folder that somebody works in.
pub(crate) fn replace_folder(
    to: &Path,
    files: Files,
    fill: impl FnOnce(&Path) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let rename =
        |from: &Path, to: &Path| fs::rename(from, to).map_err(EngineError::io("rename to", to));
    match check_folder(to, files)? {
        There::Nothing => {
            let Partial(partial) = &Partial(beside(to));
            fs::create_dir_all(partial).map_err(EngineError::io("make the directory", partial))?;
            fill(partial)?;
            rename(partial, to)
        }
        There::Folder => {
            // On the same file system, whatever is mounted there.
            remove_abandoned(to, &files.partial())?;
            let (partial, _lock) = locked_folder(to, &files.partial())?;
            fill(partial.path())?;
            files.names().try_for_each(|name| rename(&partial.path().join(name), &to.join(name)))
        }
    }
}

/// What is where a folder is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    Nothing,
    /// One whose files may be replaced.
    Folder,
}

/// Refuses what [`replace_folder`] does not replace.
pub(crate) fn check_folder(to: &Path, files: Files) -> Result<There, EngineError> {
    let listed = fs::read_dir(to).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
        other => other.map_err(EngineError::io("list", to))?,
    };
    let is_marked = to.join(files.mark).is_file();
    let is_ours = |entry: &DirEntry| {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        is_marked && is_file && files.names().any(|name| entry.file_name() == name)
    };
    let partial = files.partial();
    let is_partial = |name: &OsStr| name.as_bytes().starts_with(partial.as_bytes());
    let is_other = |entry: &&DirEntry| !is_ours(entry) && !is_partial(&entry.file_name());
    match entries.iter().find(is_other) {
        None => Ok(There::Folder),
        Some(other) => Err(EngineError::FolderInUse { path: to.join(other.file_name()) }),
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
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    const FILES: Files = Files { mark: "mark", others: &["file"] };

    fn fill(text: &'static str) -> impl FnOnce(&Path) -> Result<(), EngineError> {
        move |dir| {
            fs::write(dir.join("file"), text).unwrap();
            fs::write(dir.join("mark"), text).unwrap();
            Ok(())
        }
    }

    #[test]
    fn a_folder_is_new_or_empty_or_ours() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        for text in ["new", "again"] {
            replace_folder(&to, FILES, fill(text)).unwrap();
            assert_eq!(names(&to), ["file", "mark"]);
            assert_eq!(fs::read_to_string(to.join("file")).unwrap(), text);
        }
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        replace_folder(&empty, FILES, fill("new")).unwrap();
        assert_eq!(names(&empty), ["file", "mark"]);
        assert_eq!(names(dir.path()), ["empty", "to"]);
    }

    #[test]
    fn what_is_the_users_stays() {
        for (precious, others) in [
            ("precious", &[][..]),
            // Beside what mote wrote.
            ("precious", &["file", "mark"]),
            // Of the same name as mote's, but without what says that it is.
            ("file", &[]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            for name in others.iter().chain([&precious]) {
                fs::write(dir.path().join(name), "old").unwrap();
            }
            let before = names(dir.path());
            let error = replace_folder(dir.path(), FILES, |_| unreachable!()).unwrap_err();
            let path = dir.path().join(precious);
            let told = format!("the folder holds something else than a kernel: {}", path.display());
            assert_eq!(error.to_string(), told);
            assert_eq!(names(dir.path()), before);
        }
    }

    #[test]
    fn what_a_killed_mote_left_is_removed_and_what_another_makes_stays() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("mark.partial-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("file"), "half").unwrap();
        let (made, _lock) = locked_folder(dir.path(), &FILES.partial()).unwrap();
        replace_folder(dir.path(), FILES, fill("new")).unwrap();
        assert!(made.path().exists());
        drop(made);
        assert_eq!(names(dir.path()), ["file", "mark"]);
    }

    /// It keeps its place and its inode, by which it is somebody's working directory.
    #[test]
    fn a_folder_that_somebody_works_in_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        replace_folder(&to, FILES, fill("old")).unwrap();
        let inode = || fs::metadata(&to).unwrap().ino();
        let before = inode();
        replace_folder(&to.join("."), FILES, fill("new")).unwrap();
        assert_eq!(inode(), before);
        assert_eq!(fs::read_to_string(to.join("file")).unwrap(), "new");
    }

    #[test]
    fn what_fails_leaves_the_old_folder() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("to");
        replace_folder(&to, FILES, fill("old")).unwrap();
        let failed = replace_folder(&to, FILES, |partial| {
            fill("new")(partial)?;
            Err(EngineError::NoKernels)
        });
        assert!(failed.is_err());
        assert_eq!(names(&to), ["file", "mark"]);
        assert_eq!(fs::read_to_string(to.join("file")).unwrap(), "old");
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

    #[test]
    fn a_file_keeps_its_mode_and_a_link_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mode = |name: &str| fs::metadata(at(name)).unwrap().mode() & 0o7777;
        fs::create_dir(at("below")).unwrap();
        write_text(&at("below/file"), "old").unwrap();
        for bits in [0o600, 0o640, 0o755] {
            fs::set_permissions(at("below/file"), fs::Permissions::from_mode(bits)).unwrap();
            write_text(&at("below/file"), "new").unwrap();
            assert_eq!(mode("below/file"), bits);
        }
        symlink("below/file", at("link")).unwrap();
        symlink(at("link"), at("link to link")).unwrap();
        symlink("below/made", at("dangling")).unwrap();
        symlink("round", at("round")).unwrap();
        for (name, target) in [("link to link", "below/file"), ("dangling", "below/made")] {
            write_text(&at(name), name).unwrap();
            assert!(fs::symlink_metadata(at(name)).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(at(target)).unwrap(), name);
        }
        assert_eq!(mode("below/file"), 0o755);
        let error = write_text(&at("round"), "").unwrap_err().to_string();
        assert_eq!(error, format!("cannot follow the link {}", at("round").display()));
        assert_eq!(names(&at("below")), ["file", "made"]);
    }

    /// By whatever number its process had.
    #[test]
    fn what_a_killed_mote_left_beside_a_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("file");
        let (left, used) = (beside(&to), beside(&to));
        fs::write(&left, "half").unwrap();
        let held = File::create(&used).unwrap();
        held.lock().unwrap();
        write_text(&to, "whole").unwrap();
        assert!(!left.exists() && used.exists());
        drop(held);
        write_text(&to, "whole").unwrap();
        assert_eq!(names(dir.path()), ["file"]);
    }
}
