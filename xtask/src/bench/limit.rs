//! What cannot be avoided: each layer is read, digested, inflated, digested again and written, on
//! as many threads as there are processors.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::layout::Layer;

/// Read and written at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Inflates the layers into files whose names begin with `out`, checks their digests, and returns
/// how many bytes that were.
///
/// # Errors
///
/// A layer that is not what its digests say, a file that cannot be read or written.
pub fn inflate(layers: &[Layer], out: &Path) -> Result<u64> {
    let mut sorted: Vec<_> = layers.iter().collect();
    // The last of a queue is taken first: the largest.
    sorted.sort_by_key(|layer| layer.len);
    let queue = Mutex::new(sorted);
    let work = || {
        let mut bytes = 0;
        while let Some(layer) = next(&queue) {
            bytes += inflate_one(layer, out).with_context(|| layer.digest.clone())?;
        }
        Ok(bytes)
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism()?.get();
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).sum()
    })
}

fn next<'a>(queue: &Mutex<Vec<&'a Layer>>) -> Option<&'a Layer> {
    queue.lock().expect("a worker does not panic").pop()
}

fn inflate_one(layer: &Layer, out: &Path) -> Result<u64> {
    let file = Digested { inner: File::open(&layer.path)?, sha256: Sha256::new() };
    let path = PathBuf::from(format!("{}.{}", out.display(), layer.diff_id));
    let mut archive = Digested { inner: File::create(path)?, sha256: Sha256::new() };
    let (bytes, mut file) = match layer.media_type.rsplit('+').next() {
        Some("gzip") => {
            let mut decoder = flate2::read::MultiGzDecoder::new(file);
            (copy(&mut decoder, &mut archive)?, decoder.into_inner())
        }
        Some("zstd") => {
            let mut decoder = zstd::Decoder::new(file)?;
            (copy(&mut decoder, &mut archive)?, decoder.finish().into_inner())
        }
        _ => bail!("the benchmark does not know {}", layer.media_type),
    };
    // What follows the compressed data, if anything.
    copy(&mut file, &mut io::sink())?;
    ensure!(file.digest() == layer.digest, "the layer is another");
    ensure!(archive.digest() == layer.diff_id, "the archive in the layer is another");
    Ok(bytes)
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<u64> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(bytes),
            count => {
                to.write_all(&buffer[..count])?;
                bytes += count as u64;
            }
        }
    }
}

/// A stream with the digest of what went through.
struct Digested<T> {
    inner: T,
    sha256: Sha256,
}

impl<T> Digested<T> {
    fn digest(self) -> String {
        let digits = self.sha256.finalize();
        digits.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
    }
}

impl<T: Read> Read for Digested<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sha256.update(&buffer[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Digested<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.sha256.update(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn layer(path: &Path, bytes: &[u8], media_type: &str, diff_id: &str) -> Layer {
        std::fs::write(path, bytes).unwrap();
        let mut file = Digested { inner: io::sink(), sha256: Sha256::new() };
        file.write_all(bytes).unwrap();
        Layer {
            path: path.to_owned(),
            len: bytes.len() as u64,
            media_type: media_type.to_owned(),
            digest: file.digest(),
            diff_id: diff_id.to_owned(),
        }
    }

    #[test]
    fn layers_are_inflated_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        let mut deflated = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        deflated.write_all(b"").unwrap();
        let deflated = deflated.finish().unwrap();
        let packed = zstd::encode_all(&b""[..], 1).unwrap();
        for (bytes, media_type) in [(deflated, "tar+gzip"), (packed, "tar+zstd")] {
            let good = layer(&path, &bytes, media_type, EMPTY);
            assert_eq!(inflate(std::slice::from_ref(&good), &dir.path().join("out")).unwrap(), 0);
            let wrong = Layer { diff_id: "sha256:00".to_owned(), ..good };
            assert!(inflate(&[wrong], &dir.path().join("out")).is_err());
        }
    }
}
