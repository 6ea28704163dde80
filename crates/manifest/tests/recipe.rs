//! Recipes as users write them: what becomes of good ones, and what bad ones are told.

use std::path::{Path, PathBuf};

use mote_manifest::{
    Accel, BusyboxBinary, FileKind, Login, Memory, Network, Password, Recipe, RecipeError,
    RunSettings, ScriptBody,
};
use proptest::prelude::*;

fn parse(text: &str) -> Result<Recipe, RecipeError> {
    Recipe::parse(text, "mote.toml", Path::new("/recipes"))
}

/// The message and the hint.
fn refused(text: &str) -> (String, String) {
    let error = parse(text).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

/// A recipe whose first two lines are the needed ones.
fn with(rest: &str) -> String {
    format!("version = 1\nname = \"x\"\n{rest}")
}

/// The built-in recipe with every example in it taken at its word.
fn with_all_examples() -> String {
    let lines = Recipe::builtin_text("busybox").unwrap().lines();
    // It and `kernel` exclude each other.
    let lines = lines.filter(|line| !line.starts_with("#feature = "));
    let example = |line: &str| match line.strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with(' ') => example.to_owned(),
        _ => line.to_owned(),
    };
    lines.map(example).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_short_recipe_is_completed() {
    let recipe = parse(&with("")).unwrap();
    assert_eq!(recipe.name, "x");
    assert_eq!(recipe.base, Path::new("/recipes"));
    assert_eq!(recipe.kernel.source, "auto");
    assert_eq!(recipe.kernel.features, ["busybox"]);
    assert_eq!(recipe.busybox, None);
    assert_eq!(recipe.run, RunSettings::default());

    let busybox = parse(&with("[busybox]")).unwrap().busybox.unwrap();
    assert_eq!(busybox.binary, BusyboxBinary::Auto);
    assert_eq!(busybox.login, Login::Auto);
    assert_eq!(busybox.hostname, "mote");
    assert_eq!(busybox.shells, ["/bin/sh"]);
    let root = &busybox.users[0];
    assert_eq!(
        (root.name.as_str(), root.uid, root.gid, root.home.as_str()),
        ("root", 0, 0, "/root")
    );
    assert_eq!((busybox.groups[0].name.as_str(), busybox.groups[0].gid), ("root", 0));
}

#[test]
fn the_builtin_recipe_is_a_system() {
    let recipe = Recipe::builtin("busybox").unwrap();
    assert_eq!(recipe.name, "busybox");
    assert_eq!(recipe.run.init.as_deref(), Some("/sbin/init"));
    let busybox = recipe.busybox.unwrap();
    let users: Vec<_> = busybox.users.iter().map(|user| (user.name.as_str(), user.gid)).collect();
    assert_eq!(users, [("root", 0), ("nobody", 65534)]);
    assert_eq!(busybox.users[0].password, Password::Empty);
    assert_eq!(busybox.users[1].password, Password::Locked);
    let groups: Vec<_> = busybox.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(groups, ["root", "tty", "utmp", "users", "nobody", "nogroup"]);
}

#[test]
fn the_groups_of_every_system_can_be_named() {
    let text = r#"
        [busybox.users.ann]
        uid = 1000
        gid = 100
        groups = ["tty", "own"]
        [busybox.users.bob]
        uid = 1001
        groups = ["users"]
        [busybox.groups.own]
        gid = 7
        members = ["nobody"]
    "#;
    let busybox = parse(&with(text)).unwrap().busybox.unwrap();
    let group = |name: &str| {
        let group = busybox.groups.iter().find(|group| group.name == name);
        group.map(|group| (group.gid, group.members.join(",")))
    };
    assert_eq!(group("tty"), Some((5, "ann".to_owned())));
    assert_eq!(group("users"), Some((100, "bob".to_owned())));
    assert_eq!(group("own"), Some((7, "ann,nobody".to_owned())));
    assert_eq!(group("ann"), None, "100 has a name already");
    assert_eq!(group("bob"), Some((1001, String::new())));
}

#[test]
fn every_example_of_the_builtin_recipe_holds() {
    let recipe = parse(&with_all_examples()).unwrap();
    assert_eq!(recipe.kernel.fragments, [Path::new("/recipes/my.fragment")]);
    assert_eq!(recipe.kernel.config.as_deref(), Some(Path::new("/recipes/my.config")));

    let busybox = recipe.busybox.unwrap();
    let ann = busybox.users.iter().find(|user| user.name == "ann").unwrap();
    assert_eq!((ann.uid, ann.gid, ann.home.as_str()), (1000, 1000, "/home/ann"));
    assert_eq!(ann.password, Password::Plain("change me".to_owned()));
    let web = busybox.users.iter().find(|user| user.name == "web").unwrap();
    assert_eq!(web.password, Password::Hash("$6$salt$hash".to_owned()));
    let wheel = busybox.groups.iter().find(|group| group.name == "wheel").unwrap();
    assert_eq!(wheel.members, ["ann", "root"]);
    let start: Vec<_> =
        busybox.start.into_iter().map(|script| (script.name, script.body)).collect();
    let web = "case $1 in\nstart) httpd -h /srv ;;\nstop) killall httpd ;;\nesac\n";
    let wanted = [
        ("S50web".to_owned(), ScriptBody::Text(web.to_owned())),
        ("S90own".to_owned(), ScriptBody::File("/recipes/start.sh".into())),
    ];
    assert_eq!(start, wanted);

    let files: Vec<_> = recipe.files.into_iter().map(|file| (file.kind, file.mode)).collect();
    let wanted = [
        (FileKind::Content("<h1>It works</h1>\n".to_owned()), Some(0o644)),
        (FileKind::Source("/recipes/tool".into()), None),
        (FileKind::Symlink("/usr/bin/tool".to_owned()), Some(0o777)),
        (FileKind::Directory, Some(0o755)),
    ];
    assert_eq!(files, wanted);

    let run = recipe.run;
    assert_eq!(run.command, ["httpd", "-f", "-h", "/srv"]);
    assert_eq!(run.env["KEY"].as_deref(), Some("value"));
    assert_eq!(run.memory, Some(Memory::default()));
    assert_eq!(run.network, Some(Network::default()));
    assert_eq!(run.publish, ["8080:80".parse().unwrap()]);
    assert_eq!(run.accel, Some(Accel::Tcg));
    assert_eq!(run.kernel.as_deref(), Some(Path::new("/recipes/DIR")));
}

#[test]
fn the_builtin_recipe_names_every_key_of_run() {
    let text = Recipe::builtin_text("busybox").unwrap();
    let run = text.split_once("[run]\n").unwrap().1;
    for key in RunSettings::KEYS {
        assert!(
            run.lines().any(|line| line.trim_start_matches('#').starts_with(&format!("{key} = "))),
            "{key}"
        );
    }
}

#[test]
fn run_has_the_keys_it_says() {
    let error = parse(&with("[run]\nqqq = 1")).unwrap_err();
    let RecipeError::Wrong { problem: mote_manifest::Problem::UnknownKey { known, .. }, .. } =
        error
    else {
        panic!("{error}");
    };
    assert_eq!(known, RunSettings::KEYS);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let table = [
        ("[run]\nmemry = \"1g\"", "mote.toml:4: unknown key memry", "did you mean memory?"),
        ("[busybox]\nhost = \"a\"", "mote.toml:4: unknown key host", "did you mean hostname?"),
        ("sumary = \"\"", "mote.toml:3: unknown key sumary", "did you mean summary?"),
        (
            "[kernel]\nqqq = 1",
            "mote.toml:4: unknown key qqq",
            "known are source, features, fragments, config",
        ),
        (
            "\n\n[[files]]\npath = \"/a\"\ncontents = \"\"",
            "mote.toml:7: unknown key contents",
            "did you mean content?",
        ),
        (
            "[busybox.users.ann]\nuid = 1\nshel = \"/bin/sh\"",
            "mote.toml:5: unknown key shel",
            "did you mean shell?",
        ),
        (
            "[run]\nmemory = \"128\"",
            "mote.toml:4: not a whole number of MiB: 128",
            "a number alone counts bytes: write 128m for 128 MiB",
        ),
        ("[run]\nmemory = 128", "mote.toml:4: invalid type: integer `128`, expected a string", ""),
        (
            "[run]\npublish = [\n\"8080:80\",\n\"x:80\"]",
            "mote.toml:6: not a port: x in x:80",
            "write [ADDR:]HOST:GUEST[/tcp|udp], such as 8080:80",
        ),
        ("[run]\nnetwork = \"users\"", "mote.toml:4: unknown network: users", "did you mean user?"),
        ("[run]\naccel = \"kvn\"", "mote.toml:4: unknown accelerator: kvn", "did you mean kvm?"),
        (
            "[run]\nkernel = \"k\"\nexact = true",
            "mote.toml:4: kernel and exact exclude each other",
            "",
        ),
        (
            "[run]\nkernel = \"k\"\nfeature = [\"tun\"]",
            "mote.toml:4: kernel and feature exclude each other",
            "",
        ),
        ("[run]\ncpus = 0", "mote.toml:4: not a number from 1: 0", ""),
        ("[run]\nhostname = \"a b\"", "mote.toml:4: not a host name: a b", ""),
        (
            "[run]\ninit = \"init\"",
            "mote.toml:4: not an absolute path without '.', '..' and empty parts: init",
            "",
        ),
        (
            "[run]\nappend = \"a\\nb\"",
            "mote.toml:4: not words for a kernel command line: a\\nb",
            "",
        ),
        ("[run.env]\n\"A=B\" = \"\"", "mote.toml:4: not the name of a variable: A=B", ""),
        (
            "[busybox]\nlogin = \"pasword\"",
            "mote.toml:4: unknown login: pasword",
            "did you mean password?",
        ),
        (
            "[busybox]\nlogin = \"password\"",
            "mote.toml:4: login is \"password\", but no user has one",
            "give a user a password, or write login = \"auto\"",
        ),
        (
            "[[busybox.start]]\nname = \"web\"\nscript = \"\"",
            "mote.toml:4: not the name of a start script, such as S50web: web",
            "",
        ),
        (
            "[[busybox.start]]\nname = \"S1\"\nfile = \"a\"\nscript = \"\"",
            "mote.toml:6: script and file exclude each other",
            "",
        ),
        ("[[busybox.start]]\nname = \"S50a\"", "mote.toml:3: one of script and file is needed", ""),
        (
            "[[busybox.start]]\nname = \"S50a\"\nscript = \"\"\n[[busybox.start]]\nname = \"S50a\"\nscript = \"\"",
            "mote.toml:7: start script S50a is there twice",
            "",
        ),
        (
            "[[files]]\npath = \"/a\"\ncontent = \"\"\nsource = \"a\"",
            "mote.toml:6: content and source exclude each other",
            "",
        ),
        (
            "[[files]]\npath = \"/a\"\ndirectory = true\nsymlink = \"a\"",
            "mote.toml:6: symlink and directory exclude each other",
            "",
        ),
        (
            "[[files]]\npath = \"/a\"\nmode = \"0777\"\nsymlink = \"a\"",
            "mote.toml:5: symlink and mode exclude each other",
            "",
        ),
        (
            "[[files]]\npath = \"/a\"\ndirectory = false",
            "mote.toml:3: one of content, source, symlink and directory = true is needed",
            "",
        ),
        (
            "[[files]]\npath = \"/a/../../b\"\ncontent = \"\"",
            "mote.toml:4: not an absolute path without '.', '..' and empty parts: /a/../../b",
            "",
        ),
        (
            "[[files]]\npath = \"/a\"\ncontent = \"\"\nmode = \"0888\"",
            "mote.toml:6: not an octal mode such as 0644: 0888",
            "",
        ),
        (
            "[[files]]\npath = \"/a\"\ncontent = \"\"\n[[files]]\npath = \"/a\"\ncontent = \"\"",
            "mote.toml:7: file /a is there twice",
            "",
        ),
        (
            "[busybox.users.Ann]\nuid = 1",
            "mote.toml:3: not a name of lower-case letters, digits, '_' and '-': Ann",
            "",
        ),
        (
            "[busybox.users.ann]\nuid = 1\nhome = \"/a:b\"",
            "mote.toml:5: not an absolute path without ':' and control characters: /a:b",
            "",
        ),
        (
            "[busybox.users.ann]\nuid = 1\npassword = \"a\"\npassword-hash = \"b\"",
            "mote.toml:6: password and password-hash exclude each other",
            "",
        ),
        (
            "[busybox.users.ann]\nuid = 1\ngroups = [\"weel\"]\n[busybox.groups.wheel]\ngid = 10",
            "mote.toml:5: no group weel in this system",
            "did you mean wheel?",
        ),
        (
            "[busybox.users.ann]\nuid = 1\ngroups = [\"user\"]",
            "mote.toml:5: no group user in this system",
            "did you mean users?",
        ),
        (
            "[busybox.groups.wheel]\ngid = 10\nmembers = [\"rot\"]",
            "mote.toml:5: no user rot in this system",
            "did you mean root?",
        ),
        (
            "[busybox.users.ann]\nuid = 5\n[busybox.groups.tty]\ngid = 5",
            "mote.toml:3: the group 5, which ann would have, is tty",
            "give the user a gid",
        ),
        (
            "[busybox.users.ann]\nuid = 5\ngid = 6\n[busybox.groups.ann]\ngid = 5",
            "mote.toml:3: no group 6 in this system",
            "known are 5, 0",
        ),
        (
            "[busybox.environment]\n\"A-B\" = \"\"",
            "mote.toml:4: not the name of a shell variable: A-B",
            "",
        ),
        ("[[files]]\ncontent = \"\"", "mote.toml:3: missing field `path`", ""),
        ("[run\n", "mote.toml:3: unclosed table, expected `]`", ""),
    ];
    for (rest, message, hint) in table {
        assert_eq!(refused(&with(rest)), (message.to_owned(), hint.to_owned()), "{rest}");
    }
}

#[test]
fn the_schema_version_comes_first() {
    let (message, hint) = refused("name = \"x\"\nunknown = 1");
    assert_eq!(
        message,
        "mote.toml:1: the recipe does not say which version of the schema it is written in"
    );
    assert_eq!(hint, "write version = 1 at the top");
    let (message, _) = refused("new = true\nversion = 2");
    assert_eq!(message, "mote.toml:2: version 2 of the schema is not known");
}

#[test]
fn the_name_is_checked() {
    let (message, _) = refused("version = 1\nname = \"../x\"");
    assert_eq!(
        message,
        "mote.toml:2: not a name of lower-case letters, digits, '.', '_' and '-': ../x"
    );
}

#[test]
fn there_are_few_builtin_recipes() {
    let error = Recipe::builtin("busibox").unwrap_err();
    assert_eq!(error.to_string(), "no built-in recipe: busibox");
    assert_eq!(error.hint().unwrap(), "did you mean busybox?");
}

fn load_error(path: &Path) -> RecipeError {
    Recipe::load(path).unwrap_err()
}

#[test]
fn files_that_are_no_recipes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mote.toml");

    let error = load_error(&file);
    assert_eq!(error.to_string(), format!("no such recipe: {}", file.display()));

    let error = load_error(dir.path());
    assert_eq!(error.to_string(), format!("the recipe is a directory: {}", dir.path().display()));
    assert_eq!(error.hint().unwrap(), format!("name the file in it: {}", file.display()));

    std::fs::write(&file, b"version = 1\nname = \"\xff\"").unwrap();
    let message = format!("the recipe is not UTF-8 text, on line 2: {}", file.display());
    assert_eq!(load_error(&file).to_string(), message);

    let error = load_error(Path::new("/dev/zero"));
    assert!(error.to_string().starts_with("too large for a recipe"), "{error}");
}

#[test]
fn paths_start_from_the_folder_of_the_recipe() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mote.toml");
    let text = with("[busybox]\nbinary = \"../busybox-1.35.0.tar.bz2\"\n[run]\nkernel = \"/k\"");
    std::fs::write(&file, text).unwrap();
    let recipe = Recipe::load(&file).unwrap();
    assert_eq!(recipe.base, dir.path());
    let source = dir.path().join("../busybox-1.35.0.tar.bz2");
    assert_eq!(recipe.busybox.unwrap().binary, BusyboxBinary::Source(source));
    assert_eq!(recipe.run.kernel, Some(PathBuf::from("/k")));
}

#[test]
fn a_password_is_not_shown() {
    let recipe = parse(&with("[busybox.users.ann]\nuid = 1\npassword = \"secret\"")).unwrap();
    assert!(!format!("{recipe:?}").contains("secret"));
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    /// Damage in a good recipe reaches more than chance does.
    #[test]
    fn no_damage_panics(at in any::<prop::sample::Index>(), length in 0_usize..40, new in "\\PC{0,8}") {
        let mut text: Vec<char> = with_all_examples().chars().collect();
        let at = at.index(text.len());
        let end = text.len().min(at + length);
        text.splice(at..end, new.chars());
        let _ = parse(&text.into_iter().collect::<String>());
    }
}
