//! Bytes of other programs made fit for a terminal.

/// `bytes` as text without control characters: tabs and line feeds stay, a carriage return before a line feed goes,
/// everything else that could steer a terminal is shown escaped (`\x1b`, `\u{9b}`), and so are bytes that are not UTF-8.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut characters = chunk.valid().chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\r' if characters.peek() == Some(&'\n') => {}
                '\t' | '\n' => text.push(character),
                character if character.is_ascii_control() => {
                    text.push_str(&format!("\\x{:02x}", u32::from(character)));
                }
                character if character.is_control() || steers_direction(character) => {
                    text.extend(character.escape_unicode());
                }
                character => text.push(character),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The characters of Unicode that reorder what is shown (UAX #9, explicit formatting).
fn steers_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        let table: &[(&[u8], &str)] = &[
            (b"plain\ttext\r\nnext\n", "plain\ttext\nnext\n"),
            (b"\x1b[2J\x07", "\\x1b[2J\\x07"),
            (b"a\rb", "a\\x0db"),
            ("\u{9b}2J".as_bytes(), "\\u{9b}2J"),
            ("\u{202e}x".as_bytes(), "\\u{202e}x"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("naïve ✓".as_bytes(), "naïve ✓"),
        ];
        for (bytes, expected) in table {
            assert_eq!(printable(bytes), *expected);
        }
    }
}
