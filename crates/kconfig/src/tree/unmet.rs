//! The smallest parts of an expression that fail.

use serde::Serialize;

use super::evaluate::Tristate;
use super::expression::{Comparison, Expression, Operand};
use super::reason::{Diagnosis, Reason};
use crate::{Origin, Symbol, Value};

/// A part of a condition that does not hold, small enough to act upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "unmet")]
pub enum Unmet {
    /// A symbol that is less than needed.
    Unset {
        /// The symbol.
        symbol: Symbol,
        /// What it is.
        value: Tristate,
        /// What it has to be.
        needed: Tristate,
        /// Who asked for something about it, and what.
        asked: Option<(Origin, Value)>,
        /// Why it is not more. Empty where nothing stands in the way but that nobody asked.
        reasons: Vec<Reason>,
    },
    /// A symbol that is more than allowed: `!X`.
    Set {
        /// The symbol.
        symbol: Symbol,
        /// What it is.
        value: Tristate,
        /// Who asked for something about it, and what.
        asked: Option<(Origin, Value)>,
        /// Why it is not less. Empty where nothing stands in the way.
        reasons: Vec<Reason>,
    },
    /// A comparison that does not hold.
    False {
        /// The comparison.
        comparison: String,
        /// What stands on its left, evaluated.
        left: Option<String>,
    },
    /// A test that only the kernel's own `conf` can make, such as one of the compiler.
    Test {
        /// The macro.
        text: String,
    },
    /// A constant `n`: it cannot hold.
    Never,
    /// None of several alternatives holds.
    NoneOf {
        /// What each one lacks.
        alternatives: Vec<Vec<Unmet>>,
    },
}

impl Diagnosis<'_> {
    /// What keeps an expression from being `needed`; nothing if it is.
    pub(super) fn unmet(&self, expression: &Expression, needed: Tristate) -> Vec<Unmet> {
        if self.evaluation.expression(expression) >= Some(needed) {
            return Vec::new();
        }
        match expression {
            Expression::Operand(operand) => vec![self.unmet_operand(operand, needed)],
            Expression::Not(inner) => self.unmet_not(inner, needed),
            Expression::And(parts) => {
                self.unmet_all(parts.iter().map(|part| self.unmet(part, needed)))
            }
            Expression::Or(parts) => {
                let alone = self.without_depth();
                none_of(parts.iter().map(|part| alone.unmet(part, needed)).collect())
            }
            Expression::Compare(left, comparison, right) => {
                vec![self.unmet_comparison(left, *comparison, right)]
            }
        }
    }

    /// What keeps `!expression` from being `needed`, by De Morgan's laws.
    fn unmet_not(&self, expression: &Expression, needed: Tristate) -> Vec<Unmet> {
        let negated = Expression::Not(Box::new(expression.clone()));
        if self.evaluation.expression(&negated) >= Some(needed) {
            return Vec::new();
        }
        match expression {
            Expression::Operand(Operand::Symbol(symbol)) => vec![self.set(symbol)],
            Expression::Operand(Operand::Constant(_)) => vec![Unmet::Never],
            Expression::Operand(Operand::Macro(text)) => {
                vec![Unmet::Test { text: format!("!{text}") }]
            }
            Expression::Not(inner) => self.unmet(inner, needed),
            Expression::Or(parts) => {
                self.unmet_all(parts.iter().map(|part| self.unmet_not(part, needed)))
            }
            Expression::And(parts) => {
                let alone = self.without_depth();
                none_of(parts.iter().map(|part| alone.unmet_not(part, needed)).collect())
            }
            Expression::Compare(left, ..) => vec![Unmet::False {
                comparison: negated.to_string(),
                left: self.evaluation.text(left),
            }],
        }
    }

    /// The parts of an `&&`. A test with an unknown outcome is mentioned only where nothing else
    /// fails.
    fn unmet_all(&self, parts: impl Iterator<Item = Vec<Unmet>>) -> Vec<Unmet> {
        let mut unmet: Vec<Unmet> = Vec::new();
        for part in parts.flatten() {
            if !unmet.contains(&part) {
                unmet.push(part);
            }
        }
        let certain = |part: &Unmet| !matches!(part, Unmet::Test { .. });
        if unmet.iter().any(certain) {
            unmet.retain(certain);
        }
        unmet
    }

    fn unmet_operand(&self, operand: &Operand, needed: Tristate) -> Unmet {
        match operand {
            Operand::Symbol(symbol) => self.unset(symbol, needed),
            Operand::Constant(Value::Module) => self.unset(&modules(), Tristate::Yes),
            Operand::Constant(_) => Unmet::Never,
            Operand::Macro(text) => Unmet::Test { text: text.clone() },
        }
    }

    /// `X = y`, `X != n` and the like are about the symbol X; others are what they say.
    fn unmet_comparison(&self, left: &Operand, comparison: Comparison, right: &Operand) -> Unmet {
        if let (Operand::Symbol(symbol), Operand::Constant(value)) = (left, right) {
            match (comparison, value) {
                (Comparison::Equal, Value::Yes) => return self.unset(symbol, Tristate::Yes),
                (Comparison::Unequal, Value::No) => return self.unset(symbol, Tristate::Module),
                (Comparison::Equal, Value::No) | (Comparison::Unequal, Value::Yes) => {
                    return self.set(symbol);
                }
                _ => {}
            }
        }
        let whole = Expression::Compare(left.clone(), comparison, right.clone());
        match self.evaluation.expression(&whole) {
            None => Unmet::Test { text: whole.to_string() },
            Some(_) => {
                Unmet::False { comparison: whole.to_string(), left: self.evaluation.text(left) }
            }
        }
    }

    fn unset(&self, symbol: &Symbol, needed: Tristate) -> Unmet {
        Unmet::Unset {
            symbol: symbol.clone(),
            value: self.evaluation.symbol(symbol),
            needed,
            asked: self.asked_of(symbol),
            reasons: self.nested(symbol, needed),
        }
    }

    fn set(&self, symbol: &Symbol) -> Unmet {
        Unmet::Set {
            symbol: symbol.clone(),
            value: self.evaluation.symbol(symbol),
            asked: self.asked_of(symbol),
            reasons: self.nested(symbol, Tristate::No),
        }
    }
}

/// Alternatives that all fail; a single one is no alternative.
fn none_of(mut alternatives: Vec<Vec<Unmet>>) -> Vec<Unmet> {
    // One that can never hold is no advice.
    let possible = |alternative: &Vec<Unmet>| !alternative.contains(&Unmet::Never);
    if alternatives.iter().any(possible) {
        alternatives.retain(possible);
    }
    match alternatives.len() {
        1 => alternatives.remove(0),
        _ => vec![Unmet::NoneOf { alternatives }],
    }
}

fn modules() -> Symbol {
    "MODULES".parse().expect("a valid name")
}
