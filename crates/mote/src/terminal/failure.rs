//! How an error is shown: `error:`, the chain of causes, the hint. Printed once, here.

use std::fmt::Write;

use mote_engine::EngineError;

use super::say;

/// Prints an error with its causes and its hint on standard error.
pub fn report(error: &anyhow::Error) {
    say(render(error));
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
    if let Some(hint) = error.chain().find_map(hint) {
        let _ = writeln!(text, "hint: {hint}");
    }
    text
}

fn hint(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    cause.downcast_ref::<EngineError>()?.hint()
}
