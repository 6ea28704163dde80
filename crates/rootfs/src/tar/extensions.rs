//! What comes before an entry and says more than its header can: pax records, and GNU's long names.

use super::ArchiveError;
use super::number::{parse_decimal, parse_time};
use super::sparse::SparseRecords;
use crate::tree::Xattrs;

/// Prefix of the records that hold extended attributes (star's; GNU tar, bsdtar and Go write them).
const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

/// All that was said about the next entry; the last word counts.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    /// GNU's, which a pax record outdoes.
    pub(super) long_name: Option<Vec<u8>>,
    /// GNU's, which a pax record outdoes.
    pub(super) long_link: Option<Vec<u8>>,
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mtime: Option<(i64, u32)>,
    pub(super) xattrs: Xattrs,
    pub(super) sparse: SparseRecords,
}

impl Extensions {
    /// Takes in the records of a pax extended header that stands at `offset`.
    ///
    /// Records without meaning to us are passed over; an empty value takes back what was said
    /// before, but for extended attributes, which may be empty.
    pub(super) fn add_records(&mut self, records: &[u8], offset: u64) -> Result<(), ArchiveError> {
        let mut rest = records;
        while !rest.is_empty() {
            let (key, value, next) = split_record(rest).ok_or(ArchiveError::Records { offset })?;
            self.add_record(key, value).map_err(|field| ArchiveError::Field { offset, field })?;
            rest = next;
        }
        Ok(())
    }

    /// The error is the name of what the value is no valid one of.
    fn add_record(&mut self, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
        if let Some(name) = key.strip_prefix(XATTR_PREFIX) {
            self.xattrs.insert(name.into(), value.into());
            return Ok(());
        }
        let text = (!value.is_empty()).then_some(value);
        match key {
            b"path" => self.path = text.map(<[u8]>::to_vec),
            b"linkpath" => self.link_path = text.map(<[u8]>::to_vec),
            b"size" => self.size = number(text, "size")?,
            b"uid" => self.uid = number(text, "owner")?,
            b"gid" => self.gid = number(text, "group")?,
            b"mtime" => {
                let parse = |text| parse_time(text).ok_or("time");
                self.mtime = text.map(parse).transpose()?;
            }
            b"GNU.sparse.name" => self.sparse.name = text.map(<[u8]>::to_vec),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => {
                self.sparse.real_size = number(text, "sparse size")?;
            }
            b"GNU.sparse.major" => self.sparse.major = number(text, "sparse version")?,
            b"GNU.sparse.minor" => self.sparse.minor = number(text, "sparse version")?,
            b"GNU.sparse.map" => self.sparse.set_map(value)?,
            b"GNU.sparse.offset" => {
                self.sparse.add_offset(number(text, "sparse map")?.ok_or("sparse map")?)?;
            }
            b"GNU.sparse.numbytes" => {
                self.sparse.add_length(number(text, "sparse map")?.ok_or("sparse map")?)?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn number<T: TryFrom<u64>>(
    text: Option<&[u8]>,
    field: &'static str,
) -> Result<Option<T>, &'static str> {
    let parse = |text| parse_decimal(text).and_then(|number| T::try_from(number).ok());
    text.map(|text| parse(text).ok_or(field)).transpose()
}

/// Splits `LENGTH KEY=VALUE\n` off; the length counts all of it. The value may hold any byte.
fn split_record(records: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = records.iter().position(|&byte| byte == b' ')?;
    let len = usize::try_from(parse_decimal(&records[..space])?).ok()?;
    let (record, rest) = records.split_at_checked(len)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &[u8]) -> Vec<u8> {
        crate::tar::testing::record(key.as_bytes(), value)
    }

    #[test]
    fn records_hold_any_byte_and_the_last_word_counts() {
        let records = [
            record("path", b"first"),
            record("path", b"a\n12 path=x\n\xff"),
            record("SCHILY.xattr.security.capability", b"\x01\n\0=\xff"),
            record("SCHILY.xattr.user.empty", b""),
            record("uid", b"4294967295"),
            record("gid", b"7"),
            record("gid", b""),
            record("mtime", b"-1.5"),
            record("comment", b"passed over"),
        ]
        .concat();
        let mut extensions = Extensions::default();
        extensions.add_records(&records, 0).unwrap();
        assert_eq!(extensions.path.as_deref(), Some(&b"a\n12 path=x\n\xff"[..]));
        assert_eq!(extensions.xattrs[&b"security.capability"[..]][..], *b"\x01\n\0=\xff");
        assert_eq!(extensions.xattrs[&b"user.empty"[..]][..], *b"");
        assert_eq!((extensions.uid, extensions.gid), (Some(u32::MAX), None));
        assert_eq!(extensions.mtime, Some((-2, 500_000_000)));
    }

    #[test]
    fn malformed_records_are_refused() {
        let table: [(&[u8], &str); 10] = [
            (b"x", "the extended header at byte 512 is malformed"),
            (b"8 path=a", "the extended header at byte 512 is malformed"),
            (b"99 path=a\n", "the extended header at byte 512 is malformed"),
            (b"9 path=a\n\0", "the extended header at byte 512 is malformed"),
            (b"2 \n", "the extended header at byte 512 is malformed"),
            (b"0 a=b\n", "the extended header at byte 512 is malformed"),
            (b"18446744073709551616 a=b\n", "the extended header at byte 512 is malformed"),
            (b"10 size=x\n", "the header at byte 512 has no valid size"),
            (b"18 uid=4294967296\n", "the header at byte 512 has no valid owner"),
            (b"20 GNU.sparse.map=1\n", "the header at byte 512 has no valid sparse map"),
        ];
        for (records, message) in table {
            let error = Extensions::default().add_records(records, 512).unwrap_err();
            assert_eq!(error.to_string(), message, "{}", records.escape_ascii());
        }
    }
}
