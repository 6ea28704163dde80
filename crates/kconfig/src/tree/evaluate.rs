//! The values of expressions under a configuration.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

use super::declaration::{Condition, DefaultValue, Definition, Kind, Range, SymbolTree};
use super::expression::{Comparison, Expression, Operand};
use crate::value::parse_number;
use crate::{Config, Symbol, Value};

/// The value of a condition, in the order by which `&&` takes the least and `||` the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tristate {
    /// `n`
    No,
    /// `m`
    Module,
    /// `y`
    Yes,
}

impl Tristate {
    /// What a value counts for in a condition; text and numbers count as `n`.
    #[must_use]
    pub fn of(value: Option<&Value>) -> Self {
        match value {
            Some(Value::Yes) => Self::Yes,
            Some(Value::Module) => Self::Module,
            _ => Self::No,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Module => Self::Module,
            Self::Yes => Self::No,
        }
    }
}

impl fmt::Display for Tristate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "n",
            Self::Module => "m",
            Self::Yes => "y",
        })
    }
}

/// Evaluates a tree's expressions with the values of a finished configuration
/// (`__expr_calc_value` of scripts/kconfig/expr.c). `None`: it hangs on a test of the tool chain.
#[derive(Clone, Copy)]
pub(super) struct Evaluation<'a> {
    pub(super) tree: &'a SymbolTree,
    pub(super) got: &'a Config,
}

impl Evaluation<'_> {
    pub(super) fn symbol(&self, symbol: &Symbol) -> Tristate {
        Tristate::of(self.got.get(symbol.as_str()))
    }

    pub(super) fn expression(&self, expression: &Expression) -> Option<Tristate> {
        match expression {
            Expression::Operand(operand) => self.operand(operand),
            Expression::Not(inner) => self.expression(inner).map(Tristate::not),
            Expression::And(parts) => self.all(parts.iter().map(|part| self.expression(part))),
            Expression::Or(parts) => self.any(parts.iter().map(|part| self.expression(part))),
            Expression::Compare(left, comparison, right) => self.compare(left, *comparison, right),
        }
    }

    /// The value of something that a condition may be missing from.
    pub(super) fn optional(&self, condition: Option<&Expression>) -> Option<Tristate> {
        condition.map_or(Some(Tristate::Yes), |condition| self.expression(condition))
    }

    /// The value of what a definition depends on (`dir_dep` in the kernel's words).
    pub(super) fn dependencies(&self, definition: &Definition) -> Option<Tristate> {
        self.conditions(&definition.dependencies)
    }

    /// The value up to which the prompt lets somebody set the symbol.
    pub(super) fn visibility(&self, definition: &Definition) -> Option<Tristate> {
        let Some(prompt) = &definition.prompt else {
            return Some(Tristate::No);
        };
        self.all([
            self.dependencies(definition),
            self.conditions(&definition.visibility),
            self.optional(prompt.condition.as_ref()),
        ])
    }

    /// The default that counts: the first whose condition is not `n`.
    pub(super) fn default_in_force<'d>(
        &self,
        definitions: &'d [Definition],
    ) -> Option<&'d DefaultValue> {
        definitions
            .iter()
            .filter(|definition| self.dependencies(definition) != Some(Tristate::No))
            .flat_map(|definition| &definition.defaults)
            .find(|default| self.optional(default.condition.as_ref()) != Some(Tristate::No))
    }

    /// The range that counts: the first whose condition is not `n`.
    pub(super) fn range_in_force<'d>(&self, definitions: &'d [Definition]) -> Option<&'d Range> {
        definitions
            .iter()
            .filter(|definition| self.dependencies(definition) != Some(Tristate::No))
            .flat_map(|definition| &definition.ranges)
            .find(|range| self.optional(range.condition.as_ref()) != Some(Tristate::No))
    }

    /// What an operand says as text, which is how Kconfig compares.
    pub(super) fn text(&self, operand: &Operand) -> Option<String> {
        match operand {
            Operand::Constant(Value::Text(text)) => Some(text.clone()),
            Operand::Constant(value) => Some(value.to_string()),
            Operand::Macro(_) => None,
            Operand::Symbol(symbol) => Some(match self.got.get(symbol.as_str()) {
                Some(Value::Text(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => match self.kind(operand) {
                    Some(Kind::Bool | Kind::Tristate) => "n".to_owned(),
                    Some(Kind::Int | Kind::Hex | Kind::String) => String::new(),
                    // An undeclared symbol's value is its name.
                    Some(Kind::Unknown) | None => symbol.to_string(),
                },
            }),
        }
    }

    fn conditions<'c>(
        &self,
        conditions: impl IntoIterator<Item = &'c std::sync::Arc<Condition>>,
    ) -> Option<Tristate> {
        self.all(conditions.into_iter().map(|condition| self.expression(&condition.expression)))
    }

    /// `&&`: `n` as soon as one is, whatever the open ones turn out to be.
    fn all(&self, values: impl IntoIterator<Item = Option<Tristate>>) -> Option<Tristate> {
        let mut least = Some(Tristate::Yes);
        for value in values {
            match value {
                Some(Tristate::No) => return value,
                Some(value) => least = least.map(|least| least.min(value)),
                None => least = None,
            }
        }
        least
    }

    /// `||`: `y` as soon as one is.
    fn any(&self, values: impl IntoIterator<Item = Option<Tristate>>) -> Option<Tristate> {
        let mut greatest = Some(Tristate::No);
        for value in values {
            match value {
                Some(Tristate::Yes) => return value,
                Some(value) => greatest = greatest.map(|greatest| greatest.max(value)),
                None => greatest = None,
            }
        }
        greatest
    }

    fn operand(&self, operand: &Operand) -> Option<Tristate> {
        match operand {
            Operand::Symbol(symbol) => Some(self.symbol(symbol)),
            // A literal `m` stands for `m && MODULES`.
            Operand::Constant(Value::Module) if !self.got.is_set("MODULES") => Some(Tristate::No),
            Operand::Constant(value) => Some(Tristate::of(Some(value))),
            Operand::Macro(_) => None,
        }
    }

    fn compare(&self, left: &Operand, comparison: Comparison, right: &Operand) -> Option<Tristate> {
        let (left_text, right_text) = (self.text(left)?, self.text(right)?);
        let numbers = self.rank(left, &left_text).zip(self.rank(right, &right_text));
        let order = match numbers {
            Some((left, right)) => left.cmp(&right),
            None => left_text.cmp(&right_text),
        };
        Some(match comparison.holds(order) {
            true => Tristate::Yes,
            false => Tristate::No,
        })
    }

    /// The number that an operand is compared by, if it is one.
    fn rank(&self, operand: &Operand, text: &str) -> Option<i128> {
        match self.kind(operand) {
            Some(Kind::String) => None,
            Some(Kind::Bool | Kind::Tristate) => match text {
                "n" => Some(0),
                "m" => Some(1),
                "y" => Some(2),
                _ => None,
            },
            Some(Kind::Hex) if !text.starts_with("0x") => i128::from_str_radix(text, 16).ok(),
            _ => parse_number(text),
        }
    }

    fn kind(&self, operand: &Operand) -> Option<Kind> {
        match operand {
            Operand::Symbol(symbol) => self.tree.get(symbol.as_str()).map(|declared| declared.kind),
            Operand::Constant(Value::Yes | Value::Module | Value::No) => Some(Kind::Tristate),
            Operand::Constant(_) | Operand::Macro(_) => None,
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterEqual => order.is_ge(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::declaration::Declared;
    use super::super::expression::tests::expression;
    use super::*;

    fn tree() -> SymbolTree {
        let mut tree = SymbolTree::default();
        for (name, kind) in [
            ("YES", Kind::Bool),
            ("MOD", Kind::Tristate),
            ("NO", Kind::Bool),
            ("NUM", Kind::Int),
            ("HEX", Kind::Hex),
            ("STR", Kind::String),
            ("MODULES", Kind::Bool),
        ] {
            let definitions = Vec::new();
            tree.symbols.insert(name.parse().unwrap(), Declared { kind, definitions });
        }
        tree
    }

    #[test]
    fn expressions_have_the_values_of_the_kernels_conf() {
        let tree = tree();
        let got = "CONFIG_YES=y\nCONFIG_MOD=m\nCONFIG_NUM=130100\nCONFIG_HEX=0x1F\nCONFIG_STR=\"abc\"\nCONFIG_MODULES=y\n";
        let got = Config::parse("c", got).unwrap();
        let evaluation = Evaluation { tree: &tree, got: &got };
        for (text, value) in [
            ("YES", "y"),
            ("MOD", "m"),
            ("NO", "n"),
            ("ABSENT", "n"),
            ("STR", "n"),
            ("!MOD", "m"),
            ("YES && MOD", "m"),
            ("NO || MOD", "m"),
            ("YES && !NO", "y"),
            ("m", "m"),
            ("y && n", "n"),
            ("MOD = m", "y"),
            ("MOD != n", "y"),
            ("MOD < y", "y"),
            ("NO = n", "y"),
            ("ABSENT = n", "n"),
            ("NUM >= 90000", "y"),
            ("NUM < 130100", "n"),
            ("HEX = 31", "y"),
            ("HEX > 0x20", "n"),
            ("STR = \"abc\"", "y"),
            ("STR != \"\"", "y"),
            ("\"x86\" = \"x86\"", "y"),
            ("$(cc-option,-m32)", "?"),
            ("$(cc-option,-m32) && NO", "n"),
            ("$(cc-option,-m32) || YES", "y"),
            ("$(cc-option,-m32) && YES", "?"),
            ("\"$(CC)\" = \"gcc\"", "?"),
        ] {
            let evaluated = evaluation.expression(&expression(text));
            let shown = evaluated.map_or("?".to_owned(), |value| value.to_string());
            assert_eq!(shown, value, "{text}");
        }
    }

    #[test]
    fn a_literal_m_needs_modules() {
        let (tree, got) = (tree(), Config::default());
        let evaluation = Evaluation { tree: &tree, got: &got };
        assert_eq!(evaluation.expression(&expression("m")), Some(Tristate::No));
    }
}
