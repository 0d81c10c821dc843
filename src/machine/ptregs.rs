//! `struct pt_regs`: user registers as they lie at the top of a kernel stack.
//!
//! ```text
//! top of stack ->  ss          160
//!                  sp          152   pushed by the processor on an exception,
//!                  flags       144   by entry_SYSCALL_64 on a system call
//!                  cs          136
//!                  ip          128
//!                  orig_ax     120   system call number, or error code
//!                  di .. r15   112..0
//! ```
//!
//! Linux: arch/x86/include/asm/ptrace.h, arch/x86/entry/calling.h.
//! Left out: the FRED extension of cs and ss.

use super::regs::Regs;
use crate::base::PhysAddr;

/// Words in `struct pt_regs`.
pub const PT_REGS_WORDS: usize = 21;
/// Bytes in `struct pt_regs`.
pub const PT_REGS_SIZE: u64 = PT_REGS_WORDS as u64 * 8;

/// Field names in the order they lie in memory.
pub const PT_REGS_FIELDS: [&str; PT_REGS_WORDS] = [
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss",
];

/// Offset of a field in bytes, by Linux's name.
pub fn offset_of(field: &str) -> Option<u64> {
    PT_REGS_FIELDS.iter().position(|f| *f == field).map(|i| i as u64 * 8)
}

/// Where `pt_regs` lies in the frame that holds a stack's highest page
/// (`task_pt_regs`).
pub fn in_top_frame(top_frame: crate::base::Pfn) -> PhysAddr {
    PhysAddr(top_frame.addr().0 + crate::base::PAGE_SIZE - PT_REGS_SIZE)
}

/// The words as they lie in memory.
#[inline]
pub fn to_words(r: &Regs, orig_ax: u64) -> [u64; PT_REGS_WORDS] {
    let Regs { ax, bx, cx, dx, si, di, bp, sp, r8, r9, r10, r11, .. } = *r;
    let Regs { r12, r13, r14, r15, ip, flags, cs, ss, .. } = *r;
    [
        r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags,
        sp, ss,
    ]
}

/// The registers and `orig_ax` from the words.
#[inline]
pub fn from_words(words: &[u64; PT_REGS_WORDS]) -> (Regs, u64) {
    let [
        r15,
        r14,
        r13,
        r12,
        bp,
        bx,
        r11,
        r10,
        r9,
        r8,
        ax,
        cx,
        dx,
        si,
        di,
        orig_ax,
        ip,
        cs,
        flags,
        sp,
        ss,
    ] = *words;
    let regs = Regs {
        ax,
        bx,
        cx,
        dx,
        si,
        di,
        bp,
        sp,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        ip,
        flags,
        cs,
        ss,
    };
    (regs, orig_ax)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Pfn;

    #[test]
    fn words_and_registers_agree() {
        let words: [u64; PT_REGS_WORDS] = std::array::from_fn(|i| i as u64 + 100);
        let (regs, orig_ax) = from_words(&words);
        assert_eq!(to_words(&regs, orig_ax), words);
        let at = |f| words[offset_of(f).unwrap() as usize / 8];
        assert_eq!((regs.ax, regs.ip, regs.ss), (at("ax"), at("ip"), at("ss")));
        assert_eq!((regs.bx, regs.r8, regs.flags), (at("bx"), at("r8"), at("flags")));
        assert_eq!(orig_ax, at("orig_ax"));
    }

    #[test]
    fn offsets_are_the_abis() {
        // PTRACE_PEEKUSER offsets, sys/reg.h.
        assert_eq!(offset_of("ax"), Some(80));
        assert_eq!(offset_of("orig_ax"), Some(120));
        assert_eq!(offset_of("ss"), Some(160));
        assert_eq!(offset_of("eax"), None);
        assert_eq!(in_top_frame(Pfn(1)), PhysAddr(0x2000 - 168));
    }
}
