//! What somebody may have meant.

/// The candidate nearest to `word`, if one is near enough to have been meant.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_seen_and_a_stranger_is_not() {
        let known = ["memory", "cpus", "network", "dry-run"];
        for (word, wanted) in [
            ("memry", Some("memory")),
            ("cpu", Some("cpus")),
            ("dry_run", Some("dry-run")),
            ("netwrok", Some("network")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), wanted, "{word}");
        }
    }
}
