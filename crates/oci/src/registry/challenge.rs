//! `WWW-Authenticate`: how a registry wants to know who asks (RFC 9110, 11.6.1).

/// One challenge of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token of the server at `realm` (docker's token authentication).
    Bearer { realm: String, service: Option<String> },
    /// A name and a password.
    Basic,
    /// Something that is not known here.
    Other(String),
}

/// The challenges of one header, which may hold several.
pub(super) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = header.trim_start();
    while let Some((scheme, after)) = token(rest) {
        let mut parameters = Vec::new();
        rest = after.trim_start();
        while let Some((name, value, after)) = parameter(rest) {
            parameters.push((name.to_ascii_lowercase(), value));
            rest = after.trim_start().trim_start_matches([',', ' ', '\t']);
        }
        challenges.push(challenge(scheme, parameters));
        rest = rest.trim_start_matches([',', ' ', '\t']);
    }
    challenges
}

fn challenge(scheme: &str, parameters: Vec<(String, String)>) -> Challenge {
    let find = |wanted: &str| {
        parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    match (scheme.to_ascii_lowercase().as_str(), find("realm")) {
        ("bearer", Some(realm)) => Challenge::Bearer { realm, service: find("service") },
        ("basic", _) => Challenge::Basic,
        _ => Challenge::Other(scheme.to_owned()),
    }
}

/// A word at the beginning, and what follows.
fn token(text: &str) -> Option<(&str, &str)> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    let end = text.find(|letter| !part(letter)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// `name=value` or `name="value"` at the beginning, and what follows.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = token(text)?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, rest) = token(rest)?;
        return Some((name, value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((position, letter)) = letters.next() {
        match letter {
            '"' => return Some((name, value, &quoted[position + 1..])),
            '\\' => value.push(letters.next()?.1),
            letter => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) }
    }

    #[test]
    fn challenges_of_real_registries() {
        for (header, wanted) in [
            (
                r#"Bearer realm="https://auth.example/token",service="reg.example",scope="repository:a/b:pull""#,
                vec![bearer("https://auth.example/token", Some("reg.example"))],
            ),
            (r#"Basic realm="Registry Realm""#, vec![Challenge::Basic]),
            ("Basic", vec![Challenge::Basic]),
            (
                r#"bearer service=x , realm = "https://a/\"q\"" , Basic realm=y"#,
                vec![bearer("https://a/\"q\"", Some("x")), Challenge::Basic],
            ),
            (
                "Negotiate, Basic realm=\"r\"",
                vec![Challenge::Other("Negotiate".to_owned()), Challenge::Basic],
            ),
            (r#"Bearer scope="x""#, vec![Challenge::Other("Bearer".to_owned())]),
            ("", vec![]),
            ("\"", vec![]),
        ] {
            assert_eq!(parse(header), wanted, "{header}");
        }
    }

    #[test]
    fn damaged_headers_end() {
        for header in
            ["Bearer realm=\"", "Bearer realm=\"a\\", "Bearer realm=,", "a b c d", "=,=,=", ",,,"]
        {
            parse(header);
        }
    }
}
