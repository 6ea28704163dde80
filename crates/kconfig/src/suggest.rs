//! The name that was meant.

/// Names less alike than this are no help. 1 is the same name; chosen so that one or two slips
/// in a name of eight letters are still recognised.
const ALIKE: f64 = 0.7;

/// The candidate nearest to `name`, if one is near enough to have been meant.
///
/// Near is the normalised Damerau–Levenshtein distance, without regard to case. Of equally near
/// ones the first is taken.
#[must_use]
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_uppercase();
    let mut best = None;
    let mut best_likeness = ALIKE;
    for candidate in candidates {
        // Names of very different length cannot reach the mark: spare the quadratic comparison.
        let (short, long) = minmax(name.len(), candidate.len());
        if (short as f64) < best_likeness * long as f64 {
            continue;
        }
        let likeness =
            strsim::normalized_damerau_levenshtein(&name, &candidate.to_ascii_uppercase());
        if likeness > best_likeness {
            best = Some(candidate);
            best_likeness = likeness;
        }
    }
    best
}

fn minmax(a: usize, b: usize) -> (usize, usize) {
    if a < b { (a, b) } else { (b, a) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let names = ["VIRTIO_MMIO", "VIRTIO_NET", "VIRTIO_BLK", "NET", "INET"];
        for (typed, meant) in [
            ("VIRTIO_MIMO", Some("VIRTIO_MMIO")),
            ("VIRTO_NET", Some("VIRTIO_NET")),
            ("virtio_blk", Some("VIRTIO_BLK")),
            ("INTE", Some("INET")),
            ("FROBNICATE", None),
            ("", None),
        ] {
            assert_eq!(suggest(typed, names), meant, "{typed}");
        }
        assert_eq!(suggest("NET", []), None);
    }
}
