//! What `mote run` refuses before anything is built or booted.

use std::fs;

use mote_manifest::Recipe;
use mote_testkit::Sandbox;

/// Without QEMU: what is accepted goes no further.
fn sandbox() -> Sandbox {
    super::sandbox().without_programs()
}

#[test]
fn what_names_no_recipe_is_told_with_a_hint() {
    let sandbox = sandbox();
    fs::create_dir(sandbox.home().join("folder")).unwrap();
    sandbox.write("latin1.toml", b"version = 1\nname = \"caf\xe9\"\n");
    let table = [
        ("recipe:busibox", "no built-in recipe: busibox", "did you mean busybox?"),
        ("Alpine:3", "the name of an image has lower-case letters only: Alpine:3", ""),
        ("./root.tar", "this path is no recipe: ./root.tar", "tar:./root.tar"),
        ("./gone.toml", "no such recipe: ./gone.toml", ""),
        (
            "recipe:./folder",
            "the recipe is a directory: ./folder",
            "name the file in it: ./folder/mote.toml",
        ),
        ("latin1.toml", "the recipe is not UTF-8 text, on line 2: latin1.toml", ""),
    ];
    for (source, message, hint) in table {
        let failed = sandbox.mote(["run", source]).run().expect_code(125);
        failed.expect_said(&[&format!("error: {message}\n"), hint]);
    }
}

#[test]
fn what_is_wrong_in_a_recipe_is_told_with_its_line_and_the_nearest_name() {
    let sandbox = sandbox();
    let recipe = Recipe::builtin_text("busybox").unwrap();
    let lines = recipe.lines().count();
    let table = [
        ("memroy = \"1m\"", "unknown key memroy", "did you mean memory?"),
        ("memory = \"1q\"", "not an amount of memory: 1q", ""),
        ("network = \"bridge\"", "bridge", "known are"),
        ("publish = [\"http:80\"]", "http:80", ""),
        ("cpus = 0", "0", ""),
    ];
    for (line, message, hint) in table {
        // The last table of the recipe is [run].
        let path = sandbox.write("mote.toml", format!("{recipe}{line}\n"));
        let failed = sandbox.mote(["run"]).arg(path).run().expect_code(125);
        failed.expect_said(&[&format!("mote.toml:{}: ", lines + 1), message, hint]);
    }
    let path = sandbox.write("mote.toml", recipe.replace("version = 1", "version = 2"));
    let failed = sandbox.mote(["run"]).arg(path).run().expect_code(125);
    failed.expect_said(&["version 2 of the schema is not known"]);
}

#[test]
fn flags_of_docker_that_are_not_there_are_told_with_a_way() {
    let sandbox = sandbox();
    let table: [(&[&str], &str, &str); 5] = [
        (&["-d"], "-d", "`&`"),
        (&["-itd"], "-d", "`&`"),
        (&["--name=one"], "--name", "ends with it"),
        (&["-v", "/srv:/srv"], "-v", "mote image build --overlay"),
        (&["--privileged"], "--privileged", "kernel of its own"),
    ];
    for (flags, flag, hint) in table {
        let run = sandbox.mote(["run"]).args(flags.to_vec()).args(["recipe:busybox"]);
        let failed = run.run().expect_code(125);
        failed.expect_said(&[&format!("error: there is no {flag}\nhint: "), hint]);
    }
    // A word of another verb's, for an image of that name.
    sandbox
        .mote(["pull", "-v", "run"])
        .run()
        .expect_code(125)
        .expect_said(&["error: there is no -v\nhint: `mote pull --help` lists what there is\n"]);
}

/// As when a log's disk is full: what cannot be told changes no exit code.
#[test]
fn a_standard_error_that_takes_nothing_ends_nothing() {
    let sandbox = super::sandbox();
    let script = format!("{} run no:such:source 2>/dev/full", env!("CARGO_BIN_EXE_mote"));
    sandbox.shell(&script).run().expect_code(125);
}

#[test]
fn values_of_flags_are_checked() {
    let sandbox = sandbox();
    let table = [
        (&["--memory", "5q"][..], "not an amount of memory: 5q"),
        (&["--network", "bridge"], "bridge"),
        (&["--accel", "xen"], "xen"),
        (&["--publish", "http:80"], "http:80"),
        (&["--tmpfs", "/tmp:nosiud"], "not an option of tmpfs"),
        (&["--cpus", "many"], "many"),
        (&["--cpus", "0"], "0"),
        (&["--hostname", "two words"], "--hostname: not a host name: two words"),
        (&["--kernel", "folder", "--feature", "net"], "cannot be used with '--feature"),
    ];
    for (flags, message) in table {
        let run = sandbox.mote(["run"]).args(flags.iter().copied()).arg("recipe:busybox").run();
        run.expect_code(125).expect_said(&["error: ", message]);
    }
}

#[test]
fn a_file_of_variables_is_checked() {
    let sandbox = sandbox();
    sandbox.write("variables", "A=b\n# none\nexport C=d\n");
    for (file, message) in [
        ("variables", "error: variables:3: no name of a variable: \"export C\"\n"),
        ("gone", "error: cannot read the variables in gone\n"),
    ] {
        let run = sandbox.mote(["run", "--env-file", file, "recipe:busybox"]).run();
        run.expect_code(125).expect_said(&[message]);
    }
}

#[test]
fn an_unknown_feature_is_told_with_the_nearest() {
    let run =
        super::sandbox().mote(["run", "--feature", "wiregaurd", "recipe:busybox", "true"]).run();
    run.expect_code(125).expect_said(&["unknown feature: wiregaurd", "did you mean wireguard?"]);
}

#[test]
fn a_terminal_is_not_made_of_a_pipe() {
    let run = sandbox().mote(["run", "-it", "recipe:busybox", "sh"]).run().expect_code(125);
    run.expect_said(&["error: the input device is not a terminal"]);
}

#[test]
fn recipes_are_listed_and_printed_as_they_are() {
    let sandbox = sandbox();
    assert_eq!(sandbox.mote(["recipe"]).run().expect_code(0).text(), "busybox\n");
    let text = sandbox.mote(["recipe", "busybox"]).run().expect_code(0).text();
    assert_eq!(text, Recipe::builtin_text("busybox").unwrap());
    let json = |args: &[&str]| -> serde_json::Value {
        let args = [&["recipe", "--format", "json"], args].concat();
        serde_json::from_slice(&sandbox.mote(args).run().expect_code(0).stdout).unwrap()
    };
    assert_eq!(json(&[])[0]["name"], "busybox");
    assert_eq!(json(&["busybox"])["text"], text);
    let failed = sandbox.mote(["recipe", "busibox"]).run().expect_code(125);
    failed.expect_said(&["no built-in recipe: busibox", "did you mean busybox?"]);
}

/// A kernel that a recipe names is not one that has what the flags ask for.
#[test]
fn flags_for_a_kernel_that_is_built_win_over_the_recipes_kernel() {
    let mut sandbox = super::sandbox();
    sandbox.program("qemu-system-x86_64", "exit 1");
    let recipe = Recipe::builtin_text("busybox").unwrap();
    let path = sandbox.write("mote.toml", format!("{recipe}kernel = \"folder\"\n"));
    let table = [
        (&[][..], "kernel.json is missing"),
        (&["--feature", "wiregaurd"], "unknown feature: wiregaurd"),
        (&["--source", "gone.tar.xz"], "no such source: gone.tar.xz"),
    ];
    for (flags, message) in table {
        let run = sandbox.mote(["run"]).args(flags.iter().copied()).arg(&path).arg("true").run();
        run.expect_code(125).expect_said(&["error: ", message]);
    }
}
