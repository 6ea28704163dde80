//! What an operation reports while it goes on. The library never prints: whoever started the
//! operation decides what becomes of an event.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// One thing that takes long enough to be named to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Fetching a kernel source; amounts are bytes.
    Download {
        /// The file's name.
        what: String,
    },
    /// Unpacking a tarball; amounts are compressed bytes.
    Unpack {
        /// The tarball.
        what: String,
    },
    /// Digesting a source directory.
    Digest {
        /// The directory.
        path: PathBuf,
    },
    /// Resolving a kernel configuration with the kernel's own `conf`.
    Configure {
        /// The kernel's version.
        version: String,
    },
    /// Compiling a kernel; amounts are files.
    BuildKernel {
        /// The kernel's version.
        version: String,
        /// Where all output goes.
        log: PathBuf,
    },
    /// Compiling BusyBox; amounts are not known.
    BuildBusybox {
        /// Where all output goes.
        log: PathBuf,
    },
    /// Pulling an image; amounts are bytes.
    Pull {
        /// Its name.
        image: String,
    },
    /// Reading the layers of an image, or a tar archive; amounts are bytes as they are stored.
    ReadLayers {
        /// What is read.
        name: String,
    },
    /// Writing an image.
    WriteImage {
        /// The recipe's name.
        name: String,
    },
    /// Running the probes of a kernel's features in a guest.
    Prove {
        /// The kernel's release.
        release: String,
    },
    /// Running a few instructions in a guest to see whether an accelerator works.
    ProbeAccelerator,
    /// Waiting for another mote that is making the same thing.
    Wait {
        /// What it makes.
        what: String,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Download { what } => write!(f, "downloading {what}"),
            Self::Unpack { what } => write!(f, "unpacking {what}"),
            Self::Digest { path } => write!(f, "reading {}", path.display()),
            Self::Configure { version } => write!(f, "configuring Linux {version}"),
            Self::BuildKernel { version, .. } => write!(f, "building Linux {version}"),
            Self::BuildBusybox { .. } => write!(f, "building BusyBox"),
            Self::Pull { image } => write!(f, "pulling {image}"),
            Self::ReadLayers { name } => write!(f, "unpacking {name}"),
            Self::WriteImage { name } => write!(f, "writing the image of {name}"),
            Self::Prove { release } => write!(f, "proving the features of Linux {release}"),
            Self::ProbeAccelerator => write!(f, "trying the accelerators"),
            Self::Wait { what } => write!(f, "waiting for another mote that makes {what}"),
        }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A step began.
    Began(Step),
    /// The running step got this far, of a total where one is known, in the step's own unit.
    Advanced {
        /// So much is done.
        done: u64,
        /// Of so much.
        total: Option<u64>,
    },
    /// A part of the running step got this far, such as one layer of several that are pulled at
    /// once.
    Part {
        /// Which part.
        name: String,
        /// So much is done, in the step's own unit.
        done: u64,
        /// Of so much.
        total: u64,
    },
    /// The running step ended, well or not.
    Finished {
        /// Which.
        step: Step,
        /// How long it took.
        took: Duration,
    },
    /// Something the user should know, in one line.
    Note(String),
    /// Something that may be wrong, in one line.
    Warning(String),
}

/// Where events go. It may be called from any thread.
pub type Sink = dyn Fn(Event) + Send + Sync;

/// Reports `step` around `work`; `work` gets a function for its progress.
pub(crate) fn step<T>(
    sink: &Sink,
    step: Step,
    work: impl FnOnce(&(dyn Fn(u64, Option<u64>) + Sync)) -> T,
) -> T {
    let began = std::time::Instant::now();
    sink(Event::Began(step.clone()));
    let result = work(&|done, total| sink(Event::Advanced { done, total }));
    sink(Event::Finished { step, took: began.elapsed() });
    result
}
