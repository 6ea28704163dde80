//! All features by name, and what a list of names comes to.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::builtin;
use super::file::{Feature, FeatureFileError};

/// A set of features that may require one another.
#[derive(Debug, Clone)]
pub struct Catalogue {
    features: BTreeMap<String, Feature>,
}

/// A feature that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// No feature has this name.
    #[error("unknown feature: {name}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The most similar name there is.
        nearest: Option<String>,
    },
    /// A feature requires one that does not exist.
    #[error("feature {feature} requires an unknown feature: {required}")]
    UnknownRequirement {
        /// The feature that requires.
        feature: String,
        /// What it requires.
        required: String,
    },
    /// Features that require one another in a circle.
    #[error("features require one another: {}", circle.join(" -> "))]
    Circle {
        /// The names along the circle; the first is also the last.
        circle: Vec<String>,
    },
}

impl FeatureError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => {
                Some(format!("did you mean {nearest}?"))
            }
            Self::Unknown { nearest: None, .. } => {
                Some("`mote kernel features` lists them".to_owned())
            }
            Self::UnknownRequirement { .. } | Self::Circle { .. } => None,
        }
    }
}

static BUILTIN: LazyLock<Catalogue> = LazyLock::new(|| {
    Catalogue::parse(builtin::FILES.iter().copied()).expect("a test parses every built-in feature")
});

impl Catalogue {
    /// The features that come with mote.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The features of a list of (name, text of the file).
    ///
    /// # Errors
    ///
    /// The first file that cannot be read as a feature.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, FeatureFileError> {
        let features = files
            .into_iter()
            .map(|(name, text)| Ok((name.to_owned(), Feature::parse(name, text)?)))
            .collect::<Result<_, _>>()?;
        Ok(Self { features })
    }

    /// The feature of this name.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Unknown`], with the nearest name.
    pub fn get(&self, name: &str) -> Result<&Feature, FeatureError> {
        self.features.get(name).ok_or_else(|| FeatureError::Unknown {
            name: name.to_owned(),
            nearest: mote_kconfig::suggest(name, self.names()).map(str::to_owned),
        })
    }

    /// All features, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Feature> {
        self.features.values()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.features.keys().map(String::as_str)
    }

    /// The named features and all that they require; each after the ones it requires, otherwise in
    /// the order asked for.
    ///
    /// # Errors
    ///
    /// An unknown name, an unknown requirement, or features that require one another in a circle.
    pub fn resolve<N: AsRef<str>>(&self, names: &[N]) -> Result<Vec<&Feature>, FeatureError> {
        let mut closure = Closure { catalogue: self, done: Vec::new(), open: Vec::new() };
        for name in names {
            closure.add(self.get(name.as_ref())?)?;
        }
        Ok(closure.done)
    }
}

/// A depth-first walk along `requires`.
struct Closure<'a> {
    catalogue: &'a Catalogue,
    done: Vec<&'a Feature>,
    /// The features between a named one and the one that is being added.
    open: Vec<&'a Feature>,
}

impl<'a> Closure<'a> {
    fn add(&mut self, feature: &'a Feature) -> Result<(), FeatureError> {
        if self.done.iter().any(|done| done.name == feature.name) {
            return Ok(());
        }
        if let Some(start) = self.open.iter().position(|open| open.name == feature.name) {
            let circle = self.open[start..]
                .iter()
                .chain([&feature])
                .map(|feature| feature.name.clone())
                .collect();
            return Err(FeatureError::Circle { circle });
        }
        self.open.push(feature);
        for required in &feature.requires {
            let required = self.catalogue.features.get(required).ok_or_else(|| {
                FeatureError::UnknownRequirement {
                    feature: feature.name.clone(),
                    required: required.clone(),
                }
            })?;
            self.add(required)?;
        }
        self.open.pop();
        self.done.push(feature);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(features: &[(&str, &[&str])]) -> Catalogue {
        let files: Vec<_> = features
            .iter()
            .map(|(name, requires)| (*name, format!("summary = \"s\"\nrequires = {requires:?}\n")))
            .collect();
        Catalogue::parse(files.iter().map(|(name, text)| (*name, text.as_str()))).unwrap()
    }

    fn names(features: Result<Vec<&Feature>, FeatureError>) -> Vec<&str> {
        features.unwrap().into_iter().map(|feature| feature.name.as_str()).collect()
    }

    #[test]
    fn what_is_required_comes_first_and_once() {
        let catalogue = catalogue(&[
            ("base", &[]),
            ("net", &["virtio", "base"]),
            ("virtio", &["base"]),
            ("all", &["net", "virtio"]),
        ]);
        assert_eq!(names(catalogue.resolve(&["all", "base"])), ["base", "virtio", "net", "all"]);
        assert_eq!(names(catalogue.resolve(&["virtio"])), ["base", "virtio"]);
        assert!(names(catalogue.resolve::<&str>(&[])).is_empty());
        assert_eq!(catalogue.names().collect::<Vec<_>>(), ["all", "base", "net", "virtio"]);
    }

    #[test]
    fn an_unknown_name_is_told_with_the_nearest() {
        let error =
            catalogue(&[("overlay", &[]), ("erofs", &[])]).resolve(&["overlya"]).unwrap_err();
        assert_eq!(error.to_string(), "unknown feature: overlya");
        assert_eq!(error.hint().unwrap(), "did you mean overlay?");
        let error = catalogue(&[("overlay", &[])]).get("xyz").unwrap_err();
        assert_eq!(error.hint().unwrap(), "`mote kernel features` lists them");
    }

    #[test]
    fn bad_requirements_are_told() {
        let error = catalogue(&[("net", &["bass"])]).resolve(&["net"]).unwrap_err();
        assert_eq!(error.to_string(), "feature net requires an unknown feature: bass");
        let circle = catalogue(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        assert_eq!(
            circle.resolve(&["a"]).unwrap_err().to_string(),
            "features require one another: b -> c -> b"
        );
    }
}
