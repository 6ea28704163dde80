//! `mote pull`, `mote images` and `mote prune`.

use std::time::Duration;

use clap::Args;
use mote_manifest::{Memory, MemoryError};
use mote_oci::{ImageSource, ImageSourceError, Platform, Reference};

use super::{Output, hinted};

#[derive(Debug, Args)]
pub struct PullArgs {
    /// The image
    #[arg(value_name = "NAME[:TAG|@DIGEST]", value_parser = reference)]
    pub image: Reference,

    /// What the image must run on
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", default_value_t)]
    pub platform: Platform,
}

#[derive(Debug, Args)]
pub struct Remove {
    /// The images, by their names or the beginnings of their digests
    #[arg(value_name = "NAME[:TAG]|DIGEST", required = true)]
    pub images: Vec<String>,

    /// As every time; docker's word for it
    #[arg(short, long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Images {
    /// Print digests only, a line each
    #[arg(short, long)]
    pub quiet: bool,

    /// Print whole digests
    #[arg(long)]
    pub no_trunc: bool,

    /// All images, as every time, with their digests; docker's words for it
    #[arg(short, long, alias = "digests")]
    pub all: bool,

    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Prune {
    /// Remove only what was made or pulled longer ago than this
    #[arg(long, value_name = "30s|10m|24h|7d", value_parser = age)]
    pub older_than: Option<Duration>,

    /// Remove the oldest until the rest is no larger than this, with b, k, m or g
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| hinted(text.parse::<Memory>(), MemoryError::hint))]
    pub keep: Option<Memory>,

    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Ask nothing, as every time; docker's word for it
    #[arg(short, long)]
    pub force: bool,

    #[command(flatten)]
    pub output: Output,
}

/// A name as it is typed, perhaps after `docker://`.
fn reference(text: &str) -> Result<Reference, String> {
    match hinted(ImageSource::parse(text.as_ref()), ImageSourceError::hint)? {
        ImageSource::Registry(reference) => Ok(reference),
        _ => Err(format!("it is here already: mote run {text}")),
    }
}

/// A number and its unit.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("not a time with s, m, h or d: {text}");
    let split = text.len().checked_sub(1).filter(|at| text.is_char_boundary(*at));
    let (number, unit) = text.split_at(split.ok_or_else(wrong)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        assert_eq!(age("30s").unwrap(), Duration::from_secs(30));
        assert_eq!(age("2d").unwrap(), Duration::from_secs(172_800));
        for text in ["", "s", "7", "1.5h", "-1d", "5ü", "99999999999999999999s"] {
            assert_eq!(age(text).unwrap_err(), format!("not a time with s, m, h or d: {text}"));
        }
    }
}
