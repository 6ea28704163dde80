//! Real source trees: every line of their Kconfig files is understood, and expressions have the
//! values that the kernel's own `conf` gives them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use mote_kconfig::tree::{
    ExplainedDefinition, ExplainedSelector, Explanation, Part, Place, Reason, SymbolTree, Tristate,
};
use mote_kconfig::{Asked, Config, Symbol, Value, parse_fragment};

#[test]
#[ignore = "needs an unpacked kernel source: run by ./test"]
fn linux_6_1_is_understood() {
    understand(&source("MOTE_TEST_SOURCE_6_1"), 16_000);
}

#[test]
#[ignore = "needs an unpacked kernel source: run by ./test"]
fn linux_6_12_is_understood() {
    understand(&source("MOTE_TEST_SOURCE_6_12"), 17_000);
}

#[test]
#[ignore = "needs an unpacked kernel source: run by ./test"]
fn linux_6_12_drops_are_explained() {
    let source = source("MOTE_TEST_SOURCE_6_12");
    let tree = load(&source);
    let fragment = "64BIT=y\nNF_NAT=y\nTTY=n\nCRC32=n\nVIRTIO_NETT=y\nNR_CPUS=4\n";
    let asked = Asked::merge(parse_fragment("mine.cfg", fragment).unwrap()).unwrap();
    let got = configure(&source, "allnoconfig", Some(&asked));
    let told = |symbol: &str| told(&tree, symbol, &got, &asked);

    let nat = told("NF_NAT");
    let steps: Vec<_> = nat.iter().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "  needs NF_CONNTRACK, which nobody asked for",
            "    needs INET, which nobody asked for",
            "      needs NET, which nobody asked for",
            "    needs NETFILTER, which nobody asked for",
            "      needs NET, which nobody asked for",
        ]
    );
    let reasons = tree.reasons(&"NF_NAT".parse().unwrap(), &Value::Yes, &got, &asked);
    assert_eq!(Reason::missing(&reasons), ["NET", "INET", "NETFILTER", "NF_CONNTRACK"]);
    assert!(told("TTY")[1].contains("can be set only with EXPERT, which nobody asked for"));
    assert!(told("CRC32")[0].contains("selected by EFI_PARTITION"));
    assert!(told("NR_CPUS")[0].contains("can be set only with SMP"));
    assert!(told("VIRTIO_NETT")[0].ends_with("the nearest is VIRTIO_NET"));
    assert_eq!(tree.unknown(&asked).count(), 1);
}

/// What an explanation says after `why:`.
fn told(tree: &SymbolTree, symbol: &str, got: &Config, asked: &Asked) -> Vec<String> {
    let lines = tree.explain(&symbol.parse().unwrap(), got, asked).render();
    let why = lines.into_iter().skip_while(|line| line != "why:").skip(1);
    why.take_while(|line| line.starts_with(' ')).collect()
}

fn source(variable: &str) -> PathBuf {
    let dir = env::var_os(variable)
        .unwrap_or_else(|| panic!("{variable} names no unpacked kernel source"));
    PathBuf::from(dir)
}

fn load(source: &Path) -> SymbolTree {
    SymbolTree::load(source, [("SRCARCH", "x86"), ("ARCH", "x86")]).unwrap()
}

fn understand(source: &Path, at_least: usize) {
    let tree = load(source);
    assert_eq!(tree.skipped(), [], "statements that are not understood");
    assert!(tree.iter().len() > at_least);
    every_entry_is_read(source, &tree);
    for target in ["allnoconfig", "x86_64_defconfig", "allmodconfig"] {
        let got = configure(source, target, None);
        let wrong: Vec<_> = tree
            .iter()
            .map(|(symbol, _)| tree.explain(symbol, &got, &Asked::default()))
            .filter_map(|explanation| contradiction(&explanation))
            .collect();
        assert_eq!(wrong, Vec::<String>::new(), "{target}");
    }
}

/// Compares with a search for `config` and `menuconfig` in every file that declares something.
fn every_entry_is_read(source: &Path, tree: &SymbolTree) {
    let definitions = tree.iter().flat_map(|(_, declared)| &declared.definitions);
    let read: BTreeSet<_> = definitions.map(|definition| definition.place.clone()).collect();
    let mut written = BTreeSet::new();
    for file in read.iter().map(|place| &place.file).collect::<BTreeSet<_>>() {
        let text = String::from_utf8_lossy(&fs::read(source.join(&**file)).unwrap()).into_owned();
        let entries = text.lines().zip(1..).filter(|(line, _)| starts_entry(line));
        written.extend(entries.map(|(_, line)| Place { file: file.clone(), line }));
    }
    assert_eq!(read.symmetric_difference(&written).collect::<Vec<_>>(), Vec::<&Place>::new());
}

/// `config X` and nothing more: help texts have lines that start with `config` too.
fn starts_entry(line: &str) -> bool {
    let words: Vec<_> = line.split('#').next().unwrap().split_whitespace().collect();
    matches!(words.as_slice(), ["config" | "menuconfig", name] if name.parse::<Symbol>().is_ok())
}

/// Runs the kernel's own `conf` outside the source tree.
fn configure(source: &Path, target: &str, asked: Option<&Asked>) -> Config {
    let build = tempfile::tempdir().unwrap();
    let mut make = Command::new("make");
    make.arg("-s")
        .arg("-C")
        .arg(source)
        .arg("ARCH=x86")
        .arg(format!("O={}", build.path().display()));
    if let Some(asked) = asked {
        let all = build.path().join("asked");
        fs::write(&all, asked.render()).unwrap();
        make.env("KCONFIG_ALLCONFIG", all);
    }
    let output = make.arg(target).output().expect("make: apt-get install make gcc flex bison");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(build.path().join(".config")).unwrap();
    Config::parse(".config", &text).unwrap()
}

/// What `conf` cannot have meant if its expressions have the values that are found here
/// (`sym_calc_value` of scripts/kconfig/symbol.c).
fn contradiction(explanation: &Explanation) -> Option<String> {
    let symbol = &explanation.symbol;
    let mut definitions = explanation.definitions.iter();
    let visible = definitions.clone().any(|definition| visibility(definition) == Some(true));
    let maybe_visible = definitions.clone().any(|definition| visibility(definition) != Some(false));
    let in_choice = definitions.clone().any(|definition| !definition.choice.is_empty());
    let active = |by: &ExplainedSelector| by.value > Tristate::No;
    // Such a symbol is written even where its dependencies keep it at n.
    let implied = explanation.implied_by.iter().any(active);
    let set_otherwise =
        implied || definitions.any(has_default) || explanation.selected_by.iter().any(active);
    match &explanation.value {
        None if visible && !in_choice => Some(format!("{symbol} is visible, and not in the file")),
        Some(value) if !maybe_visible && !set_otherwise => {
            Some(format!("{symbol} is {value}, and nothing sets it"))
        }
        Some(Value::No) if !maybe_visible && !in_choice && !implied => {
            Some(format!("{symbol} is in the file, and not visible"))
        }
        _ => None,
    }
}

/// Whether a prompt is shown; `None` if that hangs on a test of the compiler.
fn visibility(definition: &ExplainedDefinition) -> Option<bool> {
    if definition.prompt.is_none() {
        return Some(false);
    }
    // Since Linux 6.9, the condition of a choice's prompt does not bind its members.
    match definition.choice.is_empty() {
        true => all_hold(definition.depends_on.iter().chain(&definition.shown_if)),
        false => all_hold(&definition.depends_on),
    }
}

fn has_default(definition: &ExplainedDefinition) -> bool {
    all_hold(&definition.depends_on) != Some(false)
        && definition.defaults.iter().any(|default| default.value != Some(Tristate::No))
}

fn all_hold<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Option<bool> {
    let mut holds = Some(true);
    for part in parts {
        match part.value {
            Some(Tristate::No) => return Some(false),
            Some(_) => {}
            None => holds = None,
        }
    }
    holds
}
