//! From a recipe as it is written to a complete one.

mod accounts;
mod busybox;
mod check;
mod files;
pub(crate) mod run;

use std::path::{Path, PathBuf};

use crate::error::RecipeError;
use crate::load::Document;
use crate::raw;
use crate::recipe::{KernelSettings, Recipe};

/// The features of a recipe that names none.
const DEFAULT_FEATURES: [&str; 1] = ["busybox"];

pub(crate) fn recipe(
    document: &Document<'_>,
    raw: raw::Recipe,
    base: &Path,
) -> Result<Recipe, RecipeError> {
    Ok(Recipe {
        name: check::recipe_name(document, raw.name)?,
        summary: raw.summary,
        base: base.to_owned(),
        kernel: kernel(raw.kernel, base),
        busybox: raw.busybox.map(|raw| busybox::resolve(document, raw, base)).transpose()?,
        files: files::resolve(document, raw.files, base)?,
        run: run::resolve(document, raw.run, base)?,
    })
}

fn kernel(raw: raw::Kernel, base: &Path) -> KernelSettings {
    KernelSettings {
        source: raw.source.unwrap_or_else(|| "auto".to_owned()),
        features: raw.features.unwrap_or_else(|| DEFAULT_FEATURES.map(str::to_owned).into()),
        fragments: raw.fragments.iter().map(|path| base.join(path)).collect(),
        config: raw.config.map(|path: PathBuf| base.join(path)),
    }
}
