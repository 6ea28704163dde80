//! What a Kconfig tree says of each symbol.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::expression::{Expression, Operand};
use crate::{Asked, Request, Symbol, Value, suggest};

/// Every symbol that the Kconfig files of a source tree declare for one architecture.
#[derive(Debug, Default)]
pub struct SymbolTree {
    pub(super) symbols: BTreeMap<Symbol, Declared>,
    pub(super) choices: Vec<Choice>,
    pub(super) selectors: BTreeMap<Symbol, Vec<Selector>>,
    pub(super) implying: BTreeMap<Symbol, Vec<Selector>>,
    pub(super) skipped: Vec<Place>,
}

/// A symbol with everything that defines it.
#[derive(Debug, Default)]
pub struct Declared {
    /// What values it takes.
    pub kind: Kind,
    /// Its `config` and `menuconfig` entries, in the order they are read. Dependencies hold for
    /// each by itself: the symbol depends on any one of them.
    pub definitions: Vec<Definition>,
}

/// What values a symbol takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `y` or `n`.
    Bool,
    /// `y`, `m` or `n`.
    Tristate,
    /// A decimal number.
    Int,
    /// A hexadecimal number.
    Hex,
    /// Text.
    String,
    /// Never said: Kconfig ignores such a symbol.
    #[default]
    Unknown,
}

/// One `config` or `menuconfig` entry.
#[derive(Debug)]
pub struct Definition {
    /// Where the entry starts.
    pub place: Place,
    /// The question by which it can be set; without one, only selects and defaults set it.
    pub prompt: Option<Prompt>,
    /// What it depends on: its own `depends on` and those of everything around it. All must hold.
    pub dependencies: Vec<Arc<Condition>>,
    /// The `visible if` of the menus around it, and the condition of its choice's prompt: without
    /// them it keeps its value, but the prompt is hidden.
    pub visibility: Vec<Arc<Condition>>,
    /// The values taken when nobody decides; the first whose condition holds counts.
    pub defaults: Vec<DefaultValue>,
    /// The symbols it forces on.
    pub selects: Vec<Select>,
    /// The symbols it turns on unless somebody says otherwise.
    pub implies: Vec<Select>,
    /// The limits of a number; the first whose condition holds counts.
    pub ranges: Vec<Range>,
    /// The help text.
    pub help: Option<String>,
    /// The choice it is a member of: an index for [`SymbolTree::choice`].
    pub choice: Option<usize>,
}

/// The question of a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Its text.
    pub text: String,
    /// It is asked only if this holds.
    pub condition: Option<Expression>,
    /// Where it is written.
    pub place: Place,
}

/// A condition that an entry inherits or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What must hold.
    pub expression: Expression,
    /// What it comes from.
    pub enclosure: Enclosure,
    /// Where it is written.
    pub place: Place,
}

/// What a condition comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enclosure {
    /// The entry's own `depends on`.
    Own,
    /// An `if` around it.
    If,
    /// A menu around it.
    Menu,
    /// The choice it is a member of.
    Choice,
}

/// A `default`, `def_bool` or `def_tristate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultValue {
    /// The value, or what gives it.
    pub value: Expression,
    /// It counts only if this holds.
    pub condition: Option<Expression>,
    /// Where it is written.
    pub place: Place,
}

/// A `select` or `imply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The symbol turned on.
    pub symbol: Symbol,
    /// It counts only if this holds.
    pub condition: Option<Expression>,
    /// Where it is written.
    pub place: Place,
}

/// A `range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The least value.
    pub low: Operand,
    /// The greatest value.
    pub high: Operand,
    /// It counts only if this holds.
    pub condition: Option<Expression>,
    /// Where it is written.
    pub place: Place,
}

/// A select or imply, seen from the symbol that it turns on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The symbol that has the `select` or `imply`.
    pub symbol: Symbol,
    /// It counts only if this holds.
    pub condition: Option<Expression>,
    /// Where it is written.
    pub place: Place,
}

/// A `choice`: one of its members is set.
#[derive(Debug, Default)]
pub struct Choice {
    /// Its question.
    pub prompt: Option<String>,
    /// Its members in order.
    pub members: Vec<Symbol>,
}

/// A line of a Kconfig file. Displayed, and serialised, as `net/Kconfig:42`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, relative to the source tree.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
}

impl SymbolTree {
    /// What the tree says of a symbol; `None` if it declares none of that name.
    #[must_use]
    pub fn get(&self, symbol: &str) -> Option<&Declared> {
        self.symbols.get(symbol)
    }

    /// Every symbol, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Symbol, &Declared)> {
        self.symbols.iter()
    }

    /// The declared symbol whose name is nearest to one that is not declared.
    #[must_use]
    pub fn nearest(&self, symbol: &str) -> Option<&str> {
        suggest(symbol, self.symbols.keys().map(Symbol::as_str))
    }

    /// The requests for symbols that the tree does not declare.
    pub fn unknown<'a>(&self, asked: &'a Asked) -> impl Iterator<Item = &'a Request> {
        asked
            .iter()
            .filter(|(symbol, _)| !self.symbols.contains_key(*symbol))
            .map(|(_, wish)| &wish.request)
    }

    /// The choice of a [`Definition`].
    #[must_use]
    pub fn choice(&self, index: usize) -> &Choice {
        &self.choices[index]
    }

    /// What selects a symbol.
    #[must_use]
    pub fn selectors(&self, symbol: &str) -> &[Selector] {
        self.selectors.get(symbol).map_or(&[], Vec::as_slice)
    }

    /// What implies a symbol.
    #[must_use]
    pub fn implying(&self, symbol: &str) -> &[Selector] {
        self.implying.get(symbol).map_or(&[], Vec::as_slice)
    }

    /// The statements that were not understood and left out: newer kernels may have new ones.
    #[must_use]
    pub fn skipped(&self) -> &[Place] {
        &self.skipped
    }
}

impl Kind {
    /// Whether a symbol of this kind can have the value
    /// (`conf_set_sym_val` of scripts/kconfig/confdata.c).
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        match self {
            Self::Bool => matches!(value, Value::Yes | Value::No),
            Self::Tristate => matches!(value, Value::Yes | Value::Module | Value::No),
            Self::Int => matches!(value, Value::Number(digits) if digits.parse::<i128>().is_ok()),
            Self::Hex => matches!(value, Value::Number(digits) if !digits.starts_with('-')),
            Self::String => matches!(value, Value::Text(_)),
            Self::Unknown => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Tristate => "tristate",
            Self::Int => "int",
            Self::Hex => "hex",
            Self::String => "string",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
