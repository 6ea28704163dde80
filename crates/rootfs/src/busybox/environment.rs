//! `/etc/environment`.

use std::collections::BTreeMap;

use super::SpecError;

/// Renders variables as `NAME='value'` lines, which a shell can source.
pub(super) fn render_environment(
    variables: &BTreeMap<String, String>,
) -> Result<String, SpecError> {
    let mut lines = String::new();
    for (name, value) in variables {
        if !is_name(name) {
            return Err(SpecError::VariableName { name: name.clone() });
        }
        if value.contains(['\n', '\0']) {
            return Err(SpecError::VariableValue { name: name.clone() });
        }
        lines += &format!("{name}='{}'\n", value.replace('\'', r"'\''"));
    }
    Ok(lines)
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
    name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(name: &str, value: &str) -> Result<String, SpecError> {
        render_environment(&BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn values_are_quoted_for_a_shell() {
        assert_eq!(render("A_1", "it's $HOME").unwrap(), "A_1='it'\\''s $HOME'\n");
        assert_eq!(render("EMPTY", "").unwrap(), "EMPTY=''\n");
    }

    #[test]
    fn what_would_break_the_file_is_refused() {
        for name in ["", "1A", "A B", "A=B", "Ä"] {
            let error = render(name, "").unwrap_err();
            assert!(error.to_string().ends_with("the name of an environment variable"), "{error}");
        }
        let error = render("A", "x\ny").unwrap_err().to_string();
        assert_eq!(error, "the environment variable A holds a line feed or a NUL byte");
    }
}
