//! Fragments: the user's part of a configuration.

use crate::line::{self, Assignment, SyntaxError, SyntaxProblem};
use crate::{Asker, Necessity, Origin, Request, Value};

/// The word that marks a line as optional.
const OPTIONAL: &str = "optional";

/// Reads a fragment of the user's; `file` is how errors and origins name it.
///
/// Lines are `CONFIG_X=y`, `X=y`, or `# CONFIG_X is not set`. A comment after the value is kept
/// as the reason; one that is or starts with `optional` lets the build go on if Kconfig drops
/// the symbol:
///
/// ```text
/// CONFIG_VETH=y          # for the bridge tests
/// X86_SGX=y              # optional
/// X86_SGX_KVM=y          # optional: only on new hosts
/// ```
///
/// # Errors
///
/// The first line that is neither a comment nor an assignment.
pub fn parse_fragment(file: &str, text: &str) -> Result<Vec<Request>, SyntaxError> {
    line::parse_lines(file, text)
        .map(|said| said.and_then(|(line, assignment)| request(file, line, assignment)))
        .collect()
}

fn request(file: &str, line: u32, assignment: Assignment<'_>) -> Result<Request, SyntaxError> {
    let Assignment { symbol, value, comment } = assignment;
    if value == Value::Number(String::new()) {
        return Err(SyntaxError {
            file: file.to_owned(),
            line,
            problem: SyntaxProblem::NoValue { symbol },
        });
    }
    let (necessity, why) = parse_comment(comment.unwrap_or_default());
    Ok(Request {
        symbol,
        value,
        origin: Origin { asker: Asker::User, file: file.to_owned(), line },
        necessity,
        why: (!why.is_empty()).then(|| why.to_owned()),
    })
}

/// `optional`, `optional: why`, or `why`.
fn parse_comment(comment: &str) -> (Necessity, &str) {
    match comment.strip_prefix(OPTIONAL) {
        Some("") => (Necessity::Optional, ""),
        Some(rest) => match rest.strip_prefix([':', ',']) {
            Some(why) => (Necessity::Optional, why.trim_start()),
            None => (Necessity::Required, comment),
        },
        None => (Necessity::Required, comment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_line_is_read() {
        use Necessity::{Optional, Required};
        for (line, name, value, necessity, why) in [
            ("CONFIG_NET=y", "NET", "y", Required, None),
            ("64BIT=y", "64BIT", "y", Required, None),
            ("  SWAP = n  ", "SWAP", "n", Required, None),
            ("# CONFIG_NET is not set", "NET", "n", Required, None),
            ("# CONFIG_NET is not set # optional", "NET", "n", Optional, None),
            ("CONFIG_NET=y # optional", "NET", "y", Optional, None),
            ("CONFIG_NET=y #optional: why not", "NET", "y", Optional, Some("why not")),
            ("CONFIG_NET=y # optional, why not", "NET", "y", Optional, Some("why not")),
            ("CONFIG_NET=y # optionally so", "NET", "y", Required, Some("optionally so")),
            ("CONFIG_NET=y\t# the web", "NET", "y", Required, Some("the web")),
            ("H=\"a#b\" # name", "H", "\"a#b\"", Required, Some("name")),
            ("PHYSICAL_START=0x200000", "PHYSICAL_START", "0x200000", Required, None),
        ] {
            let requests = parse_fragment("mine.cfg", &format!("# head\n\n{line}\r\n")).unwrap();
            let [request] = requests.as_slice() else { panic!("{line}: {requests:?}") };
            assert_eq!(request.symbol, name, "{line}");
            assert_eq!(request.value, value.parse().unwrap(), "{line}");
            assert_eq!(request.necessity, necessity, "{line}");
            assert_eq!(request.why.as_deref(), why, "{line}");
            assert_eq!(request.origin.to_string(), "mine.cfg:3");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let requests = parse_fragment("f", "\u{feff}CONFIG_NET=y\n").unwrap();
        assert_eq!(requests[0].symbol, "NET");
    }

    #[test]
    fn comments_say_nothing() {
        for text in ["", "# a comment", "# CONFIG_NET=y", "# Swap is not set", "#"] {
            assert_eq!(parse_fragment("f", text), Ok(Vec::new()), "{text}");
        }
    }

    #[test]
    fn bad_lines_are_named_with_a_hint() {
        for (text, message, hint) in [
            ("A=y\nB=", "f:2: B has no value", "to unset it, write `# CONFIG_B is not set`"),
            (
                "DEFAULT_HOSTNAME=microvm",
                "f:1: DEFAULT_HOSTNAME: `microvm` is no value: y, m, n, a number, or text in double quotes",
                "if it is text, write `CONFIG_DEFAULT_HOSTNAME=\"microvm\"`",
            ),
            (
                "CONFIG_NET y",
                "f:1: `CONFIG_NET y` is neither a comment nor SYMBOL=VALUE",
                "write `CONFIG_X=y`, `X=y` or `# CONFIG_X is not set`",
            ),
        ] {
            let error = parse_fragment("f", text).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint));
        }
    }
}
