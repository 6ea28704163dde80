//! How values that were refused are shown.

/// A parser's error as clap shows it: one text, with the hint.
pub fn hinted<T, E: ToString>(
    parsed: Result<T, E>,
    hint: fn(&E) -> Option<String>,
) -> Result<T, String> {
    parsed.map_err(|error| match hint(&error) {
        Some(hint) => format!("{} ({hint})", error.to_string()),
        None => error.to_string(),
    })
}
