//! How many files a build will compile, from the kernel's makefiles.
//!
//! Asking `make -n` would take as long as a part of the build. The makefiles are mostly lists
//! (Documentation/kbuild/makefiles.rst, "Kbuild Makefiles"), so reading those as far as they are
//! simple gives the number within a few percent in some milliseconds. Nothing but the progress
//! display depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mote_kconfig::{Config, Value};

/// The directories that a kernel for x86-64 is linked from, where they depend on a symbol with it
/// (the top Kbuild and Makefile, arch/x86/Makefile).
const TOP: [(&str, Option<&str>); 21] = [
    ("init", None),
    ("usr", None),
    ("arch/x86", None),
    ("kernel", None),
    ("certs", None),
    ("mm", None),
    ("fs", None),
    ("ipc", None),
    ("security", None),
    ("crypto", None),
    ("block", Some("BLOCK")),
    ("io_uring", Some("IO_URING")),
    ("drivers", None),
    ("sound", None),
    ("net", Some("NET")),
    ("virt", None),
    ("lib", None),
    ("arch/x86/lib", None),
    ("arch/x86/pci", Some("PCI")),
    ("arch/x86/power", Some("PM")),
    ("arch/x86/video", Some("VIDEO")),
];

/// What every build compiles beside those lists: objtool, the boot and decompression code, the
/// real-mode code, the vDSO, kallsyms. Counted in builds of 6.1 and 6.12.
const BESIDE: usize = 85;

/// The number of files that `make vmlinux bzImage` compiles or assembles for the kernel.
pub(super) fn files_to_compile(source: &Path, config: &Config) -> u32 {
    let mut count = Count { config, seen: BTreeSet::new(), files: BESIDE };
    for (directory, symbol) in TOP {
        if symbol.is_none_or(|symbol| count.is_built_in(symbol)) {
            count.directory(&source.join(directory));
        }
    }
    u32::try_from(count.files).unwrap_or(u32::MAX)
}

struct Count<'a> {
    config: &'a Config,
    seen: BTreeSet<PathBuf>,
    files: usize,
}

impl Count<'_> {
    fn directory(&mut self, directory: &Path) {
        if !self.seen.insert(directory.to_owned()) {
            return;
        }
        let read = |name| fs::read_to_string(directory.join(name));
        let Ok(text) = read("Kbuild").or_else(|_| read("Makefile")) else {
            return;
        };
        let lists = self.lists(&text);
        let words: BTreeSet<&String> =
            ["obj", "lib"].iter().filter_map(|&list| lists.get(list)).flatten().collect();
        for word in words {
            if let Some(below) = word.strip_suffix('/') {
                self.directory(&directory.join(below));
            } else if let Some(object) = word.strip_suffix(".o") {
                self.files += lists.get(object).map_or(1, Vec::len);
            }
        }
    }

    /// The words of every list of a makefile that are built in: `obj-y`, `lib-$(CONFIG_X)`, and the
    /// parts of composite objects, `name-y` or `name-objs`.
    fn lists(&self, text: &str) -> BTreeMap<String, Vec<String>> {
        let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut conditions: Vec<bool> = Vec::new();
        for line in text.replace("\\\n", " ").lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            let (first, rest) = line.split_once([' ', '\t', '(']).unwrap_or((line, ""));
            match first {
                "ifdef" | "ifndef" | "ifeq" | "ifneq" => conditions.push(self.holds(first, rest)),
                "else" => {
                    if let Some(holds) = conditions.last_mut() {
                        *holds = !*holds;
                    }
                }
                "endif" => {
                    conditions.pop();
                }
                _ if conditions.iter().all(|&holds| holds) => {
                    if let Some((list, words)) = self.assignment(line) {
                        lists.entry(list.to_owned()).or_default().extend(words.map(str::to_owned));
                    }
                }
                _ => {}
            }
        }
        lists
    }

    /// `name-y += words`, if the suffix says that they are built in.
    fn assignment<'t>(&self, line: &'t str) -> Option<(&'t str, impl Iterator<Item = &'t str>)> {
        let (left, words) = line.split_once('=')?;
        let left = left.trim_end_matches(['+', ':', '?']).trim();
        let at = left.find("-$(").or_else(|| left.rfind('-'))?;
        let (name, suffix) = (&left[..at], &left[at + 1..]);
        let built_in = match symbol_in(suffix) {
            Some(symbol) => self.is_built_in(symbol),
            None => matches!(suffix, "y" | "objs"),
        };
        built_in.then(|| (name, words.split_whitespace()))
    }

    /// Whether a conditional directive holds. Those that ask for something else than one symbol
    /// are taken to hold: most wrap a list that is usually wanted.
    fn holds(&self, directive: &str, rest: &str) -> bool {
        let Some(symbol) = symbol_in(rest) else {
            return true;
        };
        let negated = directive.starts_with("ifn") != rest.ends_with(",)");
        self.is_built_in(symbol) != negated
    }

    fn is_built_in(&self, symbol: &str) -> bool {
        self.config.get(symbol) == Some(&Value::Yes)
    }
}

/// `X` of a text that holds `CONFIG_X`.
fn symbol_in(text: &str) -> Option<&str> {
    let (_, name) = text.split_once("CONFIG_")?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    Some(&name[..end])
}
#[cfg(test)]
mod tests {
    use super::*;

    /// Makefiles of a source, by directory.
    const MAKEFILES: [(&str, &str); 4] = [
        (
            "init",
            "# obj-y += no.o\nobj-y := main.o \\\n  version.o\nobj-$(CONFIG_BOOT) += boot.o\n\
             obj-$(CONFIG_OFF) += off.o\nobj-m += module.o\nmounts-y := a.o b.o\n\
             mounts-$(CONFIG_BOOT) += c.o\nobj-y += mounts.o main.o\n",
        ),
        (
            "drivers",
            "obj-y += net/ gone/ net/\nifdef CONFIG_BOOT\nobj-y += 1.o\nelse\nobj-y += 2.o 3.o\nendif\n\
             ifneq ($(CONFIG_OFF),)\nobj-y += 4.o 5.o\nendif\nifeq ($(CONFIG_BOOT),y)\nobj-y += 6.o\nendif\n\
             ifeq ($(call other),)\nobj-y += 7.o\nendif\n",
        ),
        ("drivers/net", "lib-y += x.o\nccflags-y += -DX\n"),
        ("block", "obj-y += bio.o\n"),
    ];

    #[test]
    fn lists_are_counted() {
        let source = tempfile::tempdir().unwrap();
        for (directory, makefile) in MAKEFILES {
            let directory = source.path().join(directory);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("Makefile"), makefile).unwrap();
        }
        let count = |config: &str| {
            files_to_compile(source.path(), &Config::parse("c", config).unwrap()) as usize - BESIDE
        };
        // main, version, boot, mounts of three; 1, 6, 7; x.
        assert_eq!(count("CONFIG_BOOT=y\n"), 6 + 3 + 1);
        // main, version, mounts of two; 2, 3, 7; x; bio.
        assert_eq!(count("CONFIG_BLOCK=y\n"), 4 + 3 + 1 + 1);
    }
}
