//! `mote recipe`: the built-in recipes, to be copied and changed.

use std::process::ExitCode;

use anyhow::Result;
use mote_engine::EngineError;
use mote_engine::program::ProgramError;
use mote_manifest::Recipe;

use super::write_out;

/// Prints the text of one, or the names of all.
pub fn recipe(name: Option<&str>) -> Result<ExitCode> {
    let text = match name {
        Some(name) => Recipe::builtin_text(name)
            .map_err(|error| EngineError::from(ProgramError::from(error)))?
            .to_owned(),
        None => Recipe::builtin_names().map(|name| format!("{name}\n")).collect(),
    };
    write_out(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
