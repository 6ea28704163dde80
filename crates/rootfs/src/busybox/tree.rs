//! The tree of a BusyBox system.

use super::accounts::{Accounts, check_field};
use super::applets::link_target;
use super::environment::render_environment;
use super::{Busybox, BusyboxSpec, Login, SpecError};
use crate::tree::{Content, Inode, Tree, TreeError, TreePath};

/// Where the binary lies.
const BUSYBOX: &str = "bin/busybox";

/// What the start scripts and the inittab call, whatever else the system is to do.
const NEEDED: [&str; 8] = ["init", "sh", "mount", "umount", "mkdir", "ip", "su", "cttyhack"];

/// Directories, with their modes.
const DIRECTORIES: [(&str, u16); 20] = [
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc/init.d", 0o755),
    ("etc/network/if-down.d", 0o755),
    ("etc/network/if-post-down.d", 0o755),
    ("etc/network/if-pre-up.d", 0o755),
    ("etc/network/if-up.d", 0o755),
    ("etc/profile.d", 0o755),
    ("home", 0o755),
    ("lib", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr/share/udhcpc", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
];

/// Files whose text is the same in every system.
const FILES: [(&str, u16, &str); 9] = [
    ("etc/fstab", 0o644, include_str!("skeleton/fstab")),
    ("etc/init.d/console", 0o755, include_str!("skeleton/console")),
    ("etc/init.d/rcK", 0o755, include_str!("skeleton/rcK")),
    ("etc/init.d/rcS", 0o755, include_str!("skeleton/rcS")),
    ("etc/init.d/S40network", 0o755, include_str!("skeleton/S40network")),
    ("etc/network/interfaces", 0o644, include_str!("skeleton/interfaces")),
    ("etc/profile", 0o644, include_str!("skeleton/profile")),
    // The DNS server of QEMU's user network; mote's init or udhcpc write their own.
    ("etc/resolv.conf", 0o644, "nameserver 10.0.2.3\n"),
    ("usr/share/udhcpc/default.script", 0o755, include_str!("skeleton/udhcpc.script")),
];

/// Links beside those to the applets.
const LINKS: [(&str, &str); 3] = [
    // The kernel starts /init of an initramfs.
    ("init", "sbin/init"),
    ("var/run", "../run"),
    // Where Debian's udhcpc looks for its script.
    ("etc/udhcpc/default.script", "../../usr/share/udhcpc/default.script"),
];

/// Programs that log in or out append to these only where they exist.
const LOGIN_RECORDS: [&str; 2] = ["var/log/lastlog", "var/log/wtmp"];

/// Group `utmp`, which may write them.
const UTMP_GID: u32 = 43;

/// Makes the tree of a BusyBox system: it boots by itself as an initramfs, under mote or not.
///
/// # Errors
///
/// See [`SpecError`].
pub fn build_tree(spec: &BusyboxSpec, busybox: &Busybox) -> Result<Tree, SpecError> {
    check_applets(spec.login, busybox)?;
    let accounts = Accounts::resolve(&spec.users, &spec.groups)?;
    accounts.check_login(spec.login)?;

    let mut system = System { tree: Tree::new() };
    system.put_skeleton()?;
    system.put_busybox(busybox)?;
    system.put_configuration(spec, &accounts)?;
    system.put_homes(&accounts)?;
    for script in &spec.start_scripts {
        if !is_script_name(&script.name) {
            return Err(SpecError::ScriptName { name: script.name.clone() });
        }
        system.file(&format!("etc/init.d/{}", script.name), 0o755, script.content.clone())?;
    }
    for file in &spec.files {
        system.tree.insert(&file.path, file.inode.clone())?;
    }
    Ok(system.tree)
}

struct System {
    tree: Tree,
}

impl System {
    fn put_skeleton(&mut self) -> Result<(), TreeError> {
        for (path, mode) in DIRECTORIES {
            self.put(path, Inode::directory(mode))?;
        }
        for (path, mode, text) in FILES {
            self.file(path, mode, text)?;
        }
        for (path, target) in LINKS {
            self.put(path, Inode::symlink(target))?;
        }
        for path in LOGIN_RECORDS {
            self.put(path, Inode::file("", 0o664).owned_by(0, UTMP_GID))?;
        }
        // The kernel opens the console before there is a devtmpfs.
        self.put("dev/console", Inode::char_device(5, 1, 0o600))?;
        self.put("dev/null", Inode::char_device(1, 3, 0o666))
    }

    fn put_busybox(&mut self, busybox: &Busybox) -> Result<(), TreeError> {
        self.file(BUSYBOX, 0o755, Content::Bytes(busybox.bytes.clone()))?;
        // A BusyBox that does not say where its applets belong has no /sbin/init.
        let init = TreePath::parse("sbin/init").expect("mote's own paths are valid");
        for applet in std::iter::once(&init).chain(&busybox.applets) {
            self.tree.insert(applet, Inode::symlink(link_target(applet)))?;
        }
        Ok(())
    }

    fn put_configuration(
        &mut self,
        spec: &BusyboxSpec,
        accounts: &Accounts,
    ) -> Result<(), SpecError> {
        let hostname = &spec.hostname;
        check_hostname(hostname)?;
        let login = match spec.login {
            Login::Auto => "auto",
            Login::Password => "password",
        };
        let inittab = include_str!("skeleton/inittab").replace("@LOGIN@", login);
        let hosts =
            format!("127.0.0.1\tlocalhost\n127.0.1.1\t{hostname}\n::1\tlocalhost ip6-localhost\n");
        self.file("etc/inittab", 0o644, inittab)?;
        self.file("etc/hostname", 0o644, format!("{hostname}\n"))?;
        self.file("etc/hosts", 0o644, hosts)?;
        self.file("etc/shells", 0o644, render_shells(&spec.shells)?)?;
        self.file("etc/environment", 0o644, render_environment(&spec.environment)?)?;
        self.file("etc/passwd", 0o644, accounts.render_passwd())?;
        self.file("etc/group", 0o644, accounts.render_group())?;
        self.file("etc/shadow", 0o600, accounts.render_shadow())?;
        if let Some(motd) = &spec.motd {
            let end = if motd.is_empty() || motd.ends_with('\n') { "" } else { "\n" };
            self.file("etc/motd", 0o644, format!("{motd}{end}"))?;
        }
        Ok(())
    }

    fn put_homes(&mut self, accounts: &Accounts) -> Result<(), SpecError> {
        for user in &accounts.users {
            let home = TreePath::parse(&user.home).map_err(|source| SpecError::Home {
                user: user.name.clone(),
                home: user.home.clone(),
                source,
            })?;
            if !home.is_root() {
                let inode = Inode::directory(0o700).owned_by(user.uid, user.gid);
                self.tree.insert(&home, inode)?;
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        path: &str,
        mode: u16,
        content: impl Into<Content>,
    ) -> Result<(), TreeError> {
        self.put(path, Inode::file(content, mode))
    }

    fn put(&mut self, path: &str, inode: Inode) -> Result<(), TreeError> {
        let path = TreePath::parse(path).expect("mote's own paths are valid");
        self.tree.insert(&path, inode)
    }
}

fn check_applets(login: Login, busybox: &Busybox) -> Result<(), SpecError> {
    let for_login = if login == Login::Password { &["getty", "login"][..] } else { &[] };
    let missing: Vec<_> =
        NEEDED.iter().chain(for_login).copied().filter(|name| !busybox.has_applet(name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(SpecError::MissingApplets { missing }) }
}

fn check_hostname(name: &str) -> Result<(), SpecError> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let outer = |c: char| c.is_ascii_alphanumeric();
    let valid = (1..=64).contains(&name.len())
        && name.chars().all(inner)
        && name.starts_with(outer)
        && name.ends_with(outer);
    if valid { Ok(()) } else { Err(SpecError::Hostname { name: name.to_owned() }) }
}

fn render_shells(asked: &[String]) -> Result<String, SpecError> {
    let mut shells = vec!["/bin/sh", "/bin/ash"];
    for shell in asked {
        check_field("/etc/shells", "shell", shell)?;
        if !shells.contains(&shell.as_str()) {
            shells.push(shell);
        }
    }
    Ok(shells.join("\n") + "\n")
}

/// `S`, two digits, and what a shell's glob and a file name take.
fn is_script_name(name: &str) -> bool {
    let other = |c: &u8| c.is_ascii_alphanumeric() || b"-_.".contains(c);
    match name.as_bytes() {
        [b'S', b'0'..=b'9', b'0'..=b'9', rest @ ..] => !rest.is_empty() && rest.iter().all(other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::busybox::{BusyboxBinary, ExtraFile, Group, Password, StartScript, User};
    use crate::tree::Node;

    fn busybox(applets: &[&str]) -> Busybox {
        Busybox {
            origin: BusyboxBinary::Path("busybox".into()),
            version: "1.35.0".to_owned(),
            bytes: b"\x7fELF"[..].into(),
            applets: applets.iter().map(|path| TreePath::parse(path).unwrap()).collect(),
        }
    }

    fn usual() -> Busybox {
        busybox(&[
            "bin/sh",
            "bin/su",
            "bin/login",
            "bin/mkdir",
            "bin/mount",
            "bin/umount",
            "bin/cttyhack",
            "sbin/getty",
            "sbin/init",
            "sbin/ip",
            "usr/bin/[",
        ])
    }

    fn text(tree: &Tree, path: &str) -> String {
        match &tree.get(&TreePath::parse(path).unwrap()).expect(path).node {
            Node::File(Content::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn the_default_system_has_these_files() {
        let dump = build_tree(&BusyboxSpec::default(), &usual()).unwrap().render_dump();
        // Sizes are left out: the scripts are read elsewhere.
        let lines: Vec<String> = dump
            .lines()
            .map(|line| {
                let mut words: Vec<&str> = line.split(' ').collect();
                let size = words.remove(2);
                let device = if size.contains(':') { format!(" {size}") } else { String::new() };
                words.join(" ") + &device
            })
            .collect();
        assert_eq!(lines.join("\n") + "\n", include_str!("../../tests/data/busybox-tree.txt"));
    }

    #[test]
    fn the_description_appears_in_the_files() {
        let spec = BusyboxSpec {
            hostname: "vm-1.example".to_owned(),
            login: Login::Password,
            motd: Some("hello".to_owned()),
            shells: vec!["/bin/zsh".to_owned(), "/bin/sh".to_owned()],
            environment: [("LANG".to_owned(), "C".to_owned())].into(),
            users: vec![User {
                name: "donno".to_owned(),
                uid: 1000,
                gid: 100,
                gecos: "donno".to_owned(),
                home: "/home/donno".to_owned(),
                shell: "/bin/ash".to_owned(),
                password: Password::Plain("secret".to_owned()),
            }],
            groups: vec![Group { name: "kvm".to_owned(), gid: 78, members: Vec::new() }],
            start_scripts: vec![StartScript {
                name: "S50web".to_owned(),
                content: "#!/bin/sh\n".into(),
            }],
            files: vec![ExtraFile {
                path: TreePath::parse("etc/motd").unwrap(),
                inode: Inode::file("replaced", 0o600),
            }],
        };
        let tree = build_tree(&spec, &usual()).unwrap();
        assert!(text(&tree, "etc/inittab").contains("::respawn:/etc/init.d/console password\n"));
        assert_eq!(text(&tree, "etc/hostname"), "vm-1.example\n");
        assert!(text(&tree, "etc/hosts").contains("127.0.1.1\tvm-1.example\n"));
        assert_eq!(text(&tree, "etc/shells"), "/bin/sh\n/bin/ash\n/bin/zsh\n");
        assert_eq!(text(&tree, "etc/environment"), "LANG='C'\n");
        assert!(text(&tree, "etc/shadow").contains("\ndonno:$6$rounds=5000$"));
        assert!(text(&tree, "etc/group").ends_with("kvm:x:78:\n"));
        assert_eq!(text(&tree, "etc/motd"), "replaced");
        assert_eq!(text(&tree, "etc/init.d/S50web"), "#!/bin/sh\n");
        let home = tree.get(&TreePath::parse("home/donno").unwrap()).unwrap();
        assert_eq!((home.metadata.mode, home.metadata.uid, home.metadata.gid), (0o700, 1000, 100));
        assert_eq!(tree, build_tree(&spec, &usual()).unwrap());
    }

    #[test]
    fn refusals_come_with_hints() {
        let spec = |change: fn(&mut BusyboxSpec)| {
            let mut spec = BusyboxSpec::default();
            change(&mut spec);
            build_tree(&spec, &usual()).unwrap_err()
        };
        let script = |spec: &mut BusyboxSpec| {
            let (name, content) = ("web".to_owned(), "".into());
            spec.start_scripts.push(StartScript { name, content });
        };
        let table = [
            (spec(|spec| spec.hostname = "a b".to_owned()), "\"a b\" is no host name"),
            (spec(|spec| spec.hostname = "a".repeat(65)), "is no host name"),
            (spec(|spec| spec.login = Login::Password), "the console asks for a password"),
            (spec(script), "\"web\" is no name for a start script"),
            (
                build_tree(&BusyboxSpec::default(), &busybox(&["bin/sh"])).unwrap_err(),
                "lacks what the system needs: init, mount, umount, mkdir, ip, su, cttyhack",
            ),
        ];
        for (error, message) in table {
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
