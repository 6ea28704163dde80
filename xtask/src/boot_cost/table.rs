//! The tables, and whether the limits hold.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use super::measure::{Bench, Form, MEMORY_MIB, Measurement, Way};

/// The default kernel's instructions until PID 1.
const LIMIT_INSTRUCTIONS: u64 = 15_000_000;
/// The memory in which the default kernel boots.
const LIMIT_RAM_MIB: u32 = 24;

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    releases: BTreeSet<String>,
    qemu: String,
    memory_mib: u32,
    initramfs_bytes: u64,
    measurements: Vec<Measurement>,
    skipped: Vec<Skipped>,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
struct Skipped {
    kernel: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    measured: u64,
    limit: u64,
    holds: bool,
}

impl Report {
    /// An empty report.
    pub fn new(bench: &Bench) -> Self {
        Self {
            releases: BTreeSet::new(),
            qemu: bench.qemu_version.clone(),
            memory_mib: MEMORY_MIB,
            initramfs_bytes: bench.initramfs_bytes,
            measurements: Vec::new(),
            skipped: Vec::new(),
            checks: Vec::new(),
        }
    }

    /// Notes which Linux a kernel is.
    pub fn release(&mut self, release: &str) {
        self.releases.insert(release.to_owned());
    }

    /// Notes that a kernel was not measured.
    pub fn skip(&mut self, kernel: &str, reason: String) {
        eprintln!("skipped: {reason}");
        self.skipped.push(Skipped { kernel: kernel.to_owned(), reason });
    }

    /// Notes a measurement.
    pub fn add(&mut self, measurement: Measurement) {
        self.measurements.push(measurement);
        self.checks = self.check();
    }

    /// Whether no limit is exceeded, of those that could be checked.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    fn check(&self) -> Vec<Check> {
        let find = |kernel: &str, form, way: Option<Way>| {
            self.measurements
                .iter()
                .find(|one| {
                    one.kernel == kernel && one.form == form && way.is_none_or(|way| one.way == way)
                })
                .map(|one| &one.cost)
        };
        let mut checks = Vec::new();
        let mut at_most = |what, measured, limit| {
            checks.push(Check { what, measured, limit, holds: measured <= limit });
        };
        if let Some(cost) = find("busybox", Form::Vmlinux, Some(Way::Mote)) {
            at_most("busybox: instructions to PID 1", cost.instructions, LIMIT_INSTRUCTIONS);
            at_most(
                "busybox: smallest RAM, MiB",
                cost.smallest_ram_mib.into(),
                LIMIT_RAM_MIB.into(),
            );
        }
        if let (Some(ours), Some(theirs)) =
            (find("minimal-ext4", Form::Bzimage, None), find("uablrek", Form::Bzimage, None))
        {
            at_most(
                "minimal-ext4: bzImage no larger than uablrek's, bytes",
                ours.kernel_bytes,
                theirs.kernel_bytes,
            );
        }
        checks
    }

    /// The table for people.
    pub fn markdown(&self) -> String {
        let releases = self.releases.iter().cloned().collect::<Vec<_>>().join(", ");
        let mut text = format!(
            "# Boot cost\n\nLinux {releases}; {}; one CPU, {} MiB, TCG counting instructions; the initramfs with PID 1 has {} bytes.\n\n",
            self.qemu, self.memory_mib, self.initramfs_bytes
        );
        text.push_str("| kernel | as | started | instructions to PID 1 | device accesses | smallest RAM | bytes |\n");
        text.push_str("| --- | --- | --- | ---: | ---: | ---: | ---: |\n");
        for measurement in &self.measurements {
            text.push_str(&line(measurement));
            text.push('\n');
        }
        for Skipped { kernel, reason } in &self.skipped {
            // A string takes all.
            let _ = writeln!(text, "\nSkipped: {kernel}: {reason}");
        }
        text.push('\n');
        for Check { what, measured, limit, holds } in &self.checks {
            let verdict = if *holds { "holds" } else { "EXCEEDED" };
            let _ = writeln!(
                text,
                "- {what}: {} of at most {}: {verdict}",
                grouped(*measured),
                grouped(*limit)
            );
        }
        text
    }
}

/// A line of the table.
pub fn line(Measurement { kernel, form, way, cost }: &Measurement) -> String {
    format!(
        "| {kernel} | {form} | {way} | {:.1} M | {} | {} MiB | {} |",
        cost.instructions as f64 / 1e6,
        grouped(cost.device_accesses),
        cost.smallest_ram_mib,
        grouped(cost.kernel_bytes),
    )
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
