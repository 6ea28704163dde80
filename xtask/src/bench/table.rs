//! The tables, and whether the limits hold.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::samples::Samples;
use super::second_run::SecondRun;
use super::ways::Step;

/// Archives of which the ratios must hold: images of middle size, such as a server over a whole
/// distribution, and larger ones. Of smaller ones they are only told.
const LEAST_JUDGED_BYTES: u64 = 100_000_000;
/// How many times faster than the usual tools mote is at least.
const LEAST_RATIO: f64 = 10.0;
/// How many times longer than the limit mote takes at most.
const MOST_OVER_LIMIT: f64 = 2.0;
/// What a second run of an image takes of its own at most, in seconds.
const MOST_OWN_S: f64 = 0.030;
/// The image that shows whether the ratios hold for large ones too.
const LARGE: &str = "large";
/// Of the archives of [`LARGE`], at least.
const LEAST_LARGE_BYTES: u64 = 500_000_000;
/// In the layers of [`LARGE`], at least.
const LEAST_LARGE_ENTRIES: u64 = 30_000;

/// All that was measured.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was used and how often.
    pub conditions: String,
    /// An entry for each image.
    pub images: Vec<ImageReport>,
    /// What could not be measured, and why.
    pub skipped: Vec<String>,
}

/// What was measured with an image.
#[derive(Debug, Serialize)]
pub struct ImageReport {
    /// The image's name.
    pub name: String,
    /// Of its compressed layers.
    pub layers_bytes: u64,
    /// Of the archives in them.
    pub archives_bytes: u64,
    /// In all layers.
    pub entries: u64,
    /// The time of each step.
    pub steps: BTreeMap<Step, Samples>,
    /// What a run of it takes when everything is there.
    pub second_run: Option<SecondRun>,
}

/// A format with the steps that lead to it.
struct Format {
    name: &'static str,
    mote: Step,
    usual: Step,
}

const FORMATS: [Format; 2] = [
    Format { name: "erofs", mote: Step::MoteErofs, usual: Step::MkfsErofs },
    Format { name: "ext4", mote: Step::MoteExt4, usual: Step::Mke2fs },
];

impl ImageReport {
    fn median(&self, step: Step) -> f64 {
        self.steps[&step].median()
    }

    /// Seconds of the usual way: `skopeo copy`, `umoci unpack`, and the disk of what was unpacked.
    fn usual(&self, format: &Format) -> f64 {
        self.median(Step::Copy) + self.without_copy(format)
    }

    /// The same for whoever has the layers where `umoci` wants them.
    fn without_copy(&self, format: &Format) -> f64 {
        self.median(Step::Unpack) + self.median(format.usual)
    }

    fn ratio(&self, format: &Format) -> f64 {
        self.usual(format) / self.median(format.mote)
    }

    fn over_limit(&self, format: &Format) -> f64 {
        self.median(format.mote) / self.median(Step::Limit)
    }
}

impl Report {
    /// The tables for people.
    pub fn markdown(&self) -> String {
        let mut text = format!("# From layers to a disk image\n\n{}\n\n", self.conditions);
        self.write_ways(&mut text);
        self.write_steps(&mut text);
        self.write_runs(&mut text);
        for skipped in &self.skipped {
            line(&mut text, format_args!("NOT MEASURED: {skipped}\n"));
        }
        for (check, holds) in self.checks() {
            let verdict = if holds { "holds" } else { "FAILS" };
            line(&mut text, format_args!("- {check}: {verdict}"));
        }
        text
    }

    /// Whether no limit is exceeded, of all that was to be measured.
    pub fn holds(&self) -> bool {
        self.skipped.is_empty() && self.checks().iter().all(|(_, holds)| *holds)
    }

    fn write_ways(&self, text: &mut String) {
        text.push_str("| image | layers | archives | entries | format | mote | limit | of the limit | usual way | ratio | without skopeo's copy | mote's peak memory |\n");
        text.push_str(
            "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for image in &self.images {
            for format in &FORMATS {
                let mote = &image.steps[&format.mote];
                line(
                    text,
                    format_args!(
                        "| {} | {:.1} MB | {:.1} MB | {} | {} | {mote} | {} | {:.2} | {:.3} s | {:.1} | {:.1} | {} MiB |",
                        image.name,
                        image.layers_bytes as f64 / 1e6,
                        image.archives_bytes as f64 / 1e6,
                        image.entries,
                        format.name,
                        image.steps[&Step::Limit],
                        image.over_limit(format),
                        image.usual(format),
                        image.ratio(format),
                        image.without_copy(format) / mote.median(),
                        mote.peak_mib(),
                    ),
                );
            }
        }
        text.push('\n');
    }

    fn write_steps(&self, text: &mut String) {
        text.push_str("| the usual way | skopeo copy | umoci unpack | mkfs.erofs | mke2fs -d |\n");
        text.push_str("| --- | ---: | ---: | ---: | ---: |\n");
        for image in &self.images {
            let [copy, unpack, erofs, ext4] =
                [Step::Copy, Step::Unpack, Step::MkfsErofs, Step::Mke2fs]
                    .map(|step| &image.steps[&step]);
            line(text, format_args!("| {} | {copy} | {unpack} | {erofs} | {ext4} |", image.name));
        }
        text.push('\n');
    }

    fn write_runs(&self, text: &mut String) {
        let runs = self.images.iter().filter_map(|image| Some((image, image.second_run.as_ref()?)));
        let mut runs = runs.peekable();
        if runs.peek().is_none() {
            return;
        }
        text.push_str(
            "| second run | mote, to QEMU's start | QEMU and guest, to the first output |\n",
        );
        text.push_str("| --- | ---: | ---: |\n");
        for (image, run) in runs {
            line(text, format_args!("| {} | {} | {} |", image.name, run.own, run.guest));
        }
        text.push('\n');
    }

    fn checks(&self) -> Vec<(String, bool)> {
        let mut checks = Vec::new();
        for image in &self.images {
            if image.name == LARGE {
                let text = format!(
                    "{}: {:.0} MB in {} entries, at least {:.0} in {LEAST_LARGE_ENTRIES}",
                    image.name,
                    image.archives_bytes as f64 / 1e6,
                    image.entries,
                    LEAST_LARGE_BYTES as f64 / 1e6,
                );
                let is_large = image.archives_bytes >= LEAST_LARGE_BYTES
                    && image.entries >= LEAST_LARGE_ENTRIES;
                checks.push((text, is_large));
            }
            if let Some(run) = &image.second_run {
                let own = run.own.median();
                let text = format!(
                    "{}: {:.1} ms of its own, at most {:.0}",
                    image.name,
                    own * 1e3,
                    MOST_OWN_S * 1e3
                );
                checks.push((text, own <= MOST_OWN_S));
            }
            for format in FORMATS.iter().filter(|_| image.archives_bytes >= LEAST_JUDGED_BYTES) {
                let (ratio, over) = (image.ratio(format), image.over_limit(format));
                let what = format!("{} as {}", image.name, format.name);
                checks.push((
                    format!("{what}: {ratio:.1} times as fast, at least {LEAST_RATIO:.0}"),
                    ratio >= LEAST_RATIO,
                ));
                checks.push((
                    format!("{what}: {over:.2} times the limit, at most {MOST_OVER_LIMIT:.0}"),
                    over <= MOST_OVER_LIMIT,
                ));
            }
        }
        checks
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // A string takes all.
    let _ = writeln!(text, "{words}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::child::Usage;
    use super::super::ways::Ways;
    use super::*;

    fn image(mote: u64) -> ImageReport {
        let steps = Ways::STEPS.map(|step| {
            let seconds = match step {
                Step::Limit => 1,
                Step::MoteErofs | Step::MoteExt4 => mote,
                Step::Copy | Step::Unpack | Step::MkfsErofs | Step::Mke2fs => 10,
            };
            let mut samples = Samples::default();
            samples.add(Usage { took: Duration::from_secs(seconds), peak_kib: 2048 });
            (step, samples)
        });
        ImageReport {
            name: "an-image".to_owned(),
            layers_bytes: 1_000_000,
            archives_bytes: LEAST_JUDGED_BYTES,
            entries: 3,
            steps: steps.into(),
            second_run: None,
        }
    }

    #[test]
    fn limits_are_checked() {
        for (mote, holds) in [(2, true), (4, false)] {
            let report = Report { images: vec![image(mote)], ..Report::default() };
            assert_eq!(report.holds(), holds);
            assert_eq!(report.markdown().contains("FAILS"), !holds);
        }
        let small = ImageReport { archives_bytes: LEAST_JUDGED_BYTES - 1, ..image(4) };
        assert!(Report { images: vec![small], ..Report::default() }.holds());
        let text = Report { images: vec![image(2)], ..Report::default() }.markdown();
        assert!(text.contains("| 2.00 | 30.000 s | 15.0 | 10.0 | 2 MiB |"), "{text}");
    }
    #[test]
    fn what_was_not_measured_does_not_hold() {
        let skipped = vec!["runs of an-image: no QEMU".to_owned()];
        let report = Report { images: vec![image(2)], skipped, ..Report::default() };
        assert!(!report.holds());
        let text = report.markdown();
        assert!(text.contains("NOT MEASURED: runs of an-image: no QEMU\n"), "{text}");
    }

    #[test]
    fn the_large_image_must_be_large() {
        for (archives_bytes, entries, holds) in [
            (500_000_000, 30_000, true),
            (499_999_999, 30_000, false),
            (500_000_000, 29_999, false),
        ] {
            let name = LARGE.to_owned();
            let large = ImageReport { name, archives_bytes, entries, ..image(2) };
            let report = Report { images: vec![large], ..Report::default() };
            assert_eq!(report.holds(), holds, "{archives_bytes} bytes, {entries} entries");
        }
    }
}
