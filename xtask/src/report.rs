//! Where measurements are written.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// Writes `NAME.md` for people and `NAME.json` for programs into `folder`.
///
/// # Errors
///
/// A file that cannot be written.
pub fn write(folder: &Path, name: &str, markdown: &str, values: &impl Serialize) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(values)? + "\n";
    for (ending, text) in [("md", markdown), ("json", &json)] {
        let path = folder.join(format!("{name}.{ending}"));
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
