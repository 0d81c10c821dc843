//! x87 and SSE state: what FXSAVE stores.
//!
//! ```text
//! FXSAVE image, 512 bytes
//!   0  FCW FSW FTW -- FOP   8  FIP   16  FDP   24  MXCSR, its mask
//!  32  ST0..ST7, 16 bytes each      160  XMM0..XMM15      416  unused
//! ```
//!
//! Linux: arch/x86/include/asm/fpu/types.h (struct fxregs_state),
//! arch/x86/kernel/fpu/core.c (fpstate_init_user). Source: Intel SDM vol. 1,
//! sections 8.1, 10.2, 10.5. Left out: XSAVE and what it adds.

/// Size of an FXSAVE image.
pub const FXSAVE_SIZE: usize = 512;
/// MXCSR after a reset: all exceptions masked, round to nearest.
pub const MXCSR_DEFAULT: u32 = 0x1f80;
/// The bits that MXCSR has.
pub const MXCSR_MASK: u32 = 0xffff;
/// The x87 control word that Linux gives a program.
pub const FCW_DEFAULT: u16 = 0x37f;

/// An 80-bit number as x87 registers hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct F80 {
    /// Sign (bit 15) and biased exponent.
    pub sign_exp: u16,
    /// The significand, its integer bit explicit.
    pub mantissa: u64,
}

impl F80 {
    /// Its ten bytes in memory.
    pub fn to_bytes(self) -> [u8; 10] {
        let mut b = [0; 10];
        b[..8].copy_from_slice(&self.mantissa.to_le_bytes());
        b[8..].copy_from_slice(&self.sign_exp.to_le_bytes());
        b
    }

    /// From its ten bytes.
    pub fn from_bytes(b: [u8; 10]) -> F80 {
        let (m, e) = b.split_at(8);
        F80 {
            mantissa: m.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)),
            sign_exp: u16::from(e[0]) | u16::from(e[1]) << 8,
        }
    }
}

/// The x87 registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct X87 {
    /// Control word (FCW).
    pub control: u16,
    /// Status word (FSW), the top of the stack in bits 11 to 13 included.
    pub status: u16,
    /// Bit n is set when physical register n is in use (the abridged FTW).
    pub in_use: u8,
    /// Opcode of the last instruction (FOP).
    pub opcode: u16,
    /// Where the last instruction was (FIP).
    pub ip: u64,
    /// Where its operand was in its segment (FDP).
    pub dp: u64,
    /// Selector of its code segment (FCS); images of 64 bits don't have it.
    pub code_segment: u16,
    /// Selector of its operand's segment (FDS).
    pub data_segment: u16,
    /// The eight registers by physical number: ST(i) is number (top + i) % 8.
    pub regs: [F80; 8],
}

impl Default for X87 {
    fn default() -> Self {
        X87 {
            control: FCW_DEFAULT,
            status: 0,
            in_use: 0,
            opcode: 0,
            ip: 0,
            dp: 0,
            code_segment: 0,
            data_segment: 0,
            regs: [F80::default(); 8],
        }
    }
}

/// The bits of the control word that can be written; bit 6 is always set.
const FCW_BITS: u16 = 0x1f3f;
const FCW_ONE: u16 = 0x40;
/// The six exceptions: flags of the status word, masks of the control word.
const EXCEPTIONS: u16 = 0x3f;
/// Exception summary, and busy, which follows it.
const SUMMARY: u16 = 0x8080;

impl X87 {
    /// Writes the control word. What the status word says of pending exceptions
    /// follows.
    pub fn set_control(&mut self, word: u16) {
        self.control = word & FCW_BITS | FCW_ONE;
        let pending = self.status & !self.control & EXCEPTIONS != 0;
        self.status = self.status & !SUMMARY | if pending { SUMMARY } else { 0 };
    }

    /// Physical number of ST(0).
    #[inline]
    pub fn top(&self) -> u8 {
        (self.status >> 11 & 7) as u8
    }

    /// Makes another register ST(0).
    #[inline]
    pub fn set_top(&mut self, top: u8) {
        self.status = self.status & !0x3800 | u16::from(top & 7) << 11;
    }

    /// Physical number of ST(i).
    #[inline]
    pub fn physical(&self, i: u8) -> usize {
        usize::from(self.top().wrapping_add(i) & 7)
    }
}

/// What one task has in the x87 and SSE registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FpuState {
    /// XMM0 to XMM15.
    pub xmm: [u128; 16],
    /// SSE control and status.
    pub mxcsr: u32,
    /// The x87 registers.
    pub x87: X87,
}

impl Default for FpuState {
    fn default() -> Self {
        FpuState { xmm: [0; 16], mxcsr: MXCSR_DEFAULT, x87: X87::default() }
    }
}

/// MXCSR has bits set that the processor does not have: #GP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadMxcsr;

impl FpuState {
    /// The FXSAVE image (64-bit format). FOP, FIP and FDP are 0 unless an
    /// exception is pending, as AMD's processors have it.
    pub fn to_fxsave(&self) -> [u8; FXSAVE_SIZE] {
        let mut b = [0; FXSAVE_SIZE];
        let x = &self.x87;
        b[0..2].copy_from_slice(&x.control.to_le_bytes());
        b[2..4].copy_from_slice(&x.status.to_le_bytes());
        b[4] = x.in_use;
        if x.status & SUMMARY != 0 {
            b[6..8].copy_from_slice(&x.opcode.to_le_bytes());
            b[8..16].copy_from_slice(&x.ip.to_le_bytes());
            b[16..24].copy_from_slice(&x.dp.to_le_bytes());
        }
        b[24..28].copy_from_slice(&self.mxcsr.to_le_bytes());
        b[28..32].copy_from_slice(&MXCSR_MASK.to_le_bytes());
        for i in 0..8u8 {
            let at = 32 + usize::from(i) * 16;
            b[at..at + 10].copy_from_slice(&x.regs[x.physical(i)].to_bytes());
        }
        for (i, v) in self.xmm.iter().enumerate() {
            b[160 + i * 16..176 + i * 16].copy_from_slice(&v.to_le_bytes());
        }
        b
    }

    /// The state that an FXSAVE image describes.
    ///
    /// # Errors
    /// [`BadMxcsr`].
    pub fn from_fxsave(b: &[u8; FXSAVE_SIZE]) -> Result<FpuState, BadMxcsr> {
        let word = |at: usize, n: usize| {
            b[at..at + n].iter().rev().fold(0u128, |v, b| v << 8 | u128::from(*b))
        };
        let mxcsr = word(24, 4) as u32;
        if mxcsr & !MXCSR_MASK != 0 {
            return Err(BadMxcsr);
        }
        let mut x87 = X87 {
            status: word(2, 2) as u16,
            in_use: b[4],
            opcode: word(6, 2) as u16,
            ip: word(8, 8) as u64,
            dp: word(16, 8) as u64,
            ..X87::default()
        };
        x87.set_control(word(0, 2) as u16);
        for i in 0..8u8 {
            let at = 32 + usize::from(i) * 16;
            let reg = F80 { mantissa: word(at, 8) as u64, sign_exp: word(at + 8, 2) as u16 };
            x87.regs[x87.physical(i)] = reg;
        }
        let xmm = std::array::from_fn(|i| word(160 + i * 16, 16));
        Ok(FpuState { xmm, mxcsr, x87 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fxsave_and_back() {
        let mut s = FpuState::default();
        s.xmm[15] = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
        s.x87.status = 5 << 11 | 1;
        s.x87.in_use = 0x21;
        s.x87.regs[5] = F80 { sign_exp: 0xbfff, mantissa: 1 << 63 };
        let image = s.to_fxsave();
        assert_eq!(image[32..42], [0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0xbf], "ST0 is register 5");
        assert_eq!(FpuState::from_fxsave(&image), Ok(s));
        // An unmasked exception is pending, and what raised it is of interest.
        s.x87.set_control(FCW_DEFAULT & !1);
        (s.x87.ip, s.x87.opcode) = (0x40_1000, 0x1c0);
        let pending = s.to_fxsave();
        assert_eq!(pending[0..4], [0x7e, 3, 0x81, 0xa8]);
        assert_eq!(FpuState::from_fxsave(&pending), Ok(s));
        s.x87.set_control(FCW_DEFAULT);
        assert_eq!(s.to_fxsave(), image);
        let mut bad = image;
        bad[26] = 1;
        assert_eq!(FpuState::from_fxsave(&bad), Err(BadMxcsr));
        assert_eq!(F80::from_bytes(s.x87.regs[5].to_bytes()), s.x87.regs[5]);
    }
}
