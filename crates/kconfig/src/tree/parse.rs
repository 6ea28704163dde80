//! Reading the Kconfig files of a source tree, after scripts/kconfig/parser.y of Linux 6.12.
//!
//! nom-kconfig 0.13 reads the same trees to the same number of entries, but keeps no line numbers,
//! which every reason shows, and takes nearly twenty times as long.

use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::declaration::{
    Choice, Condition, Declared, DefaultValue, Definition, Enclosure, Kind, Place, Prompt, Range,
    Select, Selector, SymbolTree,
};
use super::expression::{Expression, Operand, Tokens};
use super::token::{Reader, Statement, Token};
use super::variables::Variables;
use crate::Symbol;

/// The file that a source tree's Kconfig starts with.
const ROOT: &str = "Kconfig";

/// Why the Kconfig files of a tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A file that is missing or unreadable.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The line that sources it, unless it is the first file.
        sourced: Option<Place>,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A statement that breaks the grammar.
    #[error("{place}: {problem}")]
    Syntax {
        /// Where it is.
        place: Place,
        /// What is wrong with it.
        problem: String,
    },
}

impl TreeError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { sourced: None, .. } => {
                Some("give the top directory of a Linux source tree".to_owned())
            }
            Self::Read { sourced: Some(place), .. } => {
                Some(format!("it is sourced by {place}: is the source tree complete?"))
            }
            Self::Syntax { .. } => None,
        }
    }
}

impl SymbolTree {
    /// Reads `source_dir/Kconfig` and all that it sources. `variables` are those that the
    /// kernel's makefiles export to Kconfig: `SRCARCH` and `ARCH` at least.
    ///
    /// What only a program can tell, such as `$(cc-option,…)`, stays open.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or blocks that are not closed. A keyword that is not known is
    /// no error: see [`SymbolTree::skipped`].
    pub fn load<'a>(
        source_dir: &Path,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, TreeError> {
        let mut parser = Parser {
            source_dir,
            variables: Variables::new(variables),
            tree: SymbolTree::default(),
            scope: Scope::default(),
            entry: Entry::Other,
            open_files: Vec::new(),
        };
        parser.file(ROOT, None)?;
        Ok(parser.finish())
    }
}

struct Parser<'a> {
    source_dir: &'a Path,
    variables: Variables,
    tree: SymbolTree,
    scope: Scope,
    entry: Entry,
    /// The files being read, to notice one that sources itself.
    open_files: Vec<String>,
}

/// What holds for the entries that are being read.
#[derive(Debug, Clone, Default)]
struct Scope {
    dependencies: Vec<Arc<Condition>>,
    visibility: Vec<Arc<Condition>>,
    choice: Option<usize>,
}

/// What the attributes that are being read belong to.
enum Entry {
    Symbol(Symbol),
    Menu,
    Choice(usize),
    /// A comment, or nothing.
    Other,
}

/// A `menu`, `if` or `choice` that is open.
struct Block {
    end: &'static str,
    opened: Place,
    /// What held around it.
    outer: Scope,
}

/// Whether a keyword is one of the language.
enum Known {
    Yes,
    No,
}

impl Parser<'_> {
    fn file(&mut self, name: &str, sourced: Option<&Place>) -> Result<(), TreeError> {
        let path = self.source_dir.join(name);
        let bytes = fs::read(&path).map_err(|source| TreeError::Read {
            path,
            sourced: sourced.cloned(),
            source,
        })?;
        let text = String::from_utf8_lossy(&bytes);
        let file: Arc<str> = name.into();
        self.open_files.push(name.to_owned());
        let mut reader = Reader::new(&text);
        let mut blocks = Vec::new();
        while let Some((line, statement)) = reader.statement(&self.variables) {
            let place = Place { file: Arc::clone(&file), line };
            match statement {
                Statement::Assignment { name, kind, value } => {
                    self.variables.assign(&name, kind, &value)
                }
                Statement::Tokens(tokens) => {
                    self.statement(tokens, &place, &mut blocks, &mut reader)?
                }
            }
        }
        self.open_files.pop();
        self.entry = Entry::Other;
        match blocks.pop() {
            Some(Block { end, opened, .. }) => {
                Err(syntax(&opened, format!("no `{end}` ends this")))
            }
            None => Ok(()),
        }
    }

    fn statement(
        &mut self,
        tokens: Vec<Token>,
        place: &Place,
        blocks: &mut Vec<Block>,
        reader: &mut Reader<'_>,
    ) -> Result<(), TreeError> {
        let mut tokens: Tokens = tokens.into_iter().peekable();
        let Some(Token::Word(keyword)) = tokens.next() else {
            self.tree.skipped.push(place.clone());
            return Ok(());
        };
        if keyword == "source" {
            let name = text(&mut tokens).ok_or_else(|| syntax(place, "`source` names no file"))?;
            return self.source(&name, place);
        }
        if matches!(keyword.as_str(), "help" | "---help---") {
            let help = reader.help();
            if let Some(definition) = self.definition() {
                definition.help = Some(help);
            }
            return Ok(());
        }
        let known = match keyword.as_str() {
            // `$(error-if,…)` and the like say nothing about symbols.
            macro_call if macro_call.starts_with("$(") => Some(Known::Yes),
            _ => match self.block(&keyword, &mut tokens, place, blocks)? {
                Known::Yes => Some(Known::Yes),
                Known::No => self.attribute(&keyword, &mut tokens, place),
            },
        };
        match known {
            None => Err(syntax(place, format!("`{keyword}` is incomplete"))),
            Some(Known::Yes) if tokens.peek().is_none() || keyword.starts_with("$(") => Ok(()),
            Some(_) => {
                self.tree.skipped.push(place.clone());
                Ok(())
            }
        }
    }

    fn source(&mut self, name: &str, place: &Place) -> Result<(), TreeError> {
        if self.open_files.iter().any(|open| open == name) {
            return Err(syntax(place, format!("{name} sources itself")));
        }
        self.file(name, Some(place))
    }

    /// The statements that start an entry, or open or close a block.
    fn block(
        &mut self,
        keyword: &str,
        tokens: &mut Tokens,
        place: &Place,
        blocks: &mut Vec<Block>,
    ) -> Result<Known, TreeError> {
        let incomplete = || syntax(place, format!("`{keyword}` is incomplete"));
        let open = |end| Block { end, opened: place.clone(), outer: self.scope.clone() };
        match keyword {
            "config" | "menuconfig" => {
                let symbol = symbol(tokens).ok_or_else(incomplete)?;
                self.define(symbol, place);
            }
            "menu" => {
                blocks.push(open("endmenu"));
                text(tokens).ok_or_else(incomplete)?;
                self.entry = Entry::Menu;
            }
            "if" => {
                blocks.push(open("endif"));
                let condition = Expression::parse(tokens).ok_or_else(incomplete)?;
                self.depend(condition, Enclosure::If, place);
                self.entry = Entry::Other;
            }
            "choice" => {
                blocks.push(open("endchoice"));
                // Before Linux 6.9 a choice could have a name.
                tokens.next();
                let index = self.tree.choices.len();
                self.tree.choices.push(Choice::default());
                self.scope.choice = Some(index);
                self.entry = Entry::Choice(index);
            }
            "endmenu" | "endif" | "endchoice" => match blocks.pop() {
                Some(block) if block.end == keyword => {
                    self.scope = block.outer;
                    self.entry = Entry::Other;
                }
                _ => return Err(syntax(place, format!("`{keyword}` ends nothing"))),
            },
            "comment" | "mainmenu" => {
                text(tokens).ok_or_else(incomplete)?;
                self.entry = Entry::Other;
            }
            _ => return Ok(Known::No),
        }
        Ok(Known::Yes)
    }

    fn define(&mut self, symbol: Symbol, place: &Place) {
        let definition = Definition {
            place: place.clone(),
            prompt: None,
            dependencies: self.scope.dependencies.clone(),
            visibility: self.scope.visibility.clone(),
            defaults: Vec::new(),
            selects: Vec::new(),
            implies: Vec::new(),
            ranges: Vec::new(),
            help: None,
            choice: self.scope.choice,
        };
        if let Some(choice) = self.scope.choice {
            self.tree.choices[choice].members.push(symbol.clone());
        }
        let declared = self.tree.symbols.entry(symbol.clone()).or_default();
        declared.definitions.push(definition);
        self.entry = Entry::Symbol(symbol);
    }

    /// The statements that say something about the entry before them. `None`: incomplete.
    fn attribute(&mut self, keyword: &str, tokens: &mut Tokens, place: &Place) -> Option<Known> {
        match keyword {
            "bool" | "tristate" | "int" | "hex" | "string" => {
                self.set_kind(keyword);
                if tokens.peek().is_some() {
                    self.prompt(tokens, place)?;
                }
            }
            "prompt" => self.prompt(tokens, place)?,
            "def_bool" | "def_tristate" => {
                self.set_kind(keyword.trim_start_matches("def_"));
                self.default(tokens, place)?;
            }
            "default" => self.default(tokens, place)?,
            "depends" => self.depends_on(tokens, place)?,
            "select" | "imply" => self.select(keyword, tokens, place)?,
            "range" => self.range(tokens, place)?,
            "visible" => self.visible_if(tokens, place)?,
            // They change nothing that is explained here. `option` was last used in 5.12,
            // `optional` in 6.10; `transitional` came in 6.18.
            "modules" | "optional" | "transitional" | "option" => tokens.by_ref().for_each(drop),
            _ => return Some(Known::No),
        }
        Some(Known::Yes)
    }

    fn set_kind(&mut self, keyword: &str) {
        if let Some(declared) = self.declared()
            && declared.kind == Kind::Unknown
        {
            declared.kind = match keyword {
                "bool" => Kind::Bool,
                "tristate" => Kind::Tristate,
                "int" => Kind::Int,
                "hex" => Kind::Hex,
                _ => Kind::String,
            };
        }
    }

    fn prompt(&mut self, tokens: &mut Tokens, place: &Place) -> Option<()> {
        let text = text(tokens)?;
        let condition = condition(tokens)?;
        match self.entry {
            Entry::Choice(index) => {
                self.tree.choices[index].prompt = Some(text);
                // Since Linux 6.9 the members depend on it no more, but it still hides them.
                if let Some(expression) = condition {
                    self.hide(expression, Enclosure::Choice, place);
                }
            }
            _ => {
                if let Some(definition) = self.definition() {
                    definition.prompt = Some(Prompt { text, condition, place: place.clone() });
                }
            }
        }
        Some(())
    }

    fn default(&mut self, tokens: &mut Tokens, place: &Place) -> Option<()> {
        let default = DefaultValue {
            value: Expression::parse(tokens)?,
            condition: condition(tokens)?,
            place: place.clone(),
        };
        if let Some(definition) = self.definition() {
            definition.defaults.push(default);
        }
        Some(())
    }

    fn depends_on(&mut self, tokens: &mut Tokens, place: &Place) -> Option<()> {
        tokens.next_if_eq(&Token::Word("on".to_owned()))?;
        let expression = Expression::parse(tokens)?;
        let expression = match condition(tokens)? {
            Some(condition) => expression.only_if(condition),
            None => expression,
        };
        match self.entry {
            Entry::Menu => self.depend(expression, Enclosure::Menu, place),
            Entry::Choice(_) => self.depend(expression, Enclosure::Choice, place),
            Entry::Symbol(_) | Entry::Other => {
                if let Some(definition) = self.definition() {
                    definition.dependencies.push(Arc::new(Condition {
                        expression,
                        enclosure: Enclosure::Own,
                        place: place.clone(),
                    }));
                }
            }
        }
        Some(())
    }

    fn select(&mut self, keyword: &str, tokens: &mut Tokens, place: &Place) -> Option<()> {
        let select =
            Select { symbol: symbol(tokens)?, condition: condition(tokens)?, place: place.clone() };
        if let Some(definition) = self.definition() {
            match keyword {
                "select" => definition.selects.push(select),
                _ => definition.implies.push(select),
            }
        }
        Some(())
    }

    fn range(&mut self, tokens: &mut Tokens, place: &Place) -> Option<()> {
        let range = Range {
            low: Operand::parse(tokens)?,
            high: Operand::parse(tokens)?,
            condition: condition(tokens)?,
            place: place.clone(),
        };
        if let Some(definition) = self.definition() {
            definition.ranges.push(range);
        }
        Some(())
    }

    fn visible_if(&mut self, tokens: &mut Tokens, place: &Place) -> Option<()> {
        if let Some(expression) = condition(tokens)? {
            self.hide(expression, Enclosure::Menu, place);
        }
        Some(())
    }

    /// Adds a condition for all that the open block holds.
    fn depend(&mut self, expression: Expression, enclosure: Enclosure, place: &Place) {
        let condition = Condition { expression, enclosure, place: place.clone() };
        self.scope.dependencies.push(Arc::new(condition));
    }

    /// Adds a condition for the prompts of all that the open block holds.
    fn hide(&mut self, expression: Expression, enclosure: Enclosure, place: &Place) {
        let condition = Condition { expression, enclosure, place: place.clone() };
        self.scope.visibility.push(Arc::new(condition));
    }

    fn declared(&mut self) -> Option<&mut Declared> {
        match &self.entry {
            Entry::Symbol(symbol) => self.tree.symbols.get_mut(symbol),
            _ => None,
        }
    }

    /// The definition that is being read.
    fn definition(&mut self) -> Option<&mut Definition> {
        self.declared()?.definitions.last_mut()
    }

    /// The tree, with selects and implies reversed.
    fn finish(self) -> SymbolTree {
        let mut tree = self.tree;
        let symbols = mem::take(&mut tree.symbols);
        for (symbol, declared) in &symbols {
            for definition in &declared.definitions {
                let reversed = [
                    (&definition.selects, &mut tree.selectors),
                    (&definition.implies, &mut tree.implying),
                ];
                for (selects, index) in reversed {
                    for select in selects {
                        let selector = Selector {
                            symbol: symbol.clone(),
                            condition: select.condition.clone(),
                            place: select.place.clone(),
                        };
                        index.entry(select.symbol.clone()).or_default().push(selector);
                    }
                }
            }
        }
        tree.symbols = symbols;
        tree
    }
}

fn syntax(place: &Place, problem: impl Into<String>) -> TreeError {
    TreeError::Syntax { place: place.clone(), problem: problem.into() }
}

/// A text, which old files may leave unquoted.
fn text(tokens: &mut Tokens) -> Option<String> {
    match tokens.next()? {
        Token::Text(text) | Token::Word(text) => Some(text),
        _ => None,
    }
}

fn symbol(tokens: &mut Tokens) -> Option<Symbol> {
    match tokens.next()? {
        Token::Word(name) => name.parse().ok(),
        _ => None,
    }
}

/// An `if` with its expression, or nothing. `None`: an `if` without one.
fn condition(tokens: &mut Tokens) -> Option<Option<Expression>> {
    match tokens.next_if_eq(&Token::Word("if".to_owned())) {
        Some(_) => Expression::parse(tokens).map(Some),
        None => Some(None),
    }
}
