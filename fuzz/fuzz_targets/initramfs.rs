//! Initramfs images out of arbitrary bytes: cpio archives, compressed or not, one after another.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use mote_image::read_initramfs;

/// What a bomb inflates to takes time, and says nothing.
const CONTENT: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let read = read_initramfs(input, &mut |_, content| {
        let mut content = content.take(CONTENT);
        io::copy(&mut content, &mut io::sink()).map(drop)
    });
    if let Ok(summary) = read {
        assert_eq!(summary.bytes, input.len() as u64);
    }
});
