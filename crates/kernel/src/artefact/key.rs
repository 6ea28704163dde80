//! What a kernel is to be built from, and the key by which a cache knows it.

use std::fmt::Write as _;

use super::digest::sha256_hex;
use super::record::InputRecord;
use crate::config::{ConfigFile, ConfigPlan};
use crate::source::{Digest, Source};
use crate::{Compiler, Toolchain};

/// Counted up whenever this crate builds or packs differently, so that a cache forgets what the
/// older way made.
const BUILD_VERSION: u32 = 1;

/// All that a kernel is built from.
#[derive(Debug, Clone, Copy)]
pub struct KernelSpec<'a> {
    /// The source.
    pub source: &'a Source,
    /// What is asked of it.
    pub plan: &'a ConfigPlan,
    /// What it is built with.
    pub toolchain: &'a Toolchain,
    /// The first line of the `--version` of what compresses bzImage.
    pub compressor: &'a str,
    /// The build's time as the kernel tells it, in seconds since 1970: `SOURCE_DATE_EPOCH`.
    pub epoch_s: u64,
}

impl KernelSpec<'_> {
    /// The time of a build unless another is wanted: 1970-01-01 00:00:00 UTC.
    pub const EPOCH_S: u64 = 0;

    /// What the kernel is known by.
    pub fn inputs(&self) -> KernelInputs<'_> {
        KernelInputs {
            source: &self.source.digest,
            plan: self.plan,
            compiler: &self.toolchain.compiler,
            compressor: self.compressor,
            epoch_s: self.epoch_s,
        }
    }
}

/// What tells one kernel from another: a [`KernelSpec`] without the files and programs, so that a
/// kernel that was built before is found when those are not at hand.
#[derive(Debug, Clone, Copy)]
pub struct KernelInputs<'a> {
    /// The source's digest.
    pub source: &'a Digest,
    /// What is asked of it.
    pub plan: &'a ConfigPlan,
    /// Who compiles and links.
    pub compiler: &'a Compiler,
    /// What compresses bzImage, with its version.
    pub compressor: &'a str,
    /// The build's time as the kernel tells it, in seconds since 1970.
    pub epoch_s: u64,
}

impl KernelInputs<'_> {
    /// The digest of everything that goes into the kernel, as 64 hexadecimal digits. The same key
    /// means the same bytes.
    pub fn key(&self) -> String {
        sha256_hex(self.render())
    }

    /// One line for each thing that goes in.
    fn render(&self) -> String {
        let Self { source, plan, compiler: Compiler { cc, ld }, compressor, epoch_s } = self;
        let mut lines = format!(
            "mote kernel {BUILD_VERSION}\nsource {source}\ncc {cc}\nld {ld}\n\
             compressor {compressor}\nepoch {epoch_s}\n",
        );
        let mut line = |what: &str, value: &dyn std::fmt::Display| {
            writeln!(lines, "{what} {value}").expect("a string takes all");
        };
        plan.features.iter().for_each(|feature| line("feature", feature));
        for InputRecord { file, sha256 } in plan.fragment_records() {
            line("fragment", &format_args!("{sha256} {file}"));
        }
        if let Some(InputRecord { file, sha256 }) = plan.base_record() {
            line("base", &format_args!("{sha256} {file}"));
        }
        for (_, wish) in plan.asked.iter() {
            line("asked", &format_args!("{} {:?}", wish.request.render(), wish.request.necessity));
        }
        lines
    }
}

impl ConfigPlan {
    /// The fragments, as a record names them.
    pub(super) fn fragment_records(&self) -> impl Iterator<Item = InputRecord> {
        self.fragments.iter().map(record)
    }

    /// The configuration to start from, as a record names it.
    pub(super) fn base_record(&self) -> Option<InputRecord> {
        self.base.as_ref().map(|base| record(&base.written))
    }
}

fn record(file: &ConfigFile) -> InputRecord {
    InputRecord { file: file.file.clone(), sha256: sha256_hex(&file.text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Sandbox, plan};

    #[test]
    fn everything_that_goes_in_shows_in_the_key() {
        let mut sandbox = Sandbox::new();
        let net = plan(&["net"], "SWAP=y");
        let key = sandbox.spec(&net).inputs().key();
        assert_eq!(
            sandbox.spec(&net).inputs().render(),
            format!(
                "mote kernel 1\nsource {}\ncc cc 1\nld ld 1\ncompressor gzip 1\nepoch 0\n\
                 feature base\nfeature net\nfragment {} mine.cfg\nasked CONFIG_64BIT=y Required\nasked CONFIG_NET=y Required\n\
                 asked CONFIG_PVH=y Required\nasked CONFIG_SWAP=y Required\n",
                "ab".repeat(32),
                sha256_hex("SWAP=y"),
            )
        );
        assert_eq!(key.len(), 64);
        assert_eq!(sandbox.spec(&plan(&["net", "base"], "SWAP=y")).inputs().key(), key);

        let mut others = vec![
            sandbox.spec(&plan(&["base"], "SWAP=y")).inputs().key(),
            sandbox.spec(&plan(&["net"], "SWAP=n")).inputs().key(),
            KernelSpec { epoch_s: 1, ..sandbox.spec(&net) }.inputs().key(),
            KernelSpec { compressor: "gzip 2", ..sandbox.spec(&net) }.inputs().key(),
        ];
        sandbox.toolchain.compiler.cc = "cc 2".into();
        others.push(sandbox.spec(&net).inputs().key());
        sandbox.source.digest = "cd".repeat(32).parse().unwrap();
        others.push(sandbox.spec(&net).inputs().key());
        others.push(key);
        let count = others.len();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), count);
    }
}
