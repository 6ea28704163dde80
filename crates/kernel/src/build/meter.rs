//! How far a build is, and what went wrong first, from the lines that it prints.

use mote_process::printable;

/// The most lines that a failure shows.
const MOST_ERRORS: usize = 12;

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Files compiled or assembled so far.
    pub done: u32,
    /// How many there are, as far as can be told beforehand; never less than `done`.
    pub total: u32,
}

/// Reads along with a build's output.
#[derive(Debug)]
pub(super) struct Meter {
    done: u32,
    total: u32,
    errors: Vec<String>,
}

impl Meter {
    /// Of a build of `total` files, `done` of which an earlier one has compiled.
    pub(super) fn new(done: u32, total: u32) -> Self {
        Self { done, total, errors: Vec::new() }
    }

    /// Takes a line; gives the progress if it told of one.
    pub(super) fn read(&mut self, line: &str) -> Option<Progress> {
        if is_compilation(line) {
            self.done += 1;
            return Some(Progress { done: self.done, total: self.total.max(self.done) });
        }
        if is_error(line) && self.errors.len() < MOST_ERRORS {
            self.errors.push(printable(line.trim_end().as_bytes()));
        }
        None
    }

    /// The first lines that told of an error.
    pub(super) fn into_errors(self) -> Vec<String> {
        self.errors
    }
}

/// A line such as `  CC      init/main.o` (scripts/Kbuild.include, `quiet_cmd`).
fn is_compilation(line: &str) -> bool {
    line.strip_prefix("  ")
        .and_then(|line| line.split_once(' '))
        .is_some_and(|(what, _)| matches!(what, "CC" | "AS"))
}

/// What compilers, the linker, make and the kernel's scripts print when they give up.
fn is_error(line: &str) -> bool {
    ["error:", "Error:", "*** ", "undefined reference", "No space left on device", "Killed signal"]
        .iter()
        .any(|mark| line.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilations_are_counted() {
        let mut meter = Meter::new(1, 4);
        let counted: Vec<u32> = [
            "make[1]: Entering directory '/w'",
            "  HOSTCC  scripts/basic/fixdep",
            "  CC      init/main.o",
            "  AS      arch/x86/entry/entry.o",
            "  AR      init/built-in.a",
            "init/main.c:3: warning: unused",
            "  CC      a.o",
            "  CC      b.o",
        ]
        .into_iter()
        .filter_map(|line| meter.read(line))
        .map(|progress| progress.total - progress.done)
        .collect();
        assert_eq!(counted, [2, 1, 0, 0]);
        assert!(meter.into_errors().is_empty());
    }

    #[test]
    fn the_first_errors_are_kept() {
        let mut meter = Meter::new(0, 0);
        for line in [
            "init/main.c: In function 'start_kernel':",
            "init/main.c:7:3: error: expected ';' before '}' token",
            "make[3]: *** [scripts/Makefile.build:229: init/main.o] Error 1",
        ] {
            meter.read(line);
        }
        for _ in 0..50 {
            meter.read("x.c:1: error: more");
        }
        let errors = meter.into_errors();
        assert_eq!(errors.len(), MOST_ERRORS);
        assert_eq!(errors[0], "init/main.c:7:3: error: expected ';' before '}' token");
    }
}
