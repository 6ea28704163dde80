//! Systems of the user's own.

use mote_manifest::Recipe;

use crate::{path, run_recipe, sandbox};

/// The built-in recipe, with `changes` of its lines and `further` lines at its end.
fn recipe(changes: &[(&str, &str)], further: &str) -> String {
    let mut text = Recipe::builtin_text("busybox").unwrap().to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    text + further
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_login_wants_the_right_password() {
    let sandbox = sandbox();
    let changes = [
        ("login = \"auto\"", "login = \"password\""),
        ("password = \"\" # none is asked for", "password = \"correct horse\""),
    ];
    let file = path(sandbox.write("mote.toml", recipe(&changes, "")));
    let mut terminal = run_recipe(&sandbox, "", &file, &[]).start_on_terminal(24, 80);
    for (password, answer) in [("wrong horse", "incorrect"), ("correct horse", "root@mote:~# ")] {
        terminal.screen.wait_for("login: ");
        terminal.type_text("root\r");
        terminal.screen.wait_for("Password: ");
        terminal.type_text(&format!("{password}\r"));
        terminal.screen.wait_for(answer);
    }
    // What login started is login's to know: its own status is 0.
    terminal.type_text("exit 5\r");
    assert_eq!(terminal.finish().0.code(), Some(0));
}

#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_recipe_brings_users_files_variables_and_start_scripts() {
    let sandbox = sandbox();
    sandbox.write("start.sh", "#!/bin/sh\necho \"own $1 $COLOUR\" >>/run/order\n");
    let further = r#"
env = { FROM = "recipe" }
command = ["sh", "-c", """
    cat /run/order /srv/note; stat -c '%a %u:%g' /srv/note; readlink /srv/link
    id ann; su -l ann -c 'pwd; echo $COLOUR'; echo $FROM; cat /etc/motd; hostname
"""]

[busybox.users.ann]
uid = 1000
groups = ["wheel", "users"]

[busybox.groups.wheel]
gid = 10

[[busybox.start]]
name = "S60second"
script = """
#!/bin/sh
echo second >>/run/order
"""

[[busybox.start]]
name = "S20first"
script = """
#!/bin/sh
echo first >>/run/order
"""

[[busybox.start]]
name = "S90own"
file = "start.sh"

[[files]]
path = "/srv/note"
content = "a note\n"
mode = "0640"
uid = 1000
gid = 10

[[files]]
path = "/srv/link"
symlink = "note"
"#;
    let changes = [
        ("[busybox.environment]\n", "[busybox.environment]\nCOLOUR = \"blue\"\n"),
        ("hostname = \"mote\"", "hostname = \"own\""),
        ("#motd = \"Welcome.\\n\"", "motd = \"Hello.\\n\""),
    ];
    let file = path(sandbox.write("mote.toml", recipe(&changes, further)));
    let done = run_recipe(&sandbox, "", &file, &[]).run().expect_code(0);
    let expected = [
        "first",
        "second",
        "own start blue",
        "a note",
        "640 1000:10",
        "note",
        "uid=1000(ann) gid=1000(ann) groups=1000(ann),100(users),10(wheel)",
        "/home/ann",
        "blue",
        "recipe",
        "Hello.",
        "own",
    ];
    assert_eq!(done.text().lines().collect::<Vec<_>>(), expected);
}

/// As after a login; what a pipe or a command gets is the program's own.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_shell_on_a_terminal_shows_the_message_of_the_day() {
    let sandbox = sandbox();
    let changes = [("#motd = \"Welcome.\\n\"", "motd = \"Hello.\\nSecond.\"")];
    let file = path(sandbox.write("mote.toml", recipe(&changes, "")));
    let mut terminal = run_recipe(&sandbox, "", &file, &[]).start_on_terminal(24, 80);
    terminal.screen.wait_for("Hello.\r\nSecond.\r\n");
    terminal.screen.wait_for("root@mote:~# ");
    terminal.type_text("exit 3\r");
    assert_eq!(terminal.finish().0.code(), Some(3));
    let piped = run_recipe(&sandbox, "", &file, &[]).stdin("echo piped\n").run();
    assert_eq!(piped.expect_code(0).text(), "piped\n");
}

/// The system does not come up; the message says so and how it ended.
#[test]
#[ignore = "boots a kernel: run by ./test"]
fn a_system_without_its_init_is_a_failure() {
    let sandbox = sandbox();
    let run = run_recipe(&sandbox, "--init /sbin/gone", crate::BUSYBOX, &["true"]).run();
    run.expect_code(125).expect_said(&["error: ", "/sbin/gone"]);
    let run = run_recipe(&sandbox, "--init /bin/false", crate::BUSYBOX, &["true"]).run();
    run.expect_code(125).expect_said(&["error: ", "/bin/false"]);
}
