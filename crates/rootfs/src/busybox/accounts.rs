//! Users and groups: `/etc/passwd`, `/etc/group` and `/etc/shadow`.

use super::crypt::hash_password;
use super::{Group, Login, Password, SpecError, User};
use crate::tree::SOURCE_DATE_EPOCH;

/// Number of nobody and nogroup.
const NOBODY: u32 = 65_534;

/// Group of terminals, which the options of devpts in fstab name.
const TTY_GID: u32 = 5;

/// All users and groups of a system, mote's own included.
pub(super) struct Accounts {
    pub(super) users: Vec<User>,
    groups: Vec<Group>,
}

impl Accounts {
    /// Checks and completes what was asked for.
    pub(super) fn resolve(users: &[User], groups: &[Group]) -> Result<Self, SpecError> {
        let users = override_by_name("user", own_users(), users, |user| &user.name)?;
        let mut groups = override_by_name("group", own_groups(), groups, |group| &group.name)?;
        for user in &users {
            if groups.iter().all(|group| group.gid != user.gid) {
                groups.push(group(&user.name, user.gid));
            }
        }
        let accounts = Self { users, groups };
        accounts.check()?;
        Ok(accounts)
    }

    /// Whether somebody can answer the console's question.
    pub(super) fn check_login(&self, login: Login) -> Result<(), SpecError> {
        let nobody = self.users.iter().all(|user| user.password == Password::Locked);
        if login == Login::Password && nobody {
            return Err(SpecError::NobodyCanLogIn);
        }
        Ok(())
    }

    pub(super) fn render_passwd(&self) -> String {
        let line = |user: &User| {
            let User { name, uid, gid, gecos, home, shell, .. } = user;
            format!("{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}\n")
        };
        self.users.iter().map(line).collect()
    }

    pub(super) fn render_group(&self) -> String {
        let line =
            |group: &Group| format!("{}:x:{}:{}\n", group.name, group.gid, group.members.join(","));
        self.groups.iter().map(line).collect()
    }

    /// Passwords never run out.
    pub(super) fn render_shadow(&self) -> String {
        let changed = SOURCE_DATE_EPOCH / (24 * 60 * 60);
        let line = |user: &User| {
            let hash = match &user.password {
                Password::Locked => "*".to_owned(),
                Password::Empty => String::new(),
                Password::Plain(password) => hash_password(&user.name, password),
                Password::Hashed(hash) => hash.clone(),
            };
            format!("{}:{hash}:{changed}:0:99999:7:::\n", user.name)
        };
        self.users.iter().map(line).collect()
    }

    fn check(&self) -> Result<(), SpecError> {
        let user_names = self.users.iter().map(|user| &user.name);
        let group_names = self.groups.iter().map(|group| &group.name);
        if let Some(name) = user_names.chain(group_names).find(|name| !is_account_name(name)) {
            return Err(SpecError::AccountName { name: name.clone() });
        }
        for user in &self.users {
            if !user.gecos.is_empty() {
                check_field(&user.name, "description", &user.gecos)?;
            }
            check_field(&user.name, "home", &user.home)?;
            check_field(&user.name, "shell", &user.shell)?;
            if let Password::Hashed(hash) = &user.password {
                check_field(&user.name, "password hash", hash)?;
            }
        }
        for group in &self.groups {
            let known = |member: &String| self.users.iter().any(|user| user.name == *member);
            if let Some(member) = group.members.iter().find(|member| !known(member)) {
                let (group, member) = (group.name.clone(), member.clone());
                return Err(SpecError::Member { group, member });
            }
        }
        Ok(())
    }
}

/// Refuses what would break a line of colon-separated fields.
pub(super) fn check_field(name: &str, field: &'static str, value: &str) -> Result<(), SpecError> {
    if value.is_empty() || value.contains(|c: char| c == ':' || c.is_control()) {
        let (name, value) = (name.to_owned(), value.to_owned());
        return Err(SpecError::AccountField { name, field, value });
    }
    Ok(())
}

fn own_users() -> Vec<User> {
    let user = |name: &str, id, home: &str, shell: &str| User {
        name: name.to_owned(),
        uid: id,
        gid: id,
        gecos: name.to_owned(),
        home: home.to_owned(),
        shell: shell.to_owned(),
        password: Password::Locked,
    };
    vec![user("root", 0, "/root", "/bin/sh"), user("nobody", NOBODY, "/", "/bin/false")]
}

fn own_groups() -> Vec<Group> {
    let table = [("root", 0), ("tty", TTY_GID), ("utmp", 43), ("users", 100), ("nogroup", NOBODY)];
    table.into_iter().map(|(name, gid)| group(name, gid)).collect()
}

fn group(name: &str, gid: u32) -> Group {
    Group { name: name.to_owned(), gid, members: Vec::new() }
}

fn override_by_name<T: Clone>(
    kind: &'static str,
    mut own: Vec<T>,
    asked: &[T],
    name: impl Fn(&T) -> &String,
) -> Result<Vec<T>, SpecError> {
    for (at, item) in asked.iter().enumerate() {
        if asked[..at].iter().any(|other| name(other) == name(item)) {
            return Err(SpecError::TwiceNamed { kind, name: name(item).clone() });
        }
        match own.iter_mut().find(|other| name(other) == name(item)) {
            Some(own) => *own = item.clone(),
            None => own.push(item.clone()),
        }
    }
    Ok(own)
}

fn is_account_name(name: &str) -> bool {
    let first = |c: char| c == '_' || c.is_ascii_lowercase();
    let other = |c: char| c == '_' || c == '-' || c.is_ascii_alphanumeric();
    name.len() <= 32 && name.starts_with(first) && name.chars().all(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, uid: u32, password: Password) -> User {
        User {
            name: name.to_owned(),
            uid,
            gid: uid,
            gecos: name.to_owned(),
            home: format!("/home/{name}"),
            shell: "/bin/sh".to_owned(),
            password,
        }
    }

    fn hashed() -> Password {
        Password::Hashed("$6$salt$hash".to_owned())
    }

    #[test]
    fn own_accounts_come_first_and_can_be_replaced() {
        let mut root = user("root", 0, hashed());
        root.home = "/root".to_owned();
        let users = [user("donno", 1000, Password::Locked), root];
        let mut wheel = group("wheel", 10);
        wheel.members = vec!["donno".to_owned(), "root".to_owned()];
        let accounts = Accounts::resolve(&users, &[wheel]).unwrap();
        assert_eq!(
            accounts.render_passwd(),
            "root:x:0:0:root:/root:/bin/sh\n\
             nobody:x:65534:65534:nobody:/:/bin/false\n\
             donno:x:1000:1000:donno:/home/donno:/bin/sh\n"
        );
        assert_eq!(
            accounts.render_group(),
            "root:x:0:\ntty:x:5:\nutmp:x:43:\nusers:x:100:\nnogroup:x:65534:\n\
             wheel:x:10:donno,root\ndonno:x:1000:\n"
        );
        assert_eq!(
            accounts.render_shadow(),
            "root:$6$salt$hash:18262:0:99999:7:::\n\
             nobody:*:18262:0:99999:7:::\n\
             donno:*:18262:0:99999:7:::\n"
        );
    }

    #[test]
    fn a_login_needs_somebody_with_a_password() {
        let locked = Accounts::resolve(&[], &[]).unwrap();
        assert!(locked.check_login(Login::Auto).is_ok());
        assert!(matches!(locked.check_login(Login::Password), Err(SpecError::NobodyCanLogIn)));
        let open = Accounts::resolve(&[user("a", 1, hashed())], &[]).unwrap();
        assert!(open.check_login(Login::Password).is_ok());
    }

    #[test]
    fn what_would_break_the_files_is_refused() {
        let locked = |name| user(name, 7, Password::Locked);
        let mut shell = locked("a");
        shell.shell = "/bin/sh\nroot::0".to_owned();
        let mut stranger = group("g", 9);
        stranger.members = vec!["x".to_owned()];
        let table = [
            (vec![locked("Ä")], vec![], "\"Ä\" cannot be the name of a user or group"),
            (vec![locked("a:b")], vec![], "\"a:b\" cannot be the name of a user or group"),
            (vec![locked("a"), locked("a")], vec![], "there are two users called \"a\""),
            (vec![shell], vec![], "a: shell \"/bin/sh\\nroot::0\" holds a colon or a control"),
            (vec![], vec![stranger], "the group g has a member \"x\", who is no user"),
        ];
        for (users, groups, message) in table {
            let error = Accounts::resolve(&users, &groups).err().unwrap().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
