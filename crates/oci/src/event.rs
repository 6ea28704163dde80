//! What a pull reports while it runs.

use std::time::Duration;

use crate::Digest;

/// Something that happened during a pull; events come from several threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEvent {
    /// The registry is asked what the image is.
    Asking {
        /// The image's name, in full.
        image: String,
    },
    /// What the image consists of is known. Layers that occur twice are listed once.
    Planned {
        /// The layers, from the lowest.
        layers: Vec<PlannedBlob>,
    },
    /// Another process downloads this layer: it is waited for.
    Waiting {
        /// Which layer.
        digest: Digest,
    },
    /// Bytes of a layer came, or were there from an interrupted download.
    Progress {
        /// Which layer.
        digest: Digest,
        /// How many bytes are there; fewer than before when the download had to begin anew.
        received: u64,
    },
    /// A layer is there, and is what its digest says.
    Verified {
        /// Which layer.
        digest: Digest,
    },
    /// Something failed that may pass, and is tried again.
    Retrying {
        /// The registry or where it sent us.
        host: String,
        /// What failed.
        reason: String,
        /// For how long it is waited before.
        pause: Duration,
    },
}

/// A layer of the image that is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedBlob {
    /// Its digest.
    pub digest: Digest,
    /// In bytes, as it is downloaded.
    pub size: u64,
    /// Whether it was there already.
    pub present: bool,
}
