//! `mote kernel …`

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use mote_kernel::source::SourceSpec;
use mote_process::quote_word;

use super::Output;

#[derive(Debug, Subcommand)]
pub enum KernelCommand {
    /// Build a kernel from named features
    Build(KernelBuild),
    /// Print the resolved configuration without building
    Config(KernelConfig),
    /// Change a configuration in the kernel's own editor and save the difference
    Menuconfig(Menuconfig),
    /// Say why a symbol has the value it has in a built kernel
    Explain(KernelExplain),
    /// Boot a kernel and prove each of its features inside the guest
    Test(KernelTest),
    /// List the features
    Features(Output),
    /// List the kernels in the cache
    Ls(Output),
}

/// Which Linux source.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// A directory, a tarball, a version to download, or `auto`: what is on this machine
    #[arg(long, value_name = "auto|DIR|TARBALL|VERSION", default_value = "auto")]
    pub source: SourceSpec,

    /// The SHA-256 that the source must have; of a download, instead of the published one
    #[arg(long, value_name = "SHA256")]
    pub source_digest: Option<String>,

    /// Where versions are downloaded from, in the layout of kernel.org [env: MOTE_KERNEL_MIRROR]
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

/// Which configuration.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(flatten)]
    pub source: SourceArgs,

    /// What the kernel is to have (see `mote kernel features`); `busybox` if nothing is named
    #[arg(long = "feature", value_name = "NAME", value_delimiter = ',')]
    pub features: Vec<String>,

    /// A file of further symbols, which win over the features'; `# optional` ends a line that may be dropped
    #[arg(long = "fragment", value_name = "FILE")]
    pub fragments: Vec<PathBuf>,

    /// Start from this configuration instead of from nothing
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConfigArgs {
    /// The flags that say the same, for a shell.
    pub fn words(&self) -> Vec<String> {
        let Self { source: SourceArgs { source, source_digest, mirror }, .. } = self;
        let source = (*source != SourceSpec::Auto).then(|| OsString::from(source.to_string()));
        let features = (!self.features.is_empty()).then(|| self.features.join(",").into());
        let text = |text: &Option<String>| text.as_ref().map(OsString::from);
        let path = |path: &PathBuf| path.clone().into_os_string();
        let flags = [
            ("--source", source),
            ("--source-digest", text(source_digest)),
            ("--mirror", text(mirror)),
            ("--feature", features),
            ("--config", self.config.as_ref().map(path)),
        ];
        let fragments = self.fragments.iter().map(|file| ("--fragment", Some(path(file))));
        let flags = flags.into_iter().chain(fragments);
        flags.filter_map(|(flag, value)| Some(format!("{flag} {}", quote_word(&value?)))).collect()
    }
}

#[derive(Debug, Args)]
pub struct KernelBuild {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Copy the kernel to this folder: a new one, an empty one, or one that holds a kernel
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// How many compilers at once [default: the number of processors]
    #[arg(short, long)]
    pub jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub struct KernelConfig {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Print the whole .config instead of the fragment that was asked for
    #[arg(long)]
    pub full: bool,
}

#[derive(Debug, Args)]
pub struct Menuconfig {
    #[command(flatten)]
    pub config: ConfigArgs,

    /// Where the difference goes, as a fragment
    #[arg(short, long, value_name = "FILE", default_value = "menuconfig.fragment")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct KernelExplain {
    /// The symbol, with or without CONFIG_
    pub symbol: String,

    /// The kernel: a folder, or the beginning of a key in the cache [default: the newest]
    #[arg(long, value_name = "DIR|KEY")]
    pub kernel: Option<String>,

    /// The source it was built from, where that is not on this machine any more
    #[arg(long, value_name = "DIR|TARBALL|VERSION")]
    pub source: Option<SourceSpec>,

    /// Where versions are downloaded from, in the layout of kernel.org [env: MOTE_KERNEL_MIRROR]
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,

    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct KernelTest {
    /// The kernel: a folder, or the beginning of a key in the cache [default: the newest]
    pub kernel: Option<String>,

    #[command(flatten)]
    pub output: Output,
}
