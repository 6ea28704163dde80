//! gzip, against zlib-rs and against streams written by hand.

use std::io::{self, Read, Write};
use std::ops::Range;

use flate2::GzBuilder;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::noise;
use crate::layer::gzip::Gzip;
use crate::layer::inflate::Decoder;
use crate::layer::input::Blob;
use crate::layer::stream::Part;
use crate::tree::Content;

fn inflate(blob: &[u8]) -> io::Result<Vec<u8>> {
    let mut blob = Blob::open(&Content::from(blob.to_vec()), None, &|_| Ok(()))?;
    let mut gzip = Gzip::new(&mut blob, true);
    let mut buffer = Part::empty(None).buffer;
    let mut inflated = Vec::new();
    loop {
        match gzip.decode(&mut buffer)? {
            Range { start, end } if start == end => return Ok(inflated),
            range => inflated.extend_from_slice(&buffer[range]),
        }
    }
}

fn by_zlib(blob: &[u8]) -> io::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    MultiGzDecoder::new(blob).read_to_end(&mut inflated)?;
    Ok(inflated)
}

/// Bytes as compressors meet them: repetitions near and far, and values of which some are so rare
/// that their codes become as long as codes can be.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let random = (any::<u64>(), 1_usize..2000).prop_map(|(seed, len)| noise(len, seed));
    // Each value is half as frequent as the one before.
    let skewed = (any::<u64>(), 1_usize..60_000).prop_map(|(seed, len)| {
        let zeros = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]).trailing_zeros() as u8;
        noise(len * 2, seed).chunks(2).map(zeros).collect::<Vec<_>>()
    });
    let repeated = (prop::collection::vec(any::<u8>(), 1..40), 1_usize..5000)
        .prop_map(|(part, len)| part.into_iter().cycle().take(len).collect::<Vec<_>>());
    let part = prop_oneof![random, skewed, repeated];
    prop::collection::vec((part, any::<prop::sample::Index>()), 0..12).prop_map(|parts| {
        let mut data = Vec::new();
        for (part, again) in parts {
            data.extend_from_slice(&part);
            let from = again.index(data.len());
            data.extend_from_within(from..data.len().min(from + 70_000));
        }
        data
    })
}

fn gzip(data: &[u8], level: u32, flush_at: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    let (before, after) = data.split_at(flush_at);
    encoder.write_all(before).unwrap();
    encoder.flush().unwrap();
    encoder.write_all(after).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_compressed_comes_back(
        members in prop::collection::vec((data(), 0_u32..10, any::<prop::sample::Index>()), 1..4)
    ) {
        let mut blob = Vec::new();
        let mut all = Vec::new();
        for (data, level, flush_at) in members {
            blob.extend(gzip(&data, level, flush_at.index(data.len() + 1)));
            all.extend(data);
        }
        let inflated = inflate(&blob).unwrap();
        prop_assert!(inflated == all, "{} of {} bytes", inflated.len(), all.len());
    }

    #[test]
    fn damage_is_seen_as_zlib_sees_it(
        data in data(),
        level in 0_u32..10,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut blob = gzip(&data, level, 0);
        for (at, byte) in damage {
            let at = at.index(blob.len());
            blob[at] = byte;
        }
        if let Some(cut) = cut {
            blob.truncate(cut.index(blob.len()));
        }
        match (inflate(&blob), by_zlib(&blob)) {
            (Ok(inflated), Ok(expected)) => prop_assert!(inflated == expected),
            (Err(_), Err(_)) => {}
            (inflated, expected) => {
                let lens = (inflated.map(|bytes| bytes.len()), expected.map(|bytes| bytes.len()));
                prop_assert!(false, "{lens:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The zeros that are read behind the end may look like a match that reaches too far, but like
    /// nothing else.
    #[test]
    fn a_cut_is_told_as_such(data in data(), level in 0_u32..10, cut in any::<prop::sample::Index>()) {
        let blob = gzip(&data, level, 0);
        let error = inflate(&blob[..cut.index(blob.len())]).unwrap_err();
        let is_cut = error.kind() == io::ErrorKind::UnexpectedEof;
        prop_assert!(is_cut || error.to_string().starts_with("the deflate stream refers to bytes"));
    }
}

#[test]
fn chunks_of_any_kind_follow_one_another() {
    let data: Vec<u8> = (0..40).flat_map(|seed| noise(50_000, seed / 2)).collect();
    for level in [0, 1, 6] {
        let blob = gzip(&data, level, 1_000_000);
        assert!(inflate(&blob).unwrap() == data, "level {level}");
    }
}

#[test]
fn headers_may_tell_more() {
    let builder = GzBuilder::new().filename("name").comment("comment").extra(vec![7; 300]);
    let mut encoder = builder.mtime(1).write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"content").unwrap();
    let mut blob = encoder.finish().unwrap();
    assert_eq!(inflate(&blob).unwrap(), b"content");
    // With the CRC of the header behind it.
    let header_len = 10 + 2 + 300 + b"name\0comment\0".len();
    blob[3] |= 2;
    let mut crc = flate2::Crc::new();
    crc.update(&blob[..header_len]);
    let crc = (crc.sum() as u16).to_le_bytes();
    let with = |crc: &[u8]| [&blob[..header_len], crc, &blob[header_len..]].concat();
    assert_eq!(by_zlib(&with(&crc)).unwrap(), b"content");
    assert_eq!(inflate(&with(&crc)).unwrap(), b"content");
    let error = inflate(&with(&[!crc[0], crc[1]])).unwrap_err();
    assert_eq!(error.to_string(), "wrong CRC of a gzip header");
}

/// A deflate stream, bit by bit.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    /// The lowest bit first.
    fn put(&mut self, value: usize, bits: usize) -> &mut Self {
        for bit in 0..bits {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> bit & 1) as u8) << (self.count % 8);
            self.count += 1;
        }
        self
    }

    fn code(&mut self, code: usize, bits: usize) -> &mut Self {
        self.put(code.reverse_bits() >> (usize::BITS as usize - bits), bits)
    }

    /// A literal, an end or a length in the fixed code (RFC 1951, 3.2.6).
    fn symbol(&mut self, symbol: usize) -> &mut Self {
        match symbol {
            0..144 => self.code(0x30 + symbol, 8),
            144..256 => self.code(0x190 + symbol - 144, 9),
            256..280 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    /// RFC 1951, 3.2.5.
    fn repeat(&mut self, len: usize, distance: usize) {
        match len {
            258 => self.symbol(285),
            _ => {
                let (symbol, added, bits) = based(len - 3, |symbol| symbol / 4);
                self.symbol(257 + symbol).put(added, bits)
            }
        };
        let (symbol, added, bits) = based(distance - 1, |symbol| symbol / 2);
        self.code(symbol, 5).put(added, bits);
    }

    /// As the only member of a gzip file.
    fn gzip(&self, data: &[u8]) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        let trailer = [crc.sum().to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
        [&header[..], &self.bytes, &trailer].concat()
    }
}

/// The symbol for a value, what is added to its base, and in how many bits.
fn based(value: usize, group: fn(usize) -> usize) -> (usize, usize, usize) {
    let mut base = 0;
    for symbol in 0.. {
        let bits = group(symbol).saturating_sub(1);
        if value < base + (1 << bits) {
            return (symbol, value - base, bits);
        }
        base += 1 << bits;
    }
    unreachable!("{value}")
}

#[test]
fn every_length_is_repeated_at_every_distance() {
    let mut data = noise(32 << 10, 1);
    let mut bits = Bits::default();
    bits.put(0b011, 3);
    for &byte in &data {
        bits.symbol(byte.into());
    }
    let near = (1..70).flat_map(|distance| (3..=258).map(move |len| (len, distance)));
    let far = (1..=32 << 10).map(|distance| (3 + distance % 256, distance));
    for (len, distance) in near.chain(far) {
        bits.repeat(len, distance);
        for _ in 0..len {
            data.push(data[data.len() - distance]);
        }
        // Something new, so that no distance is another one as well.
        let byte = (data.len() * 7 / 3) as u8;
        bits.symbol(byte.into());
        data.push(byte);
    }
    bits.symbol(256);
    let blob = bits.gzip(&data);
    assert!(by_zlib(&blob).unwrap() == data, "the test is wrong");
    assert!(inflate(&blob).unwrap() == data);
}

#[test]
fn what_is_no_stream_is_told() {
    type Put = fn(&mut Bits);
    let of = |put: Put| {
        let mut bits = Bits::default();
        put(&mut bits);
        // Enough for whatever it claims to be.
        bits.bytes.extend([0; 100]);
        bits.gzip(b"")
    };
    const BLOCK: &str = "a block of the deflate stream has no known type";
    const STORED: &str = "the length of a block of the deflate stream contradicts itself";
    const CODES: &str = "the codes of a block of the deflate stream are none";
    const SYMBOL: &str = "a code of the deflate stream has no meaning";
    const DISTANCE: &str = "the deflate stream refers to bytes before its beginning";
    let table: [(Put, &str); 7] = [
        (|bits| _ = bits.put(0b111, 3), BLOCK),
        (|bits| _ = bits.put(1, 8).put(5, 16).put(6, 16), STORED),
        // 287 codes.
        (|bits| _ = bits.put(0b101, 3).put(30, 5).put(0, 9), CODES),
        // Four codes of lengths, all of one bit.
        (|bits| _ = bits.put(0b101, 3).put(0, 14).put(0b1_001_001_001, 12), CODES),
        (|bits| _ = bits.put(0b011, 3).symbol(286), SYMBOL),
        (|bits| _ = bits.put(0b011, 3).symbol(65).symbol(257).code(30, 5), SYMBOL),
        (|bits| bits.put(0b011, 3).symbol(65).repeat(3, 2), DISTANCE),
    ];
    let table = table.map(|(put, message)| (of(put), message));
    let no_header = (b"\x1f\x8b\x09\0\0\0\0\0\0\0\0\0".to_vec(), "no gzip header");
    for (blob, message) in table.into_iter().chain([no_header]) {
        assert_eq!(inflate(&blob).unwrap_err().to_string(), message);
        by_zlib(&blob).expect_err(message);
    }
}

/// Repeating what another member had is no way around its beginning.
#[test]
fn members_do_not_see_each_other() {
    let mut bits = Bits::default();
    bits.put(0b011, 3).repeat(3, 1);
    bits.symbol(256);
    let blob = [gzip(b"first", 6, 5), bits.gzip(b"ttt")].concat();
    let error = inflate(&blob).unwrap_err().to_string();
    assert_eq!(error, "the deflate stream refers to bytes before its beginning");
}

#[test]
fn a_stream_that_is_cut_off_is_told_wherever_it_is() {
    let data = [noise(300, 1), b"abc".repeat(500), noise(300, 1)].concat();
    for level in [0, 1, 9] {
        let blob = gzip(&data, level, 700);
        for cut in 0..blob.len() {
            let error = inflate(&blob[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut} of {}", blob.len());
        }
        for behind in [&b"garbage"[..], &[0; 20]] {
            let error = inflate(&[&blob, behind].concat()).unwrap_err();
            assert_eq!(error.to_string(), "no gzip header");
        }
    }
}

#[test]
fn the_check_and_the_length_are_compared() {
    let blob = gzip(b"content", 6, 3);
    for (at, message) in [(8, "wrong CRC of a gzip member"), (4, "wrong length of a gzip member")] {
        let mut bent = blob.clone();
        let at = bent.len() - at;
        bent[at] ^= 1;
        assert_eq!(inflate(&bent).unwrap_err().to_string(), message);
    }
}
