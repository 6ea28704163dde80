//! What is said of a command line that cannot be understood.

use std::ffi::OsString;
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::{Cli, docker};

/// The text for an error of the command line, where clap's own says too little.
pub fn explain(error: &clap::Error) -> Option<String> {
    explain_line(error, std::env::args_os().skip(1))
}

fn explain_line(error: &clap::Error, line: impl Iterator<Item = OsString>) -> Option<String> {
    let typed = Typed::of(line);
    let message = match error.kind() {
        ErrorKind::InvalidSubcommand => typed.unknown_command(),
        ErrorKind::UnknownArgument => typed.unknown_argument(text(error, ContextKind::InvalidArg)?),
        ErrorKind::MissingRequiredArgument => typed.missing(error)?,
        ErrorKind::InvalidValue => typed.template(error)?,
        _ => return None,
    };
    Some(message.to_string())
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// In the form of all of mote's errors.
struct Message {
    what: String,
    hint: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhint: {}\n", self.what, self.hint)
    }
}

/// A command line, taken apart as far as it is understood.
struct Typed {
    /// The command that there is, and its words.
    command: Command,
    path: Vec<String>,
    /// The words after it, without flags.
    rest: Vec<String>,
}

impl Typed {
    fn of(line: impl Iterator<Item = OsString>) -> Self {
        let words = line.map(|word| word.to_string_lossy().into_owned());
        let mut words = words.filter(|word| !word.starts_with('-')).peekable();
        let (mut command, mut path) = (Cli::command(), Vec::new());
        // `mote help VERB` is about the verb.
        words.next_if(|word| word == "help");
        while let Some(below) = words.peek().and_then(|word| command.find_subcommand(word)) {
            path.push(below.get_name().to_owned());
            command = below.clone();
            words.next();
        }
        Self { command, path, rest: words.collect() }
    }

    /// The command as it is typed.
    fn line(&self) -> String {
        ["mote"]
            .into_iter()
            .chain(self.path.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn unknown_command(&self) -> Message {
        let root = Cli::command();
        let own: Vec<_> = root.get_subcommands().map(Command::get_name).collect();
        let words: Vec<_> = self.path.iter().chain(&self.rest).map(String::as_str).collect();
        if let Some(instead) = docker::instead_of(&words, &own) {
            let what = format!("mote has no command {}", instead.words);
            return Message { what, hint: instead.hint };
        }
        let word = self.rest.first().map_or("", String::as_str);
        let what = format!("{} has no command {word}", self.line());
        let hint = match nearest(word, self.command.get_subcommands().map(Command::get_name)) {
            Some(near) => format!("did you mean {near}?"),
            None => self.dockers_nearest(word).unwrap_or_else(|| self.see_help()),
        };
        Message { what, hint }
    }

    fn dockers_nearest(&self, word: &str) -> Option<String> {
        let verb = nearest(word, docker::verbs()).filter(|_| self.path.is_empty())?;
        let instead = docker::instead_of(&[verb], &[])?;
        Some(format!("{verb}, if that is meant, is not there: {}", instead.hint))
    }

    fn unknown_argument(&self, argument: &str) -> Message {
        if !argument.starts_with('-') {
            let what = format!("unexpected word after {}: {argument}", self.line());
            return Message { what, hint: self.see_help() };
        }
        let flags = self.command.get_arguments().filter_map(clap::Arg::get_long);
        let near =
            || nearest(argument.trim_start_matches('-'), flags.filter(|_| argument.len() > 2));
        let hint = match docker::instead_of_flag(&self.path.join(" "), argument) {
            Some(hint) => hint.to_owned(),
            None => {
                near().map_or_else(|| self.see_help(), |near| format!("did you mean --{near}?"))
            }
        };
        Message { what: format!("there is no {argument}"), hint }
    }

    fn missing(&self, error: &clap::Error) -> Option<Message> {
        let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else {
            return None;
        };
        let what = format!("{} lacks {}", self.line(), missing.join(" and "));
        Some(Message { what, hint: self.see_help() })
    }

    /// Docker's `--format`, which takes templates of Go's.
    fn template(&self, error: &clap::Error) -> Option<Message> {
        let value = text(error, ContextKind::InvalidValue)?;
        let is_format = text(error, ContextKind::InvalidArg)?.starts_with("--format ");
        (is_format && (value.contains("{{") || value.starts_with("table"))).then(|| Message {
            what: format!("--format takes text or json, and no template: {value}"),
            hint: format!("take what you need from the JSON: {} --format json | jq", self.line()),
        })
    }

    fn see_help(&self) -> String {
        format!("`{} --help` lists what there is", self.line())
    }
}

/// The candidate that takes the fewest letters put in, left out, exchanged or swapped; one for each
/// three letters, at most. Of equal ones the first.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= slips && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn explained(line: &str) -> String {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let all = [OsString::from("mote")].into_iter().chain(words.clone());
        let error = Cli::try_parse_from(all).unwrap_err();
        explain_line(&error, words.into_iter()).unwrap_or_else(|| panic!("{line}: {error}"))
    }

    #[test]
    fn the_nearest_command_is_meant() {
        for (line, message) in [
            ("rn alpine", "mote has no command rn\nhint: did you mean run?"),
            ("imges", "mote has no command imges\nhint: did you mean images?"),
            ("pul alpine", "mote has no command pul\nhint: did you mean pull?"),
            ("kernle ls", "mote has no command kernle\nhint: did you mean kernel?"),
            ("kernel biuld", "mote kernel has no command biuld\nhint: did you mean build?"),
            ("-q rnu alpine", "mote has no command rnu\nhint: did you mean run?"),
            ("help rn", "mote has no command rn\nhint: did you mean run?"),
            (
                "lgos x",
                "mote has no command lgos\nhint: logs, if that is meant, is not there: what",
            ),
            (
                "frobnicate",
                "mote has no command frobnicate\nhint: `mote --help` lists what there is",
            ),
            ("x", "mote has no command x\nhint: `mote --help` lists what there is"),
        ] {
            let said = explained(line);
            assert!(said.starts_with(&format!("error: {message}")), "{line}: {said}");
        }
    }

    #[test]
    fn flags_are_told_by_their_command() {
        for (line, message) in [
            ("run --hostnam x alpine", "there is no --hostnam\nhint: did you mean --hostname?"),
            ("run -v /a:/b alpine", "there is no -v\nhint: files get into a guest"),
            ("pull -v alpine", "there is no -v\nhint: `mote pull --help` lists what there is"),
            ("-v", "there is no -v\nhint: it is `mote version`"),
            (
                "kernel ls x",
                "unexpected word after mote kernel ls: x\nhint: `mote kernel ls --help`",
            ),
            ("run", "mote run lacks <SOURCE>\nhint: `mote run --help`"),
            ("images --format {{.ID}}", "--format takes text or json, and no template: {{.ID}}\n"),
        ] {
            let said = explained(line);
            assert!(said.starts_with(&format!("error: {message}")), "{line}: {said}");
        }
    }

    #[test]
    fn what_clap_says_well_is_left_to_it() {
        for line in ["images --format xml", "run --memory", "--help", "image"] {
            let words = ["mote"].into_iter().chain(line.split_whitespace());
            let error = Cli::try_parse_from(words).unwrap_err();
            let line = line.split_whitespace().map(OsString::from);
            assert_eq!(explain_line(&error, line), None);
        }
    }
}
