//! Why a symbol is not what somebody wants.

use serde::Serialize;

use super::declaration::{Declared, DefaultValue, Definition, Enclosure, Kind, Place, SymbolTree};
use super::evaluate::{Evaluation, Tristate};
use super::expression::Operand;
use super::unmet::Unmet;
use crate::value::parse_number;
use crate::{Asked, Config, Origin, Symbol, Value};

/// One reason why a symbol does not have a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum Reason {
    /// The source tree has no symbol of this name for this architecture.
    NotInTree {
        /// The nearest name that it has, unless the tree itself refers to the one it lacks.
        nearest: Option<String>,
    },
    /// The symbol's type has no such value.
    WrongType {
        /// The type.
        kind: Kind,
        /// The value.
        value: Value,
    },
    /// `m` was asked for in a kernel without modules.
    NoModules,
    /// Something that it depends on does not hold.
    Dependency {
        /// The condition.
        condition: String,
        /// What the condition comes from.
        enclosure: Enclosure,
        /// Where the condition is written.
        place: Place,
        /// The part of it that fails.
        unmet: Unmet,
    },
    /// Its prompt is hidden, so that it cannot be set.
    Hidden {
        /// What the prompt is shown on condition of.
        condition: String,
        /// Where that is written.
        place: Place,
        /// The part of it that fails.
        unmet: Unmet,
    },
    /// It has no prompt, so that it cannot be set.
    NoPrompt {
        /// The symbols that select or imply it.
        selectors: Vec<Symbol>,
        /// What else may set it: the values of its defaults with their conditions.
        defaults: Vec<String>,
    },
    /// Another symbol forces it on.
    Selected {
        /// The symbols that do.
        by: Vec<ActiveSelector>,
    },
    /// Nobody decides, and this default does.
    Default {
        /// The default.
        value: String,
        /// Where it is written.
        place: Place,
    },
    /// Another member of the same choice is set.
    OtherChoice {
        /// The question of the choice.
        prompt: Option<String>,
        /// The member that is set.
        member: Symbol,
        /// Who asked for that one.
        asked: Option<(Origin, Value)>,
    },
    /// A choice needs one member, and nobody asks for another one.
    LastOfChoice {
        /// The question of the choice.
        prompt: Option<String>,
        /// The other members.
        others: Vec<Symbol>,
    },
    /// The number is too small or too large.
    OutOfRange {
        /// The least value.
        low: String,
        /// The greatest value.
        high: String,
        /// Where the range is written.
        place: Place,
    },
    /// Kconfig decided so for a reason that is not seen.
    Unexplained,
}

impl Reason {
    /// The symbols to ask for beside the one that `reasons` are about, as far as that helps: those
    /// that stand in its way only because nobody asked. The outermost come first.
    #[must_use]
    pub fn missing(reasons: &[Self]) -> Vec<Symbol> {
        let mut missing = Vec::new();
        for reason in reasons {
            reason.collect_missing(&mut missing);
        }
        missing
    }

    fn collect_missing(&self, missing: &mut Vec<Symbol>) {
        let Some(Unmet::Unset { symbol, asked: None, reasons, .. }) = self.unmet() else {
            return;
        };
        reasons.iter().for_each(|reason| reason.collect_missing(missing));
        let possible = |reason: &Self| reason.unmet().is_some();
        if reasons.iter().all(possible) && !missing.contains(symbol) {
            missing.push(symbol.clone());
        }
    }

    /// The part of a condition that fails, if that is the reason.
    fn unmet(&self) -> Option<&Unmet> {
        match self {
            Self::Dependency { unmet, .. } | Self::Hidden { unmet, .. } => Some(unmet),
            _ => None,
        }
    }

    /// Whether this is about the same symbol, or the same altogether.
    fn says(&self, other: &Self) -> bool {
        match (self.unmet(), other.unmet()) {
            (Some(Unmet::Unset { symbol, .. }), Some(Unmet::Unset { symbol: other, .. })) => {
                symbol == other
            }
            (Some(unmet), Some(other)) => unmet == other,
            _ => self == other,
        }
    }

    /// Whether the other is among the reasons of this.
    fn leads_to(&self, other: &Self) -> bool {
        match self.unmet() {
            Some(Unmet::Unset { reasons, .. }) => {
                reasons.iter().any(|reason| reason.says(other) || reason.leads_to(other))
            }
            _ => false,
        }
    }

    pub(super) fn default_in_force(default: &DefaultValue) -> Self {
        Self::Default {
            value: with_condition(&default.value, default.condition.as_ref()),
            place: default.place.clone(),
        }
    }
}

/// A symbol whose select is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActiveSelector {
    /// The symbol that has the `select`.
    pub symbol: Symbol,
    /// Where the `select` is written.
    pub place: Place,
    /// Who asked for that symbol.
    pub asked: Option<(Origin, Value)>,
    /// Why it is on if nobody did.
    pub reasons: Vec<Reason>,
}

/// How far reasons of reasons are followed.
const DEPTH: usize = 6;

impl SymbolTree {
    /// Why `symbol` is not `wanted` in `got`; `asked` tells who wants the symbols that stand in
    /// the way. Empty if it is.
    #[must_use]
    pub fn reasons(
        &self,
        symbol: &Symbol,
        wanted: &Value,
        got: &Config,
        asked: &Asked,
    ) -> Vec<Reason> {
        let is = got.get(symbol.as_str()).unwrap_or(&Value::No);
        let reasons = Diagnosis::new(self, got, asked).reasons(symbol, wanted);
        match reasons.is_empty() && !is.same_as(wanted) {
            true => vec![Reason::Unexplained],
            false => reasons,
        }
    }
}

/// A walk from a symbol through what stands in its way.
#[derive(Clone)]
pub(super) struct Diagnosis<'a> {
    pub(super) evaluation: Evaluation<'a>,
    asked: &'a Asked,
    /// The symbols that the walk came through: none is explained within itself.
    trail: Vec<Symbol>,
    depth: usize,
}

impl<'a> Diagnosis<'a> {
    pub(super) fn new(tree: &'a SymbolTree, got: &'a Config, asked: &'a Asked) -> Self {
        Self { evaluation: Evaluation { tree, got }, asked, trail: Vec::new(), depth: DEPTH }
    }

    /// The same without reasons of reasons, for alternatives: there are often many.
    pub(super) fn without_depth(&self) -> Self {
        Self { depth: 0, ..self.clone() }
    }

    pub(super) fn asked_of(&self, symbol: &Symbol) -> Option<(Origin, Value)> {
        let request = &self.asked.get(symbol.as_str())?.request;
        Some((request.origin.clone(), request.value.clone()))
    }

    /// Why a symbol that something else needs is not `needed`.
    pub(super) fn nested(&self, symbol: &Symbol, needed: Tristate) -> Vec<Reason> {
        if self.depth == 0 || self.trail.contains(symbol) {
            return Vec::new();
        }
        let kind = self.evaluation.tree.get(symbol.as_str()).map(|declared| declared.kind);
        let wanted = match (needed, kind) {
            (Tristate::No, _) => Value::No,
            // Without modules, only `y` is as much.
            (Tristate::Module, Some(Kind::Tristate)) if self.evaluation.got.is_set("MODULES") => {
                Value::Module
            }
            _ => Value::Yes,
        };
        self.within(symbol).reasons(symbol, &wanted)
    }

    fn within(&self, symbol: &Symbol) -> Self {
        let mut inner = self.clone();
        inner.depth = self.depth.saturating_sub(1);
        inner.trail.push(symbol.clone());
        inner
    }

    pub(super) fn reasons(&self, symbol: &Symbol, wanted: &Value) -> Vec<Reason> {
        let tree = self.evaluation.tree;
        let Some(declared) = tree.get(symbol.as_str()) else {
            return vec![Reason::NotInTree { nearest: self.nearest(symbol) }];
        };
        if !declared.kind.takes(wanted) {
            return vec![Reason::WrongType { kind: declared.kind, value: wanted.clone() }];
        }
        let is = self.evaluation.got.get(symbol.as_str());
        match (wanted, Tristate::of(is)) {
            (Value::No, Tristate::No) => Vec::new(),
            (Value::No, _) | (Value::Module, Tristate::Yes) => {
                self.why_set(symbol, declared, wanted)
            }
            _ if is.is_some_and(|is| is.same_as(wanted)) => Vec::new(),
            _ => self.why_unset(symbol, declared, wanted),
        }
    }

    /// The name that was meant. What the tree itself names is no slip: there are thousands of
    /// symbols of other architectures.
    fn nearest(&self, symbol: &Symbol) -> Option<String> {
        let nearest = || self.evaluation.tree.nearest(symbol.as_str());
        self.trail.is_empty().then(nearest)?.map(str::to_owned)
    }

    /// Why a symbol is less than wanted, or another number or text.
    fn why_unset(&self, symbol: &Symbol, declared: &Declared, wanted: &Value) -> Vec<Reason> {
        let needed = match (declared.kind, wanted) {
            (Kind::Tristate, Value::Yes) => Tristate::Yes,
            // An `m` in what a bool depends on is as good as a `y`.
            _ => Tristate::Module,
        };
        if *wanted == Value::Module && !self.evaluation.got.is_set("MODULES") {
            return vec![Reason::NoModules];
        }
        let prompted = || declared.definitions.iter().filter(|d| d.prompt.is_some());
        let evaluation = &self.evaluation;
        if prompted().any(|definition| evaluation.dependencies(definition) >= Some(needed))
            && let Some(choice) = self.other_choice(symbol, declared)
        {
            return vec![choice];
        }
        if prompted().any(|definition| evaluation.visibility(definition) >= Some(needed)) {
            return self.out_of_range(declared, wanted).into_iter().collect();
        }
        let nearest =
            prompted().map(|definition| self.hindrances(definition, needed)).min_by_key(Vec::len);
        nearest.unwrap_or_else(|| self.no_prompt(symbol, declared, needed))
    }

    /// What keeps the prompt of a definition from being shown.
    fn hindrances(&self, definition: &Definition, needed: Tristate) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for condition in &definition.dependencies {
            let unmet = self.unmet(&condition.expression, needed);
            reasons.extend(unmet.into_iter().map(|unmet| Reason::Dependency {
                condition: condition.expression.to_string(),
                enclosure: condition.enclosure,
                place: condition.place.clone(),
                unmet,
            }));
        }
        let prompt = definition.prompt.as_ref();
        let shown_if = prompt.and_then(|prompt| Some((prompt.condition.as_ref()?, &prompt.place)));
        let visible_if = definition.visibility.iter().map(|c| (&c.expression, &c.place));
        for (expression, place) in visible_if.chain(shown_if) {
            let unmet = self.unmet(expression, needed);
            reasons.extend(unmet.into_iter().map(|unmet| Reason::Hidden {
                condition: expression.to_string(),
                place: place.clone(),
                unmet,
            }));
        }
        minimal(reasons)
    }

    fn no_prompt(&self, symbol: &Symbol, declared: &Declared, needed: Tristate) -> Vec<Reason> {
        let tree = self.evaluation.tree;
        let mut selectors: Vec<Symbol> = Vec::new();
        for selector in tree.selectors(symbol.as_str()).iter().chain(tree.implying(symbol.as_str()))
        {
            if !selectors.contains(&selector.symbol) {
                selectors.push(selector.symbol.clone());
            }
        }
        let with_defaults = || declared.definitions.iter().filter(|d| !d.defaults.is_empty());
        let defaults = with_defaults()
            .flat_map(|definition| &definition.defaults)
            .map(|default| with_condition(&default.value, default.condition.as_ref()))
            .collect();
        let mut reasons = vec![Reason::NoPrompt { selectors, defaults }];
        // What it depends on matters to its defaults only: a select goes before.
        let unmet = with_defaults()
            .map(|definition| self.hindrances(definition, needed))
            .min_by_key(Vec::len);
        reasons.extend(unmet.into_iter().flatten());
        reasons
    }

    fn other_choice(&self, symbol: &Symbol, declared: &Declared) -> Option<Reason> {
        let index = declared.definitions.iter().find_map(|definition| definition.choice)?;
        let choice = self.evaluation.tree.choice(index);
        let set =
            |member: &&Symbol| *member != symbol && self.evaluation.got.is_set(member.as_str());
        let member = choice.members.iter().find(set)?;
        Some(Reason::OtherChoice {
            prompt: choice.prompt.clone(),
            member: member.clone(),
            asked: self.asked_of(member),
        })
    }

    fn out_of_range(&self, declared: &Declared, wanted: &Value) -> Option<Reason> {
        let Value::Number(number) = wanted else {
            return None;
        };
        let range = self.evaluation.range_in_force(&declared.definitions)?;
        let bound = |operand: &Operand| self.evaluation.text(operand);
        let (low, high) = (bound(&range.low)?, bound(&range.high)?);
        let number = parse_number(number)?;
        let inside = parse_number(&low)? <= number && number <= parse_number(&high)?;
        (!inside).then(|| Reason::OutOfRange { low, high, place: range.place.clone() })
    }

    /// Why a symbol is more than wanted.
    fn why_set(&self, symbol: &Symbol, declared: &Declared, wanted: &Value) -> Vec<Reason> {
        let by = self.active_selectors(symbol);
        if !by.is_empty() {
            return vec![Reason::Selected { by }];
        }
        if *wanted == Value::Module && !self.evaluation.got.is_set("MODULES") {
            return vec![Reason::NoModules];
        }
        if let Some(index) = declared.definitions.iter().find_map(|definition| definition.choice) {
            let choice = self.evaluation.tree.choice(index);
            let others = choice.members.iter().filter(|member| *member != symbol);
            return vec![Reason::LastOfChoice {
                prompt: choice.prompt.clone(),
                others: others.cloned().collect(),
            }];
        }
        let settable = |d: &Definition| self.evaluation.visibility(d) > Some(Tristate::No);
        if declared.definitions.iter().any(settable) {
            return Vec::new();
        }
        let default = self.evaluation.default_in_force(&declared.definitions);
        let default = default.map(Reason::default_in_force);
        let hidden = declared
            .definitions
            .iter()
            .filter(|definition| definition.prompt.is_some())
            .flat_map(|definition| self.hindrances(definition, Tristate::Module));
        default.into_iter().chain(hidden).collect()
    }

    /// The selects that are in force for a symbol.
    pub(super) fn active_selectors(&self, symbol: &Symbol) -> Vec<ActiveSelector> {
        let selectors = self.evaluation.tree.selectors(symbol.as_str());
        selectors
            .iter()
            .filter(|selector| {
                self.evaluation.symbol(&selector.symbol) > Tristate::No
                    && self.evaluation.optional(selector.condition.as_ref()) != Some(Tristate::No)
            })
            .map(|selector| {
                let asked = self.asked_of(&selector.symbol);
                let follow =
                    asked.is_none() && self.depth > 0 && !self.trail.contains(&selector.symbol);
                let reasons = match self.evaluation.tree.get(selector.symbol.as_str()) {
                    Some(declared) if follow => {
                        self.within(symbol).why_set(&selector.symbol, declared, &Value::No)
                    }
                    _ => Vec::new(),
                };
                ActiveSelector {
                    symbol: selector.symbol.clone(),
                    place: selector.place.clone(),
                    asked,
                    reasons,
                }
            })
            .collect()
    }
}

/// Leaves out what another reason says too, here or in its own reasons, and what hangs only on a
/// test of the tool chain where something else fails for sure.
fn minimal(mut reasons: Vec<Reason>) -> Vec<Reason> {
    let mut at = 0;
    while at < reasons.len() {
        let (before, rest) = reasons.split_at(at);
        let (reason, after) = (&rest[0], &rest[1..]);
        let repeated = after.iter().any(|other| other.says(reason));
        let implied = before.iter().chain(after).any(|other| other.leads_to(reason));
        match repeated || implied {
            true => drop(reasons.remove(at)),
            false => at += 1,
        }
    }
    let certain = |reason: &Reason| !matches!(reason.unmet(), Some(Unmet::Test { .. }));
    if reasons.iter().any(certain) {
        reasons.retain(certain);
    }
    reasons
}

/// `value if condition`.
pub(super) fn with_condition(
    value: &impl std::fmt::Display,
    condition: Option<&impl std::fmt::Display>,
) -> String {
    match condition {
        Some(condition) => format!("{value} if {condition}"),
        None => value.to_string(),
    }
}
