//! The command line: what each verb takes. Parsing only; what a verb does stands in `commands`.

mod docker;
mod explain;
mod image;
mod kernel;
mod pull;
mod run;
mod value;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use explain::explain;
pub use image::{ImageBuild, ImageCommand, ImageInspect, Target};
pub use kernel::{
    ConfigArgs, KernelBuild, KernelCommand, KernelConfig, KernelExplain, KernelTest, Menuconfig,
};
pub use pull::{Images, Prune, PullArgs, Remove};
pub use run::Run;
use value::hinted;

/// Smallest and fastest-booting Linux microVMs, kernel included
#[derive(Debug, Parser)]
#[command(name = "mote", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Say nothing but errors and what was asked for
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build what is missing, boot it, and run a command in it
    Run(Box<Run>),
    /// Fetch an image from a registry
    Pull(PullArgs),
    /// List the images that were pulled
    Images(Images),
    /// Remove images that were pulled, and what nothing else needs of them
    Rmi(Remove),
    /// Say what an image is: its configuration and layers, or the entries of an image file
    Inspect(ImageInspect),
    /// Remove what runs and builds have left in the cache
    Prune(Prune),
    /// Build, explain, test and list kernels
    #[command(subcommand)]
    Kernel(KernelCommand),
    /// Build and inspect images
    #[command(subcommand)]
    Image(ImageCommand),
    /// Print a built-in recipe, to be copied and changed; without a name, list them
    Recipe(RecipeArgs),
    /// Say what this machine has and lacks, and how to mend it
    Doctor(Shown),
    /// Print what settings and variables are in force, and where each comes from
    Env(Shown),
    /// Say what there is of mote on this machine
    Info(Shown),
    /// Print mote's version
    Version(Shown),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub struct RecipeArgs {
    /// The recipe
    pub name: Option<String>,

    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Shown {
    #[command(flatten)]
    pub output: Output,
}

/// How something is shown.
#[derive(Debug, Args)]
pub struct Output {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}
