//! Words as a shell reads them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// `word` quoted so that a shell reads exactly it.
///
/// Plain words stay as they are; `'…'` serves for all printable text (POSIX), `$'…'` for control characters and
/// bytes that are not UTF-8 (bash, zsh, and POSIX since 2024).
pub fn quote_word(word: &OsStr) -> String {
    let bytes = word.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) if is_plain(text) => text.to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => format!("$'{}'", bytes.iter().copied().map(escape_byte).collect::<String>()),
    }
}

/// `name=value` as an assignment before a command.
pub(crate) fn quote_assignment(name: &OsStr, value: &OsStr) -> String {
    format!("{}={}", quote_word(name), quote_word(value))
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

fn escape_byte(byte: u8) -> String {
    match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b'\n' => "\\n".to_owned(),
        b'\t' => "\\t".to_owned(),
        0x20..=0x7e => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_reads_back_every_word() {
        let words: &[&[u8]] = &[
            b"",
            b"plain-1.0_@%+=:,./",
            b"two words",
            b"it's",
            b"$HOME `id` \\ \"x\" !",
            b"tab\tline\nfeed",
            b"\x01\x7f7\xff\xfe'\\",
            "na\u{ef}ve".as_bytes(),
            b"*?[a]~#;&|<>(){}",
            b"~",
            b"\x1b[2J",
        ];
        for word in words {
            let quoted = quote_word(OsStr::from_bytes(word));
            let script = format!("printf %s {quoted}");
            let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(output.stdout, *word, "{quoted}");
        }
    }

    #[test]
    fn plain_words_stay_plain() {
        assert_eq!(quote_word(OsStr::new("-machine")), "-machine");
        assert_eq!(quote_word(OsStr::new("microvm,acpi=off")), "microvm,acpi=off");
        assert_eq!(quote_word(OsStr::new("it's")), r"'it'\''s'");
    }
}
