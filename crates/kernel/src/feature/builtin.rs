//! The features that come with mote.

/// Name and text of every `features/*.toml`; `build.rs` makes the table.
pub(super) const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/features.rs"));

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::feature::{Catalogue, Feature, FeatureSymbol};

    /// How the kernel is compiled and bzImage compressed shows nowhere in a guest.
    const UNSEEN: [&str; 2] = ["CC_OPTIMIZE_", "KERNEL_"];

    fn catalogue() -> Catalogue {
        Catalogue::parse(FILES.iter().copied()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_file_is_well_formed() {
        for feature in catalogue().iter() {
            let file = feature.file_name();
            assert!(!feature.summary.trim().is_empty(), "{file}: no summary");
            assert!(!feature.summary.ends_with('.'), "{file}: a summary has no full stop");
            assert!(
                !(feature.symbols.is_empty() && feature.requires.is_empty()),
                "{file}: asks for nothing"
            );
            let shows = |symbol: &FeatureSymbol| {
                !UNSEEN.iter().any(|prefix| symbol.symbol.as_str().starts_with(prefix))
            };
            assert!(
                feature.probe.is_some() || !feature.symbols.iter().any(shows),
                "{file}: no probe"
            );
            for symbol in &feature.symbols {
                assert!(!symbol.why.trim().is_empty(), "{file}:{}: no reason", symbol.line);
            }
        }
    }

    #[test]
    fn every_requirement_can_be_had() {
        let catalogue = catalogue();
        let names: Vec<_> = catalogue.names().collect();
        for name in names {
            catalogue.resolve(&[name]).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn no_two_features_disagree() {
        let catalogue = catalogue();
        let mut asked: BTreeMap<&str, Vec<(&Feature, &FeatureSymbol)>> = BTreeMap::new();
        for feature in catalogue.iter() {
            for symbol in &feature.symbols {
                let others = asked.entry(symbol.symbol.as_str()).or_default();
                for (other_feature, other) in others.iter() {
                    let (file, line) = (feature.file_name(), symbol.line);
                    let (other_file, other_line) = (other_feature.file_name(), other.line);
                    assert!(
                        symbol.value.same_as(&other.value) || apart(symbol, other),
                        "{file}:{line} and {other_file}:{other_line} disagree about {}",
                        symbol.symbol
                    );
                    assert!(
                        feature.name != other_feature.name || apart(symbol, other),
                        "{file}:{line}: said twice"
                    );
                }
                others.push((feature, symbol));
            }
        }
    }

    /// Whether no version has both.
    fn apart(a: &FeatureSymbol, b: &FeatureSymbol) -> bool {
        let ends_before = |a: &FeatureSymbol, b: &FeatureSymbol| match (&a.until, &b.since) {
            (Some(until), Some(since)) => until <= since,
            _ => false,
        };
        ends_before(a, b) || ends_before(b, a)
    }
}
