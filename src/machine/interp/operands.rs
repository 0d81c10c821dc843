//! Which memory an instruction is going to access.
//!
//! Linux: none; debug registers see it in hardware. Left out: what FXSAVE and the
//! like leave untouched of their operand; page walks.

use crate::machine::Regs;
use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, OpAccess, Register};
use std::ops::Range;

/// What happens to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessKind {
    /// It is read.
    Read,
    /// It is written.
    Write,
    /// Both.
    ReadWrite,
}

/// The memory that the first instruction of `code` accesses when it executes with
/// these registers; of a repeated one, the next round.
pub fn accesses_of(
    code: &[u8],
    regs: &Regs,
    fs_base: u64,
    gs_base: u64,
) -> Vec<(Range<u64>, AccessKind)> {
    let mut decoder = Decoder::with_ip(64, code, regs.ip, DecoderOptions::NONE);
    if !decoder.can_decode() {
        return Vec::new();
    }
    let insn = decoder.decode();
    if insn.is_invalid() {
        return Vec::new();
    }
    let mut factory = InstructionInfoFactory::new();
    let mut found = Vec::new();
    for m in factory.info(&insn).used_memory() {
        let kind = match m.access() {
            OpAccess::Read | OpAccess::CondRead => AccessKind::Read,
            OpAccess::Write | OpAccess::CondWrite => AccessKind::Write,
            OpAccess::ReadWrite | OpAccess::ReadCondWrite => AccessKind::ReadWrite,
            OpAccess::None | OpAccess::NoMemAccess => continue,
        };
        let value = |reg, _, _| register(regs, fs_base, gs_base, reg);
        let Some(start) = m.virtual_address(0, value) else { continue };
        let len = m.memory_size().size() as u64;
        found.push((start..start.saturating_add(len), kind));
    }
    found
}

/// The value of a register that takes part in an address.
fn register(regs: &Regs, fs_base: u64, gs_base: u64, reg: Register) -> Option<u64> {
    let full = match reg.full_register() {
        Register::RAX => regs.ax,
        Register::RBX => regs.bx,
        Register::RCX => regs.cx,
        Register::RDX => regs.dx,
        Register::RSI => regs.si,
        Register::RDI => regs.di,
        Register::RBP => regs.bp,
        Register::RSP => regs.sp,
        Register::R8 => regs.r8,
        Register::R9 => regs.r9,
        Register::R10 => regs.r10,
        Register::R11 => regs.r11,
        Register::R12 => regs.r12,
        Register::R13 => regs.r13,
        Register::R14 => regs.r14,
        Register::R15 => regs.r15,
        Register::FS => return Some(fs_base),
        Register::GS => return Some(gs_base),
        Register::CS | Register::DS | Register::ES | Register::SS => return Some(0),
        _ => return None,
    };
    // An address is 64 bits of it, or 32 with a prefix.
    Some(if reg.size() == 4 { full & 0xffff_ffff } else { full })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_and_the_stack() {
        let regs = Regs { ip: 0x1000, sp: 0x8000, di: 0x500, si: 0x600, ..Regs::default() };
        let of = |code: &[u8]| accesses_of(code, &regs, 0x7000, 0);
        // add [rdi+8],eax ; mov rax,fs:[0x10] ; push rax ; movsb ; lea rax,[rdi] ; nop
        assert_eq!(of(&[0x01, 0x47, 8]), [(0x508..0x50c, AccessKind::ReadWrite)]);
        let tls = [0x64, 0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0];
        assert_eq!(of(&tls), [(0x7010..0x7018, AccessKind::Read)]);
        assert_eq!(of(&[0x50]), [(0x7ff8..0x8000, AccessKind::Write)]);
        let mut moved = of(&[0xa4]);
        moved.sort_by_key(|(r, _)| r.start);
        assert_eq!(moved, [(0x500..0x501, AccessKind::Write), (0x600..0x601, AccessKind::Read)]);
        assert_eq!(of(&[0x48, 0x8d, 0x07]), []);
        assert_eq!(of(&[0x90]), []);
    }
}
