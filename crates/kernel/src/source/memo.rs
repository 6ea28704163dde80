//! Remembered digests.
