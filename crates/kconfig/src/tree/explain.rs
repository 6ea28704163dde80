//! Everything there is to say about one symbol.

use std::sync::Arc;

use serde::Serialize;

use super::declaration::{
    Condition, Declared, Definition, Kind, Place, Select, Selector, SymbolTree,
};
use super::evaluate::{Evaluation, Tristate};
use super::expression::Expression;
use super::reason::{Diagnosis, Reason, with_condition};
use crate::{Asked, Config, Symbol, Value, Wish};

/// A symbol in a configuration: what it is, who asked, and why it is not something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The symbol.
    pub symbol: Symbol,
    /// Its type; `None` if the source tree does not declare it.
    pub kind: Option<Kind>,
    /// Its value; `None` if the `.config` does not name it.
    pub value: Option<Value>,
    /// What was asked of it.
    pub asked: Option<Wish>,
    /// Why it is not what was asked; if nobody asked, why it is what it is.
    pub reasons: Vec<Reason>,
    /// Its entries in the Kconfig files.
    pub definitions: Vec<ExplainedDefinition>,
    /// The symbols that select it.
    pub selected_by: Vec<ExplainedSelector>,
    /// The symbols that imply it.
    pub implied_by: Vec<ExplainedSelector>,
}

/// One entry of a symbol, evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedDefinition {
    /// Where it starts.
    pub place: Place,
    /// Its prompt.
    pub prompt: Option<String>,
    /// What the prompt is shown on condition of, beside the dependencies.
    pub shown_if: Vec<Part>,
    /// What it depends on.
    pub depends_on: Vec<Part>,
    /// Its defaults with their conditions.
    pub defaults: Vec<Part>,
    /// The limits of its value with their conditions.
    pub ranges: Vec<Part>,
    /// What it selects, with the conditions.
    pub selects: Vec<Part>,
    /// What it implies, with the conditions.
    pub implies: Vec<Part>,
    /// The members of the choice that it belongs to.
    pub choice: Vec<Symbol>,
    /// Its help text.
    pub help: Option<String>,
}

/// A condition, or something that has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// As it is written.
    pub text: String,
    /// Where.
    pub place: Place,
    /// What the condition evaluates to; `None` if that hangs on a test of the tool chain.
    pub value: Option<Tristate>,
}

/// A select or imply by another symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedSelector {
    /// The other symbol.
    pub symbol: Symbol,
    /// The condition, if it has one.
    pub condition: Option<String>,
    /// Where it is written.
    pub place: Place,
    /// What it comes to: the least of the other symbol and the condition.
    pub value: Tristate,
}

impl SymbolTree {
    /// Explains a symbol of the configuration `got`, which came of `asked`.
    #[must_use]
    pub fn explain(&self, symbol: &Symbol, got: &Config, asked: &Asked) -> Explanation {
        let evaluation = Evaluation { tree: self, got };
        let declared = self.get(symbol.as_str());
        let definitions = declared.map_or(&[][..], |declared| &declared.definitions);
        Explanation {
            symbol: symbol.clone(),
            kind: declared.map(|declared| declared.kind),
            value: got.get(symbol.as_str()).cloned(),
            asked: asked.get(symbol.as_str()).cloned(),
            reasons: match asked.get(symbol.as_str()) {
                Some(wish) => self.reasons(symbol, &wish.request.value, got, asked),
                None => self.reasons_unasked(symbol, declared, got, asked),
            },
            definitions: definitions
                .iter()
                .map(|definition| evaluation.definition(definition))
                .collect(),
            selected_by: evaluation.selectors(self.selectors(symbol.as_str())),
            implied_by: evaluation.selectors(self.implying(symbol.as_str())),
        }
    }

    /// Why a symbol that nobody asked for is what it is. Empty where it is unset only for that.
    fn reasons_unasked(
        &self,
        symbol: &Symbol,
        declared: Option<&Declared>,
        got: &Config,
        asked: &Asked,
    ) -> Vec<Reason> {
        let evaluation = Evaluation { tree: self, got };
        let diagnosis = Diagnosis::new(self, got, asked);
        let logical =
            declared.is_none_or(|declared| matches!(declared.kind, Kind::Bool | Kind::Tristate));
        if logical && !got.is_set(symbol.as_str()) {
            return diagnosis.reasons(symbol, &Value::Yes);
        }
        let reasons = match logical {
            true => diagnosis.reasons(symbol, &Value::No),
            false => Vec::new(),
        };
        let default = || evaluation.default_in_force(&declared?.definitions);
        match reasons.is_empty() {
            true => default().map(Reason::default_in_force).into_iter().collect(),
            false => reasons,
        }
    }
}

impl Evaluation<'_> {
    fn definition(&self, definition: &Definition) -> ExplainedDefinition {
        let prompt = definition.prompt.as_ref();
        let shown_if = prompt.and_then(|prompt| {
            let condition = prompt.condition.as_ref()?;
            Some(self.part(condition, &prompt.place))
        });
        let conditions = |conditions: &[Arc<Condition>]| -> Vec<Part> {
            let part =
                |condition: &Arc<Condition>| self.part(&condition.expression, &condition.place);
            conditions.iter().map(part).collect()
        };
        let selects = |selects: &[Select]| -> Vec<Part> {
            let part = |select: &Select| {
                self.conditional(&select.symbol, select.condition.as_ref(), &select.place)
            };
            selects.iter().map(part).collect()
        };
        ExplainedDefinition {
            place: definition.place.clone(),
            prompt: prompt.map(|prompt| prompt.text.clone()),
            shown_if: conditions(&definition.visibility).into_iter().chain(shown_if).collect(),
            depends_on: conditions(&definition.dependencies),
            defaults: definition
                .defaults
                .iter()
                .map(|default| {
                    self.conditional(&default.value, default.condition.as_ref(), &default.place)
                })
                .collect(),
            ranges: definition
                .ranges
                .iter()
                .map(|range| {
                    let limits = format!("{} {}", range.low, range.high);
                    self.conditional(&limits, range.condition.as_ref(), &range.place)
                })
                .collect(),
            selects: selects(&definition.selects),
            implies: selects(&definition.implies),
            choice: definition
                .choice
                .map_or_else(Vec::new, |index| self.tree.choice(index).members.clone()),
            help: definition.help.clone(),
        }
    }

    fn part(&self, expression: &Expression, place: &Place) -> Part {
        Part {
            text: expression.to_string(),
            place: place.clone(),
            value: self.expression(expression),
        }
    }

    fn conditional(
        &self,
        what: &impl std::fmt::Display,
        condition: Option<&Expression>,
        place: &Place,
    ) -> Part {
        Part {
            text: with_condition(what, condition),
            place: place.clone(),
            value: self.optional(condition),
        }
    }

    fn selectors(&self, selectors: &[Selector]) -> Vec<ExplainedSelector> {
        let explained = |selector: &Selector| ExplainedSelector {
            symbol: selector.symbol.clone(),
            condition: selector.condition.as_ref().map(ToString::to_string),
            place: selector.place.clone(),
            value: self
                .optional(selector.condition.as_ref())
                .map_or(Tristate::No, |condition| condition.min(self.symbol(&selector.symbol))),
        };
        selectors.iter().map(explained).collect()
    }
}
