//! The one table of what suits each accelerator; `docs/accelerators.md` explains how each line was found.

use super::Accel;

/// A machine option or kernel word, where it is used, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// As written on the command line.
    pub text: &'static str,
    /// The accelerators that it is used with.
    pub with: &'static [Accel],
    /// What it gains, or what goes wrong without it.
    pub why: &'static str,
}

const ALL: &[Accel] = &Accel::ALL;
const KVM: &[Accel] = &[Accel::Kvm];
const TCG: &[Accel] = &[Accel::Tcg];
const NOT_KVM: &[Accel] = &[Accel::Tcg, Accel::Whpx, Accel::Hvf];

/// Options of `-machine microvm`.
const MACHINE_OPTIONS: &[Setting] = &[
    Setting {
        text: "acpi=off",
        with: ALL,
        why: "no tables to build and to parse; devices are named on the command line",
    },
    Setting {
        text: "x-option-roms=off",
        with: ALL,
        why: "the firmware loads the kernel itself; the unused ROMs take half of QEMU's start",
    },
    Setting {
        text: "pit=off",
        with: KVM,
        why: "kvm-clock and the TSC deadline timer need no PIT; elsewhere it gives the kernel its first tick",
    },
    Setting {
        text: "pic=off",
        with: KVM,
        why: "the APICs deliver every interrupt; elsewhere the PIT's come through it",
    },
    Setting { text: "rtc=off", with: KVM, why: "kvm-clock gives the time" },
    Setting {
        text: "rtc=on",
        with: NOT_KVM,
        why: "the only source of the time of day; without it the kernel waits and starts in 1970",
    },
];

/// Words of the kernel's command line.
const KERNEL_WORDS: &[Setting] = &[
    Setting {
        text: "reboot=t",
        with: ALL,
        why: "a triple fault is the way out that every microvm has: QEMU exits on it",
    },
    Setting {
        text: "panic=-1",
        with: ALL,
        why: "a panic ends the machine at once instead of hanging it",
    },
    Setting {
        text: "no_timer_check",
        with: ALL,
        why: "the check of the timer interrupt waits 20 ms and proves nothing in a virtual machine",
    },
    Setting {
        text: "nolapic_timer",
        with: TCG,
        why: "the PIT ticks already; calibrating the LAPIC timer against it takes 0.2 s",
    },
    Setting {
        text: "tsc=reliable",
        with: TCG,
        why: "the counter is the host's; on a busy host the watchdog would take it for broken",
    },
];

/// The options of `-machine microvm` for an accelerator.
pub fn machine_options(accel: Accel) -> impl Iterator<Item = &'static Setting> {
    MACHINE_OPTIONS.iter().filter(move |setting| setting.with.contains(&accel))
}

/// The kernel words for an accelerator.
pub fn kernel_words(accel: Accel) -> impl Iterator<Item = &'static Setting> {
    KERNEL_WORDS.iter().filter(move |setting| setting.with.contains(&accel))
}

/// The value of `-cpu` for an accelerator, with its reason.
pub fn cpu_model(accel: Accel) -> Setting {
    match accel {
        Accel::Tcg => Setting {
            text: "max,-pku",
            with: &[Accel::Tcg],
            why: "all that TCG can do, but protection keys, over which one boot of seven oopsed in the guest",
        },
        Accel::Whpx => Setting { text: "max", with: &[Accel::Whpx], why: "there is no host model" },
        Accel::Kvm | Accel::Hvf => Setting {
            text: "host",
            with: &[Accel::Kvm, Accel::Hvf],
            why: "all that the host's processor can do",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cmdline, KernelMessages};

    const DOCUMENT: &str = include_str!("../../../../docs/accelerators.md");

    /// The rows of a table: the option or word, and its cells for [`Accel::ALL`].
    fn rows(heading: &str) -> Vec<(&'static str, [&'static str; 4])> {
        let (_, section) = DOCUMENT.split_once(heading).expect("the heading");
        let section = section.split("\n## ").next().unwrap();
        let row = |line: &'static str| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name, [cells[2], cells[3], cells[4], cells[5]]))
        };
        section.lines().filter_map(row).collect()
    }

    #[test]
    fn the_document_has_the_kernel_words() {
        let rows = rows("## Kernel words");
        for (column, accel) in Accel::ALL.into_iter().enumerate() {
            let cmdline = Cmdline {
                accel,
                host_tsc_khz: Some(1),
                messages: KernelMessages::Quiet,
                rdinit: Some(mote_contract::INIT_PATH.to_owned()),
                append: Vec::new(),
            };
            let words = cmdline.words().into_iter().map(|word| word.text.replace("khz=1", "khz=N"));
            let documented = rows.iter().filter(|(_, cells)| cells[column] == "✓");
            let documented: Vec<_> = documented.map(|(name, _)| *name).collect();
            assert_eq!(words.collect::<Vec<_>>(), documented, "{accel}");
        }
    }

    /// An option that not every accelerator has stands there with its values, QEMU's defaults among them.
    #[test]
    fn the_document_has_the_machine_options() {
        let rows = rows("## Machine options");
        for (column, accel) in Accel::ALL.into_iter().enumerate() {
            for Setting { text, .. } in machine_options(accel) {
                let (key, value) = text.split_once('=').unwrap();
                let says = |(name, cells): &(&str, [&str; 4])| match name.strip_suffix('=') {
                    Some(name) => name == key && cells[column] == value,
                    None => name == text && cells[column] == "✓",
                };
                assert!(rows.iter().any(says), "{text} with {accel}");
            }
        }
    }
}
