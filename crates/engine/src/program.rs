//! Where a program comes from: the grammar of `mote run SOURCE`.

use std::path::Path;

use mote_manifest::{Recipe, RecipeError};

/// Why a text names no program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Neither a recipe nor a path.
    #[error("cannot run {text}: only recipes can be run so far")]
    NotRecipe {
        /// What was given.
        text: String,
    },
}

impl ProgramError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::NotRecipe { .. } => Some(
                "name a built-in recipe, such as recipe:busybox, or give the path of a mote.toml"
                    .to_owned(),
            ),
        }
    }
}

/// Loads what `text` names: `recipe:NAME` is a recipe that comes with mote, `recipe:FILE` and the
/// bare path of a TOML file are the user's.
///
/// # Errors
/// When it names something else, or the recipe cannot be read.
pub fn load(text: &str) -> Result<Recipe, ProgramError> {
    let is_path = |text: &str| text.contains('/') || text.ends_with(".toml");
    match text.strip_prefix("recipe:") {
        Some(name) if !is_path(name) => Ok(Recipe::builtin(name)?),
        Some(path) => Ok(Recipe::load(Path::new(path))?),
        None if text.ends_with(".toml") || Path::new(text).exists() => {
            Ok(Recipe::load(Path::new(text))?)
        }
        None => Err(ProgramError::NotRecipe { text: text.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_tells_what_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mote.toml");
        let text = Recipe::builtin_text("busybox").unwrap().replace("\"busybox\"", "\"mine\"");
        std::fs::write(&file, text.replace("[\"mine\"]", "[\"busybox\"]")).unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(load("recipe:busybox").unwrap().name, "busybox");
        assert_eq!(load(&format!("recipe:{file}")).unwrap().name, "mine");
        assert_eq!(load(file).unwrap().name, "mine");
    }

    #[test]
    fn what_is_meant_by_nothing_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        let table = [
            ("recipe:busibox".to_owned(), "no built-in recipe: busibox"),
            ("./gone.toml".to_owned(), "no such recipe: ./gone.toml"),
            ("alpine:3".to_owned(), "cannot run alpine:3: only recipes can be run so far"),
            (folder.to_owned(), "the recipe is a directory: "),
        ];
        for (text, message) in table {
            let error = load(&text).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
