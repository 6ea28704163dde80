//! The macro language of Kconfig, as far as it can be followed without running programs.

use std::collections::HashMap;

/// Variables nest no deeper than this in any sane tree; a self-reference would not end.
const DEPTH: u32 = 32;
/// No sane text needs more values than this; `X = $(X)$(X)` would need two to the power of [`DEPTH`].
const VALUES: u32 = 4096;

/// The variables of the macro language: those of the caller's environment, and those that the
/// files assign (Documentation/kbuild/kconfig-macro-language.rst).
///
/// A reference is replaced by its value if that needs no function; `$(cc-option,-m32)` and
/// `$(shell,…)` stay as they are written, and are later a test with an unknown outcome.
#[derive(Debug)]
pub(super) struct Variables {
    values: HashMap<String, String>,
}

/// `=`, `:=` or `+=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssignmentKind {
    Recursive,
    Immediate,
    Append,
}

impl Variables {
    pub(super) fn new<'a>(environment: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self { values: environment.into_iter().map(owned).collect() }
    }

    pub(super) fn assign(&mut self, name: &str, kind: AssignmentKind, value: &str) {
        let value = match kind {
            AssignmentKind::Recursive => value.to_owned(),
            AssignmentKind::Immediate => self.expand(value),
            AssignmentKind::Append => match self.values.get(name) {
                Some(old) => format!("{old} {value}"),
                None => value.to_owned(),
            },
        };
        self.values.insert(name.to_owned(), value);
    }

    /// `text` with every reference replaced that can be.
    pub(super) fn expand(&self, text: &str) -> String {
        let mut left = VALUES;
        self.expand_within(text, DEPTH, &mut left)
    }

    /// `left` is how many values may still be put in.
    fn expand_within(&self, text: &str, depth: u32, left: &mut u32) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("$(") {
            let (before, reference) = rest.split_at(at);
            let (reference, after) = reference.split_at(reference_len(reference));
            expanded.push_str(before);
            match self.value_of(reference, depth, left) {
                Some(value) => expanded.push_str(&value),
                None => expanded.push_str(reference),
            }
            rest = after;
        }
        expanded.push_str(rest);
        expanded
    }

    fn value_of(&self, reference: &str, depth: u32, left: &mut u32) -> Option<String> {
        let name = reference.strip_prefix("$(")?.strip_suffix(')')?;
        let value = self.values.get(name)?;
        *left = left.checked_sub(1)?;
        let expanded = self.expand_within(value, depth.checked_sub(1)?, left);
        (!is_macro(&expanded)).then_some(expanded)
    }
}

/// Whether something in `text` could not be expanded.
pub(super) fn is_macro(text: &str) -> bool {
    text.contains("$(")
}

/// The length of the `$(…)` that `text` starts with: to its closing parenthesis, or to the end.
pub(super) fn reference_len(text: &str) -> usize {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth <= 1 => return at + 1,
            ')' => depth -= 1,
            '\n' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_function_is_expanded() {
        let mut variables = Variables::new([("SRCARCH", "x86"), ("CC", "gcc")]);
        variables.assign("later", AssignmentKind::Recursive, "$(now)!");
        variables.assign("now", AssignmentKind::Immediate, "a-$(SRCARCH)");
        variables.assign("now", AssignmentKind::Append, "b");
        variables.assign("test", AssignmentKind::Recursive, "$(shell,$(CC) $(1))");
        variables.assign("loop", AssignmentKind::Recursive, "$(loop)");
        variables.assign("bush", AssignmentKind::Recursive, "$(bush)$(bush)$(bush)");
        for (text, expanded) in [
            ("arch/$(SRCARCH)/Kconfig", "arch/x86/Kconfig"),
            ("$(later) $(SRCARCH)", "a-x86 b! x86"),
            ("$(cc-option,-m(32))$(CC)", "$(cc-option,-m(32))gcc"),
            ("$(test)", "$(test)"),
            ("$(unknown", "$(unknown"),
            ("$(loop)", "$(loop)"),
            ("$(bush)", "$(bush)"),
            ("$CC ${CC}", "$CC ${CC}"),
        ] {
            assert_eq!(variables.expand(text), expanded, "{text}");
        }
    }
}
