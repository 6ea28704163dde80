//! kernel.org's `sha256sums.asc`: a signed text of `DIGEST  NAME` lines.

use crate::source::{Digest, VersionWanted};
use crate::version::KernelVersion;

/// Much more than the list of any major version has, in bytes.
pub(super) const LIMIT: u64 = 16 << 20;

/// The releases of a list with the digests of their `.tar.xz`.
pub(super) fn parse(list: &str) -> Vec<(KernelVersion, Digest)> {
    list.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(KernelVersion, Digest)> {
    let (digest, name) = line.split_once("  ")?;
    let version = name.trim_end().strip_prefix("linux-")?.strip_suffix(".tar.xz")?;
    Some((version.parse().ok()?, digest.parse().ok()?))
}

/// The release that is wanted, or else the newest of its series if there is one.
pub(super) fn choose(
    sums: Vec<(KernelVersion, Digest)>,
    wanted: &VersionWanted,
) -> Result<(KernelVersion, Digest), Option<KernelVersion>> {
    let series = series(wanted);
    let newest = || {
        let of_series = sums.iter().filter(|(version, _)| of_series(version, &series));
        of_series.max_by(|(a, _), (b, _)| a.cmp(b)).cloned()
    };
    match wanted {
        VersionWanted::NewestOf { .. } => newest().ok_or(None),
        VersionWanted::Exactly(wanted) => {
            let found = sums.iter().find(|(version, _)| version == wanted).cloned();
            found.ok_or_else(|| newest().map(|(version, _)| version))
        }
    }
}

/// `6.12` of `6.12`, `6.12.95` and `6.12-rc1`.
fn series(wanted: &VersionWanted) -> String {
    let text = wanted.to_string();
    let numbers = text.split(['.', '-']).take(2);
    numbers.collect::<Vec<_>>().join(".")
}

fn of_series(version: &KernelVersion, series: &str) -> bool {
    let version = version.to_string();
    let rest = version.strip_prefix(series);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceSpec;

    /// As kernel.org writes it, shortened.
    fn list() -> String {
        let line = |digit: &str, name: &str| format!("{}  {name}\n", digit.repeat(64));
        [
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n".to_owned(),
            line("0", "ChangeLog-6.12.9"),
            line("1", "linux-6.12.9.tar.gz"),
            line("2", "linux-6.12.9.tar.xz"),
            line("3", "linux-6.12.10.tar.xz"),
            line("4", "linux-6.12.tar.xz"),
            line("5", "linux-6.1.200.tar.xz"),
            line("6", "linux-6.19.tar.xz"),
            line("7", "patch-6.12.99.xz"),
            "-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n".to_owned(),
        ]
        .concat()
    }

    fn chosen(wanted: &str) -> Result<(String, char), Option<String>> {
        let SourceSpec::Version(wanted) = wanted.parse().unwrap() else { panic!("{wanted}") };
        choose(parse(&list()), &wanted)
            .map(|(version, digest)| (version.to_string(), digest.to_string().remove(0)))
            .map_err(|newest| newest.map(|version| version.to_string()))
    }

    #[test]
    fn releases_are_found() {
        let release = |version: &str, digit| Ok((version.to_owned(), digit));
        let instead = |version: &str| Err(Some(version.to_owned()));
        for (wanted, result) in [
            ("6.12", release("6.12.10", '3')),
            ("6.12.9", release("6.12.9", '2')),
            ("6.12.0", release("6.12", '4')),
            ("6.1", release("6.1.200", '5')),
            ("6.19", release("6.19", '6')),
            ("6.12.99", instead("6.12.10")),
            ("6.19-rc2", instead("6.19")),
            ("6.11", Err(None)),
            ("6.2.1", Err(None)),
        ] {
            assert_eq!(chosen(wanted), result, "{wanted}");
        }
    }

    #[test]
    fn anything_else_is_no_list() {
        assert!(parse("<html><body>hello  linux-6.12.tar.xz</body></html>").is_empty());
        assert!(parse("").is_empty());
    }
}
