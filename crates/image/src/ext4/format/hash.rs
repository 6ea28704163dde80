//! The hash of a name in an indexed directory: half of MD4 (RFC 1320), as `fs/ext4/hash.c` has it,
//! with bytes taken as unsigned.

/// Words of a name that one step of the hash takes.
const WORDS: usize = 8;

/// Hashes with this value mean the end of the directory.
const END: u32 = 0xffff_fffe;

/// The state before the first step, where a file system has no seed of its own.
const INITIAL: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// One of the three rounds: its function, constant, order of words and rotations.
type Round = (fn(u32, u32, u32) -> u32, u32, [usize; WORDS], [u32; 4]);

const ROUNDS: [Round; 3] = [
    (choose, 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]),
    (majority, 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]),
    (parity, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]),
];

/// The hash of a name, and a second one that orders names of equal hash; the lowest bit of the
/// first is 0.
pub(in crate::ext4) fn hash_name(name: &[u8], seed: &[u8; 16]) -> (u32, u32) {
    let mut state = INITIAL;
    if *seed != [0; 16] {
        for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(4)) {
            *word = super::get32(bytes, 0);
        }
    }
    let mut rest = name;
    while !rest.is_empty() {
        mix(&mut state, &words(rest));
        rest = &rest[rest.len().min(4 * WORDS)..];
    }
    let hash = match state[1] & !1 {
        END => END - 2,
        hash => hash,
    };
    (hash, state[2])
}

/// The first 32 bytes as words, most significant byte first; what is missing is filled with the
/// length.
fn words(rest: &[u8]) -> [u32; WORDS] {
    let filling = u32::from_ne_bytes([rest.len() as u8; 4]);
    let mut words = [filling; WORDS];
    for (word, bytes) in words.iter_mut().zip(rest.chunks(4)) {
        *word = bytes.iter().fold(filling, |word, &byte| word << 8 | u32::from(byte));
    }
    words
}

fn mix(state: &mut [u32; 4], words: &[u32; WORDS]) {
    let [mut a, mut b, mut c, mut d] = *state;
    for (function, constant, order, rotations) in ROUNDS {
        for (step, word) in order.into_iter().enumerate() {
            let sum =
                a.wrapping_add(function(b, c, d)).wrapping_add(words[word]).wrapping_add(constant);
            (a, b, c, d) = (d, sum.rotate_left(rotations[step % 4]), b, c);
        }
    }
    for (word, mixed) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(mixed);
    }
}

fn choose(x: u32, y: u32, z: u32) -> u32 {
    x & y | !x & z
}

fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y | x & z | y & z
}

fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are debugfs' (`dx_hash -h half_md4 -s SEED NAME`).
    #[test]
    fn names_hash_as_in_debugfs() {
        let seed = 0x85eb_ee83_267f_4cae_9f3e_9231_a03b_4667_u128.to_be_bytes();
        let long = b"a-name-of-more-than-thirty-two-bytes.txt";
        assert_eq!(hash_name(b"hello", &seed), (0x977c_99ce, 0x83fe_210a));
        assert_eq!(hash_name(long, &seed), (0x3674_a7a0, 0x23fe_bf23));
        assert_eq!(hash_name(b"a", &[0; 16]), (0xd5fa_7d7a, 0xacb4_8187));
    }
}
