//! Operand widths as types, so that one handler serves four sizes.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 4.1; section 3.4.1.1 for what
//! a write of part of a register does to the rest. Left out: 80 and 128 bits,
//! which have handlers of their own.

/// A width of general operands.
pub trait Width: Copy {
    /// Size in bytes.
    const BYTES: usize;
    /// Size in bits.
    const BITS: u32 = Self::BYTES as u32 * 8;
    /// All bits of it set.
    const MASK: u64 = !0 >> (64 - Self::BITS);
    /// The sign bit.
    const SIGN: u64 = 1 << (Self::BITS - 1);

    /// The value with its sign in all higher bits.
    #[inline(always)]
    fn sign_extend(value: u64) -> u64 {
        let unused = 64 - Self::BITS;
        ((value << unused) as i64 >> unused) as u64
    }

    /// The value turned to the left.
    #[inline(always)]
    fn rotate_left(value: u64, n: u32) -> u64 {
        match Self::BYTES {
            1 => u64::from((value as u8).rotate_left(n)),
            2 => u64::from((value as u16).rotate_left(n)),
            4 => u64::from((value as u32).rotate_left(n)),
            _ => value.rotate_left(n),
        }
    }

    /// What a register holds after `value` was written to this part of it:
    /// bytes and words leave the rest, doublewords clear it.
    #[inline(always)]
    fn merge(old: u64, value: u64) -> u64 {
        match Self::BYTES {
            8 => value,
            4 => value & Self::MASK,
            _ => old & !Self::MASK | value & Self::MASK,
        }
    }
}

/// A byte.
#[derive(Debug, Clone, Copy)]
pub struct W8;
/// A word.
#[derive(Debug, Clone, Copy)]
pub struct W16;
/// A doubleword.
#[derive(Debug, Clone, Copy)]
pub struct W32;
/// A quadword.
#[derive(Debug, Clone, Copy)]
pub struct W64;

impl Width for W8 {
    const BYTES: usize = 1;
}
impl Width for W16 {
    const BYTES: usize = 2;
}
impl Width for W32 {
    const BYTES: usize = 4;
}
impl Width for W64 {
    const BYTES: usize = 8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_register() {
        assert_eq!(W8::sign_extend(0x1280), 0xffff_ffff_ffff_ff80);
        assert_eq!(W8::merge(!0, 0x112), 0xffff_ffff_ffff_ff12);
        assert_eq!(W16::merge(!0, 0), 0xffff_ffff_ffff_0000);
        assert_eq!(W32::merge(!0, 1), 1);
        assert_eq!(W64::merge(0, !0), !0);
        assert_eq!((W32::MASK, W16::SIGN), (0xffff_ffff, 0x8000));
    }
}
