//! `[[files]]`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use super::check;
use crate::error::{Problem, RecipeError};
use crate::load::Document;
use crate::raw;
use crate::recipe::{FileEntry, FileKind};

const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;
const SYMLINK_MODE: u32 = 0o777;

pub(super) fn resolve(
    document: &Document<'_>,
    raw: Vec<Spanned<raw::File>>,
    base: &Path,
) -> Result<Vec<FileEntry>, RecipeError> {
    let mut paths = BTreeSet::new();
    let mut files = Vec::new();
    for file in raw {
        let span = file.get_ref().path.span();
        let file = entry(document, file, base)?;
        if !paths.insert(file.path.clone()) {
            return Err(document.wrong(span, Problem::Twice { what: "file", name: file.path }));
        }
        files.push(file);
    }
    Ok(files)
}

fn entry(
    document: &Document<'_>,
    raw: Spanned<raw::File>,
    base: &Path,
) -> Result<FileEntry, RecipeError> {
    let span = raw.span();
    let mut raw = raw.into_inner();
    let given = raw.mode.as_ref().map(|mode| check::mode(document, mode)).transpose()?;
    let symlink_mode = raw.symlink.is_some().then_some(raw.mode.as_ref()).flatten();
    if let Some(mode) = symlink_mode {
        let problem = Problem::Conflict { first: "symlink", second: "mode" };
        return Err(document.wrong(mode.span(), problem));
    }
    let kind = kind(document, &mut raw, span, base)?;
    let default = match kind {
        FileKind::Content(_) => Some(FILE_MODE),
        FileKind::Directory => Some(DIRECTORY_MODE),
        FileKind::Symlink(_) => Some(SYMLINK_MODE),
        FileKind::Source(_) => None,
    };
    let path = check::guest_path(document, raw.path)?;
    Ok(FileEntry { path, kind, mode: given.or(default), uid: raw.uid, gid: raw.gid })
}

fn kind(
    document: &Document<'_>,
    raw: &mut raw::File,
    span: Range<usize>,
    base: &Path,
) -> Result<FileKind, RecipeError> {
    only_one(
        document,
        &[
            ("content", raw.content.as_ref().map(Spanned::span)),
            ("source", raw.source.as_ref().map(Spanned::span)),
            ("symlink", raw.symlink.as_ref().map(Spanned::span)),
            ("directory", raw.directory.as_ref().map(Spanned::span)),
        ],
    )?;
    if let Some(content) = raw.content.take() {
        return Ok(FileKind::Content(content.into_inner()));
    }
    if let Some(source) = raw.source.take() {
        return Ok(FileKind::Source(base.join(source.into_inner())));
    }
    if let Some(target) = raw.symlink.take() {
        return check::link_target(document, target).map(FileKind::Symlink);
    }
    match raw.directory.take() {
        Some(directory) if *directory.get_ref() => Ok(FileKind::Directory),
        _ => {
            let keys = "content, source, symlink and directory = true";
            Err(document.wrong(span, Problem::Needed { keys }))
        }
    }
}

/// Of keys that exclude each other at most one may be there.
pub(super) fn only_one(
    document: &Document<'_>,
    keys: &[(&'static str, Option<Range<usize>>)],
) -> Result<(), RecipeError> {
    let mut there = keys.iter().filter_map(|(key, span)| Some((*key, span.clone()?)));
    let (Some((first, a)), Some((second, b))) = (there.next(), there.next()) else {
        return Ok(());
    };
    let later = if a.start > b.start { a } else { b };
    Err(document.wrong(later, Problem::Conflict { first, second }))
}
