//! What was measured several times.

use std::fmt;

use serde::Serialize;

use super::child::Usage;

/// Times of the same thing.
#[derive(Debug, Default, Serialize)]
pub struct Samples {
    seconds: Vec<f64>,
    peak_kib: u64,
}

impl Samples {
    /// Adds a time and the memory that was needed.
    pub fn add(&mut self, usage: Usage) {
        self.seconds.push(usage.took.as_secs_f64());
        self.seconds.sort_by(f64::total_cmp);
        self.peak_kib = self.peak_kib.max(usage.peak_kib);
    }

    /// The time in the middle, in seconds.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn median(&self) -> f64 {
        let last = self.seconds.len() - 1;
        f64::midpoint(self.seconds[last / 2], self.seconds[last.div_ceil(2)])
    }

    /// The most memory that was ever needed, in MiB.
    pub fn peak_mib(&self) -> u64 {
        self.peak_kib.div_ceil(1024)
    }
}

impl fmt::Display for Samples {
    /// The median, and the least and the most: `1.23 s (1.20–1.31)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.seconds[0], self.seconds[self.seconds.len() - 1]);
        write!(f, "{:.3} s ({least:.3}–{most:.3})", self.median())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let mut samples = Samples::default();
        for (seconds, median) in [(4, 4.0), (1, 2.5), (2, 2.0), (30, 3.0)] {
            samples.add(Usage { took: Duration::from_secs(seconds), peak_kib: seconds * 1024 });
            assert_eq!(samples.median(), median);
        }
        assert_eq!(samples.to_string(), "3.000 s (1.000–30.000)");
        assert_eq!(samples.peak_mib(), 30);
    }
}
