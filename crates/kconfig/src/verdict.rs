//! Asked against got.

use crate::{Asked, Config, Necessity, Request, Symbol, Value};

/// The comparison of what was asked with the `.config` that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The symbols that have the value asked for, in the order of the names.
    pub kept: Vec<Symbol>,
    /// Those that do not, in the order of the names.
    pub dropped: Vec<Dropped>,
}

/// A request that the `.config` does not fulfil.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// What was asked.
    pub request: Request,
    /// What the symbol is instead; `None` where the `.config` does not name it.
    pub got: Option<Value>,
}

impl Verdict {
    /// Compares by meaning: see [`Value::same_as`]. A symbol that is to be `n` may be absent.
    #[must_use]
    pub fn compare(asked: &Asked, got: &Config) -> Self {
        let mut verdict = Self::default();
        for (symbol, wish) in asked.iter() {
            let value = got.get(symbol.as_str());
            if fulfils(value, &wish.request.value) {
                verdict.kept.push(symbol.clone());
            } else {
                verdict
                    .dropped
                    .push(Dropped { request: wish.request.clone(), got: value.cloned() });
            }
        }
        verdict
    }

    /// The drops that a build must fail for.
    pub fn failures(&self) -> impl Iterator<Item = &Dropped> {
        self.dropped.iter().filter(|dropped| dropped.request.necessity == Necessity::Required)
    }
}

fn fulfils(got: Option<&Value>, asked: &Value) -> bool {
    match got {
        Some(got) => got.same_as(asked),
        None => *asked == Value::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_fragment;

    #[test]
    fn values_are_compared_by_meaning() {
        let asked = "A=y\nB=n\nC=n\nD=0x0A\nE=y # optional\nF=\"x\"\nG=y\nH=m\n";
        let asked = Asked::merge(parse_fragment("f", asked).unwrap()).unwrap();
        let got = "CONFIG_A=y\nCONFIG_C=y\nCONFIG_D=0xa\nCONFIG_F=\"x\"\nCONFIG_H=y\n";
        let verdict = Verdict::compare(&asked, &Config::parse("c", got).unwrap());
        assert_eq!(verdict.kept, ["A", "B", "D", "F"]);
        let dropped: Vec<_> = verdict.dropped.iter().map(|d| d.request.symbol.as_str()).collect();
        assert_eq!(dropped, ["C", "E", "G", "H"]);
        let failures: Vec<_> = verdict.failures().map(|d| d.request.symbol.as_str()).collect();
        assert_eq!(failures, ["C", "G", "H"]);
        assert_eq!(verdict.dropped[0].got, Some(Value::Yes));
        assert_eq!(verdict.dropped[1].got, None);
    }
}
