//! `mote image …`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use mote_engine::image::{self, Compression, Entry, Summary};
use mote_engine::{Host, program};
use mote_process::printable;
use serde::Serialize;

use super::print;
use crate::args::{ImageBuild, ImageInspect, Target};

pub fn build(args: ImageBuild, host: &Host) -> Result<ExitCode> {
    let recipe = program::load(&args.source).map_err(mote_engine::EngineError::from)?;
    let to = args.output.unwrap_or_else(|| {
        let ending = match args.format {
            Target::Initramfs => "cpio",
        };
        PathBuf::from(match args.compress {
            Compression::None => format!("{}.{ending}", recipe.name),
            Compression::Gzip => format!("{}.{ending}.gz", recipe.name),
            Compression::Zstd => format!("{}.{ending}.zst", recipe.name),
            Compression::Lz4 | Compression::Xz => {
                format!("{}.{ending}.{}", recipe.name, args.compress)
            }
        })
    });
    let bytes = image::build(host, &recipe, args.compress, &to)?;
    eprintln!("{}: {bytes} bytes", to.display());
    Ok(ExitCode::SUCCESS)
}

/// A name of an image, as it is shown.
#[derive(Serialize)]
struct ShownEntry {
    name: String,
    mode: String,
    uid: u32,
    gid: u32,
    size: u32,
    mtime: u32,
    inode: u32,
    links: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl ShownEntry {
    fn of(entry: &Entry) -> Self {
        let mode = entry.render_mode();
        let is_device = mode.starts_with(['b', 'c']);
        let device = || format!("{}:{}", entry.rdevice.major, entry.rdevice.minor);
        Self {
            name: printable(&entry.name),
            uid: entry.uid,
            gid: entry.gid,
            size: entry.size,
            mtime: entry.mtime_s,
            inode: entry.ino,
            links: entry.nlink,
            device: is_device.then(device),
            target: entry.target.as_deref().map(printable),
            mode,
        }
    }

    fn line(&self) -> String {
        let size = self.device.clone().unwrap_or_else(|| self.size.to_string());
        let target = self.target.as_ref().map(|target| format!(" -> {target}")).unwrap_or_default();
        let Self { mode, links, uid, gid, name, .. } = self;
        format!("{mode} {links:>3} {uid:>5} {gid:>5} {size:>10} {name}{target}\n")
    }
}

#[derive(Serialize)]
struct Shown {
    bytes: u64,
    sha256: String,
    segments: Vec<ShownSegment>,
    entries: Vec<ShownEntry>,
}

#[derive(Serialize)]
struct ShownSegment {
    offset: u64,
    bytes: u64,
    unpacked_bytes: u64,
    compression: String,
    entries: u64,
}

impl Shown {
    fn of(summary: &Summary, entries: Vec<ShownEntry>) -> Self {
        let segments = summary.segments.iter().map(|segment| ShownSegment {
            offset: segment.offset,
            bytes: segment.bytes,
            unpacked_bytes: segment.unpacked_bytes,
            compression: segment.compression.to_string(),
            entries: segment.entries,
        });
        Self {
            bytes: summary.bytes,
            sha256: summary.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            segments: segments.collect(),
            entries,
        }
    }

    fn text(&self) -> String {
        let entries: String = self.entries.iter().map(ShownEntry::line).collect();
        let segments = self.segments.iter().map(|segment| {
            let ShownSegment { offset, bytes, unpacked_bytes, compression, entries } = segment;
            format!(
                "segment at byte {offset}: {bytes} bytes, compression {compression}, \
                 {unpacked_bytes} bytes unpacked, {entries} entries\n"
            )
        });
        let segments: String = segments.collect();
        format!("{entries}\n{segments}{} bytes, sha256 {}\n", self.bytes, self.sha256)
    }
}

pub fn inspect(args: ImageInspect) -> Result<ExitCode> {
    let mut entries = Vec::new();
    let summary = image::inspect(&args.file, &mut |entry| entries.push(ShownEntry::of(entry)))?;
    print(&args.output, &Shown::of(&summary, entries), Shown::text)?;
    Ok(ExitCode::SUCCESS)
}
