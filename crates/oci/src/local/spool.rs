//! Archives that are compressed as a whole: inflated into a temporary file without a name.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use super::tar::TarIndex;
use crate::OciError;
use crate::image::{BlobFile, BlobRef};
use crate::stop::{Stop, Stopped};
use crate::store::BlobStore;

/// How much is copied at once.
const CHUNK: usize = 256 << 10;

/// Opens an archive, inflated if it is compressed, and finds what is in it.
pub(super) fn open(path: &Path, store: &BlobStore, stop: &Stop<'_>) -> Result<TarIndex, OciError> {
    let blob = BlobRef::whole(path.to_owned()).map_err(|error| OciError::open(path, error))?;
    let blob = inflated(path, blob, store, stop)?;
    let damaged = |source: io::Error| match stop.check() {
        Err(stopped) => stopped.into(),
        Ok(()) => OciError::DamagedArchive { path: path.to_owned(), source },
    };
    TarIndex::read(blob, stop).map_err(damaged)
}

fn inflated(
    path: &Path,
    blob: BlobRef,
    store: &BlobStore,
    stop: &Stop<'_>,
) -> Result<BlobRef, OciError> {
    let damaged = |source| OciError::DamagedArchive { path: path.to_owned(), source };
    let reader = blob.open().map_err(|error| OciError::open(path, error))?;
    let magic = reader.peek(0, 6).map_err(damaged)?;
    let mut inflater: Box<dyn Read> = match magic.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(reader)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::new(reader).map_err(damaged)?),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            Box::new(liblzma::read::XzDecoder::new_multi_decoder(reader))
        }
        _ => return Ok(blob),
    };
    let work = store.work();
    let to_work = || OciError::io("write a temporary file in", work);
    std::fs::create_dir_all(work).map_err(OciError::io("make the directory", work))?;
    let mut file = tempfile::tempfile_in(work).map_err(to_work())?;
    let limit = store.spool_limit_bytes();
    let len = copy(&mut inflater, &mut file, limit, stop).map_err(|failure| match failure {
        Failure::Stopped(stopped) => stopped.into(),
        Failure::Read(source) => damaged(source),
        Failure::Write(source) => to_work()(source),
        Failure::TooLong => OciError::ArchiveTooLarge { path: path.to_owned(), limit },
    })?;
    Ok(BlobRef { file: BlobFile::Unnamed(Arc::new(file)), offset: 0, len })
}

enum Failure {
    Stopped(Stopped),
    Read(io::Error),
    Write(io::Error),
    TooLong,
}

fn copy(from: &mut dyn Read, to: &mut File, limit: u64, stop: &Stop<'_>) -> Result<u64, Failure> {
    let mut buffer = vec![0; CHUNK];
    let mut len = 0;
    loop {
        stop.check().map_err(Failure::Stopped)?;
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(Failure::Read)?,
        };
        if read == 0 {
            return Ok(len);
        }
        len += read as u64;
        if len > limit {
            return Err(Failure::TooLong);
        }
        to.write_all(&buffer[..read]).map_err(Failure::Write)?;
    }
}
