//! The ways from a layout to a disk image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::child::{Usage, measure, settle};
use super::layout::Layer;
use super::limit;

/// What is measured, in the order of each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Inflating, digesting and writing the layers once.
    Limit,
    /// `mote image build --format erofs`, with an empty cache.
    MoteErofs,
    /// `skopeo copy` to a layout of its own, as `umoci` wants it.
    Copy,
    /// `umoci unpack`.
    Unpack,
    /// `mkfs.erofs` of what was unpacked.
    MkfsErofs,
    /// `mote image build --format ext4`, with an empty cache.
    MoteExt4,
    /// `mke2fs -d` of what was unpacked.
    Mke2fs,
}

/// The programs and the folder to work in.
#[derive(Debug)]
pub struct Ways {
    /// The `mote` that is measured.
    pub mote: PathBuf,
    /// A folder of our own.
    pub scratch: PathBuf,
}

impl Ways {
    /// All steps, each after those that it builds on. What is compared with the limit follows it:
    /// with gigabytes of other files in memory, all writing takes longer.
    pub const STEPS: [Step; 7] = [
        Step::Limit,
        Step::MoteErofs,
        Step::MoteExt4,
        Step::Copy,
        Step::Unpack,
        Step::MkfsErofs,
        Step::Mke2fs,
    ];

    /// Checks that `mote` has what is to be measured.
    ///
    /// # Errors
    ///
    /// If it has not.
    pub fn check(&self) -> Result<()> {
        let mut help = Command::new(&self.mote);
        help.args(["image", "build", "--help"]);
        let said = help.output().with_context(|| self.mote.display().to_string());
        let said = said.context("build it with cargo build --release")?.stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        let can = ["oci:", "erofs", "ext4"].into_iter().find(|word| !said.contains(word));
        if let Some(lacking) = can {
            anyhow::bail!("{}: image build knows no {lacking}", self.mote.display());
        }
        Ok(())
    }

    /// Takes one step for the image in `layout`.
    ///
    /// # Errors
    ///
    /// A program that is missing or fails.
    pub fn take(&self, step: Step, layout: &Path, layers: &[Layer]) -> Result<Usage> {
        let copy = self.scratch.join("copy");
        let bundle = self.scratch.join("bundle");
        run(match step {
            Step::Limit => {
                self.empty("limit")?;
                settle();
                let began = Instant::now();
                self.inflate(layers)?;
                return Ok(Usage { took: began.elapsed(), peak_kib: 0 });
            }
            Step::MoteErofs => return self.mote(layout, "erofs"),
            Step::MoteExt4 => return self.mote(layout, "ext4"),
            Step::Copy => {
                self.empty("copy")?;
                let mut skopeo = Command::new("skopeo");
                skopeo.args(["--insecure-policy", "copy", "--quiet"]);
                skopeo.args([oci(layout), format!("{}:latest", oci(&copy))]);
                skopeo
            }
            Step::Unpack => {
                // It makes the folder itself.
                fs::remove_dir(self.empty("bundle")?)?;
                let mut umoci = Command::new("umoci");
                umoci.arg("unpack").arg("--image").arg(format!("{}:latest", copy.display()));
                if !is_root() {
                    umoci.arg("--rootless");
                }
                umoci.arg(&bundle);
                umoci
            }
            Step::MkfsErofs => {
                let mut mkfs = Command::new("mkfs.erofs");
                mkfs.arg(self.empty("erofs")?.join("image"));
                mkfs.arg(bundle.join("rootfs"));
                mkfs
            }
            Step::Mke2fs => {
                let tree = bundle.join("rootfs");
                let mut mke2fs = Command::new("mke2fs");
                mke2fs.args(["-q", "-t", "ext4", "-d"]).arg(&tree);
                mke2fs.arg(self.empty("ext4")?.join("image"));
                mke2fs.arg(format!("{}M", ample_mib(&tree)?));
                mke2fs
            }
        })
    }

    /// Inflates the layers as the limit does, and returns the bytes of their archives.
    ///
    /// # Errors
    ///
    /// A layer that cannot be read or written.
    pub fn inflate(&self, layers: &[Layer]) -> Result<u64> {
        let folder = self.scratch.join("limit");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        limit::inflate(layers, &folder.join("layer"))
    }

    fn mote(&self, layout: &Path, format: &str) -> Result<Usage> {
        let cache = self.empty("cache")?;
        let mut mote = Command::new(&self.mote);
        mote.args(["--quiet", "image", "build", "--format", format, "-o"]);
        mote.arg(self.empty("mote")?.join("image")).arg(oci(layout)).env("XDG_CACHE_HOME", cache);
        run(mote)
    }

    /// An empty folder of this name.
    fn empty(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scratch.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }
}

fn run(mut command: Command) -> Result<Usage> {
    settle();
    measure(&mut command)
}

/// The source, in skopeo's words and mote's.
fn oci(layout: &Path) -> String {
    format!("oci:{}", layout.display())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// A size with room for the tree, its metadata and a journal.
fn ample_mib(tree: &Path) -> Result<u64> {
    let done = Command::new("du").args(["-s", "-m"]).arg(tree).output().context("du")?;
    ensure!(done.status.success(), "du: {}", done.status);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let used: u64 = text.split_whitespace().next().context("du said nothing")?.parse()?;
    Ok(used + used / 4 + 64)
}
