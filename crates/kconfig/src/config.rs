//! `.config` files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::line::{self, SyntaxError};
use crate::{Symbol, Value};

/// The symbols of a `.config` with their values, in the order of their names.
///
/// A symbol that the file says `is not set` is there with [`Value::No`]; one that Kconfig hid
/// because its dependencies are unmet is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config {
    values: BTreeMap<Symbol, Value>,
}

impl Config {
    /// Reads the text of a `.config`; `file` is how errors name it. Of a symbol that is there
    /// twice, the later value counts, as it does for the kernel.
    ///
    /// # Errors
    ///
    /// A line that is neither a comment nor an assignment, with its number.
    pub fn parse(file: &str, text: &str) -> Result<Self, SyntaxError> {
        line::parse_lines(file, text)
            .map(|said| said.map(|(_, assignment)| (assignment.symbol, assignment.value)))
            .collect()
    }

    /// The value of a symbol; `None` if the file does not name it.
    #[must_use]
    pub fn get(&self, symbol: &str) -> Option<&Value> {
        self.values.get(symbol)
    }

    /// Whether a symbol is `y` or `m`.
    #[must_use]
    pub fn is_set(&self, symbol: &str) -> bool {
        matches!(self.get(symbol), Some(Value::Yes | Value::Module))
    }

    /// Whether a symbol is `y`.
    #[must_use]
    pub fn is_built_in(&self, symbol: &str) -> bool {
        self.get(symbol) == Some(&Value::Yes)
    }

    /// How many symbols are `m`.
    #[must_use]
    pub fn module_count(&self) -> usize {
        self.values.values().filter(|value| **value == Value::Module).count()
    }

    /// Every symbol with its value, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Symbol, &Value)> {
        self.values.iter()
    }

    /// The file's text: one line a symbol, without a header.
    #[must_use]
    pub fn render(&self) -> String {
        self.iter().map(|(symbol, value)| line::render(symbol, value) + "\n").collect()
    }
}

impl FromIterator<(Symbol, Value)> for Config {
    fn from_iter<I: IntoIterator<Item = (Symbol, Value)>>(values: I) -> Self {
        Self { values: values.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = "#\n# Automatically generated file; DO NOT EDIT.\n#\nCONFIG_64BIT=y\r\n\
        # CONFIG_NET is not set\nCONFIG_HOSTNAME=\"a # \\\"b\\\"\"\nCONFIG_START=0x0100000\n\n# end of X\n";

    #[test]
    fn a_file_of_the_kernels_is_read() {
        let config = Config::parse(".config", SAMPLE).unwrap();
        assert_eq!(config.get("64BIT"), Some(&Value::Yes));
        assert_eq!(config.get("NET"), Some(&Value::No));
        assert_eq!(config.get("HOSTNAME"), Some(&Value::Text("a # \"b\"".into())));
        assert_eq!(config.get("START"), Some(&Value::Number("0x0100000".into())));
        assert_eq!(config.get("SMP"), None);
        assert!(config.is_set("64BIT") && !config.is_set("NET"));
        assert_eq!(config.iter().len(), 4);
    }

    #[test]
    fn a_module_is_set_and_not_built_in() {
        let config = Config::parse("c", "CONFIG_A=m\nCONFIG_B=y\nCONFIG_C=m\n").unwrap();
        assert!(config.is_set("A") && !config.is_built_in("A") && config.is_built_in("B"));
        assert_eq!(config.module_count(), 2);
    }

    #[test]
    fn the_later_of_two_values_counts() {
        let config = Config::parse("c", "CONFIG_A=y\n# CONFIG_A is not set\n").unwrap();
        assert_eq!(config.get("A"), Some(&Value::No));
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, message) in [
            ("CONFIG_A=y\nnonsense\n", "c:2: `nonsense` is neither a comment nor SYMBOL=VALUE"),
            (
                "CONFIG_A B=y\n",
                "c:1: `CONFIG_A B` is no symbol name: letters, digits and underscores only",
            ),
            (
                "\n\nCONFIG_A=word\n",
                "c:3: A: `word` is no value: y, m, n, a number, or text in double quotes",
            ),
        ] {
            assert_eq!(Config::parse("c", text).unwrap_err().to_string(), message);
        }
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::No),
            Just(Value::Module),
            Just(Value::Yes),
            "-?(0|[1-9][0-9]{0,9})".prop_map(Value::Number),
            "0[xX][0-9a-fA-F]{1,16}".prop_map(Value::Number),
            "[^\\n\\r\\x00]{0,20}".prop_map(Value::Text),
        ]
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_back(
            values in proptest::collection::btree_map("[A-Za-z0-9_]{1,12}", any_value(), 0..40),
        ) {
            let config: Config = values
                .into_iter()
                .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
                .collect();
            let text = config.render();
            prop_assert_eq!(&Config::parse("c", &text).unwrap(), &config);
            let crlf = text.replace('\n', "\r\n");
            prop_assert_eq!(Config::parse("c", &crlf).unwrap(), config);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,200}") {
            let _ = Config::parse("c", &text);
        }
    }
}
