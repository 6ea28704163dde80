//! `docs/features.md`, written from the feature files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use mote_kernel::{Catalogue, Feature, FeatureSymbol};

/// Where the document is in the work tree.
const DOCUMENT: &str = "docs/features.md";

const HEAD: &str = "# Features

Every feature and every symbol it asks for, with why. A feature brings the features that it
requires; how to write one stands in [kernels.md](kernels.md). This page is written by
`cargo xtask docs` from the files in `crates/kernel/features`.
";

/// How the generated documents are treated.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing; fail if a document is not current
    #[arg(long)]
    check: bool,
}

/// Writes the document, or only says whether it is current.
///
/// # Errors
/// A file that cannot be read or written.
pub fn run(args: &Args) -> Result<ExitCode> {
    let text = render(Catalogue::builtin());
    let path = work_tree().join(DOCUMENT);
    if !args.check {
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    } else if read(&path)? != text {
        eprintln!("{}", outdated());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn work_tree() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn outdated() -> String {
    format!("{DOCUMENT} is not what the feature files say: run `cargo xtask docs`")
}

fn render(catalogue: &Catalogue) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "\n| feature | what it gives | requires | symbols |\n| --- | --- | --- | ---: |\n",
    );
    for feature in catalogue.iter() {
        let Feature { name, summary, symbols, .. } = feature;
        let (summary, requires) = (cell(summary), requirements(feature));
        line(
            &mut text,
            format_args!("| {} | {summary} | {requires} | {} |", link(name), symbols.len()),
        );
    }
    for feature in catalogue.iter() {
        section(&mut text, feature);
    }
    text
}

fn section(text: &mut String, feature: &Feature) {
    let Feature { name, summary, requires, symbols, probe } = feature;
    line(text, format_args!("\n## {name}\n\n{}.", escape(summary)));
    if !requires.is_empty() {
        line(text, format_args!("Requires {}.", requirements(feature)));
    }
    if symbols.is_empty() {
        text.push_str("It asks for no symbol of its own.\n");
        return;
    }
    if probe.is_none() {
        text.push_str("It has no probe.\n");
    }
    text.push_str("\n| symbol | value | Linux | why |\n| --- | --- | --- | --- |\n");
    for FeatureSymbol { symbol, value, why, since, until, .. } in symbols {
        let since = since.as_ref().map(|since| format!("from {since}"));
        let until = until.as_ref().map(|until| format!("before {until}"));
        let versions: Vec<_> = since.into_iter().chain(until).collect();
        let (symbol, versions, why) = (symbol.as_str(), versions.join(", "), cell(why));
        line(text, format_args!("| `{symbol}` | `{value}` | {versions} | {why} |"));
    }
}

fn requirements(feature: &Feature) -> String {
    feature.requires.iter().map(|name| link(name)).collect::<Vec<_>>().join(", ")
}

fn link(feature: &str) -> String {
    format!("[{feature}](#{feature})")
}

/// Text as it is to be read, where Markdown would take some characters as its own.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '<' | '`') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The same in a table, where a bar would begin the next cell.
fn cell(text: &str) -> String {
    escape(text).replace('|', "\\|")
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "{words}").expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: &str = r#"
summary = "The | network"
requires = ["base"]
symbols = [
  { name = "NET", why = "the *socket* layer" },
  { name = "OLD", value = "n", why = "it was there", until = "6.2" },
  { name = "NEW", value = "0x10", why = "it is there", since = "6.2", until = "6.9" },
]
[probe]
run = "true"
"#;

    #[test]
    fn the_document_is_current() {
        let written = read(&work_tree().join(DOCUMENT)).unwrap();
        // Not assert_eq: the message is what counts, not the two texts.
        assert!(written == render(Catalogue::builtin()), "{}", outdated());
    }

    #[test]
    fn all_that_a_feature_says_is_there() {
        let catalogue =
            Catalogue::parse([("net", NET), ("set", "summary = \"Both\"\nrequires = [\"net\"]\n")]);
        let text = render(&catalogue.unwrap());
        for wanted in [
            "| [net](#net) | The \\| network | [base](#base) | 3 |\n",
            "\n## net\n\nThe | network.\nRequires [base](#base).\n\n| symbol |",
            "| `NET` | `y` |  | the \\*socket\\* layer |\n",
            "| `OLD` | `n` | before 6.2 | it was there |\n",
            "| `NEW` | `0x10` | from 6.2, before 6.9 | it is there |\n",
            "\n## set\n\nBoth.\nRequires [net](#net).\nIt asks for no symbol of its own.\n",
        ] {
            assert!(text.contains(wanted), "{wanted}\nis not in\n{text}");
        }
    }
}
