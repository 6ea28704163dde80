//! Reading one layer: one thread inflates the blob, one digests and reads the archive.

use std::io;
use std::sync::Arc;
use std::thread;

use sha2::{Digest, Sha256};

use super::changes::{Changes, Failure};
use super::inflate::inflated;
use super::input::Blob;
use super::place::{Places, Rest};
use super::read::{Progress, Work};
use super::stream::{Digests, Inlet, Outlet, Pumped, stream};
use super::{Compression, LayerError, LayerSource, Limit};
use crate::tar::{Archive, ArchiveError};
use crate::tree::Content;

/// One layer to read.
pub(super) struct Job<'a> {
    pub(super) work: &'a Work<'a>,
    /// Its place among the layers.
    pub(super) index: usize,
    pub(super) layer: &'a LayerSource,
}

impl Job<'_> {
    pub(super) fn run(&self) -> Result<Changes, LayerError> {
        let blob = self.layer.open().map_err(|source| self.unreadable(source))?;
        let compression = self.layer.compression.of(&blob);
        let compression = compression.map_err(|source| self.unreadable(source))?;
        let region = self.work.regions[self.index];
        let rest = match (&blob, compression) {
            (Content::Stretch(stretch), Compression::None) => {
                Rest::Archive { file: stretch.file.clone(), offset: stretch.offset }
            }
            _ => {
                let file = tempfile::tempfile_in(self.work.spool_dir);
                let file = Arc::new(file.map_err(|source| self.unspoolable(source))?);
                Rest::Spool { file, len: 0 }
            }
        };
        // Not compressed, both digests are of the same bytes, which are digested once.
        let (of_blob, of_archive) = match compression {
            Compression::None => (None, self.layer.digest.or(self.layer.diff_id)),
            _ => (self.layer.digest, self.layer.diff_id),
        };
        let wanted = |digest: Option<_>| digest.map(|_| Sha256::new());
        let digests = Digests { blob: wanted(of_blob), archive: wanted(of_archive) };
        let (inlet, outlet) = stream(Places::new(region, rest), digests);
        thread::scope(|scope| {
            let pump = || self.pump(&blob, compression, of_blob.is_some(), inlet);
            let pump = thread::Builder::new()
                .spawn_scoped(scope, pump)
                .map_err(|source| LayerError::Thread { source })?;
            let changes = self.changes(outlet, compression);
            let pumped = pump.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match (pumped, changes) {
                // That the bytes are the wrong ones says more than what is wrong with them,
                (Err(LayerError::Inflate { .. }), Err(wrong @ LayerError::Digest { .. })) => {
                    Err(wrong)
                }
                // and that an archive seems cut off may only be the consequence of it.
                (pumped, changes) => pumped.and(changes),
            }
        })
    }

    /// Inflates the blob into `inlet`.
    fn pump(
        &self,
        blob: &Content,
        compression: Compression,
        is_digested: bool,
        inlet: Inlet,
    ) -> Result<(), LayerError> {
        let on_read = |read| {
            (self.work.on_progress)(Progress { layer: self.index, read });
            self.work.cancel.check().map_err(io::Error::other)
        };
        let blob = Blob::open(blob, is_digested.then_some(&inlet), &on_read);
        let mut blob = blob.map_err(|source| self.unreadable(source))?;
        let pumped = self.pump_all(&mut blob, compression, &inlet);
        self.work.cancel.check()?;
        match pumped {
            Err(LayerError::Inflate { source, .. }) if blob.failed => {
                return Err(self.unreadable(source));
            }
            Ok(Pumped::Unheard) => return Ok(()),
            Ok(_) | Err(LayerError::Inflate { .. }) if !self.work.has_failed() => {}
            stopped => return stopped.map(drop),
        }
        let finished = blob.finish();
        self.work.cancel.check()?;
        finished.map_err(|source| self.unreadable(source))?;
        pumped.map(drop)
    }

    /// Goes on until there is no more, or nobody who wants it.
    fn pump_all(
        &self,
        blob: &mut Blob<'_>,
        compression: Compression,
        inlet: &Inlet,
    ) -> Result<Pumped, LayerError> {
        let damaged = |source| LayerError::Inflate { layer: self.layer.name.clone(), source };
        let is_digested = self.layer.diff_id.is_some();
        let mut decoder = inflated(blob, compression, is_digested).map_err(damaged)?;
        while !self.work.has_failed() {
            let count = match inlet.pump(&mut *decoder).map_err(damaged)? {
                Pumped::Bytes(count) => count,
                stopped => return Ok(stopped),
            };
            let taken = self.work.budget.take(Limit::Bytes, count);
            taken.map_err(|limit| self.exceeded(limit))?;
            self.work.cancel.check()?;
        }
        Ok(Pumped::Unheard)
    }

    /// Reads the archive that comes out of `outlet`.
    fn changes(&self, outlet: Outlet<'_>, compression: Compression) -> Result<Changes, LayerError> {
        let layer = || self.layer.name.clone();
        let mut archive = Archive::new(outlet);
        let changes = match Changes::read(&mut archive, self.work.budget) {
            Ok(changes) => Ok(changes),
            Err(Failure::Limit(limit)) => return Err(self.exceeded(limit)),
            Err(Failure::Archive(ArchiveError::Read(source))) => {
                return Err(self.unwritable(archive.reader_mut(), source));
            }
            Err(Failure::Archive(source)) => Err(LayerError::Archive { layer: layer(), source }),
            Err(Failure::Whiteout(whiteout, source)) => {
                Err(LayerError::Whiteout { layer: layer(), whiteout, source })
            }
        };
        let mut outlet = archive.into_inner();
        let got = outlet.finish().map_err(|source| self.unwritable(&outlet, source))?;
        let of_blob = if compression == Compression::None { got.archive } else { got.blob };
        self.check_digest(of_blob)?;
        self.check_diff_id(got.archive)?;
        changes
    }

    fn check_digest(&self, got: Option<[u8; 32]>) -> Result<(), LayerError> {
        match (got, self.layer.digest) {
            (Some(got), Some(want)) if got != want => {
                let layer = self.layer.name.clone();
                Err(LayerError::Digest { layer, got: hex(&got), want: hex(&want) })
            }
            _ => Ok(()),
        }
    }

    fn check_diff_id(&self, got: Option<[u8; 32]>) -> Result<(), LayerError> {
        match (got, self.layer.diff_id) {
            (Some(got), Some(want)) if got != want => {
                let layer = self.layer.name.clone();
                Err(LayerError::DiffId { layer, got: hex(&got), want: hex(&want) })
            }
            _ => Ok(()),
        }
    }

    fn unreadable(&self, source: io::Error) -> LayerError {
        LayerError::Read { layer: self.layer.name.clone(), source }
    }

    fn unspoolable(&self, source: io::Error) -> LayerError {
        LayerError::Spool { layer: self.layer.name.clone(), source }
    }

    fn unwritable(&self, outlet: &Outlet<'_>, source: io::Error) -> LayerError {
        match outlet.places.disk_failed {
            true => LayerError::Disk { layer: self.layer.name.clone(), source },
            false => self.unspoolable(source),
        }
    }

    fn exceeded(&self, limit: Limit) -> LayerError {
        LayerError::exceeded(self.layer, limit, self.work.budget.limits())
    }
}

pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
