//! What single values must look like.

use std::collections::BTreeMap;

use toml::Spanned;

use crate::error::{Problem, RecipeError};
use crate::load::Document;
use crate::value::text;

/// Takes the value if it is `ok`, or says that it is not `wanted`.
fn accept(
    document: &Document<'_>,
    value: Spanned<String>,
    wanted: &'static str,
    ok: impl FnOnce(&str) -> bool,
) -> Result<String, RecipeError> {
    if ok(value.get_ref()) {
        return Ok(value.into_inner());
    }
    let shown = value.get_ref().escape_debug().to_string();
    Err(document.wrong(value.span(), Problem::Value { wanted, value: shown }))
}

/// A recipe's name becomes a file's.
pub(super) fn recipe_name(
    document: &Document<'_>,
    name: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, name, "a name of lower-case letters, digits, '.', '_' and '-'", |name| {
        name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
            })
    })
}

/// The names that shadow's `useradd` takes, which are good for groups too.
pub(super) fn account_name(
    document: &Document<'_>,
    name: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, name, "a name of lower-case letters, digits, '_' and '-'", |name| {
        name.len() <= 32
            && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
            })
    })
}

/// A field of `/etc/passwd` or `/etc/shadow`.
pub(super) fn field(
    document: &Document<'_>,
    value: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, value, "a text without ':' and control characters", |value| {
        !value.contains(|c: char| c == ':' || c.is_control())
    })
}

/// A path of the guest's that is a field of `/etc/passwd` as well.
pub(super) fn path_field(
    document: &Document<'_>,
    value: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, value, "an absolute path without ':' and control characters", |value| {
        value.starts_with('/') && !value.contains(|c: char| c == ':' || c.is_control())
    })
}

/// A path of the guest's: absolute, and the only way to write it.
pub(super) fn guest_path(
    document: &Document<'_>,
    path: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, path, text::GUEST_PATH, text::is_guest_path)
}

/// A directory of the guest's, where the root is one too.
pub(super) fn guest_directory(
    document: &Document<'_>,
    path: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, path, text::GUEST_DIRECTORY, text::is_guest_directory)
}

/// Text that is handed over as a C string and is more than nothing.
pub(super) fn link_target(
    document: &Document<'_>,
    target: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, target, "the target of a link", |target| {
        !target.is_empty() && !target.contains('\0')
    })
}

/// Who to be in the guest.
pub(super) fn user(document: &Document<'_>, user: Spanned<String>) -> Result<String, RecipeError> {
    accept(document, user, text::USER, text::is_user)
}

/// A host name.
pub(super) fn hostname(
    document: &Document<'_>,
    name: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, name, text::HOSTNAME, text::is_hostname)
}

/// Words of the kernel's command line.
pub(super) fn kernel_words(
    document: &Document<'_>,
    words: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, words, text::KERNEL_WORDS, text::are_kernel_words)
}

/// An argument of a command.
pub(super) fn argument(
    document: &Document<'_>,
    argument: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, argument, "an argument", |argument| !argument.contains('\0'))
}

/// Environment variables.
pub(super) fn variables(
    document: &Document<'_>,
    raw: BTreeMap<Spanned<String>, Spanned<String>>,
) -> Result<BTreeMap<String, String>, RecipeError> {
    let check = |(name, value)| {
        let name = accept(document, name, "the name of a variable", |name| {
            !name.is_empty() && !name.contains(['=', '\0'])
        })?;
        let value =
            accept(document, value, "the value of a variable", |value| !value.contains('\0'))?;
        Ok((name, value))
    };
    raw.into_iter().map(check).collect()
}

/// Variables that are written to `/etc/environment`: one a line, with shell's names.
pub(super) fn environment_file(
    document: &Document<'_>,
    raw: BTreeMap<Spanned<String>, Spanned<String>>,
) -> Result<BTreeMap<String, String>, RecipeError> {
    let check = |(name, value)| {
        let name = accept(document, name, "the name of a shell variable", |name| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })?;
        let value = accept(document, value, "a text of one line", |value| {
            !value.contains(char::is_control)
        })?;
        Ok((name, value))
    };
    raw.into_iter().map(check).collect()
}

/// A start script's name: `S`, two digits that give the order, and a word.
pub(super) fn start_name(
    document: &Document<'_>,
    name: Spanned<String>,
) -> Result<String, RecipeError> {
    accept(document, name, "the name of a start script, such as S50web", |name| {
        let rest = name.strip_prefix('S').unwrap_or_default();
        rest.len() > 2
            && rest.bytes().take(2).all(|byte| byte.is_ascii_digit())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    })
}

/// Permission bits in octal.
pub(super) fn mode(document: &Document<'_>, mode: &Spanned<String>) -> Result<u32, RecipeError> {
    let text = mode.get_ref();
    let octal = !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let bits = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten();
    bits.filter(|bits| *bits <= 0o7777).ok_or_else(|| {
        let value = text.escape_debug().to_string();
        document.wrong(mode.span(), Problem::Value { wanted: "an octal mode such as 0644", value })
    })
}
