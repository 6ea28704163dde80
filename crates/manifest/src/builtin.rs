//! The recipes that come with mote.

use std::path::Path;

use crate::error::RecipeError;
use crate::recipe::Recipe;

/// Name and text of each. None of them refers to a file of the host's.
const RECIPES: &[(&str, &str)] = &[("busybox", include_str!("../recipes/busybox.toml"))];

impl Recipe {
    /// A recipe that comes with mote.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn builtin(name: &str) -> Result<Self, RecipeError> {
        let text = Self::builtin_text(name)?;
        Self::parse(text, &format!("recipe:{name}"), Path::new(""))
    }

    /// The text of a recipe that comes with mote, to be copied and changed.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn builtin_text(name: &str) -> Result<&'static str, RecipeError> {
        let found = RECIPES.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| *text).ok_or_else(|| RecipeError::NoBuiltin {
            name: name.to_owned(),
            known: Self::builtin_names().collect(),
        })
    }

    /// The names of the recipes that come with mote.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        RECIPES.iter().map(|(name, _)| *name)
    }
}
