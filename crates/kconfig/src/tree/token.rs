//! Statements and tokens of a Kconfig file, after scripts/kconfig/lexer.l of Linux 6.12.

use super::variables::{AssignmentKind, Variables, reference_len};

/// A piece of a statement. References to variables are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a name, a number, or a `$(…)`.
    Word(String),
    /// Quoted text.
    Text(String),
    Or,
    And,
    Not,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Open,
    Close,
    Assign(AssignmentKind),
}

/// A line with what its continuation lines add.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Tokens(Vec<Token>),
    Assignment { name: String, kind: AssignmentKind, value: String },
}

/// Reads a file statement by statement.
pub(super) struct Reader<'a> {
    rest: &'a str,
    line: u32,
}

/// Operators, longer ones before those that they start with.
const OPERATORS: [(&str, Token); 13] = [
    ("||", Token::Or),
    ("&&", Token::And),
    ("!=", Token::Unequal),
    ("<=", Token::LessEqual),
    (">=", Token::GreaterEqual),
    (":=", Token::Assign(AssignmentKind::Immediate)),
    ("+=", Token::Assign(AssignmentKind::Append)),
    ("=", Token::Equal),
    ("!", Token::Not),
    ("<", Token::Less),
    (">", Token::Greater),
    ("(", Token::Open),
    (")", Token::Close),
];

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The next statement and the line that it starts in; `None` at the end of the file.
    pub(super) fn statement(&mut self, variables: &Variables) -> Option<(u32, Statement)> {
        let mut line = self.line;
        let mut tokens = Vec::new();
        loop {
            self.skip_blanks();
            if self.rest.is_empty() {
                return (!tokens.is_empty()).then_some((line, Statement::Tokens(tokens)));
            }
            if self.rest.starts_with('\n') {
                self.advance(1);
                if !tokens.is_empty() {
                    return Some((line, Statement::Tokens(tokens)));
                }
                continue;
            }
            if tokens.is_empty() {
                line = self.line;
            }
            tokens.extend(self.token(variables));
            if let [Token::Word(name), operator] = tokens.as_slice()
                && let Some(kind) = assignment(operator)
            {
                let name = name.clone();
                let value = self.take_line().trim_start().to_owned();
                return Some((line, Statement::Assignment { name, kind, value }));
            }
        }
    }

    /// The lines after a `help`: they end before the first one that is indented less than the
    /// first of them.
    pub(super) fn help(&mut self) -> String {
        let mut help = String::new();
        let mut indent = 0;
        while !self.rest.is_empty() {
            let line = self.rest.split('\n').next().unwrap_or_default();
            let text = line.trim();
            if text.is_empty() {
                help.push('\n');
            } else {
                let columns = leading_columns(line);
                if indent == 0 {
                    indent = columns;
                }
                if columns < indent || indent == 0 {
                    break;
                }
                help.extend(std::iter::repeat_n(' ', columns - indent));
                help.push_str(text);
                help.push('\n');
            }
            self.take_line();
        }
        help.trim_matches('\n').to_owned()
    }

    /// Blanks, continued lines, and a comment.
    fn skip_blanks(&mut self) {
        loop {
            let blanks = self.rest.len() - self.rest.trim_start_matches([' ', '\t', '\r']).len();
            self.advance(blanks);
            if self.rest.starts_with("\\\n") {
                self.advance(2);
            } else if self.rest.starts_with("\\\r\n") {
                self.advance(3);
            } else if self.rest.starts_with('#') {
                self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else {
                return;
            }
        }
    }

    /// The token here; none for a character that the language does not know, which `conf`
    /// leaves out too.
    fn token(&mut self, variables: &Variables) -> Option<Token> {
        if let Some(quote @ ('"' | '\'')) = self.rest.chars().next() {
            return Some(Token::Text(self.text(quote, variables)));
        }
        for (written, token) in OPERATORS {
            if self.rest.starts_with(written) {
                self.advance(written.len());
                return Some(token);
            }
        }
        let len = word_len(self.rest);
        if len == 0 {
            let unknown = self.rest.chars().next()?;
            self.advance(unknown.len_utf8());
            return None;
        }
        let word = variables.expand(&self.rest[..len]);
        self.advance(len);
        (!word.is_empty()).then_some(Token::Word(word))
    }

    /// Quoted text, which ends with its line at the latest.
    fn text(&mut self, quote: char, variables: &Variables) -> String {
        self.advance(1);
        let mut text = String::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\n' => break,
                '$' if self.rest.starts_with("$(") => {
                    let len = reference_len(self.rest);
                    text.push_str(&variables.expand(&self.rest[..len]));
                    self.advance(len);
                    continue;
                }
                _ => self.advance(c.len_utf8()),
            }
            match c {
                '\\' => {
                    let escaped = self.rest.chars().next().filter(|&c| c != '\n');
                    self.advance(escaped.map_or(0, char::len_utf8));
                    text.extend(escaped);
                }
                _ if c == quote => break,
                _ => text.push(c),
            }
        }
        text
    }

    /// The rest of this line, without its end.
    fn take_line(&mut self) -> &'a str {
        let len = self.rest.find('\n').unwrap_or(self.rest.len());
        let line = &self.rest[..len];
        self.advance((len + 1).min(self.rest.len()));
        line.trim_end_matches('\r')
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.bytes().filter(|&b| b == b'\n').count() as u32;
        self.rest = rest;
    }
}

fn assignment(operator: &Token) -> Option<AssignmentKind> {
    match operator {
        Token::Equal => Some(AssignmentKind::Recursive),
        Token::Assign(kind) => Some(*kind),
        _ => None,
    }
}

/// The length of the word that `text` starts with: letters, digits, `_`, `-`, `$(…)`, and the
/// `.` and `/` of an unquoted path.
fn word_len(text: &str) -> usize {
    let mut len = 0;
    while let Some(c) = text[len..].chars().next() {
        match c {
            '$' if text[len..].starts_with("$(") => len += reference_len(&text[len..]),
            'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '-' | '$' | '.' | '/' => len += 1,
            _ => break,
        }
    }
    len
}

/// The width of the blanks that `line` starts with; tabs go to each eighth column.
fn leading_columns(line: &str) -> usize {
    let mut columns = 0;
    for c in line.chars() {
        match c {
            '\t' => columns = (columns & !7) + 8,
            ' ' => columns += 1,
            _ => break,
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Token {
        Token::Word(text.into())
    }

    fn text(text: &str) -> Token {
        Token::Text(text.into())
    }

    #[test]
    fn statements_are_cut_into_tokens() {
        let variables = Variables::new([("SRCARCH", "x86")]);
        for (line, tokens) in [
            ("config 64BIT # why", vec![word("config"), word("64BIT")]),
            (
                "depends on A&&!B || \\\n\t(C != \"y\")",
                vec![
                    word("depends"),
                    word("on"),
                    word("A"),
                    Token::And,
                    Token::Not,
                    word("B"),
                    Token::Or,
                    Token::Open,
                    word("C"),
                    Token::Unequal,
                    text("y"),
                    Token::Close,
                ],
            ),
            ("source \"arch/$(SRCARCH)/Kconfig\"", vec![word("source"), text("arch/x86/Kconfig")]),
            (
                "bool \"a \\\"b\\\" 'c' # d\" if X='e'",
                vec![
                    word("bool"),
                    text("a \"b\" 'c' # d"),
                    word("if"),
                    word("X"),
                    Token::Equal,
                    text("e"),
                ],
            ),
            (
                "def_bool $(success,test \"$(x)\" = (y)) && Z",
                vec![
                    word("def_bool"),
                    word("$(success,test \"$(x)\" = (y))"),
                    Token::And,
                    word("Z"),
                ],
            ),
            ("range -20 0x1F", vec![word("range"), word("-20"), word("0x1F")]),
        ] {
            let written = format!("\n# comment \\\n  {line}\r\nnext\n");
            let mut reader = Reader::new(&written);
            assert_eq!(
                reader.statement(&variables),
                Some((3, Statement::Tokens(tokens))),
                "{line}"
            );
            let next = Statement::Tokens(vec![word("next")]);
            assert_eq!(reader.statement(&variables).unwrap().1, next);
            assert_eq!(reader.statement(&variables), None);
        }
    }

    #[test]
    fn the_right_side_of_an_assignment_is_raw() {
        let variables = Variables::new([]);
        let mut reader = Reader::new("quote := \"\ncc-option = $(success,a # b)\n");
        for (line, name, kind, value) in [
            (1, "quote", AssignmentKind::Immediate, "\""),
            (2, "cc-option", AssignmentKind::Recursive, "$(success,a # b)"),
        ] {
            let (name, value) = (name.to_owned(), value.to_owned());
            let expected = Statement::Assignment { name, kind, value };
            assert_eq!(reader.statement(&variables), Some((line, expected)));
        }
    }

    #[test]
    fn help_ends_where_the_indentation_does() {
        let variables = Variables::new([]);
        let mut reader = Reader::new("help\n\n\t  First # line.\n\n\t    - item\n\tdefault y\n");
        reader.statement(&variables);
        assert_eq!(reader.help(), "First # line.\n\n  - item");
        let (line, statement) = reader.statement(&variables).unwrap();
        assert_eq!((line, statement), (6, Statement::Tokens(vec![word("default"), word("y")])));
    }

    #[test]
    fn help_may_be_empty() {
        let variables = Variables::new([]);
        let mut reader = Reader::new("help\nconfig X\n");
        reader.statement(&variables);
        assert_eq!(reader.help(), "");
        assert_eq!(reader.statement(&variables).unwrap().0, 2);
    }
}
