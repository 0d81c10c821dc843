//! A register as bytes, words, doublewords or quadwords.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 4.6. Left out: nothing.

use std::array::from_fn;

/// Bytes, lowest first.
#[inline(always)]
pub fn bytes(v: u128) -> [u8; 16] {
    v.to_le_bytes()
}

/// Words, lowest first.
#[inline(always)]
pub fn words(v: u128) -> [u16; 8] {
    from_fn(|i| (v >> (16 * i)) as u16)
}

/// Doublewords, lowest first.
#[inline(always)]
pub fn dwords(v: u128) -> [u32; 4] {
    from_fn(|i| (v >> (32 * i)) as u32)
}

/// Quadwords, lowest first.
#[inline(always)]
pub fn qwords(v: u128) -> [u64; 2] {
    [v as u64, (v >> 64) as u64]
}

/// From bytes.
#[inline(always)]
pub fn of_bytes(v: [u8; 16]) -> u128 {
    u128::from_le_bytes(v)
}

/// From words.
#[inline(always)]
pub fn of_words(v: [u16; 8]) -> u128 {
    let half = |v: &[u16]| v.iter().rev().fold(0u64, |sum, w| sum << 16 | u64::from(*w));
    of_qwords([half(&v[..4]), half(&v[4..])])
}

/// From doublewords.
#[inline(always)]
pub fn of_dwords(v: [u32; 4]) -> u128 {
    let [a, b, c, d] = v.map(u64::from);
    of_qwords([a | b << 32, c | d << 32])
}

/// From quadwords.
#[inline(always)]
pub fn of_qwords(v: [u64; 2]) -> u128 {
    u128::from(v[0]) | u128::from(v[1]) << 64
}

/// Byte by byte.
#[inline(always)]
pub fn map8(a: u128, b: u128, f: impl Fn(u8, u8) -> u8) -> u128 {
    let (a, b) = (bytes(a), bytes(b));
    of_bytes(from_fn(|i| f(a[i], b[i])))
}

/// Word by word.
#[inline(always)]
pub fn map16(a: u128, b: u128, f: impl Fn(u16, u16) -> u16) -> u128 {
    let (a, b) = (words(a), words(b));
    of_words(from_fn(|i| f(a[i], b[i])))
}

/// Doubleword by doubleword.
#[inline(always)]
pub fn map32(a: u128, b: u128, f: impl Fn(u32, u32) -> u32) -> u128 {
    let (a, b) = (dwords(a), dwords(b));
    of_dwords(from_fn(|i| f(a[i], b[i])))
}

/// Quadword by quadword.
#[inline(always)]
pub fn map64(a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let (a, b) = (qwords(a), qwords(b));
    of_qwords(from_fn(|i| f(a[i], b[i])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let v = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
        assert_eq!((bytes(v)[3], words(v)[3], dwords(v)[3]), (3, 0x0706, 0x0f0e_0d0c));
        assert_eq!(qwords(v)[1], 0x0f0e_0d0c_0b0a_0908);
        assert_eq!([of_bytes(bytes(v)), of_words(words(v)), of_dwords(dwords(v))], [v; 3]);
        assert_eq!(of_qwords(qwords(v)), v);
        assert_eq!(map16(v, v, |a, b| a.wrapping_sub(b)), 0);
    }
}
