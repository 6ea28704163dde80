//! The kernel's command line: each word that mote sets, with the reason.

use std::borrow::Cow;

use mote_contract::INIT_PATH;

use crate::VmmError;
use crate::accel::{Accel, kernel_words};

/// The longest command line that Linux takes on x86 (`COMMAND_LINE_SIZE`), without the terminating zero.
const MAX_BYTES: usize = 2047;
/// What the microvm machine adds for each virtio device: ` virtio_mmio.device=512@0xfeb00000:10`, of which mote's
/// machines have at most a few.
const RESERVED_BYTES: usize = 256;

/// A word of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// As written.
    pub text: String,
    /// Why it is there.
    pub why: Cow<'static, str>,
}

/// What the command line is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cmdline {
    /// The accelerator, which decides about clocks and timers.
    pub accel: Accel,
    /// The rate of the host's time stamp counter in kHz, where the guest sees that counter: see
    /// [`AccelChoice`](crate::AccelChoice).
    pub host_tsc_khz: Option<u32>,
    /// How much the kernel says on its console.
    pub messages: KernelMessages,
    /// The program in the initramfs that is PID 1; the kernel's own choice when absent.
    pub rdinit: Option<String>,
    /// The user's words; they come last, so that they win.
    pub append: Vec<String>,
}

/// How much the kernel says on its console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelMessages {
    /// Warnings and worse.
    Quiet,
    /// Everything.
    All,
}

impl Cmdline {
    /// All words, in order.
    pub fn words(&self) -> Vec<Word> {
        let mut words = vec![word(
            "console=ttyS0",
            "the serial port is the only console that works from the first line on",
        )];
        if self.messages == KernelMessages::Quiet {
            words
                .push(word("quiet", "each character on the serial port is two exits of the guest"));
        }
        let of_accel = kernel_words(self.accel);
        words.extend(of_accel.map(|setting| word(setting.text, setting.why)));
        if let (Accel::Tcg, Some(khz)) = (self.accel, self.host_tsc_khz) {
            words.push(word(
                &format!("tsc_early_khz={khz}"),
                "TCG's counter is the host's; on a busy host the kernel cannot measure it and would count ticks instead",
            ));
        }
        if let Some(path) = &self.rdinit {
            words.push(word(&format!("rdinit={path}"), "PID 1 in the initramfs"));
        }
        words.extend(self.append.iter().map(|text| word(text, "asked for")));
        words
    }
}

fn word(text: &str, why: &'static str) -> Word {
    Word { text: text.to_owned(), why: why.into() }
}

/// Checks that the kernel would read `words` as they are meant.
///
/// # Errors
///
/// [`VmmError::KernelWord`] and [`VmmError::CmdlineTooLong`].
pub(crate) fn check(words: &[String]) -> Result<(), VmmError> {
    if let Some(word) = words.iter().find(|word| word.contains(['\0', '\n'])) {
        return Err(VmmError::KernelWord { word: word.clone() });
    }
    let length = words.iter().map(|word| word.len() + 1).sum::<usize>().saturating_sub(1);
    let limit = MAX_BYTES - RESERVED_BYTES;
    if length > limit {
        return Err(VmmError::CmdlineTooLong { length, limit });
    }
    Ok(())
}

/// Whether the PID 1 that the kernel takes, which is that of the last word, is another than mote's.
pub(crate) fn names_other_init(words: &[String]) -> bool {
    let last = words.iter().rev().find_map(|word| word.strip_prefix("rdinit="));
    last.is_some_and(|path| path != INIT_PATH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_words_come_last() {
        let cmdline = Cmdline {
            accel: Accel::Tcg,
            host_tsc_khz: Some(2_445_423),
            messages: KernelMessages::Quiet,
            rdinit: Some("/.mote/init".to_owned()),
            append: vec!["loglevel=7".to_owned()],
        };
        let words: Vec<_> = cmdline.words().into_iter().map(|word| word.text).collect();
        assert_eq!(words[..2], ["console=ttyS0", "quiet"]);
        assert_eq!(words[words.len() - 2..], ["rdinit=/.mote/init", "loglevel=7"]);
        assert!(words.contains(&"tsc_early_khz=2445423".to_owned()));
        assert!(cmdline.words().iter().all(|word| !word.why.is_empty()));
    }

    #[test]
    fn the_last_rdinit_counts() {
        let table: [(&[&str], bool); 4] = [
            (&["quiet"], false),
            (&["rdinit=/.mote/init"], false),
            (&["rdinit=/.mote/init", "rdinit=/gone"], true),
            (&["rdinit=/gone", "rdinit=/.mote/init"], false),
        ];
        for (words, other) in table {
            let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(names_other_init(&words), other, "{words:?}");
        }
    }

    #[test]
    fn what_the_kernel_would_cut_is_refused() {
        let long = vec!["x".repeat(1000), "y".repeat(1000)];
        assert!(matches!(
            check(&long),
            Err(VmmError::CmdlineTooLong { length: 2001, limit: 1791 })
        ));
        assert!(matches!(check(&["a\nb".to_owned()]), Err(VmmError::KernelWord { .. })));
        assert!(check(&["x".repeat(1791)]).is_ok());
    }
}
