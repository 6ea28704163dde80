//! The command line as it documents itself.

use std::collections::BTreeSet;

use mote_manifest::RunSettings;
use mote_testkit::Sandbox;

use super::sandbox;

/// The help of a verb and of all below it, in the order in which they are listed.
fn help(sandbox: &Sandbox, verb: &[&str], reference: &mut String) {
    let text = sandbox.mote(verb).arg("--help").run().expect_code(0).text();
    let line = ["mote"].iter().chain(verb).copied().collect::<Vec<_>>().join(" ");
    reference.push_str(&format!("$ {line} --help\n{text}\n"));
    for below in commands(&text) {
        help(sandbox, &[verb, &[below]].concat(), reference);
    }
}

/// The words that a help lists under `Commands:`.
fn commands(help: &str) -> impl Iterator<Item = &str> {
    let (_, listed) = help.split_once("\nCommands:\n").unwrap_or_default();
    let lines = listed.lines().take_while(|line| !line.is_empty());
    // What goes on on the next line is indented further.
    let names = lines.filter(|line| !line.starts_with("   "));
    // `help` would list everything once more.
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help")
}

/// To review a change: cargo insta review, or rename the `.snap.new`.
#[test]
fn the_whole_command_reference() {
    let mut reference = String::new();
    help(&sandbox(), &[], &mut reference);
    insta::assert_snapshot!("reference", reference);
}

#[test]
fn the_version_is_printed() {
    let version = sandbox().mote(["--version"]).run().expect_code(0);
    assert_eq!(version.text(), concat!("mote ", env!("CARGO_PKG_VERSION"), "\n"));
}

/// The long flags of a help.
fn flags(help: &str) -> BTreeSet<String> {
    let words = help.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix('-').filter(|line| !line.starts_with("- "))?;
        let (_, long) =
            format!("-{line}").split_once("--").map(|(a, b)| (a.len(), b.to_owned()))?;
        let is_name = |byte: &char| byte.is_ascii_lowercase() || *byte == '-';
        Some(long.chars().take_while(is_name).collect::<String>())
    });
    words.collect()
}

#[test]
fn every_flag_of_run_is_a_key_of_recipes_and_the_reverse() {
    let help = sandbox().mote(["run", "--help"]).run().expect_code(0).text();
    let mut flags = flags(&help);
    // How mote itself speaks; `source` is a key of [kernel], the variables of a file are `env`, and
    // --rm is how every run is.
    for other in ["help", "quiet", "source", "env-file", "rm"] {
        assert!(flags.remove(other), "{other} is gone from:\n{help}");
    }
    // CMD is no flag.
    let keys = RunSettings::KEYS.iter().filter(|key| **key != "command");
    assert_eq!(flags, keys.map(|key| (*key).to_owned()).collect());
}

#[test]
fn an_unknown_flag_is_motes_failure() {
    let refused = sandbox().mote(["run", "--hostnam", "x", "recipe:busybox"]).run();
    refused.expect_code(125).expect_said(&["error: there is no --hostnam\n", "--hostname"]);
}

#[test]
fn nothing_said_is_answered_with_the_help() {
    sandbox().mote([""; 0]).run().expect_code(125).expect_said(&["Usage: mote", "Commands:"]);
}

#[test]
fn help_is_a_verb_too() {
    let sandbox = sandbox();
    for (words, flags) in [(&["help"][..], &["--help"][..]), (&["help", "run"], &["run", "--help"])]
    {
        let [word, flag] =
            [words, flags].map(|args| sandbox.mote(args.to_vec()).run().expect_code(0).text());
        assert_eq!(word, flag);
    }
}

/// Each shell parses what is printed for it, where it is installed; bash is everywhere.
#[test]
fn completions_are_scripts_that_know_the_verbs_and_flags() {
    let sandbox = sandbox();
    for (shell, must) in [("bash", true), ("zsh", false), ("fish", false)] {
        let script = sandbox.mote(["completion", shell]).run().expect_code(0).text();
        for word in ["doctor", "menuconfig", "publish", "dry-run"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
        let file = sandbox.write(shell, &script);
        match std::process::Command::new(shell).arg("-n").arg(file).status() {
            Ok(status) => assert!(status.success(), "{shell} -n: {status}"),
            Err(error) => assert!(!must, "{shell}: {error}"),
        }
    }
    sandbox.mote(["completion", "shh"]).run().expect_code(125).expect_said(&["possible values: "]);
}

#[test]
fn the_manual_page_is_roff_with_every_verb() {
    let page = sandbox().mote(["man"]).run().expect_code(0).text();
    assert!(page.contains(".TH mote 1"), "{page}");
    for verb in ["run", "kernel", "image", "recipe", "doctor", "completion"] {
        assert!(page.contains(&format!("mote\\-{verb}(1)")), "{verb} is missing in:\n{page}");
    }
}
