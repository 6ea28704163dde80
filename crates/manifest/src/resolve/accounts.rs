//! `[busybox.users]` and `[busybox.groups]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;

use super::{check, files};
use crate::error::{Problem, RecipeError};
use crate::load::Document;
use crate::raw;
use crate::recipe::{Group, Password, User};

const ROOT: &str = "root";
const SHELL: &str = "/bin/sh";

/// The user that every system has beside root.
const NOBODY: &str = "nobody";
/// The groups that every system has, unless the recipe has one of the same name.
const SYSTEM_GROUPS: [(&str, u32); 5] =
    [(ROOT, 0), ("tty", 5), ("utmp", 43), ("users", 100), ("nogroup", 65_534)];

/// A group while its members are still gathered.
struct Members {
    gid: u32,
    names: BTreeSet<String>,
}

impl Members {
    fn none(gid: u32) -> Self {
        Self { gid, names: BTreeSet::new() }
    }
}

/// The users and the groups, each sorted by number and name.
pub(super) fn resolve(
    document: &Document<'_>,
    raw_users: BTreeMap<Spanned<String>, raw::User>,
    raw_groups: BTreeMap<Spanned<String>, raw::Group>,
) -> Result<(Vec<User>, Vec<Group>), RecipeError> {
    let mut groups = BTreeMap::new();
    let mut listed = Vec::new();
    for (name, raw) in raw_groups {
        let name = check::account_name(document, name)?;
        groups.insert(name.clone(), Members::none(raw.gid));
        listed.push((name, raw.members));
    }
    groups.entry(ROOT.to_owned()).or_insert_with(|| Members::none(0));
    let mut users = BTreeMap::new();
    let mut belongs = Vec::new();
    for (name, mut raw) in raw_users {
        let span = name.span();
        let name = check::account_name(document, name)?;
        belongs.push((name.clone(), std::mem::take(&mut raw.groups)));
        let gid = own_group(document, &mut groups, &name, &raw, span)?;
        users.insert(name.clone(), user(document, name, gid, raw)?);
    }
    users.entry(ROOT.to_owned()).or_insert_with(root);
    for (name, gid) in SYSTEM_GROUPS {
        groups.entry(name.to_owned()).or_insert_with(|| Members::none(gid));
    }
    let user_names: Vec<_> = users.keys().map(String::as_str).chain([NOBODY]).collect();
    for (group, members) in listed {
        for member in members {
            known(document, "user", &member, &user_names)?;
            join(&mut groups, &group, member.into_inner());
        }
    }
    for (user, in_groups) in belongs {
        for group in in_groups {
            let names: Vec<_> = groups.keys().map(String::as_str).collect();
            known(document, "group", &group, &names)?;
            join(&mut groups, group.get_ref(), user.clone());
        }
    }
    Ok((sorted_users(users), sorted_groups(groups)))
}

fn user(
    document: &Document<'_>,
    name: String,
    gid: u32,
    raw: raw::User,
) -> Result<User, RecipeError> {
    let path = |value: Option<Spanned<String>>, default: String| {
        value.map_or(Ok(default), |value| check::path_field(document, value))
    };
    let home = path(raw.home, default_home(&name))?;
    let shell = path(raw.shell, SHELL.to_owned())?;
    let gecos = raw.gecos.map(|gecos| check::field(document, gecos)).transpose()?;
    let password = password(document, raw.password, raw.password_hash)?;
    let gecos = gecos.unwrap_or_default();
    Ok(User { name, uid: raw.uid, gid, gecos, home, shell, password })
}

fn default_home(name: &str) -> String {
    if name == ROOT { "/root".to_owned() } else { format!("/home/{name}") }
}

fn password(
    document: &Document<'_>,
    plain: Option<Spanned<String>>,
    hash: Option<Spanned<String>>,
) -> Result<Password, RecipeError> {
    files::only_one(
        document,
        &[
            ("password", plain.as_ref().map(Spanned::span)),
            ("password-hash", hash.as_ref().map(Spanned::span)),
        ],
    )?;
    match (plain, hash) {
        (Some(plain), _) if plain.get_ref().is_empty() => Ok(Password::Empty),
        (Some(plain), _) => Ok(Password::Plain(plain.into_inner())),
        (None, Some(hash)) if hash.get_ref().is_empty() => {
            let problem = Problem::Value { wanted: "a hash", value: String::new() };
            Err(document.wrong(hash.span(), problem))
        }
        (None, Some(hash)) => check::field(document, hash).map(Password::Hash),
        (None, None) => Ok(Password::Locked),
    }
}

/// The number of the user's own group: the one that was given, that of the group of the same name,
/// or the user's own number. A group of the user's name is added if none has that number. Of the
/// system's groups, a user gets into one only by its number.
fn own_group(
    document: &Document<'_>,
    groups: &mut BTreeMap<String, Members>,
    name: &str,
    raw: &raw::User,
    span: Range<usize>,
) -> Result<u32, RecipeError> {
    let named = groups.get(name).map(|group| group.gid);
    let gid = raw.gid.or(named).unwrap_or(raw.uid);
    let holder = groups.iter().find(|(_, group)| group.gid == gid).map(|(name, _)| name);
    match holder {
        // Whoever gets into a group of another name shall have asked for it.
        Some(holder) if raw.gid.is_none() && holder != name => {
            let (user, group) = (name.to_owned(), holder.clone());
            Err(document.wrong(span, Problem::GroupTaken { user, group, gid }))
        }
        Some(_) => Ok(gid),
        None if raw.gid.is_some() && SYSTEM_GROUPS.iter().any(|(_, own)| *own == gid) => Ok(gid),
        None if named.is_some() => {
            let known = groups.values().map(|group| group.gid.to_string()).collect();
            let problem = Problem::Unknown { what: "group", name: gid.to_string(), known };
            Err(document.wrong(span, problem))
        }
        None => {
            groups.insert(name.to_owned(), Members::none(gid));
            Ok(gid)
        }
    }
}

/// A system without root does not start.
fn root() -> User {
    User {
        name: ROOT.to_owned(),
        uid: 0,
        gid: 0,
        gecos: String::new(),
        home: default_home(ROOT),
        shell: SHELL.to_owned(),
        password: Password::Locked,
    }
}

fn join(groups: &mut BTreeMap<String, Members>, group: &str, user: String) {
    if let Some(group) = groups.get_mut(group) {
        group.names.insert(user);
    }
}

fn known(
    document: &Document<'_>,
    what: &'static str,
    name: &Spanned<String>,
    known: &[&str],
) -> Result<(), RecipeError> {
    if known.contains(&name.get_ref().as_str()) {
        return Ok(());
    }
    let problem = Problem::Unknown {
        what,
        name: name.get_ref().clone(),
        known: known.iter().map(|name| (*name).to_owned()).collect(),
    };
    Err(document.wrong(name.span(), problem))
}

fn sorted_users(users: BTreeMap<String, User>) -> Vec<User> {
    let mut users: Vec<User> = users.into_values().collect();
    users.sort_by_key(|user| user.uid);
    users
}

fn sorted_groups(groups: BTreeMap<String, Members>) -> Vec<Group> {
    let group = |(name, Members { gid, names }): (String, Members)| Group {
        name,
        gid,
        members: names.into_iter().collect(),
    };
    let mut groups: Vec<Group> = groups.into_iter().map(group).collect();
    groups.sort_by_key(|group| group.gid);
    groups
}
