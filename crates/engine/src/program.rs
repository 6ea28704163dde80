//! Where a program comes from: the grammar of every place that takes a SOURCE.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use mote_manifest::{Recipe, RecipeError, RunSettings};
use mote_oci::{ImageSource, ImageSourceError};

/// What the user named.
#[derive(Debug, Clone)]
pub enum Program {
    /// A recipe: `recipe:NAME`, `recipe:FILE`, or the bare path of a TOML file.
    Recipe(Box<Recipe>),
    /// An OCI or docker image: see [`ImageSource`].
    Image(ImageSource),
    /// A root file system in a tar archive, compressed or not: `tar:FILE`.
    Tar(PathBuf),
    /// A root file system in a directory: `dir:DIR`.
    Directory(PathBuf),
}

/// Why a text names no program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// No image has such a name.
    #[error(transparent)]
    Image(#[from] ImageSourceError),
    /// A path of the host where the text does not say what is there.
    #[error("this path is no recipe: {}", path.display())]
    BarePath {
        /// The path.
        path: PathBuf,
    },
    /// Nothing stands after `tar:` or `dir:`.
    #[error("{prefix} is not followed by a path")]
    NoPath {
        /// With its colon.
        prefix: &'static str,
    },
}

impl ProgramError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Recipe(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::BarePath { path } => {
                let path = path.display();
                Some(format!("say what it is: dir:{path}, tar:{path}, oci:{path}, …"))
            }
            Self::NoPath { prefix } => Some(format!("write {prefix}PATH")),
        }
    }
}

impl Program {
    /// Finds out what `text` names. A recipe is read; nothing else is looked at.
    ///
    /// # Errors
    /// When it names nothing, or the recipe cannot be read.
    pub fn parse(text: &OsStr) -> Result<Self, ProgramError> {
        if let Some(recipe) = after("recipe:", text) {
            return recipe_named(recipe);
        }
        if let Some(file) = path_after("tar:", text)? {
            return Ok(Self::Tar(file));
        }
        if let Some(dir) = path_after("dir:", text)? {
            return Ok(Self::Directory(dir));
        }
        let bytes = text.as_bytes();
        if bytes.ends_with(b".toml") {
            return Ok(Self::Recipe(Box::new(Recipe::load(Path::new(text))?)));
        }
        if bytes.starts_with(b".") || bytes.starts_with(b"/") {
            return Err(ProgramError::BarePath { path: text.into() });
        }
        Ok(Self::Image(ImageSource::parse(text)?))
    }

    /// A name for files that are made of it: without folders, tag and digest.
    pub fn short_name(&self) -> String {
        let of_path = |path: &Path| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_else(|| "root".to_owned());
            let short = [".tgz", ".txz", ".tbz2", ".tzst"];
            let stem = short.iter().find_map(|ending| name.strip_suffix(ending));
            stem.unwrap_or_else(|| name.split_once(".tar").map_or(&*name, |(stem, _)| stem))
                .to_owned()
        };
        match self {
            Self::Recipe(recipe) => recipe.name.clone(),
            Self::Image(ImageSource::Registry(reference)) => {
                let repository = reference.repository();
                repository.rsplit('/').next().unwrap_or(repository).to_owned()
            }
            Self::Image(
                ImageSource::Layout { dir: path, .. }
                | ImageSource::Archive { file: path, .. }
                | ImageSource::DockerArchive { file: path, .. },
            )
            | Self::Tar(path)
            | Self::Directory(path) => of_path(path),
        }
    }

    /// How it is run, as far as it says so itself: a recipe's `[run]`.
    pub fn settings(&self) -> RunSettings {
        match self {
            Self::Recipe(recipe) => recipe.run.clone(),
            Self::Image(_) | Self::Tar(_) | Self::Directory(_) => RunSettings::default(),
        }
    }
}

/// What follows `recipe:`: a name has neither a slash nor a file's ending.
fn recipe_named(text: &OsStr) -> Result<Program, ProgramError> {
    let is_path = text.as_bytes().contains(&b'/') || text.as_bytes().ends_with(b".toml");
    let recipe = match text.to_str() {
        Some(name) if !is_path => Recipe::builtin(name)?,
        _ => Recipe::load(Path::new(text))?,
    };
    Ok(Program::Recipe(Box::new(recipe)))
}

fn after<'a>(prefix: &str, text: &'a OsStr) -> Option<&'a OsStr> {
    text.as_bytes().strip_prefix(prefix.as_bytes()).map(OsStr::from_bytes)
}

fn path_after(prefix: &'static str, text: &OsStr) -> Result<Option<PathBuf>, ProgramError> {
    match after(prefix, text) {
        Some(path) if path.is_empty() => Err(ProgramError::NoPath { prefix }),
        path => Ok(path.map(PathBuf::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Program, ProgramError> {
        Program::parse(OsStr::new(text))
    }

    fn recipe(text: &str) -> String {
        match parse(text) {
            Ok(Program::Recipe(recipe)) => recipe.name,
            other => panic!("{text} is no recipe: {other:?}"),
        }
    }

    #[test]
    fn recipes_are_named_or_lie_in_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mote.toml");
        let text = Recipe::builtin_text("busybox").unwrap().replace("\"busybox\"", "\"mine\"");
        std::fs::write(&file, text.replace("[\"mine\"]", "[\"busybox\"]")).unwrap();
        let file = file.to_str().unwrap();
        assert_eq!(recipe("recipe:busybox"), "busybox");
        assert_eq!(recipe(&format!("recipe:{file}")), "mine");
        assert_eq!(recipe(file), "mine");
    }

    #[test]
    fn other_programs_are_told_by_their_prefix() {
        let image = |text: &str| match parse(text) {
            Ok(Program::Image(image)) => image.to_string(),
            other => panic!("{text} is no image: {other:?}"),
        };
        assert_eq!(image("valkey/valkey:9.0.0"), "valkey/valkey:9.0.0");
        assert_eq!(image("docker://alpine"), "alpine:latest");
        assert_eq!(image("oci:dir:tag"), "oci:dir:tag");
        let is = |found, wanted: fn(PathBuf) -> Program, path: &str| {
            format!("{:?}", wanted(path.into())) == format!("{found:?}")
        };
        assert!(is(parse("tar:a:b.tar").unwrap(), Program::Tar, "a:b.tar"));
        assert!(is(parse("dir:/").unwrap(), Program::Directory, "/"));
    }

    #[test]
    fn files_are_named_without_the_endings_of_archives() {
        for name in ["root", "root.tar", "root.tar.gz", "root.tgz", "root.txz", "root.tzst"] {
            let program = Program::Tar(format!("some/{name}").into());
            assert_eq!(program.short_name(), "root", "{name}");
        }
    }

    #[test]
    fn what_is_meant_by_nothing_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_str().unwrap();
        let table = [
            ("recipe:busibox".to_owned(), "no built-in recipe: busibox"),
            ("./gone.toml".to_owned(), "no such recipe: ./gone.toml"),
            (folder.to_owned(), "this path is no recipe: "),
            ("./rootfs.tar.gz".to_owned(), "this path is no recipe: ./rootfs.tar.gz"),
            ("dir:".to_owned(), "dir: is not followed by a path"),
            ("Alpine".to_owned(), "the name of an image has lower-case letters only: Alpine"),
        ];
        for (text, message) in table {
            let error = parse(&text).unwrap_err();
            assert!(error.to_string().starts_with(message), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
