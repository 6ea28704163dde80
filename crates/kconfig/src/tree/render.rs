//! Reasons and explanations as lines of text: the only place that words them.

use super::declaration::{Enclosure, Place};
use super::evaluate::Tristate;
use super::explain::{ExplainedDefinition, ExplainedSelector, Explanation, Part};
use super::reason::{ActiveSelector, Reason};
use super::unmet::Unmet;
use crate::{Dropped, Origin, Symbol, Value, Wish};

/// How many names a line lists; the rest is counted.
const NAMES: usize = 8;

/// What is said of a drop: who asked for what and what came, then the reasons, indented.
#[must_use]
pub fn render_dropped(dropped: &Dropped, reasons: &[Reason]) -> Vec<String> {
    let request = &dropped.request;
    let got = dropped.got.as_ref().unwrap_or(&Value::No);
    let mut lines = Lines::default();
    lines.add(format!(
        "{}: {} asks for {}, Kconfig gives {got}",
        request.symbol, request.origin, request.value
    ));
    lines.indented(|lines| lines.reasons(reasons));
    lines.done
}

impl Explanation {
    /// The explanation as lines of text.
    #[must_use]
    pub fn render(&self) -> Vec<String> {
        let mut lines = Lines::default();
        let value = self.value.as_ref().map_or("n".to_owned(), Value::to_string);
        match self.kind {
            Some(kind) => lines.add(format!("{} = {value} ({kind})", self.symbol)),
            None => lines.add(&self.symbol),
        }
        lines.section("asked", |lines| match &self.asked {
            Some(wish) => lines.wish(wish),
            None => lines.add("by nobody"),
        });
        lines.section("why", |lines| lines.reasons(&self.reasons));
        for definition in &self.definitions {
            lines.definition(definition);
        }
        lines.section("selected by", |lines| lines.selectors(&self.selected_by));
        lines.section("implied by", |lines| lines.selectors(&self.implied_by));
        lines.done
    }
}

/// Lines that are being written.
#[derive(Default)]
struct Lines {
    done: Vec<String>,
    depth: usize,
}

impl Lines {
    fn add(&mut self, line: impl AsRef<str>) {
        let line = line.as_ref();
        self.done.push(match line.is_empty() {
            true => String::new(),
            false => format!("{:indent$}{line}", "", indent = 2 * self.depth),
        });
    }

    fn indented(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    /// A title and what belongs to it; nothing where nothing does.
    fn section(&mut self, title: &str, write: impl FnOnce(&mut Self)) {
        let before = self.done.len();
        self.add(format!("{title}:"));
        self.indented(write);
        if self.done.len() == before + 1 {
            self.done.pop();
        }
    }

    fn wish(&mut self, wish: &Wish) {
        let because =
            |why: &Option<String>| why.as_ref().map_or(String::new(), |why| format!(": {why}"));
        for request in wish.askers() {
            self.add(format!("{} by {}{}", request.value, request.origin, because(&request.why)));
        }
        for request in &wish.overridden {
            self.add(format!("{} by {}, overridden", request.value, request.origin));
        }
    }

    fn definition(&mut self, definition: &ExplainedDefinition) {
        let prompt = definition.prompt.as_ref();
        let prompt = prompt.map_or("no prompt".to_owned(), |prompt| format!("\"{prompt}\""));
        self.add(format!("{prompt} ({}):", definition.place));
        self.indented(|lines| {
            lines.section("depends on", |lines| lines.parts(&definition.depends_on));
            lines.section("prompt shown if", |lines| lines.parts(&definition.shown_if));
            lines.section("default", |lines| lines.parts(&definition.defaults));
            lines.section("range", |lines| lines.parts(&definition.ranges));
            lines.section("choice of", |lines| {
                if !definition.choice.is_empty() {
                    lines.add(names(&definition.choice));
                }
            });
            lines.section("selects", |lines| lines.parts(&definition.selects));
            lines.section("implies", |lines| lines.parts(&definition.implies));
            lines.section("help", |lines| {
                for line in definition.help.iter().flat_map(|help| help.lines()) {
                    lines.add(line);
                }
            });
        });
    }

    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            let value = part.value.map_or("?".to_owned(), |value| value.to_string());
            self.add(format!("[{value}] {} ({})", part.text, part.place));
        }
    }

    /// Those in force, and the names of the others: there may be hundreds.
    fn selectors(&mut self, selectors: &[ExplainedSelector]) {
        let (active, others): (Vec<_>, Vec<_>) =
            selectors.iter().partition(|selector| selector.value > Tristate::No);
        for selector in active {
            let ExplainedSelector { symbol, place, value, .. } = selector;
            let condition =
                selector.condition.as_ref().map_or(String::new(), |c| format!(" if {c}"));
            self.add(format!("[{value}] {symbol}{condition} ({place})"));
        }
        let mut others: Vec<Symbol> =
            others.iter().map(|selector| selector.symbol.clone()).collect();
        others.dedup();
        if !others.is_empty() {
            self.add(format!("[n] {}", names(&others)));
        }
    }

    fn reasons(&mut self, reasons: &[Reason]) {
        for reason in reasons {
            self.reason(reason);
        }
    }

    fn reason(&mut self, reason: &Reason) {
        match reason {
            Reason::NotInTree { nearest } => {
                let nearest = nearest
                    .as_ref()
                    .map_or(String::new(), |name| format!("; the nearest is {name}"));
                self.add(format!(
                    "this source tree has no such symbol for this architecture{nearest}"
                ));
            }
            Reason::WrongType { kind, value } => {
                self.add(format!("{value} is no value for its type, {kind}"))
            }
            Reason::NoModules => self.add("there are no modules: MODULES is not set"),
            Reason::Dependency { enclosure, place, unmet, .. } => {
                self.unmet(unmet, "needs", &enclosed(*enclosure, place))
            }
            Reason::Hidden { place, unmet, .. } => {
                self.unmet(unmet, "can be set only with", &format!(" ({place})"));
            }
            Reason::NoPrompt { selectors, defaults } => self.add(no_prompt(selectors, defaults)),
            Reason::Selected { by } => by.iter().for_each(|selector| self.selected(selector)),
            Reason::Default { value, place } => {
                self.add(format!("its default is {value} ({place})"))
            }
            Reason::OtherChoice { prompt, member, asked } => {
                let asked = asked_for(asked.as_ref());
                self.add(format!("{} is {member}, which {asked}", choice(prompt)));
            }
            Reason::LastOfChoice { prompt, others } => self.add(format!(
                "{} needs one member: ask for another one, {}",
                choice(prompt),
                names(others)
            )),
            Reason::OutOfRange { low, high, place } => {
                self.add(format!("it must be from {low} to {high} ({place})"));
            }
            Reason::Unexplained => self.add("the Kconfig files show no reason"),
        }
    }

    fn selected(&mut self, selector: &ActiveSelector) {
        let ActiveSelector { symbol, place, asked, .. } = selector;
        let asked = match asked {
            None if !selector.reasons.is_empty() => String::new(),
            asked => format!(", which {}", asked_for(asked.as_ref())),
        };
        self.add(format!("selected by {symbol} ({place}){asked}"));
        self.indented(|lines| lines.reasons(&selector.reasons));
    }

    fn unmet(&mut self, unmet: &Unmet, needs: &str, place: &str) {
        match unmet {
            Unmet::NoneOf { alternatives } => self.none_of(alternatives, needs, place),
            _ => self.add(format!("{}{place}", single(unmet, needs))),
        }
        if let Unmet::Unset { reasons, .. } | Unmet::Set { reasons, .. } = unmet {
            self.indented(|lines| {
                let said = |reason: &&Reason| matches!(reason, Reason::NotInTree { .. });
                reasons.iter().filter(|r| !said(r)).for_each(|reason| lines.reason(reason));
            });
        }
    }

    fn none_of(&mut self, alternatives: &[Vec<Unmet>], needs: &str, place: &str) {
        let symbol = |alternative: &Vec<Unmet>| match alternative.as_slice() {
            [Unmet::Unset { symbol, .. }] => Some(symbol.clone()),
            _ => None,
        };
        let symbols: Option<Vec<Symbol>> = alternatives.iter().map(symbol).collect();
        match symbols {
            Some(symbols) => self.add(format!("{needs} one of {}{place}", names(&symbols))),
            None => {
                self.add(format!("{needs} one of these{place}:"));
                self.indented(|lines| {
                    for alternative in alternatives {
                        let parts: Vec<_> = alternative.iter().map(brief).collect();
                        lines.add(parts.join(" and "));
                    }
                });
            }
        }
    }
}

/// A failing part in a few words.
fn single(part: &Unmet, needs: &str) -> String {
    match part {
        Unmet::Unset { symbol, value, asked, reasons, .. } => match (asked, reasons.as_slice()) {
            (_, [Reason::NotInTree { .. }]) => {
                format!("{needs} {symbol}, which this source tree does not have")
            }
            (None, [Reason::NoPrompt { .. }, ..]) => format!("{needs} {symbol}"),
            (None, _) if *value > Tristate::No => format!("{needs} {symbol}=y, which is {value}"),
            (asked, _) => format!("{needs} {symbol}, which {}", asked_for(asked.as_ref())),
        },
        Unmet::Set { symbol, value, asked, .. } => match asked {
            Some(_) => format!("{needs} {symbol} unset, which {}", asked_for(asked.as_ref())),
            None => format!("{needs} {symbol} unset, which is {value}"),
        },
        Unmet::False { comparison, left } => match left {
            Some(left) => format!("{needs} {comparison}, where the left is {left:?}"),
            None => format!("{needs} {comparison}"),
        },
        Unmet::Test { text } => format!("{needs} {text}, which only the kernel's build can test"),
        Unmet::Never => format!("{needs} what can never be"),
        Unmet::NoneOf { alternatives } => {
            let any: Vec<_> = alternatives.iter().map(|parts| brief_all(parts)).collect();
            format!("{needs} {}", any.join(" or "))
        }
    }
}

/// A failing part without its history.
fn brief(part: &Unmet) -> String {
    match part {
        Unmet::Unset { symbol, .. } => symbol.to_string(),
        Unmet::Set { symbol, .. } => format!("!{symbol}"),
        Unmet::False { comparison, .. } => comparison.clone(),
        Unmet::Test { text } => text.clone(),
        Unmet::Never => "n".to_owned(),
        Unmet::NoneOf { alternatives } => {
            let any: Vec<_> = alternatives.iter().map(|parts| brief_all(parts)).collect();
            format!("({})", any.join(" or "))
        }
    }
}

fn brief_all(parts: &[Unmet]) -> String {
    let parts: Vec<_> = parts.iter().map(brief).collect();
    parts.join(" and ")
}

fn asked_for(asked: Option<&(Origin, Value)>) -> String {
    match asked {
        None => "nobody asked for".to_owned(),
        Some((origin, Value::No)) => format!("{origin} sets to n"),
        Some((origin, _)) => format!("{origin} asks for"),
    }
}

fn enclosed(enclosure: Enclosure, place: &Place) -> String {
    match enclosure {
        Enclosure::Own => format!(" ({place})"),
        Enclosure::If => format!(" (if at {place})"),
        Enclosure::Menu => format!(" (menu at {place})"),
        Enclosure::Choice => format!(" (choice at {place})"),
    }
}

fn choice(prompt: &Option<String>) -> String {
    prompt.as_ref().map_or("the choice".to_owned(), |prompt| format!("the choice \"{prompt}\""))
}

fn no_prompt(selectors: &[Symbol], defaults: &[String]) -> String {
    let mut set_by = Vec::new();
    if !selectors.is_empty() {
        set_by.push(format!("selected by {}", names(selectors)));
    }
    if !defaults.is_empty() {
        set_by.push(format!("by default {}", defaults.join(", ")));
    }
    match set_by.as_slice() {
        [] => "it cannot be asked for: it has no prompt, and nothing selects it".to_owned(),
        _ => format!("it cannot be asked for, as it has no prompt: it is {}", set_by.join(", or ")),
    }
}

/// `A, B and 3 more`.
fn names(symbols: &[Symbol]) -> String {
    let shown: Vec<_> = symbols.iter().take(NAMES).map(Symbol::as_str).collect();
    let shown = shown.join(", ");
    match symbols.len().saturating_sub(NAMES) {
        0 => shown,
        rest => format!("{shown} and {rest} more"),
    }
}
