//! What a reader says of one name of an image, in whichever format.

use mote_rootfs::tree::Device;

use crate::cpio;

/// One name of an image, as the image says it: nothing is resolved or trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path without a leading slash, `.` for the root.
    pub name: Vec<u8>,
    /// Inode number.
    pub ino: u64,
    /// File type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// How many names the inode has.
    pub nlink: u32,
    /// Time of last modification in seconds since 1970.
    pub mtime_s: i64,
    /// Bytes of contents; of directories what the format needs for them.
    pub size: u64,
    /// The device that the name stands for, where it is one.
    pub rdevice: Device,
    /// The target, of a symbolic link.
    pub target: Option<Vec<u8>>,
}

/// The bits of `st_mode` that say what a file is (stat.h).
const S_IFMT: u32 = 0o170_000;

impl Entry {
    /// Type and permissions in the ten letters of `ls -l`.
    pub fn render_mode(&self) -> String {
        let kind = match self.mode & S_IFMT {
            0o010_000 => 'p',
            0o020_000 => 'c',
            0o040_000 => 'd',
            0o060_000 => 'b',
            0o100_000 => '-',
            0o120_000 => 'l',
            0o140_000 => 's',
            _ => '?',
        };
        let mut letters = String::from(kind);
        for (shift, special, mark) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
            let bits = self.mode >> shift;
            letters.push(if bits & 4 != 0 { 'r' } else { '-' });
            letters.push(if bits & 2 != 0 { 'w' } else { '-' });
            letters.push(match (self.mode & special != 0, bits & 1 != 0) {
                (true, true) => mark,
                (true, false) => mark.to_ascii_uppercase(),
                (false, true) => 'x',
                (false, false) => '-',
            });
        }
        letters
    }
}

impl From<&cpio::Entry> for Entry {
    fn from(entry: &cpio::Entry) -> Self {
        Self {
            name: entry.name.clone(),
            ino: entry.ino.into(),
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            nlink: entry.nlink,
            mtime_s: entry.mtime_s.into(),
            size: entry.size.into(),
            rdevice: entry.rdevice,
            target: entry.target.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_look_as_in_ls() {
        let table = [
            (0o100_644, "-rw-r--r--"),
            (0o041_777, "drwxrwxrwt"),
            (0o104_755, "-rwsr-xr-x"),
            (0o102_644, "-rw-r-Sr--"),
            (0o120_777, "lrwxrwxrwx"),
            (0o020_620, "crw--w----"),
            (0o000_000, "?---------"),
        ];
        for (mode, letters) in table {
            let entry = Entry {
                name: Vec::new(),
                ino: 1,
                mode,
                uid: 0,
                gid: 0,
                nlink: 1,
                mtime_s: 0,
                size: 0,
                rdevice: Device { major: 0, minor: 0 },
                target: None,
            };
            assert_eq!(entry.render_mode(), letters);
        }
    }
}
