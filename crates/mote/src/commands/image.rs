//! `mote image …`

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use mote_engine::event::Event;
use mote_engine::image::{
    self, Compression, Compressor, Entry, ImageFormat, ImageWanted, Inspected, Journal,
};
use mote_engine::program::Program;
use mote_engine::{DiskFormat, EngineError, Host, pull};
use mote_oci::Image;
use mote_process::printable;
use serde::Serialize;

use super::{limited, print};
use crate::args::{ImageBuild, ImageInspect, Output, Target};

pub fn build(args: ImageBuild, host: &Host) -> Result<ExitCode> {
    let program = Program::parse(&args.source).map_err(EngineError::from)?;
    let format = format(&args)?;
    let to = args.output.unwrap_or_else(|| PathBuf::from(file_name(&program, format)));
    let wanted = ImageWanted {
        program,
        platform: args.platform,
        pull: args.pull,
        overlays: args.overlay,
        format,
    };
    let bytes = image::build(&limited(host, args.unpack_limit), wanted, &to)?;
    (host.sink)(Event::Note(format!("{}: {bytes} bytes", to.display())));
    Ok(ExitCode::SUCCESS)
}

/// What the flags say together.
fn format(args: &ImageBuild) -> Result<ImageFormat> {
    let size_bytes = args.size.map(|size| u64::from(size.mib()) << 20);
    if size_bytes.is_some() && args.format != Target::Ext4 {
        bail!("--size is for ext4 images only");
    }
    if args.journal && args.format != Target::Ext4 {
        bail!("--journal is for ext4 images only");
    }
    let journal = if args.journal { Journal::Internal } else { Journal::None };
    Ok(match (args.format, args.compress) {
        (Target::Initramfs, compression) => ImageFormat::Initramfs(compression),
        (Target::Erofs, Compression::None) => ImageFormat::Disk(DiskFormat::Erofs),
        (Target::Erofs, Compression::Lz4) => ImageFormat::CompressedErofs(Compressor::Lz4),
        (Target::Erofs, Compression::Zstd) => ImageFormat::CompressedErofs(Compressor::Zstd),
        (Target::Erofs, other) => bail!("EROFS is compressed with lz4 or zstd, not with {other}"),
        (Target::Ext4, Compression::None) => {
            ImageFormat::Disk(DiskFormat::Ext4 { size_bytes, journal })
        }
        (Target::Ext4, _) => bail!("ext4 has no compression: leave out --compress"),
    })
}

/// The file of an image that nobody has named: the last part of the program's name, and the ending
/// of the format.
fn file_name(program: &Program, format: ImageFormat) -> String {
    let ending = match format {
        ImageFormat::Initramfs(Compression::None) => "cpio".to_owned(),
        ImageFormat::Initramfs(Compression::Gzip) => "cpio.gz".to_owned(),
        ImageFormat::Initramfs(Compression::Zstd) => "cpio.zst".to_owned(),
        ImageFormat::Initramfs(compression) => format!("cpio.{compression}"),
        ImageFormat::Disk(DiskFormat::Erofs) | ImageFormat::CompressedErofs(_) => {
            "erofs".to_owned()
        }
        ImageFormat::Disk(DiskFormat::Ext4 { .. }) => "ext4".to_owned(),
    };
    format!("{}.{ending}", program.short_name())
}

/// A name of an image, as it is shown.
#[derive(Serialize)]
struct ShownEntry {
    name: String,
    mode: String,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: i64,
    inode: u64,
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
    #[serde(flatten)]
    about: About,
    entries: Vec<ShownEntry>,
}

/// What an image is, all in all.
#[derive(Serialize)]
#[serde(tag = "format", rename_all = "lowercase")]
enum About {
    Initramfs { bytes: u64, sha256: String, segments: Vec<ShownSegment> },
    Erofs { bytes: u64, blocks: u32, inodes: u64 },
    Ext4 { bytes: u64, blocks: u64, free_blocks: u64, inodes: u32, free_inodes: u32, journal: bool },
}

#[derive(Serialize)]
struct ShownSegment {
    offset: u64,
    bytes: u64,
    unpacked_bytes: u64,
    compression: String,
    entries: u64,
}

impl About {
    fn of(inspected: &Inspected) -> Self {
        match inspected {
            Inspected::Initramfs(summary) => {
                let segments = summary.segments.iter().map(|segment| ShownSegment {
                    offset: segment.offset,
                    bytes: segment.bytes,
                    unpacked_bytes: segment.unpacked_bytes,
                    compression: segment.compression.to_string(),
                    entries: segment.entries,
                });
                Self::Initramfs {
                    bytes: summary.bytes,
                    sha256: summary.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
                    segments: segments.collect(),
                }
            }
            Inspected::Erofs(summary) => {
                Self::Erofs { bytes: summary.bytes, blocks: summary.blocks, inodes: summary.inodes }
            }
            Inspected::Ext4(summary) => Self::Ext4 {
                bytes: summary.bytes,
                blocks: summary.blocks,
                free_blocks: summary.free_blocks,
                inodes: summary.inodes,
                free_inodes: summary.free_inodes,
                journal: summary.has_journal,
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Initramfs { bytes, sha256, segments } => {
                let segments = segments.iter().map(|segment| {
                    let ShownSegment { offset, bytes, unpacked_bytes, compression, entries } =
                        segment;
                    format!(
                        "segment at byte {offset}: {bytes} bytes, compression {compression}, \
                         {unpacked_bytes} bytes unpacked, {entries} entries\n"
                    )
                });
                format!("{}{bytes} bytes, sha256 {sha256}\n", segments.collect::<String>())
            }
            Self::Erofs { bytes, blocks, inodes } => {
                format!("EROFS: {bytes} bytes, {blocks} blocks, {inodes} inodes\n")
            }
            Self::Ext4 { bytes, blocks, free_blocks, inodes, free_inodes, journal } => {
                let journal = if *journal { "a journal" } else { "no journal" };
                format!(
                    "ext4: {bytes} bytes, {free_blocks} of {blocks} blocks free, {free_inodes} of \
                     {inodes} inodes free, {journal}\n"
                )
            }
        }
    }
}

/// An image file is told by its being there; everything else is a source.
pub fn inspect(args: ImageInspect, host: &Host) -> Result<ExitCode> {
    if Path::new(&args.image).exists() && !args.image.as_bytes().ends_with(b".toml") {
        return inspect_file(Path::new(&args.image), &args.output);
    }
    let source = match Program::parse(&args.image).map_err(EngineError::from)? {
        Program::Image(source) => source,
        Program::Recipe(_) => bail!("a recipe is no image yet: mote image build makes one of it"),
        Program::Tar(_) | Program::Directory(_) => {
            bail!("it is no image yet: mote image build makes one of it, which can be inspected")
        }
    };
    let image = pull::describe(host, &source)?;
    print(&args.output, &ShownImage::of(&image), ShownImage::text)?;
    Ok(ExitCode::SUCCESS)
}

/// An OCI image, by the names of its specification.
#[derive(Serialize)]
struct ShownImage {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    config_digest: String,
    platform: String,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    env: Vec<String>,
    user: Option<String>,
    working_dir: Option<String>,
    exposed_ports: Vec<String>,
    volumes: Vec<String>,
    stop_signal: Option<String>,
    labels: BTreeMap<String, String>,
    bytes: u64,
    layers: Vec<ShownLayer>,
}

#[derive(Serialize)]
struct ShownLayer {
    digest: String,
    diff_id: String,
    bytes: u64,
}

impl ShownImage {
    fn of(image: &Image) -> Self {
        let config = &image.config;
        let layers: Vec<_> = image
            .layers
            .iter()
            .map(|layer| ShownLayer {
                digest: layer.digest.to_string(),
                diff_id: layer.diff_id.to_string(),
                bytes: layer.blob.len,
            })
            .collect();
        Self {
            name: image.origin.clone(),
            digest: image.manifest_digest.map(|digest| digest.to_string()),
            config_digest: image.config_digest.to_string(),
            platform: config.platform.to_string(),
            entrypoint: config.entrypoint.clone(),
            cmd: config.cmd.clone(),
            env: config.env.clone(),
            user: config.user.clone(),
            working_dir: config.working_dir.clone(),
            exposed_ports: config.exposed_ports.iter().cloned().collect(),
            volumes: config.volumes.iter().cloned().collect(),
            stop_signal: config.stop_signal.clone(),
            labels: config.labels.clone(),
            bytes: layers.iter().map(|layer| layer.bytes).sum(),
            layers,
        }
    }

    /// What the image says is hostile: it is escaped.
    fn text(&self) -> String {
        let words = |words: &[String]| words.join(" ");
        let mut lines = vec![("name", self.name.clone()), ("config", self.config_digest.clone())];
        lines.extend(self.digest.clone().map(|digest| ("digest", digest)));
        lines.extend([
            ("platform", self.platform.clone()),
            ("entrypoint", words(&self.entrypoint)),
            ("cmd", words(&self.cmd)),
            ("user", self.user.clone().unwrap_or_default()),
            ("workdir", self.working_dir.clone().unwrap_or_default()),
            ("ports", words(&self.exposed_ports)),
            ("volumes", words(&self.volumes)),
        ]);
        lines.extend(self.env.iter().map(|variable| ("env", variable.clone())));
        lines.extend(self.labels.iter().map(|(name, value)| ("label", format!("{name}={value}"))));
        let layer = |layer: &ShownLayer| ("layer", format!("{} {:>12}", layer.digest, layer.bytes));
        lines.extend(self.layers.iter().map(layer));
        let shown = lines.iter().filter(|(_, value)| !value.is_empty());
        shown.map(|(name, value)| format!("{name:<12} {}\n", printable(value.as_bytes()))).collect()
    }
}

fn inspect_file(file: &Path, output: &Output) -> Result<ExitCode> {
    let mut entries = Vec::new();
    let found = image::inspect(file, &mut |entry| entries.push(ShownEntry::of(entry)))?;
    let shown = Shown { about: About::of(&found), entries };
    print(output, &shown, |shown| {
        let entries: String = shown.entries.iter().map(ShownEntry::line).collect();
        format!("{entries}\n{}", shown.about.text())
    })?;
    Ok(ExitCode::SUCCESS)
}
