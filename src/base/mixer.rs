//! A hash for states: quick on the many small numbers that a state is made of.
//!
//! Each word is mixed in by a step that can be undone, so two states that
//! differ in one word never share a hash because of that step alone. The
//! constants are those of SplitMix64's finish (Steele, Lea, Flood 2014).
//!
//! Left out: keys; nobody chooses states in order to make them collide.

use std::hash::Hasher;

/// The hash so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mixer(u64);

impl Mixer {
    #[inline]
    fn mix(&mut self, word: u64) {
        let mut s = self.0.rotate_left(5) ^ word;
        s = (s ^ s >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        s = (s ^ s >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = (s ^ s >> 31).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, n: u8) {
        self.mix(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.mix(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::Hash;

    #[test]
    fn small_differences_make_another_hash() {
        let hash = |words: &[u64], text: &str| {
            let mut h = Mixer::default();
            words.iter().for_each(|w| w.hash(&mut h));
            text.hash(&mut h);
            h.finish()
        };
        let mut seen = HashSet::new();
        for a in 0..64 {
            for b in 0..64 {
                for (x, y) in [(a, b), (1 << a, 1 << b)] {
                    for text in ["", "a", "b", "\0"] {
                        seen.insert(hash(&[x, y, 7], text));
                        seen.insert(hash(&[x, 7, y], text));
                    }
                }
            }
        }
        let mut inputs = HashSet::new();
        for a in 0..64u64 {
            for b in 0..64u64 {
                for (x, y) in [(a, b), (1 << a, 1 << b)] {
                    inputs.insert([x, y, 7]);
                    inputs.insert([x, 7, y]);
                }
            }
        }
        assert_eq!(seen.len(), 4 * inputs.len());
    }
}
