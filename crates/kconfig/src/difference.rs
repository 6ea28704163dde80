//! What changed between two configurations.

use crate::{Config, Value};

/// What to ask for, on top of `before`, to come to `after`: rendered, it is a fragment.
///
/// A symbol that was `y` or `m` and that `after` no longer names becomes `n`; text and numbers
/// that went with their dependencies need no line.
#[must_use]
pub fn difference(before: &Config, after: &Config) -> Config {
    let changed = after.iter().filter(|(symbol, value)| {
        let old = before.get(symbol.as_str()).unwrap_or(&Value::No);
        !old.same_as(value)
    });
    let gone = before
        .iter()
        .filter(|(symbol, _)| {
            before.is_set(symbol.as_str()) && after.get(symbol.as_str()).is_none()
        })
        .map(|(symbol, _)| (symbol.clone(), Value::No));
    changed.map(|(symbol, value)| (symbol.clone(), value.clone())).chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_said() {
        let parse = |text| Config::parse("c", text).unwrap();
        let before = parse(
            "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\nCONFIG_N=0x10\nCONFIG_S=\"x\"\nCONFIG_T=\"gone\"\n\
             # CONFIG_D is not set\n# CONFIG_E is not set\n",
        );
        let after = parse(
            "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=m\nCONFIG_N=0x010\nCONFIG_S=\"y\"\n\
             # CONFIG_NEW is not set\nCONFIG_NEWER=y\n",
        );
        assert_eq!(
            difference(&before, &after).render(),
            "# CONFIG_B is not set\n# CONFIG_C is not set\nCONFIG_D=m\nCONFIG_NEWER=y\nCONFIG_S=\"y\"\n"
        );
        assert_eq!(difference(&after, &after).render(), "");
    }
}
