//! Numbers as tar headers and extended headers have them.

/// A number of a header field: octal digits, or GNU's base-256, which begins with the bit 0x80 and
/// is a big-endian two's complement without it. A blank field is 0.
pub(super) fn parse_field(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => parse_base256(field),
        _ => parse_octal(field),
    }
}

fn parse_base256(field: &[u8]) -> Option<i64> {
    // The first bit marks the encoding, the second one is the sign.
    let is_negative = field[0] & 0x40 != 0;
    let start = if is_negative { i64::from(field[0] as i8) } else { i64::from(field[0] & 0x3f) };
    field[1..]
        .iter()
        .try_fold(start, |value, &byte| value.checked_mul(256)?.checked_add(i64::from(byte)))
}

fn parse_octal(field: &[u8]) -> Option<i64> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\0');
    let start = field.iter().position(|byte| !blank(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let digits = &digits[..digits.iter().position(blank).unwrap_or(digits.len())];
    digits.iter().try_fold(0_i64, |value, &byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

/// A decimal number of an extended header or a sparse map: digits only.
pub(super) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// A time of an extended header, which may have a sign and a fraction: whole seconds, rounded towards
/// the past, and the nanoseconds since then.
pub(super) fn parse_time(text: &[u8]) -> Option<(i64, u32)> {
    const SECOND_NS: u32 = 1_000_000_000;
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let dot = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let seconds = i64::try_from(parse_decimal(&text[..dot])?).ok()?;
    let fraction = text.get(dot + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    let ns = digits.take(9).fold(0, |ns, digit| ns * 10 + u32::from(digit - b'0'));
    Some(match (negative, ns) {
        (false, ns) => (seconds, ns),
        (true, 0) => (-seconds, 0),
        (true, ns) => (-seconds - 1, SECOND_NS - ns),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_octal_or_base_256() {
        let table: [(&[u8], Option<i64>); 15] = [
            (b"0000644\0", Some(0o644)),
            (b"  644 \0\0", Some(0o644)),
            (b"77777777", Some(0o77_777_777)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"644\0junk", Some(0o644)),
            (b"0000648\0", None),
            (b"-000001\0", None),
            (b"\x80\0\0\0\0\0\x01\x02", Some(258)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Some(i64::MIN)),
            (b"\xc0\0\0\0\0\0\0\0\0\0\0\0", None),
        ];
        for (field, value) in table {
            assert_eq!(parse_field(field), value, "{:?}", field.escape_ascii().to_string());
        }
    }

    #[test]
    fn times_have_seconds_and_what_has_passed_since() {
        let table = [
            ("1577836800", Some((1_577_836_800, 0))),
            ("1577836800.999999999", Some((1_577_836_800, 999_999_999))),
            ("1.5", Some((1, 500_000_000))),
            ("1.0000000019", Some((1, 1))),
            ("-1", Some((-1, 0))),
            ("-1.000", Some((-1, 0))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-0.5", Some((-1, 500_000_000))),
            ("", None),
            ("-", None),
            (".5", None),
            ("1.x", None),
            ("1e9", None),
            ("9223372036854775807", Some((i64::MAX, 0))),
            ("-9223372036854775807.5", Some((i64::MIN, 500_000_000))),
            ("9223372036854775808", None),
        ];
        for (text, time) in table {
            assert_eq!(parse_time(text.as_bytes()), time, "{text}");
        }
    }
}
