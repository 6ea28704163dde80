//! From the build's output directory to a kernel's folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mote_process::{Cancel, Command};

use super::digest::sha256_hex;
use super::elf::Layout;
use super::record::{FileRecord, KernelRecord, SCHEMA, SourceRecord};
use super::{ArtefactError, Kernel, KernelSpec};

/// Fills `folder`, an empty directory, with the kernel that lies built in `work`.
///
/// # Errors
///
/// A build that left no bootable kernel, a failing `strip`, a file system that refuses.
pub(crate) fn write(
    spec: &KernelSpec<'_>,
    work: &Path,
    folder: &Path,
    cancel: &Cancel,
) -> Result<Kernel, ArtefactError> {
    fs::create_dir_all(folder).map_err(ArtefactError::io("create the directory", folder))?;
    let vmlinux = folder.join(Kernel::VMLINUX);
    strip(spec, &work.join("vmlinux"), &vmlinux, cancel)?;
    copy(&work.join("arch/x86/boot/bzImage"), &folder.join(Kernel::BZIMAGE))?;
    copy(&work.join("System.map"), &folder.join(Kernel::SYSTEM_MAP))?;
    copy(&work.join(".config"), &folder.join(Kernel::CONFIG))?;

    let release = work.join("include/config/kernel.release");
    let release = fs::read_to_string(&release).map_err(ArtefactError::io("read", &release))?;
    let record = record(spec, release.trim(), folder)?;
    let json = serde_json::to_vec_pretty(&record).expect("a record has only text keys");
    let path = folder.join(Kernel::RECORD);
    fs::write(&path, json).map_err(ArtefactError::io("write", &path))?;
    Kernel::load(folder)
}

fn record(
    spec: &KernelSpec<'_>,
    release: &str,
    folder: &Path,
) -> Result<KernelRecord, ArtefactError> {
    let KernelSpec { source, plan, toolchain, compressor, epoch_s } = *spec;
    let mut files = BTreeMap::new();
    let mut layout = None;
    for name in Kernel::FILES {
        let path = folder.join(name);
        let content = fs::read(&path).map_err(ArtefactError::io("read", &path))?;
        if name == Kernel::VMLINUX {
            let parsed = Layout::parse(&content);
            layout = Some(parsed.map_err(|why| ArtefactError::NotBootable { path, why })?);
        }
        let bytes = content.len() as u64;
        files.insert(name.to_owned(), FileRecord { bytes, sha256: sha256_hex(content) });
    }
    let Layout { load_end_bytes, pvh_entry } = layout.expect("vmlinux is one of the files");
    Ok(KernelRecord {
        schema: SCHEMA,
        release: release.to_owned(),
        source: SourceRecord {
            version: source.version.to_string(),
            kind: source.kind,
            sha256: source.digest.to_string(),
        },
        features: plan.features.clone(),
        fragments: plan.fragment_records().collect(),
        base: plan.base_record(),
        asked: plan.asked.clone(),
        compiler: toolchain.compiler.clone(),
        compressor: compressor.to_owned(),
        epoch_s,
        load_end_bytes,
        pvh_entry,
        files,
    })
}

/// Without its symbol table and debug information, `vmlinux` is a fraction of its size; a VMM needs
/// neither, and `System.map` has the symbols.
fn strip(
    spec: &KernelSpec<'_>,
    from: &Path,
    to: &Path,
    cancel: &Cancel,
) -> Result<(), ArtefactError> {
    let mut strip = Command::new(&spec.toolchain.strip);
    strip.env_clear().env("PATH", &spec.toolchain.search).env("LC_ALL", "C");
    strip.arg("--strip-all").arg("-o").arg(to).arg(from).output(cancel)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), ArtefactError> {
    fs::copy(from, to).map(drop).map_err(ArtefactError::io("copy", from))
}
