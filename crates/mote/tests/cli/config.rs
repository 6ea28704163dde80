//! `config.toml` and `mote env`.

use std::fs;

use mote_testkit::Sandbox;
use serde_json::Value;

/// A sandbox with this `config.toml`.
fn sandbox(config: &str) -> Sandbox {
    let sandbox = super::sandbox();
    sandbox.write("../config/mote/config.toml", config);
    sandbox
}

/// What is in force, and where it comes from.
fn setting(sandbox: &Sandbox, variables: &[(&str, &str)], name: &str) -> (String, String) {
    let env = sandbox.mote(["env", "--format", "json"]);
    let env = variables.iter().fold(env, |env, (name, value)| env.env(*name, *value));
    let rows: Vec<Value> = serde_json::from_slice(&env.run().expect_code(0).stdout).unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    let text = |key: &str| row[key].as_str().unwrap().to_owned();
    let home = sandbox.home().parent().unwrap().display().to_string();
    (text("value"), text("from").replace(&home, "BOX"))
}

#[test]
fn what_is_in_force_says_where_it_comes_from() {
    let config = "# mine\nmemory = \"1g\"\nmirror = \"http://one\"\n";
    let sandbox = sandbox(config);
    let is = |variables: &[(&str, &str)], name: &str, value: &str, from: &str| {
        assert_eq!(setting(&sandbox, variables, name), (value.to_owned(), from.to_owned()));
    };
    is(&[], "memory", "1g", "BOX/config/mote/config.toml:2");
    is(&[], "pull", "missing", "default");
    is(&[], "mirror", "http://one", "BOX/config/mote/config.toml:3");
    is(&[("MOTE_KERNEL_MIRROR", "http://two")], "mirror", "http://two", "MOTE_KERNEL_MIRROR");
    let proxy = [("https_proxy", "http://me:secret@proxy:3128")];
    is(&proxy, "https_proxy", "http://me:***@proxy:3128", "environment");
    let text = sandbox.mote(["env"]).run().expect_code(0).text();
    assert!(
        text.lines().any(|line| line.starts_with("memory ") && line.contains("  1g  (")),
        "{text}"
    );
}

#[test]
fn a_configuration_that_is_none_is_told_and_help_works_all_the_same() {
    let sandbox = sandbox("memry = \"1g\"\n");
    let path = "/config/mote/config.toml";
    let failed = |said: &[&str]| {
        for args in [&["images"][..], &["env"], &["doctor"], &["run", "recipe:busybox"]] {
            sandbox.mote(args.to_vec()).run().expect_code(125).expect_said(said);
        }
        for args in [&["--help"][..], &["version"], &["completion", "bash"], &["man"], &["recipe"]]
        {
            sandbox.mote(args.to_vec()).run().expect_code(0);
        }
    };
    failed(&[path, ":1: unknown key memry\nhint: did you mean memory?\n"]);
    let file = sandbox.home().join("../config/mote/config.toml");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    failed(&["error: the configuration is a directory: ", path]);
}
