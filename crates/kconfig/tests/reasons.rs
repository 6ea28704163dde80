//! Each reason for which Kconfig drops a request, on a small tree.

use std::fs;
use std::path::Path;

use mote_kconfig::tree::{Reason, SymbolTree, TreeError, render_dropped};
use mote_kconfig::{Asked, Asker, Config, Necessity, Origin, Request, Verdict, parse_fragment};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const KCONFIG: &str = r#"
mainmenu "A small kernel"
source "scripts/Kconfig.include"
source "arch/$(SRCARCH)/Kconfig"
source "net/Kconfig"

config EXPERT
	bool "Expert users"
	help
	  Shows more.

	    Indented.

config MODULES
	bool "Loadable modules"

config SPEAKER
	bool "Speaker" if EXPERT
	default y

menu "Drivers"
	depends on NET

config CARD
	tristate "A card"
	depends on PCI || USB
	depends on !TINY

config SENSOR
	tristate "A sensor"
	depends on $(cc-option,-msensor)

endmenu

config TINY
	bool "Small above all"

config CRC
	tristate

config DISK
	bool "Disks"
	select CRC if NET
	select CRC

config FS
	bool "File systems"
	imply CACHE
	select DISK

config CACHE
	bool "Cache"

config TIMER
	def_bool EXPERT || TINY
	depends on NET

menu "Hidden"
	visible if EXPERT

config RARE
	bool "Rarely asked"

endmenu

config WORKERS
	int "Workers"
	range 1 MAX_WORKERS if NET
	range 1 4
	default 2

config MAX_WORKERS
	int
	default 64

config START
	hex "Start address"
	default 0x1000

config NAME
	string "Name" if EXPERT
	default "none"

config TWICE
	bool "Twice, first"
	depends on PCI && USB && TINY

config TWICE
	bool "Twice, again"
	depends on EXPERT

config NEWER
	bool "Needs a new compiler"
	depends on CC_VERSION >= 130000

config CC_VERSION
	int
	default $(cc-version)

config WISH
	bool "Wishful"
	depends on GONE

config ALIKE
	bool "Since 6.18"
	depends on PCI if EXPERT

choice
	prompt "Compression"
	default GZIP
	depends on !TINY

config GZIP
	bool "gzip"

config XZ
	bool "xz"

endchoice

frobnicate the bits

config FRAME
	tristate "frames"

config PICTURE
	bool "pictures"
	depends on FRAME
"#;

const INCLUDE: &str = r#"
comma := ,
cc-option = $(success,$(CC) -Werror $(1) -c -x c /dev/null)
cc-version := $(shell,set -- $(cc-info) && echo $2)
$(error-if,$(success,test -z "$(cc-info)"),Sorry$(comma) this C compiler is not supported.)
"#;

const ARCH: &str = r#"
config PCI
	bool "PCI"
config USB
	bool "USB"
config BARE
	bool "Without checksums"
	depends on !CRC
"#;

const NET: &str = r#"
menuconfig NET
	bool "Networking"

if NET

config INET
	bool "Internet"

menuconfig NETFILTER
	bool "Packet filter"

config CONNTRACK
	tristate "Connections"
	depends on INET && NETFILTER

config NAT
	tristate "Address translation"
	depends on CONNTRACK

endif # NET
"#;

const GOT: &str =
    "CONFIG_WORKERS=2\nCONFIG_START=0x1000\nCONFIG_CC_VERSION=120200\nCONFIG_GZIP=y\n";

fn write_tree(dir: &Path, kconfig: &str) {
    for (name, text) in [
        ("Kconfig", kconfig),
        ("scripts/Kconfig.include", INCLUDE),
        ("arch/x86/Kconfig", ARCH),
        ("net/Kconfig", NET),
    ] {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn load(kconfig: &str) -> Result<SymbolTree, TreeError> {
    let dir = tempfile::tempdir().unwrap();
    write_tree(dir.path(), kconfig);
    SymbolTree::load(dir.path(), [("SRCARCH", "x86")])
}

fn asked(fragment: &str) -> Asked {
    Asked::merge(parse_fragment("mine.cfg", fragment).unwrap()).unwrap()
}

/// The reasons for the one drop, as they are shown.
fn reasons(tree: &SymbolTree, fragment: &str, got: &str) -> String {
    let asked = asked(fragment);
    let got = Config::parse(".config", &format!("{GOT}{got}")).unwrap();
    let verdict = Verdict::compare(&asked, &got);
    let [dropped] = verdict.dropped.as_slice() else { panic!("{fragment}: {:?}", verdict.dropped) };
    let request = &dropped.request;
    let reasons = tree.reasons(&request.symbol, &request.value, &got, &asked);
    render_dropped(dropped, &reasons)[1..].join("\n")
}

#[test]
fn each_reason_is_told() {
    let tree = load(KCONFIG).unwrap();
    for (fragment, got, told) in [
        // A chain, at each step with the file and line that demands it.
        (
            "NAT=y",
            "",
            "  needs CONNTRACK, which nobody asked for (net/Kconfig:19)
    needs INET, which nobody asked for (net/Kconfig:15)
      needs NET, which nobody asked for (if at net/Kconfig:5)
    needs NETFILTER, which nobody asked for (net/Kconfig:15)
      needs NET, which nobody asked for (if at net/Kconfig:5)",
        ),
        // The same with one step that somebody forbids.
        (
            "CONNTRACK=y\nNETFILTER=n",
            "CONFIG_NET=y\nCONFIG_INET=y\n# CONFIG_NETFILTER is not set\n",
            "  needs NETFILTER, which mine.cfg:2 sets to n (net/Kconfig:15)",
        ),
        // Alternatives, a menu, and something that must not be.
        (
            "CARD=y\nTINY=y",
            "CONFIG_TINY=y\nCONFIG_NET=y\n",
            "  needs one of PCI, USB (Kconfig:26)
  needs TINY unset, which mine.cfg:2 asks for (Kconfig:27)",
        ),
        (
            "BARE=y\nFS=y",
            "CONFIG_CRC=y\nCONFIG_DISK=y\nCONFIG_FS=y\n",
            "  needs CRC unset, which is y (arch/x86/Kconfig:8)
    selected by DISK (Kconfig:44)
      selected by FS (Kconfig:49), which mine.cfg:2 asks for",
        ),
        ("SENSOR=y", "", "  needs NET, which nobody asked for (menu at Kconfig:22)"),
        (
            "SENSOR=y",
            "CONFIG_NET=y\n",
            "  needs $(cc-option,-msensor), which only the kernel's build can test (Kconfig:31)",
        ),
        // Prompts that are hidden or missing.
        (
            "SPEAKER=n",
            "CONFIG_SPEAKER=y\n",
            "  its default is y (Kconfig:19)
  can be set only with EXPERT, which nobody asked for (Kconfig:18)",
        ),
        ("RARE=y", "", "  can be set only with EXPERT, which nobody asked for (Kconfig:59)"),
        (
            "NAME=\"x\"",
            "CONFIG_NAME=\"none\"\n",
            "  can be set only with EXPERT, which nobody asked for (Kconfig:81)",
        ),
        ("CRC=y", "", "  it cannot be asked for, as it has no prompt: it is selected by DISK"),
        (
            "TIMER=y",
            "CONFIG_NET=y\n",
            "  it cannot be asked for, as it has no prompt: it is by default EXPERT || TINY",
        ),
        (
            "MAX_WORKERS=5",
            "CONFIG_MAX_WORKERS=64\n",
            "  it cannot be asked for, as it has no prompt: it is by default 64",
        ),
        // Forced on, directly and through another.
        (
            "DISK=n\nFS=y",
            "CONFIG_DISK=y\nCONFIG_FS=y\nCONFIG_CRC=y\n",
            "  selected by FS (Kconfig:49), which mine.cfg:2 asks for",
        ),
        (
            "CRC=n\nFS=y",
            "CONFIG_DISK=y\nCONFIG_FS=y\nCONFIG_CRC=y\n",
            "  selected by DISK (Kconfig:44)
    selected by FS (Kconfig:49), which mine.cfg:2 asks for",
        ),
        // Choices.
        (
            "GZIP=y\nXZ=y",
            "# CONFIG_GZIP is not set\nCONFIG_XZ=y\n",
            "  the choice \"Compression\" is XZ, which mine.cfg:2 asks for",
        ),
        ("GZIP=n", "", "  the choice \"Compression\" needs one member: ask for another one, XZ"),
        (
            "XZ=y\nTINY=y",
            "CONFIG_TINY=y\n# CONFIG_GZIP is not set\n",
            "  needs TINY unset, which mine.cfg:2 asks for (choice at Kconfig:111)",
        ),
        // Values that cannot be.
        ("WORKERS=9", "", "  it must be from 1 to 4 (Kconfig:69)"),
        (
            "WORKERS=90",
            "CONFIG_NET=y\nCONFIG_MAX_WORKERS=64\n",
            "  it must be from 1 to 64 (Kconfig:68)",
        ),
        ("NET=m", "", "  m is no value for its type, bool"),
        ("WORKERS=y", "", "  y is no value for its type, int"),
        ("START=-1", "", "  -1 is no value for its type, hex"),
        ("CARD=m", "CONFIG_NET=y\nCONFIG_PCI=y\n", "  there are no modules: MODULES is not set"),
        // What would do as a module has to be built in where there are none.
        ("PICTURE=y", "", "  needs FRAME, which nobody asked for (Kconfig:128)"),
        // Names that are not there.
        (
            "CONNTRAK=y",
            "",
            "  this source tree has no such symbol for this architecture; the nearest is CONNTRACK",
        ),
        ("WISH=y", "", "  needs GONE, which this source tree does not have (Kconfig:102)"),
        // Others.
        ("NEWER=y", "", "  needs CC_VERSION >= 130000, where the left is \"120200\" (Kconfig:94)"),
        ("TWICE=y", "", "  needs EXPERT, which nobody asked for (Kconfig:90)"),
        (
            "ALIKE=y\nEXPERT=y",
            "CONFIG_EXPERT=y\n",
            "  needs one of these (Kconfig:106):\n    PCI\n    !EXPERT",
        ),
        ("CACHE=y", "", "  the Kconfig files show no reason"),
    ] {
        assert_eq!(reasons(&tree, fragment, got), told, "{fragment}");
    }
}

#[test]
fn a_drop_names_who_asked() {
    let tree = load(KCONFIG).unwrap();
    let request = Request {
        symbol: "INET".parse().unwrap(),
        value: "y".parse().unwrap(),
        origin: Origin { asker: Asker::Feature("net".into()), file: "net.toml".into(), line: 7 },
        necessity: Necessity::Required,
        why: None,
    };
    let asked = Asked::merge([request]).unwrap();
    let got = Config::default();
    let verdict = Verdict::compare(&asked, &got);
    let dropped = verdict.failures().next().unwrap();
    let reasons = tree.reasons(&dropped.request.symbol, &dropped.request.value, &got, &asked);
    assert_eq!(
        render_dropped(dropped, &reasons),
        [
            "INET: feature net (net.toml:7) asks for y, Kconfig gives n",
            "  needs NET, which nobody asked for (if at net/Kconfig:5)",
        ]
    );
}

#[test]
fn what_is_missing_can_be_asked_for() {
    let tree = load(KCONFIG).unwrap();
    let (asked, got) = (asked("NAT=y\n"), Config::default());
    let reasons = tree.reasons(&"NAT".parse().unwrap(), &"y".parse().unwrap(), &got, &asked);
    assert_eq!(Reason::missing(&reasons), ["NET", "INET", "NETFILTER", "CONNTRACK"]);
}

#[test]
fn unknown_symbols_are_found_before_a_build() {
    let tree = load(KCONFIG).unwrap();
    let asked = asked("NETT=n\nNET=y\n");
    let unknown: Vec<_> = tree.unknown(&asked).map(|request| request.symbol.as_str()).collect();
    assert_eq!(unknown, ["NETT"]);
    assert_eq!(tree.nearest("NETT"), Some("NET"));
}

#[test]
fn a_set_symbol_is_explained() {
    let tree = load(KCONFIG).unwrap();
    let got =
        Config::parse("c", "CONFIG_DISK=y\nCONFIG_FS=y\nCONFIG_CRC=y\nCONFIG_CACHE=y\n").unwrap();
    let asked = asked("FS=y # for my files\n");
    let explain =
        |symbol: &str| tree.explain(&symbol.parse().unwrap(), &got, &asked).render().join("\n");
    assert_eq!(
        explain("FS"),
        "FS = y (bool)
asked:
  y by mine.cfg:1: for my files
\"File systems\" (Kconfig:46):
  selects:
    [y] DISK (Kconfig:49)
  implies:
    [y] CACHE (Kconfig:48)"
    );
    assert_eq!(
        explain("CRC"),
        "CRC = y (tristate)
asked:
  by nobody
why:
  selected by DISK (Kconfig:44)
    selected by FS (Kconfig:49), which mine.cfg:1 asks for
no prompt (Kconfig:38):
selected by:
  [y] DISK (Kconfig:44)
  [n] DISK"
    );
}

#[test]
fn an_unset_symbol_is_explained() {
    let tree = load(KCONFIG).unwrap();
    let got = Config::parse("c", "# CONFIG_EXPERT is not set\nCONFIG_WORKERS=2\n").unwrap();
    let explain = |symbol: &str| {
        let explanation = tree.explain(&symbol.parse().unwrap(), &got, &Asked::default());
        explanation.render().join("\n")
    };
    assert_eq!(
        explain("EXPERT"),
        "EXPERT = n (bool)
asked:
  by nobody
\"Expert users\" (Kconfig:7):
  help:
    Shows more.

      Indented."
    );
    assert_eq!(
        explain("WORKERS"),
        "WORKERS = 2 (int)
asked:
  by nobody
why:
  its default is 2 (Kconfig:70)
\"Workers\" (Kconfig:66):
  default:
    [y] 2 (Kconfig:70)
  range:
    [n] 1 MAX_WORKERS if NET (Kconfig:68)
    [y] 1 4 (Kconfig:69)"
    );
    assert_eq!(
        explain("NETT"),
        "NETT
asked:
  by nobody
why:
  this source tree has no such symbol for this architecture; the nearest is NET"
    );
}

#[test]
fn explanations_are_json_too() {
    let tree = load(KCONFIG).unwrap();
    let explanation = tree.explain(&"CARD".parse().unwrap(), &Config::default(), &Asked::default());
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["definitions"][0]["place"], "Kconfig:24");
    assert_eq!(json["definitions"][0]["depends_on"][1]["text"], "PCI || USB");
    assert_eq!(json["reasons"][0]["reason"], "dependency");
    assert_eq!(json["reasons"][0]["unmet"]["symbol"], "NET");
}

#[test]
fn unknown_statements_are_noted_and_passed_over() {
    let tree = load(KCONFIG).unwrap();
    let skipped: Vec<_> = tree.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(skipped, ["Kconfig:121"]);
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(
        pieces in vec(
            prop_oneof![
                select(vec![
                    "config A", "menuconfig B", "menu \"M\"", "endmenu", "if A", "endif", "choice", "endchoice",
                    "depends on A", "select B if", "default", "def_bool y", "range 1 A", "visible if A", "help",
                    "bool", "prompt \"P", "$(", "X = $(X)", "X := $(X)", "&&", "||", "(", ")", "!", "=", "if",
                    "\\", "\n", "\t", "  ", "#", "'", "source \"net/Kconfig\"",
                ])
                .prop_map(str::to_owned),
                "(?s).{0,8}",
            ],
            0..40,
        ),
    ) {
        if let Ok(tree) = load(&pieces.join(" ")) {
            for (symbol, _) in tree.iter() {
                let explanation = tree.explain(symbol, &Config::default(), &Asked::default());
                prop_assert!(!explanation.render().is_empty());
            }
        }
    }
}

#[test]
fn broken_trees_are_named() {
    for (kconfig, message, hint) in [
        ("menu \"M\"\nconfig A\n\tbool\n", "Kconfig:1: no `endmenu` ends this", None),
        ("if A\nendmenu\n", "Kconfig:2: `endmenu` ends nothing", None),
        ("config A\n\tdepends on B &&\n", "Kconfig:2: `depends` is incomplete", None),
        ("config A\n\tdefault y if\n", "Kconfig:2: `default` is incomplete", None),
        ("config\n", "Kconfig:1: `config` is incomplete", None),
        ("source \"Kconfig\"\n", "Kconfig:1: Kconfig sources itself", None),
        (
            "source \"gone/Kconfig\"\n",
            "cannot read DIR/gone/Kconfig",
            Some("it is sourced by Kconfig:1: is the source tree complete?"),
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        write_tree(dir.path(), kconfig);
        let error = SymbolTree::load(dir.path(), [("SRCARCH", "x86")]).unwrap_err();
        let shown = error.to_string().replace(dir.path().to_str().unwrap(), "DIR");
        assert_eq!(shown, message);
        assert_eq!(error.hint().as_deref(), hint);
    }
    let empty = tempfile::tempdir().unwrap();
    let error = SymbolTree::load(empty.path(), []).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("give the top directory of a Linux source tree"));
}
