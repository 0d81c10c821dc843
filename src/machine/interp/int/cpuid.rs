//! CPUID: who the processor is and what it promises.
//!
//! ```text
//! leaf         0  highest leaf, name       1  features       7  more features
//! 0x8000_0000     highest                 ..1 features   ..2-4 brand   ..8 widths
//! ```
//!
//! x86-64-v2 with FSGSBASE, and no more. ERMS is promised because it is so: REP
//! MOVSB and REP STOSB are the fastest way to move memory here.
//!
//! Linux: none; arch/x86/kernel/cpu/common.c reads it. Source: Intel SDM vol. 2,
//! CPUID. Left out: caches and topology, of which there are none (leaves 2, 4
//! and 11 are 0).

use crate::machine::interp::HWCAP;
use crate::machine::interp::core::Core;
use crate::machine::interp::insn::{Flow, Insn, Trap};
use crate::machine::interp::width::{W32, Width};
use crate::machine::phys::PHYS_BITS;
use crate::machine::regs::{Cr4, Efer};

/// Twelve characters of a vendor's name, and 48 of a brand's.
///
/// Of a vendor that it does not know, glibc asks for no features at all, and the
/// loader then refuses its own libc.
const VENDOR: &[u8; 12] = b"GenuineIntel";
const BRAND: &[u8; 48] = b"Forkyard emulated processor, x86-64-v2\0\0\0\0\0\0\0\0\0\0";

/// Family 6, model 26, stepping 5: the first to have all of x86-64-v2.
const SIGNATURE: u32 = 6 << 8 | 1 << 16 | 10 << 4 | 5;

/// Leaf 1, ECX: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT HYPERVISOR.
const LEAF1_ECX: u32 = bits(&[0, 9, 13, 19, 20, 23, 31]);
/// Leaf 7, EBX: ERMS.
const LEAF7_EBX: u32 = bits(&[9]);
/// Leaf 0x80000001, EDX: SYSCALL RDTSCP LM.
const LEAF81_EDX: u32 = bits(&[11, 27, 29]);
/// Leaf 0x80000001, ECX: LAHF.
const LEAF81_ECX: u32 = bits(&[0]);

const HIGHEST: u32 = 7;
const HIGHEST_EXTENDED: u32 = 0x8000_0008;

const fn bits(numbers: &[u32]) -> u32 {
    let (mut word, mut n) = (0, 0);
    while n < numbers.len() {
        word |= 1 << numbers[n];
        n += 1;
    }
    word
}

fn word(text: &[u8], n: usize) -> u32 {
    text.iter().skip(n * 4).take(4).rev().fold(0, |v, b| v << 8 | u32::from(*b))
}

/// EAX, EBX, ECX, EDX of a leaf; all are 0 of one that does not exist.
fn leaf(c: &Core<'_>, leaf: u32, sub: u32) -> [u32; 4] {
    let cpu = &c.cpu;
    let on = |flag: Cr4, n: u32| u32::from(cpu.cr4.contains(flag)) << n;
    match leaf {
        0 => [HIGHEST, word(VENDOR, 0), word(VENDOR, 2), word(VENDOR, 1)],
        // CLFLUSH works on 64 bytes; the processor's number.
        1 => [SIGNATURE, 8 << 8 | cpu.id << 24, LEAF1_ECX, HWCAP],
        7 if sub == 0 => {
            let ebx = on(Cr4::FSGSBASE, 0) | on(Cr4::SMEP, 7) | on(Cr4::SMAP, 20) | LEAF7_EBX;
            [0, ebx, on(Cr4::LA57, 16), 0]
        }
        0x8000_0000 => [HIGHEST_EXTENDED, 0, 0, 0],
        0x8000_0001 => {
            let nx = u32::from(cpu.msrs.efer.contains(Efer::NXE)) << 20;
            [0, 0, LEAF81_ECX, LEAF81_EDX | nx]
        }
        0x8000_0002..=0x8000_0004 => {
            let first = (leaf as usize - 0x8000_0002) * 4;
            std::array::from_fn(|n| word(BRAND, first + n))
        }
        0x8000_0008 => [PHYS_BITS | cpu.levels().va_bits() << 8, 0, 0, 0],
        _ => [0; 4],
    }
}

pub(super) fn cpuid(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let [ax, bx, cx, dx] = leaf(c, c.get::<W32>(0) as u32, c.get::<W32>(1) as u32);
    for (n, v) in [(0, ax), (3, bx), (1, cx), (2, dx)] {
        c.r[n] = u64::from(v) & W32::MASK;
    }
    Ok(Flow::Next)
}

#[cfg(test)]
mod tests {
    use crate::machine::interp::Exit;
    use crate::machine::interp::testing::{Bench, CODE};

    fn leaf(n: u32) -> [u64; 4] {
        let mut b = Bench::new(&[0x0f, 0xa2, 0x0f, 0x05]);
        b.regs().ip = CODE;
        b.regs().ax = 0xdead_0000_0000 | u64::from(n);
        assert_eq!(b.go(), Exit::Syscall);
        let r = b.regs();
        [r.ax, r.bx, r.cx, r.dx]
    }

    fn text(words: &[u64]) -> String {
        words.iter().flat_map(|w| (*w as u32).to_le_bytes()).map(char::from).collect()
    }

    #[test]
    fn says_its_name() {
        let [highest, b, c, d] = leaf(0);
        assert_eq!((highest, text(&[b, d, c])), (7, "GenuineIntel".into()));
        let brand: Vec<u64> = (0x8000_0002..=0x8000_0004).flat_map(leaf).collect();
        assert!(text(&brand).starts_with("Forkyard emulated processor, x86-64-v2\0"));
        assert_eq!(leaf(0x8000_0008)[0], 48 << 8 | u64::from(crate::machine::phys::PHYS_BITS));
        assert_eq!((leaf(0x16), leaf(0x8000_0009), leaf(4)), ([0; 4], [0; 4], [0; 4]));
    }

    #[test]
    fn promises_v2_and_not_v3() {
        let [_, _, c, d] = leaf(1);
        assert_eq!(d, u64::from(crate::machine::interp::HWCAP));
        for sse in [0, 9, 13, 19, 20, 23] {
            assert_ne!(c >> sse & 1, 0, "bit {sse}");
        }
        // PCLMULQDQ, FMA, MOVBE, AES, XSAVE, OSXSAVE, AVX, F16C, RDRAND
        for absent in [1, 12, 22, 25, 26, 27, 28, 29, 30] {
            assert_eq!(c >> absent & 1, 0, "bit {absent}");
        }
        // BMI1, AVX2, BMI2
        assert_eq!(leaf(7)[1] & (1 << 3 | 1 << 5 | 1 << 8), 0);
        assert_eq!(leaf(0x8000_0001)[2], 1);
    }
}
