//! `features/<name>.toml`: how one feature is written down.
//!
//! ```toml
//! summary = "IPv4, Unix and packet sockets"
//! requires = ["base", "virtio-mmio"]
//! symbols = [
//!   { name = "NET", why = "the socket layer" },                  # value: "y" unless given
//!   { name = "LEGACY_PTYS", value = "n", why = "256 devices nobody opens" },
//!   { name = "FOO", why = "…", since = "6.2", until = "6.9" },   # 6.2 has it, 6.9 no more
//! ]
//! [probe]
//! run = "test -e /proc/net/unix"
//! ```

use mote_kconfig::{Asker, Necessity, Origin, Request, Symbol, Value};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;

use crate::KernelVersion;

/// A named set of kernel symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Its name, which is its file's.
    pub name: String,
    /// What it gives, in one line.
    pub summary: String,
    /// The features it needs.
    pub requires: Vec<String>,
    /// The symbols it sets, in the file's order. A feature without any is a set of others.
    pub symbols: Vec<FeatureSymbol>,
    /// A shell script for a booted guest: exit 0 proves the feature.
    pub probe: Option<String>,
}

/// One symbol of a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSymbol {
    /// The symbol.
    pub symbol: Symbol,
    /// The value it gets.
    pub value: Value,
    /// Why the feature sets it, in one line.
    pub why: String,
    /// The first version that has the symbol.
    pub since: Option<KernelVersion>,
    /// The first version that has it no more.
    pub until: Option<KernelVersion>,
    /// Its line in the feature's file, from 1.
    pub line: u32,
}

impl Feature {
    /// The file's name as origins and errors show it: `features/net.toml`.
    pub fn file_name(&self) -> String {
        file_name(&self.name)
    }

    /// What the feature asks of this version of the kernel.
    pub fn requests(&self, version: &KernelVersion) -> impl Iterator<Item = Request> {
        self.symbols
            .iter()
            .filter(move |symbol| symbol.exists_in(version))
            .map(|symbol| self.request(symbol))
    }

    fn request(&self, symbol: &FeatureSymbol) -> Request {
        Request {
            symbol: symbol.symbol.clone(),
            value: symbol.value.clone(),
            origin: Origin {
                asker: Asker::Feature(self.name.clone()),
                file: self.file_name(),
                line: symbol.line,
            },
            necessity: Necessity::Required,
            why: Some(symbol.why.clone()),
        }
    }

    /// Reads the text of `features/<name>.toml`.
    ///
    /// # Errors
    ///
    /// Broken TOML, an unknown or missing key, a bad value, version, or symbol name.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, FeatureFileError> {
        let raw: RawFeature = toml::from_str(text).map_err(|error| FeatureFileError {
            file: file_name(name),
            line: line_at(text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        Ok(Self {
            name: name.to_owned(),
            summary: raw.summary,
            requires: raw.requires,
            symbols: raw
                .symbols
                .into_iter()
                .map(|symbol| FeatureSymbol::locate(symbol, text))
                .collect(),
            probe: raw.probe.map(|probe| probe.run),
        })
    }
}

impl FeatureSymbol {
    /// Whether this version of the kernel has the symbol, by `since` and `until`.
    pub fn exists_in(&self, version: &KernelVersion) -> bool {
        self.since.as_ref().is_none_or(|since| version >= since)
            && self.until.as_ref().is_none_or(|until| version < until)
    }
}

/// A feature file that says what it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct FeatureFileError {
    /// `features/<name>.toml`.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong there.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFeature {
    summary: String,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    symbols: Vec<Spanned<RawSymbol>>,
    probe: Option<RawProbe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProbe {
    run: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSymbol {
    name: Symbol,
    #[serde(default = "yes")]
    value: Value,
    why: String,
    #[serde(default, deserialize_with = "version")]
    since: Option<KernelVersion>,
    #[serde(default, deserialize_with = "version")]
    until: Option<KernelVersion>,
}

impl FeatureSymbol {
    fn locate(raw: Spanned<RawSymbol>, text: &str) -> Self {
        let line = line_at(text, raw.span().start);
        let RawSymbol { name: symbol, value, why, since, until } = raw.into_inner();
        Self { symbol, value, why, since, until, line }
    }
}

fn yes() -> Value {
    Value::Yes
}

fn version<'de, D: Deserializer<'de>>(from: D) -> Result<Option<KernelVersion>, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

fn file_name(feature: &str) -> String {
    format!("features/{feature}.toml")
}

/// The line, from 1, of a byte of the text.
fn line_at(text: &str, offset: usize) -> u32 {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let lines = before.iter().filter(|&&byte| byte == b'\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: &str = r#"summary = "the network"
requires = ["base"]
symbols = [
  { name = "NET", why = "the socket layer" },
  { name = "LEGACY_PTYS", value = "n", why = "nobody opens them" },

  { name = "OLD", why = "it was there", until = "6.2" },
  { name = "NEW", value = "0x10", why = "it is there", since = "6.2" },
]
[probe]
run = "true"
"#;

    #[test]
    fn symbols_know_their_line() {
        let feature = Feature::parse("net", NET).unwrap();
        assert_eq!(feature.probe.as_deref(), Some("true"));
        let lines = feature.symbols.iter().map(|symbol| (symbol.symbol.as_str(), symbol.line));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [("NET", 4), ("LEGACY_PTYS", 5), ("OLD", 7), ("NEW", 8)]
        );
    }

    #[test]
    fn requests_are_those_of_the_version() {
        let feature = Feature::parse("net", NET).unwrap();
        let rendered = |version: &str| {
            let version = version.parse().unwrap();
            let requests = feature.requests(&version);
            requests
                .map(|request| format!("{} {}", request.render(), request.origin))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            rendered("6.1.9"),
            [
                "CONFIG_NET=y feature net (features/net.toml:4)",
                "# CONFIG_LEGACY_PTYS is not set feature net (features/net.toml:5)",
                "CONFIG_OLD=y feature net (features/net.toml:7)",
            ]
        );
        assert_eq!(rendered("6.2-rc1")[2], "CONFIG_NEW=0x10 feature net (features/net.toml:8)");
        assert_eq!(rendered("6.2")[2], "CONFIG_NEW=0x10 feature net (features/net.toml:8)");
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (text, told) in [
            ("summary = 1", "features/x.toml:1: invalid type: integer `1`, expected a string"),
            (
                "summary = \"s\"\nsymbol = []\n",
                "features/x.toml:2: unknown field `symbol`, expected one of `summary`, `requires`, `symbols`, `probe`",
            ),
            (
                "summary = \"s\"\nsymbols = [\n { name = \"A\" },\n]\n",
                "features/x.toml:3: missing field `why`",
            ),
            (
                "summary = \"s\"\nsymbols = [\n { name = \"A-B\", why = \"w\" },\n]\n",
                "features/x.toml:3: `A-B` is no symbol name: letters, digits and underscores only",
            ),
            (
                "summary = \"s\"\nsymbols = [\n\n { name = \"A\", why = \"w\", since = \"new\" },\n]\n",
                "features/x.toml:4: not a kernel version (such as 6.12 or 6.12.95): new",
            ),
            (
                "summary = \"s\"\n[probe]\nscript = \"\"\n",
                "features/x.toml:3: unknown field `script`, expected `run`",
            ),
        ] {
            assert_eq!(Feature::parse("x", text).unwrap_err().to_string(), told);
        }
    }
}
