//! `mote recipe`: the built-in recipes, to be copied and changed.

use std::process::ExitCode;

use anyhow::Result;
use mote_engine::EngineError;
use mote_engine::program::ProgramError;
use mote_manifest::{Recipe, RecipeError};
use serde::Serialize;

use super::print;
use crate::args::RecipeArgs;

#[derive(Serialize)]
struct Shown {
    name: String,
    summary: String,
    text: &'static str,
}

/// Prints the text of one, or the names of all.
pub fn recipe(args: &RecipeArgs) -> Result<ExitCode> {
    match &args.name {
        Some(name) => print(&args.output, &shown(name)?, |recipe| recipe.text.to_owned())?,
        None => {
            let recipes: Vec<_> = Recipe::builtin_names().map(shown).collect::<Result<_>>()?;
            let line = |recipe: &Shown| format!("{}\n", recipe.name);
            print(&args.output, &recipes, |recipes| recipes.iter().map(line).collect())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(name: &str) -> Result<Shown> {
    let read = || {
        let text = Recipe::builtin_text(name)?;
        let Recipe { name, summary, .. } = Recipe::builtin(name)?;
        Ok::<_, RecipeError>(Shown { name, summary, text })
    };
    Ok(read().map_err(|error| EngineError::from(ProgramError::from(error)))?)
}
