//! How an error is shown: `error:`, the chain of causes, the hints. Printed once, here.

use std::fmt::Write;

/// Prints an error with its causes and hints on standard error.
pub fn report(error: &anyhow::Error) {
    eprint!("{}", render(error));
}

fn render(error: &anyhow::Error) -> String {
    let mut text = format!("error: {error}\n");
    let mut last = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // A transparent wrapper says what its cause says.
        if cause != last {
            let _ = writeln!(text, "caused by: {cause}");
            last = cause;
        }
    }
    for hint in hints(error) {
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

/// The hints of the errors in the chain, outermost first.
fn hints(error: &anyhow::Error) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    for cause in error.chain() {
        let hint = mote_engine::hint(cause);
        hints.extend(hint.filter(|hint| !hints.contains(hint)));
    }
    hints
}
