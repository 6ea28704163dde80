//! Copying stretches between files of the host, without anybody's file position.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::copy_file_range;
use rustix::io::Errno;

/// How much is copied at once where the kernel cannot do it.
const CHUNK: usize = 64 << 10;

/// Copies `len` bytes at `offset` of `from` to `at` of `to`.
pub(super) fn copy_stretch(
    from: &File,
    offset: u64,
    to: &File,
    at: u64,
    len: u64,
) -> io::Result<()> {
    let mut done = 0;
    while done < len {
        let (mut offset, mut at) = (offset + done, at + done);
        let most = usize::try_from(len - done).unwrap_or(usize::MAX);
        match copy_file_range(from, Some(&mut offset), to, Some(&mut at), most) {
            // Also what some file systems say that have more to give: reading tells.
            Ok(0) => return copy_through_memory(from, offset, to, at, len - done),
            Ok(count) => done += count as u64,
            Err(Errno::INTR) => {}
            // Not between these two files (copy_file_range(2), ERRORS).
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                return copy_through_memory(from, offset, to, at, len - done);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn copy_through_memory(
    from: &File,
    mut offset: u64,
    to: &File,
    mut at: u64,
    mut len: u64,
) -> io::Result<()> {
    let mut buffer = vec![0; len.min(CHUNK as u64) as usize];
    while len > 0 {
        let most = buffer.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        let count = match from.read_at(&mut buffer[..most], offset) {
            Ok(0) => return Err(ends_early(len)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all_at(&buffer[..count], at)?;
        offset += count as u64;
        at += count as u64;
        len -= count as u64;
    }
    Ok(())
}

/// The error for a file that has `missing` bytes less than it should.
pub(super) fn ends_early(missing: u64) -> io::Error {
    let message = format!("the file ends {missing} bytes too early");
    io::Error::new(io::ErrorKind::UnexpectedEof, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_cannot_copy_goes_through_memory() {
        let zeros = File::open("/dev/zero").unwrap();
        let out = tempfile::tempfile().unwrap();
        let len = CHUNK as u64 * 2 + 5;
        copy_stretch(&zeros, 0, &out, 3, len).unwrap();
        assert_eq!(out.metadata().unwrap().len(), len + 3);
        // Its pages are made up while it is read: the kernel copies none.
        let version = File::open("/proc/version").unwrap();
        copy_stretch(&version, 0, &out, 0, 5).unwrap();
        let mut start = [0; 6];
        out.read_exact_at(&mut start, 0).unwrap();
        assert_eq!(&start, b"Linux\0");
    }
}
