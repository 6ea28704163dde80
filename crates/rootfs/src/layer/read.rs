//! Reading layers, several at once, and making one tree of them.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use mote_process::Cancel;

use super::apply::{self, apply};
use super::changes::Changes;
use super::disk::{Disk, Region};
use super::job::Job;
use super::limits::Budget;
use super::{LayerError, LayerSource, Limits};
use crate::tree::Tree;

/// How far a layer was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its place among the layers.
    pub layer: usize,
    /// Bytes read of its blob.
    pub read: u64,
}

/// Where the bytes of layers go.
#[derive(Clone, Copy, Debug)]
pub struct Spool<'a> {
    /// The folder for files without a name. They are there until the tree is gone.
    pub dir: &'a Path,
    /// The disk that the tree is to become, if it is to become one.
    pub disk: Option<&'a Disk>,
}

/// Makes a tree of layers, the lowest first; see the [module](super) for how they are applied.
///
/// `threads` layers are read at once, each by two threads: one inflates, one digests, writes the
/// spool and reads the archive. Digests are those of whole streams, to the last byte behind the archive's end, and right when
/// the tree is returned.
///
/// # Errors
///
/// See [`LayerError`]; nothing is left behind.
pub fn read_layers(
    layers: &[LayerSource],
    spool: Spool<'_>,
    limits: &Limits,
    threads: usize,
    cancel: &Cancel,
    on_progress: &(dyn Fn(Progress) + Sync),
) -> Result<Tree, LayerError> {
    let budget = Budget::new(*limits);
    let work = Work {
        spool_dir: spool.dir,
        regions: match spool.disk {
            Some(disk) => disk.regions(layers, limits.bytes),
            None => vec![None; layers.len()],
        },
        budget: &budget,
        cancel,
        on_progress,
        failure: Mutex::default(),
    };
    let all_changes = work.read_all(layers, threads)?;
    let mut tree = Tree::new();
    for (layer, changes) in layers.iter().zip(all_changes) {
        apply(&mut tree, changes, &budget, cancel).map_err(|failure| match failure {
            apply::Failure::Tree(source) => LayerError::Apply { layer: layer.name.clone(), source },
            apply::Failure::Limit(limit) => LayerError::exceeded(layer, limit, limits),
            apply::Failure::Cancelled(cancelled) => cancelled.into(),
        })?;
    }
    Ok(tree)
}

/// What the threads share.
pub(super) struct Work<'a> {
    pub(super) spool_dir: &'a Path,
    /// Of each layer.
    pub(super) regions: Vec<Option<Region<'a>>>,
    pub(super) budget: &'a Budget,
    pub(super) cancel: &'a Cancel,
    pub(super) on_progress: &'a (dyn Fn(Progress) + Sync),
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
                match (Job { work: self, index: layer, layer: &layers[layer] }).run() {
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

    pub(super) fn has_failed(&self) -> bool {
        lock(&self.failure).is_some()
    }

    fn fail(&self, error: LayerError) {
        lock(&self.failure).get_or_insert(error);
    }
}

/// A thread that panicked leaves nothing half done behind the locks of this module.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
