//! The kernels that are compared, and how each comes about.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mote_engine::kernel::{KernelWanted, ensure, resolve};
use mote_engine::{Host, SourceWanted};
use mote_kernel::Kernel;

use super::measure::{Root, Way};
use super::trace::Console;

/// A kernel to measure.
#[derive(Debug)]
pub struct Candidate {
    /// As `--only` and the table name it.
    pub name: &'static str,
    /// The ways in which it is started.
    pub ways: &'static [Way],
    recipe: Recipe,
}

#[derive(Debug)]
enum Recipe {
    /// A feature set of mote's.
    Features(&'static str),
    /// A whole configuration, brought up to date with `make olddefconfig`.
    Config(PathBuf),
    /// Lines without `CONFIG_` on top of `make tinyconfig`.
    Tiny(Vec<PathBuf>),
}

/// What `make tinyconfig` adds to `make allnoconfig`: `kernel/configs/tiny-base.config` and
/// `tiny.config` of the kernel and of x86, of Linux 6.1 (`SLOB`) and later (`SLUB_TINY`).
const TINY: &str = "\
CONFIG_EXPERT=y
CONFIG_CC_OPTIMIZE_FOR_SIZE=y
CONFIG_KERNEL_XZ=y
CONFIG_SLUB_TINY=y # optional
CONFIG_SLOB=y # optional
CONFIG_UNWINDER_GUESS=y
";

const SERIAL: Way = Way::Bare(Console::Serial, Root::Initramfs);
const HVC: Way = Way::Bare(Console::Virtio, Root::Initramfs);
const DISK: Way = Way::Bare(Console::Serial, Root::Ext4);

/// mote's kernels, then those of comparable systems, whose configurations are in `anchors`.
pub fn candidates(anchors: &Path) -> Vec<Candidate> {
    let file = |name: &str| anchors.join(name);
    let uablrek = ["minimal", "multi-user", "network"];
    let uablrek = uablrek.map(|part| file(&format!("uablrek-{part}.cfg")));
    let features = |name, ways| Candidate { name, ways, recipe: Recipe::Features(name) };
    let config = |name, ways, config| Candidate { name, ways, recipe: Recipe::Config(config) };
    vec![
        features("busybox", &[Way::Mote, SERIAL]),
        features("image", &[Way::Mote]),
        features("image+ext4", &[Way::Mote]),
        features("image+ext4+smp", &[Way::Mote]),
        features("appliance", &[Way::Mote, HVC]),
        features("minimal-ext4", &[DISK]),
        config("donno", &[HVC], file("donno-microvm.config")),
        Candidate { name: "uablrek", ways: &[DISK], recipe: Recipe::Tiny(uablrek.into()) },
        config("firecracker-ci", &[SERIAL], file("firecracker-ci-x86_64-6.1.config")),
    ]
}

impl Candidate {
    /// Whether it is somebody else's.
    pub fn is_anchor(&self) -> bool {
        !matches!(self.recipe, Recipe::Features(_))
    }

    /// The kernel, from mote's cache or built now. `scratch` is for generated configurations; it
    /// must be the same each time, for their paths are part of a kernel's key.
    ///
    /// # Errors
    ///
    /// A configuration that is not there, a kernel that cannot be built.
    pub fn kernel(&self, host: &Host, source: &SourceWanted, scratch: &Path) -> Result<Kernel> {
        let wanted = KernelWanted { source: source.clone(), ..KernelWanted::default() };
        match &self.recipe {
            Recipe::Features(set) => {
                let features = set.split('+').map(str::to_owned).collect();
                build(host, &KernelWanted { features, ..wanted })
            }
            Recipe::Config(path) => {
                fs::metadata(path).with_context(|| path.display().to_string())?;
                build(host, &KernelWanted { config: Some(path.clone()), ..wanted })
            }
            Recipe::Tiny(parts) => {
                fs::create_dir_all(scratch).with_context(|| scratch.display().to_string())?;
                let [tiny, base, lines] = ["tiny", "base", "lines"]
                    .map(|part| scratch.join(format!("{}-{part}.config", self.name)));
                fs::write(&tiny, TINY)?;
                fs::write(&lines, optional_lines(parts)?)?;
                let resolved =
                    resolve(host, &KernelWanted { fragments: vec![tiny], ..wanted.clone() })?;
                fs::write(&base, resolved.outcome.text)?;
                build(host, &KernelWanted { config: Some(base), fragments: vec![lines], ..wanted })
            }
        }
    }
}

fn build(host: &Host, wanted: &KernelWanted) -> Result<Kernel> {
    Ok(ensure(host, wanted)?.kernel)
}

/// The parts as one fragment. Their author had no check that each line is kept.
fn optional_lines(parts: &[PathBuf]) -> Result<String> {
    let mut fragment = String::new();
    for part in parts {
        let text = fs::read_to_string(part).with_context(|| part.display().to_string())?;
        fragment.extend(text.lines().filter_map(optional_line));
    }
    Ok(fragment)
}

fn optional_line(line: &str) -> Option<String> {
    let (symbol, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
    Some(match value {
        "n" => format!("# CONFIG_{symbol} is not set # optional\n"),
        _ => format!("CONFIG_{symbol}={value} # optional\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_a_fragment() {
        for (line, fragment) in [
            ("64BIT=y", Some("CONFIG_64BIT=y # optional\n")),
            ("VT=n", Some("# CONFIG_VT is not set # optional\n")),
            (
                "DEFAULT_HOSTNAME=\"microvm\"",
                Some("CONFIG_DEFAULT_HOSTNAME=\"microvm\" # optional\n"),
            ),
            ("# a remark", None),
            ("", None),
        ] {
            assert_eq!(optional_line(line).as_deref(), fragment);
        }
    }
}
