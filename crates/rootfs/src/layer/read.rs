//! Reading layers, several at once, and making one tree of them.

use std::cmp::Reverse;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use mote_process::Cancel;
use sha2::{Digest, Sha256};

use super::apply::{self, apply};
use super::changes::{self, Changes, Place};
use super::inflate::{Blob, inflated};
use super::limits::Budget;
use super::stream::{Inlet, Outlet, stream};
use super::{Compression, LayerError, LayerSource, Limit, Limits};
use crate::tar::{Archive, ArchiveError};
use crate::tree::{Content, Tree};

/// How far a layer was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its place among the layers.
    pub layer: usize,
    /// Bytes read of its blob.
    pub read: u64,
}

/// Makes a tree of layers, the lowest first; see the [module](super) for how they are applied.
///
/// `threads` layers are read at once, each by two threads: one inflates, one digests, writes the
/// spool and reads the archive. The spool lies in `spool_dir`, on disk until the tree is gone.
/// Digests are those of whole streams, to the last byte behind the archive's end, and right when
/// the tree is returned.
///
/// # Errors
///
/// See [`LayerError`]; nothing is left behind.
pub fn read_layers(
    layers: &[LayerSource],
    spool_dir: &Path,
    limits: &Limits,
    threads: usize,
    cancel: &Cancel,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<Tree, LayerError> {
    let budget = Budget::new(*limits);
    let work = Work { spool_dir, budget: &budget, cancel, on_progress, failure: Mutex::default() };
    let all_changes = work.read_all(layers, threads)?;
    let mut tree = Tree::new();
    for (layer, changes) in layers.iter().zip(all_changes) {
        cancel.check()?;
        apply(&mut tree, changes, &budget).map_err(|failure| match failure {
            apply::Failure::Tree(source) => LayerError::Apply { layer: layer.name.clone(), source },
            apply::Failure::Limit(limit) => exceeded(layer, limit, &budget),
        })?;
    }
    Ok(tree)
}

/// What the threads share.
struct Work<'a> {
    spool_dir: &'a Path,
    budget: &'a Budget,
    cancel: &'a Cancel,
    on_progress: &'a (dyn Fn(Progress) + Sync),
    /// The first one; all stop upon it.
    failure: Mutex<Option<LayerError>>,
}

impl Work<'_> {
    fn read_all(&self, layers: &[LayerSource], threads: usize) -> Result<Vec<Changes>, LayerError> {
        // The largest first, so that none is left to the end.
        let mut order: Vec<usize> = (0..layers.len()).collect();
        order.sort_by_key(|&layer| Reverse(layers[layer].blob.len()));
        let next = AtomicUsize::new(0);
        let done: Vec<_> = layers.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            while let Some(&layer) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.has_failed() {
                    return;
                }
                match self.read(layer, &layers[layer]) {
                    Ok(changes) => *lock(&done[layer]) = Some(changes),
                    Err(error) => self.fail(error),
                }
            }
        };
        thread::scope(|scope| {
            // The calling thread is one of them.
            for _ in 1..threads.min(layers.len()) {
                if let Err(source) = thread::Builder::new().spawn_scoped(scope, work) {
                    self.fail(LayerError::Thread { source });
                }
            }
            work();
        });
        match lock(&self.failure).take() {
            Some(error) => Err(error),
            None => Ok(done
                .into_iter()
                .map(|changes| changes.into_inner().unwrap_or_else(PoisonError::into_inner))
                .map(|changes| changes.expect("was read"))
                .collect()),
        }
    }

    fn has_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }

    fn fail(&self, error: LayerError) {
        lock(&self.failure).get_or_insert(error);
    }

    fn read(&self, index: usize, layer: &LayerSource) -> Result<Changes, LayerError> {
        let failed = |source| LayerError::Read { layer: layer.name.clone(), source };
        let blob = layer.open().map_err(failed)?;
        let compression = layer.compression.of(&blob).map_err(failed)?;
        let (place, spool) = match (&blob, compression) {
            (Content::Stretch { file, offset, .. }, Compression::None) => {
                (Place { file: file.clone(), offset: *offset }, None)
            }
            _ => {
                let spool = tempfile::tempfile_in(self.spool_dir);
                let spool = Arc::new(spool.map_err(|source| spool_failed(layer, source))?);
                (Place { file: spool.clone(), offset: 0 }, Some(spool))
            }
        };
        // Not compressed, both digests are of the same bytes, which are digested once.
        let is_plain = compression == Compression::None;
        let wants_diff_id = layer.diff_id.is_some() || (is_plain && layer.digest.is_some());
        let (inlet, outlet) = stream(spool, wants_diff_id.then(Sha256::new));
        thread::scope(|scope| {
            let pump = || self.pump(index, layer, &blob, compression, inlet);
            let pump = thread::Builder::new()
                .spawn_scoped(scope, pump)
                .map_err(|source| LayerError::Thread { source })?;
            let changes = self.changes(layer, outlet, &place, is_plain);
            // An archive that seems to be cut off may only be the consequence of what the pump says.
            pump.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            changes
        })
    }

    /// Inflates a layer into `inlet`.
    fn pump(
        &self,
        index: usize,
        layer: &LayerSource,
        blob: &Content,
        compression: Compression,
        inlet: Inlet,
    ) -> Result<(), LayerError> {
        let name = || layer.name.clone();
        let on_read = |read| (self.on_progress)(Progress { layer: index, read });
        let is_plain = compression == Compression::None;
        let digest = layer.digest.filter(|_| !is_plain).map(|_| Sha256::new());
        let mut blob = Blob::open(blob, digest, &on_read)
            .map_err(|source| LayerError::Read { layer: name(), source })?;
        let pumped = self.pump_all(layer, &mut blob, compression, &inlet);
        // What reads the archive may end now, even if the blob goes on.
        drop(inlet);
        match pumped {
            Err(LayerError::Inflate { layer, source }) if blob.failed || is_plain => {
                return Err(LayerError::Read { layer, source });
            }
            // That the bytes are the wrong ones says more than what is wrong with them.
            Ok(()) | Err(LayerError::Inflate { .. }) if !self.has_failed() => {}
            stopped => return stopped,
        }
        let got = blob.finish().map_err(|source| LayerError::Read { layer: name(), source })?;
        match (layer.digest, got) {
            (Some(want), Some(got)) if want != got => {
                Err(LayerError::Digest { layer: name(), got: hex(&got), want: hex(&want) })
            }
            _ => pumped,
        }
    }

    fn pump_all(
        &self,
        layer: &LayerSource,
        blob: &mut Blob<'_>,
        compression: Compression,
        inlet: &Inlet,
    ) -> Result<(), LayerError> {
        let damaged = |source| LayerError::Inflate { layer: layer.name.clone(), source };
        let mut reader = inflated(blob, compression).map_err(damaged)?;
        while let Some(count) = inlet.pump(&mut *reader).map_err(damaged)? {
            let taken = self.budget.take(Limit::Bytes, count);
            taken.map_err(|limit| exceeded(layer, limit, self.budget))?;
            self.cancel.check()?;
            if self.has_failed() {
                break;
            }
        }
        Ok(())
    }

    /// Reads the archive that comes out of `outlet`.
    fn changes(
        &self,
        layer: &LayerSource,
        outlet: Outlet,
        place: &Place,
        is_plain: bool,
    ) -> Result<Changes, LayerError> {
        let name = || layer.name.clone();
        let mut archive = Archive::new(outlet);
        let changes = match Changes::read(&mut archive, place, self.budget) {
            Ok(changes) => Ok(changes),
            Err(changes::Failure::Limit(limit)) => return Err(exceeded(layer, limit, self.budget)),
            Err(changes::Failure::Archive(ArchiveError::Read(source))) => {
                return Err(spool_failed(layer, source));
            }
            Err(changes::Failure::Archive(source)) => {
                Err(LayerError::Archive { layer: name(), source })
            }
            Err(changes::Failure::Whiteout(whiteout, source)) => {
                Err(LayerError::Whiteout { layer: name(), whiteout, source })
            }
        };
        let digest = archive.into_inner().finish().map_err(|source| spool_failed(layer, source))?;
        let Some(got) = digest else {
            return changes;
        };
        if let Some(want) = layer.digest.filter(|want| is_plain && *want != got) {
            return Err(LayerError::Digest { layer: name(), got: hex(&got), want: hex(&want) });
        }
        if let Some(want) = layer.diff_id.filter(|want| *want != got) {
            return Err(LayerError::DiffId { layer: name(), got: hex(&got), want: hex(&want) });
        }
        changes
    }
}

fn spool_failed(layer: &LayerSource, source: io::Error) -> LayerError {
    LayerError::Spool { layer: layer.name.clone(), source }
}

fn exceeded(layer: &LayerSource, limit: Limit, budget: &Budget) -> LayerError {
    let most = budget.limits().most(limit);
    LayerError::Limit { layer: layer.name.clone(), limit, most }
}

/// A thread that panicked leaves nothing half done behind the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
