//! `[busybox]`.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;

use super::{accounts, check, files};
use crate::error::{Problem, RecipeError};
use crate::load::Document;
use crate::raw;
use crate::recipe::{Busybox, BusyboxBinary, Login, Password, ScriptBody, StartScript};
use crate::value::UnknownWord;

const HOSTNAME: &str = "mote";
const SHELL: &str = "/bin/sh";

/// The endings by which a tarball is told from an executable.
const TARBALL_ENDINGS: [&str; 8] =
    [".tar", ".tar.xz", ".txz", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tbz2"];

pub(super) fn resolve(
    document: &Document<'_>,
    raw: raw::Busybox,
    base: &Path,
) -> Result<Busybox, RecipeError> {
    let login_span = raw.login.as_ref().map(Spanned::span);
    let login = raw.login.map_or(Ok(Login::Auto), |login| parse_login(document, &login))?;
    let (users, groups) = accounts::resolve(document, raw.users, raw.groups)?;
    let can_log_in = users.iter().any(|user| user.password != Password::Locked);
    if login == Login::Password && !can_log_in {
        return Err(document.wrong(login_span.unwrap_or(0..0), Problem::NobodyCanLogIn));
    }
    let shells = match raw.shells {
        None => vec![SHELL.to_owned()],
        Some(shells) => {
            let checked = shells.into_iter().map(|shell| check::path_field(document, shell));
            checked.collect::<Result<_, _>>()?
        }
    };
    let hostname = raw.hostname.map(|name| check::hostname(document, name)).transpose()?;
    Ok(Busybox {
        binary: binary(raw.binary, base),
        login,
        hostname: hostname.unwrap_or_else(|| HOSTNAME.to_owned()),
        motd: raw.motd,
        shells,
        environment: check::environment_file(document, raw.environment)?,
        users,
        groups,
        start: start(document, raw.start, base)?,
    })
}

fn binary(raw: Option<String>, base: &Path) -> BusyboxBinary {
    match raw.as_deref() {
        None | Some("auto") => BusyboxBinary::Auto,
        Some(path) if TARBALL_ENDINGS.iter().any(|ending| path.ends_with(ending)) => {
            BusyboxBinary::Source(base.join(path))
        }
        Some(path) => BusyboxBinary::File(base.join(path)),
    }
}

fn parse_login(document: &Document<'_>, login: &Spanned<String>) -> Result<Login, RecipeError> {
    match login.get_ref().as_str() {
        "auto" => Ok(Login::Auto),
        "password" => Ok(Login::Password),
        text => {
            let known = &["auto", "password"];
            let word = UnknownWord { what: "login", text: text.to_owned(), known };
            Err(document.wrong(login.span(), word))
        }
    }
}

fn start(
    document: &Document<'_>,
    raw: Vec<Spanned<raw::Start>>,
    base: &Path,
) -> Result<Vec<StartScript>, RecipeError> {
    let mut scripts = BTreeMap::new();
    for entry in raw {
        let span = entry.get_ref().name.span();
        let body = script_body(document, &entry, base)?;
        let name = check::start_name(document, entry.into_inner().name)?;
        if scripts.contains_key(&name) {
            return Err(document.wrong(span, Problem::Twice { what: "start script", name }));
        }
        scripts.insert(name, body);
    }
    Ok(scripts.into_iter().map(|(name, body)| StartScript { name, body }).collect())
}

fn script_body(
    document: &Document<'_>,
    entry: &Spanned<raw::Start>,
    base: &Path,
) -> Result<ScriptBody, RecipeError> {
    let raw = entry.get_ref();
    let script = raw.script.as_ref();
    let file = raw.file.as_ref();
    files::only_one(
        document,
        &[("script", script.map(Spanned::span)), ("file", file.map(Spanned::span))],
    )?;
    match (script, file) {
        (Some(text), _) => Ok(ScriptBody::Text(text.get_ref().clone())),
        (None, Some(path)) => Ok(ScriptBody::File(base.join(path.get_ref()))),
        (None, None) => {
            Err(document.wrong(entry.span(), Problem::Needed { keys: "script and file" }))
        }
    }
}
