//! Which of several images is meant.

use crate::{OciError, Reference};

/// What an image is called.
pub(super) struct Named {
    /// Whole names, such as `docker.io/library/alpine:3.20`, as far as they are ones.
    pub(super) names: Vec<String>,
    /// A mere tag, such as `3.20`.
    pub(super) tag: Option<String>,
}

impl Named {
    fn is(&self, wanted: &str) -> bool {
        let same = |name: &String| match (name.parse::<Reference>(), wanted.parse::<Reference>()) {
            (Ok(name), Ok(wanted)) => name == wanted,
            _ => false,
        };
        self.tag.as_deref() == Some(wanted)
            || self.names.iter().any(|name| name == wanted)
            || self.names.iter().any(same)
    }

    fn shown(&self) -> String {
        let name = self.names.first().or(self.tag.as_ref());
        name.cloned().unwrap_or_else(|| "one without a name".to_owned())
    }
}

/// The one of that name, or the only one.
pub(super) fn choose<'a, T: PartialEq>(
    origin: &str,
    images: &'a [(Named, T)],
    wanted: Option<&str>,
) -> Result<&'a T, OciError> {
    let found = || images.iter().map(|(named, _)| named.shown()).collect();
    let origin = || origin.to_owned();
    let Some((_, first)) = images.first() else {
        return Err(OciError::NoImage { origin: origin() });
    };
    match wanted {
        None if images.iter().all(|(_, image)| image == first) => Ok(first),
        None => Err(OciError::Ambiguous { origin: origin(), found: found() }),
        Some(tag) => {
            let meant = images.iter().find(|(named, _)| named.is(tag)).map(|(_, image)| image);
            let tag = tag.to_owned();
            meant.ok_or_else(|| OciError::NoSuchTag { origin: origin(), tag, found: found() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, tag: Option<&str>) -> Named {
        Named { names: vec![name.to_owned()], tag: tag.map(str::to_owned) }
    }

    #[test]
    fn images_are_chosen_by_any_of_their_names() {
        let images = [
            (named("docker.io/library/a:1", Some("1")), 10),
            (named("localhost/b:latest", None), 20),
        ];
        for (wanted, image) in
            [("1", 10), ("a:1", 10), ("docker.io/library/a:1", 10), ("localhost/b", 20)]
        {
            assert_eq!(*choose("x", &images, Some(wanted)).unwrap(), image, "{wanted}");
        }
        assert_eq!(*choose("x", &images[1..], None).unwrap(), 20);
        let error = choose("x", &images, Some("2")).unwrap_err();
        assert_eq!(error.to_string(), "there is no image 2 in x");
        assert_eq!(error.hint().unwrap(), "there is docker.io/library/a:1, localhost/b:latest");
        let error = choose("x", &images, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there are several images in x: docker.io/library/a:1, localhost/b:latest"
        );
        let none: [(Named, u8); 0] = [];
        assert_eq!(choose("x", &none, None).unwrap_err().to_string(), "there is no image in x");
    }
}
