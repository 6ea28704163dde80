//! Codes, as tables to look the next bits up in.

use super::DeflateError;

/// Bits of the first look-up. Longer codes, which are rare, need a second one.
pub(super) const SYMBOL_BITS: usize = 11;
pub(super) const DISTANCE_BITS: usize = 8;
pub(super) const LENGTH_BITS: usize = 7;

/// Room for each code there may be: the first look-up's, and all second ones. `enough.c` of zlib
/// counts 2342 for 288 symbols and 11 bits, 402 for 32 symbols and 8 bits. Powers of two, so that a
/// mask bounds an index.
pub(super) const SYMBOL_ENTRIES: usize = 4096;
pub(super) const DISTANCE_ENTRIES: usize = 512;
pub(super) const LENGTH_ENTRIES: usize = 1 << LENGTH_BITS;

/// Longest code (RFC 1951, 3.2.7).
const CODE_BITS_MAX: usize = 15;

/// Literals, the end, and lengths, two of which mean nothing.
const SYMBOLS_MAX: usize = 288;

/// What the next bits mean.
///
/// From the lowest bit on: 8 bits with the number of bits that it takes, those of a base's addition
/// included; 4 bits with the number of them that are the code; what kind it is; and from bit 16 on
/// the literal, the base, or where the second look-up begins. Then the 4 bits say how many bits that
/// takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    const LITERAL: u32 = 1 << 31;
    /// None of the frequent ones: one of the following three.
    const OTHER: u32 = 1 << 15;
    const LONG: u32 = 1 << 14;
    const END: u32 = 1 << 13;
    const INVALID: u32 = 1 << 12;

    const INVALID_CODE: Self = Self(Self::OTHER | Self::INVALID);

    /// The meaning of a symbol among literals and lengths, without the bits of its code (RFC 1951,
    /// 3.2.5).
    pub(super) fn symbol(symbol: usize) -> Self {
        const BASES: [u32; 29] = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99,
            115, 131, 163, 195, 227, 258,
        ];
        const ADDED_BITS: [u32; 29] =
            [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
        match symbol {
            0..256 => Self(Self::LITERAL | (symbol as u32) << 16),
            256 => Self(Self::OTHER | Self::END),
            257..286 => Self(BASES[symbol - 257] << 16 | ADDED_BITS[symbol - 257]),
            _ => Self::INVALID_CODE,
        }
    }

    /// The same of a distance.
    pub(super) fn distance(symbol: usize) -> Self {
        const BASES: [u32; 30] = [
            1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025,
            1537, 2049, 3073, 4097, 6145, 8193, 12_289, 16_385, 24_577,
        ];
        match BASES.get(symbol) {
            Some(base) => Self(base << 16 | (symbol as u32 / 2).saturating_sub(1)),
            None => Self::INVALID_CODE,
        }
    }

    /// The same of the length of a code.
    pub(super) fn length(symbol: usize) -> Self {
        Self((symbol as u32) << 16)
    }

    fn long(begin: usize, bits: u32, first_bits: u32) -> Self {
        Self((begin as u32) << 16 | Self::OTHER | Self::LONG | bits << 8 | first_bits)
    }

    /// With a code of so many bits.
    fn coded(self, bits: u32) -> Self {
        Self(self.0 + (bits << 8) + bits)
    }

    pub(super) fn is_literal(self) -> bool {
        self.0 & Self::LITERAL != 0
    }

    pub(super) fn is_other(self) -> bool {
        self.0 & Self::OTHER != 0
    }

    pub(super) fn is_long(self) -> bool {
        self.0 & Self::LONG != 0
    }

    pub(super) fn is_invalid(self) -> bool {
        self.0 & Self::INVALID != 0
    }

    /// How many bits it takes. Only the lowest byte is meant.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// The literal.
    pub(super) fn byte(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// The base, and what the bits behind the code add to it. `bits` begin with the code.
    pub(super) fn value(self, bits: u64) -> usize {
        let taken = bits & !(u64::MAX << (self.0 & 63));
        (self.0 >> 16) as usize + (taken >> (self.0 >> 8 & 15)) as usize
    }

    /// Where to look up the bits behind those of the first look-up.
    pub(super) fn second(self, bits: u64) -> usize {
        let (begin, len) = self.second_look_up();
        begin + bits as usize % len
    }

    /// Where the entries of the second look-up begin, and how many there are.
    fn second_look_up(self) -> (usize, usize) {
        ((self.0 >> 16) as usize, 1 << (self.0 >> 8 & 15))
    }
}

/// Makes the table of a code from the lengths of its symbols' codes, in bits, 0 for those that have
/// none (RFC 1951, 3.2.2). As in Go, a code may be incomplete only if it has at most one symbol.
pub(super) fn make(
    table: &mut [Entry],
    bits: usize,
    lens: &[u8],
    entry: fn(usize) -> Entry,
) -> Result<(), DeflateError> {
    let mut counts = [0_u32; CODE_BITS_MAX + 1];
    lens.iter().for_each(|&len| counts[usize::from(len)] += 1);
    counts[0] = 0;
    // The next code of each length.
    let mut codes = [0_u32; CODE_BITS_MAX + 2];
    for len in 1..=CODE_BITS_MAX {
        codes[len + 1] = (codes[len] + counts[len]) << 1;
    }
    let is_complete = codes[CODE_BITS_MAX + 1] == 2 << CODE_BITS_MAX;
    let is_alone = counts[1] <= 1 && counts[2..].iter().all(|&count| count == 0);
    if !is_complete && !is_alone {
        return Err(DeflateError::Code);
    }
    // By the lengths of their codes.
    let mut begins = [0; CODE_BITS_MAX + 2];
    for len in 1..=CODE_BITS_MAX {
        begins[len + 1] = begins[len] + counts[len] as usize;
    }
    let mut symbols = [0; SYMBOLS_MAX];
    let mut next = begins;
    for (symbol, len) in lens.iter().map(|&len| usize::from(len)).enumerate() {
        if len > 0 {
            symbols[next[len]] = symbol;
            next[len] += 1;
        }
    }
    // Their entries and codes, of which the first bit comes first.
    let coded = |len: usize, bits: usize| {
        let reversed = move |code: u32| (code.reverse_bits() >> (32 - len)) as usize;
        let symbols = symbols[begins[len]..begins[len + 1]].iter();
        let entries = symbols.map(move |&symbol| entry(symbol).coded(bits as u32));
        entries.zip((codes[len]..).map(reversed))
    };
    // For each length the table doubles: what is known does not ask for the next bit.
    table[..2].fill(Entry::INVALID_CODE.coded(1));
    for len in 1..=bits {
        if len > 1 {
            table.copy_within(..1 << (len - 1), 1 << (len - 1));
        }
        coded(len, len).for_each(|(entry, code)| table[code] = entry);
    }
    // The longest code of a second look-up says how many bits that takes.
    let mut second_begin = 1 << bits;
    for len in (bits + 1..=CODE_BITS_MAX).rev() {
        let rest = len - bits;
        for (entry, code) in coded(len, rest) {
            let (first, second) = (code % (1 << bits), code >> bits);
            if !table[first].is_long() {
                table[first] = Entry::long(second_begin, rest as u32, bits as u32);
                second_begin += 1 << rest;
            }
            let (begin, len) = table[first].second_look_up();
            table[begin..begin + len][second..]
                .iter_mut()
                .step_by(1 << rest)
                .for_each(|at| *at = entry);
        }
    }
    Ok(())
}
