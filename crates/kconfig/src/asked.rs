//! The merge of everything that was asked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Asker, Necessity, Request, Symbol};

/// The symbols wanted: for each one the request in force, and those beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asked {
    wishes: BTreeMap<Symbol, Wish>,
}

/// All that was asked of one symbol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The request that counts.
    pub request: Request,
    /// Those that ask for the same value, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreeing: Vec<Request>,
    /// Those that the user's request overrides, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<Request>,
}

/// Two features that want different values of one symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "features disagree about {}: {} asks for {}, {} for {}",
    first.symbol, first.origin, first.value, second.origin, second.value
)]
pub struct Conflict {
    /// The earlier request.
    pub first: Box<Request>,
    /// The one that disagrees with it.
    pub second: Box<Request>,
}

impl Conflict {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let symbol = &self.first.symbol;
        Some(format!(
            "leave one of the features out, or decide with a line for CONFIG_{symbol} in a fragment"
        ))
    }
}

impl Asked {
    /// Merges requests given in the order features, then fragments as on the command line.
    ///
    /// A line of the user's wins over features and over the user's own earlier lines; what it
    /// overrides is kept. Its necessity counts too, so that a fragment can make a feature's
    /// symbol optional.
    ///
    /// # Errors
    ///
    /// Two features that want different values of a symbol about which the user says nothing.
    pub fn merge(requests: impl IntoIterator<Item = Request>) -> Result<Self, Conflict> {
        let mut by_symbol: BTreeMap<Symbol, Vec<Request>> = BTreeMap::new();
        for request in requests {
            by_symbol.entry(request.symbol.clone()).or_default().push(request);
        }
        let wishes = by_symbol
            .into_iter()
            .map(|(symbol, requests)| Ok((symbol, Wish::of(requests)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { wishes })
    }

    /// What was asked of a symbol.
    #[must_use]
    pub fn get(&self, symbol: &str) -> Option<&Wish> {
        self.wishes.get(symbol)
    }

    /// Every symbol with what was asked of it, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Symbol, &Wish)> {
        self.wishes.iter()
    }

    /// The fragment for `KCONFIG_ALLCONFIG` of `make allnoconfig`: one line a symbol.
    #[must_use]
    pub fn render(&self) -> String {
        self.wishes.values().map(|wish| wish.request.render() + "\n").collect()
    }
}

impl Wish {
    /// Decides between the requests for one symbol; there is at least one.
    fn of(mut requests: Vec<Request>) -> Result<Self, Conflict> {
        let by_user = |request: &Request| request.origin.asker == Asker::User;
        let in_force = requests.iter().rposition(by_user).unwrap_or(0);
        let mut request = requests.remove(in_force);
        let (agreeing, others): (Vec<_>, Vec<_>) =
            requests.into_iter().partition(|other| other.value.same_as(&request.value));
        if !by_user(&request) {
            if let Some(second) = others.into_iter().next() {
                return Err(Conflict { first: Box::new(request), second: Box::new(second) });
            }
            if agreeing.iter().any(|other| other.necessity == Necessity::Required) {
                request.necessity = Necessity::Required;
            }
            return Ok(Self { request, agreeing, overridden: Vec::new() });
        }
        Ok(Self { request, agreeing, overridden: others })
    }

    /// Every request that the value in force satisfies: the one that counts comes first.
    pub fn askers(&self) -> impl Iterator<Item = &Request> {
        std::iter::once(&self.request).chain(&self.agreeing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Origin, Value, parse_fragment};

    fn feature(feature: &str, line: u32, name: &str, value: &str) -> Request {
        Request {
            symbol: name.parse().unwrap(),
            value: value.parse().unwrap(),
            origin: Origin {
                asker: Asker::Feature(feature.into()),
                file: format!("{feature}.toml"),
                line,
            },
            necessity: Necessity::Required,
            why: Some("because".into()),
        }
    }

    #[test]
    fn features_that_agree_are_all_kept() {
        let asked =
            Asked::merge([feature("net", 3, "NET", "y"), feature("ipv6", 9, "NET", "y")]).unwrap();
        let origins: Vec<_> =
            asked.get("NET").unwrap().askers().map(|r| r.origin.to_string()).collect();
        assert_eq!(origins, ["feature net (net.toml:3)", "feature ipv6 (ipv6.toml:9)"]);
    }

    #[test]
    fn features_that_disagree_are_both_named() {
        let conflict =
            Asked::merge([feature("net", 3, "NET", "y"), feature("tiny", 9, "NET", "n")])
                .unwrap_err();
        assert_eq!(
            conflict.to_string(),
            "features disagree about NET: feature net (net.toml:3) asks for y, feature tiny (tiny.toml:9) for n"
        );
        assert!(conflict.hint().unwrap().contains("CONFIG_NET"));
    }

    #[test]
    fn the_user_decides_between_features_and_the_last_line_wins() {
        let mut requests = vec![feature("net", 3, "NET", "y"), feature("tiny", 9, "NET", "n")];
        requests.extend(parse_fragment("a.cfg", "NET=n\n").unwrap());
        requests.extend(parse_fragment("b.cfg", "NET=y # optional\n").unwrap());
        let asked = Asked::merge(requests).unwrap();
        let wish = asked.get("NET").unwrap();
        assert_eq!(wish.request.value, Value::Yes);
        assert_eq!(wish.request.necessity, Necessity::Optional);
        assert_eq!(wish.request.origin.to_string(), "b.cfg:1");
        assert_eq!(wish.agreeing.len(), 1);
        let overridden: Vec<_> = wish.overridden.iter().map(|r| r.origin.to_string()).collect();
        assert_eq!(overridden, ["feature tiny (tiny.toml:9)", "a.cfg:1"]);
    }

    #[test]
    fn one_line_a_symbol_is_rendered_in_order() {
        let requests = parse_fragment("f", "Z=y\nA=n\nS=\"x\"\nH=0x0A\n").unwrap();
        assert_eq!(
            Asked::merge(requests).unwrap().render(),
            "# CONFIG_A is not set\nCONFIG_H=0x0A\nCONFIG_S=\"x\"\nCONFIG_Z=y\n"
        );
    }

    #[test]
    fn json_keeps_everything() {
        let mut requests = vec![feature("net", 3, "NET", "y")];
        requests.extend(parse_fragment("b.cfg", "NET=n\nS=\"a\"\n").unwrap());
        let asked = Asked::merge(requests).unwrap();
        let json = serde_json::to_string(&asked).unwrap();
        assert_eq!(serde_json::from_str::<Asked>(&json).unwrap(), asked, "{json}");
    }
}
