//! Single bits: BT, BTS, BTR, BTC, BSF, BSR, POPCNT, BSWAP.
//!
//! A register as bit number reaches beyond a memory operand, 2^63 bits in both
//! directions; a constant does not.
//!
//! The encodings of TZCNT and LZCNT are BSF and BSR with a prefix that has no
//! meaning, as on every processor without BMI1 and LZCNT.
//!
//! Linux: none. Source: Intel SDM vol. 2; AMD APM vol. 3 for BSF of 0, which
//! leaves its destination. Left out: BMI1 and BMI2 (not in x86-64-v2).

use super::sized;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::flags::Flags;
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W32, W64, Width};
use iced_x86::Mnemonic;

const TEST: u8 = 0;
const SET: u8 = 1;
const RESET: u8 = 2;
const COMPLEMENT: u8 = 3;

/// Tests a bit and changes it; only CF changes.
#[inline(always)]
fn bit<const OP: u8, W: Width>(flags: &mut Flags, a: u64, n: u64) -> u64 {
    let mask = 1 << (n & u64::from(W::BITS - 1));
    flags.set_cf(a & mask != 0);
    match OP {
        SET => a | mask,
        RESET => a & !mask,
        COMPLEMENT => a ^ mask,
        _ => a,
    }
}

fn in_reg<const OP: u8, const IMM: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let n = if IMM { i.imm } else { c.get::<W>(i.b) };
    let a = c.get::<W>(i.a);
    let r = bit::<OP, W>(&mut c.flags, a, n);
    if OP != TEST {
        c.set::<W>(i.a, r);
    }
    Ok(Flow::Next)
}

fn in_mem<const OP: u8, const IMM: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let (n, at) = if IMM {
        (i.imm, c.address(i))
    } else {
        let n = W::sign_extend(c.get::<W>(i.b));
        let units = n as i64 >> W::BITS.trailing_zeros();
        (n, c.address_plus(i, units.wrapping_mul(W::BYTES as i64) as u64))
    };
    if OP == TEST {
        let a = c.load::<W>(at)?;
        bit::<OP, W>(&mut c.flags, a, n);
    } else {
        c.update::<W>(at, |flags, a| bit::<OP, W>(flags, a, n))?;
    }
    Ok(Flow::Next)
}

#[inline(always)]
fn source<const MEM: bool, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<u64, Trap> {
    if MEM { c.load::<W>(c.address(i)) } else { Ok(c.get::<W>(i.b)) }
}

/// BSF, BSR: the number of the lowest or highest bit that is set.
fn scan<const HIGHEST: bool, const MEM: bool, W: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let v = source::<MEM, W>(c, i)?;
    c.flags.set_zf(v == 0);
    if v != 0 {
        let n = if HIGHEST { 63 - v.leading_zeros() } else { v.trailing_zeros() };
        c.set::<W>(i.a, u64::from(n));
    }
    Ok(Flow::Next)
}

fn popcnt<const MEM: bool, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = source::<MEM, W>(c, i)?;
    c.set::<W>(i.a, u64::from(v.count_ones()));
    c.flags.set_status(u64::from(v == 0) << 6);
    Ok(Flow::Next)
}

fn bswap32(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W32>(i.a) as u32;
    c.set::<W32>(i.a, u64::from(v.swap_bytes()));
    Ok(Flow::Next)
}

fn bswap64(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W64>(i.a);
    c.set::<W64>(i.a, v.swap_bytes());
    Ok(Flow::Next)
}

/// BSWAP of a word is undefined; processors are seen to give 0.
fn bswap16(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.set::<crate::machine::interp::width::W16>(i.a, 0);
    Ok(Flow::Next)
}

fn bits<const OP: u8>(form: &Form<'_>) -> Option<Handler> {
    match form.kinds {
        [Kind::Reg, Kind::Reg, ..] => sized!(form.bytes, W => in_reg::<OP, false, W>),
        [Kind::Reg, Kind::Imm, ..] => sized!(form.bytes, W => in_reg::<OP, true, W>),
        [Kind::Mem, Kind::Reg, ..] => sized!(form.bytes, W => in_mem::<OP, false, W>),
        [Kind::Mem, Kind::Imm, ..] => sized!(form.bytes, W => in_mem::<OP, true, W>),
        _ => None,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    let mem = form.kinds[1] == Kind::Mem;
    macro_rules! scans {
        ($highest:literal) => {
            if mem {
                sized!(form.bytes, W => scan::<$highest, true, W>)
            } else {
                sized!(form.bytes, W => scan::<$highest, false, W>)
            }
        };
    }
    match form.insn.mnemonic() {
        Mnemonic::Bt => bits::<TEST>(form),
        Mnemonic::Bts => bits::<SET>(form),
        Mnemonic::Btr => bits::<RESET>(form),
        Mnemonic::Btc => bits::<COMPLEMENT>(form),
        Mnemonic::Bsf | Mnemonic::Tzcnt => scans!(false),
        Mnemonic::Bsr | Mnemonic::Lzcnt => scans!(true),
        Mnemonic::Popcnt if mem => sized!(form.bytes, W => popcnt::<true, W>),
        Mnemonic::Popcnt => sized!(form.bytes, W => popcnt::<false, W>),
        Mnemonic::Bswap => match form.bytes {
            2 => Some(bswap16),
            4 => Some(bswap32),
            8 => Some(bswap64),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::machine::interp::Exit;
    use crate::machine::interp::testing::{Bench, DATA};

    #[test]
    fn a_bit_number_reaches_beyond_its_operand() {
        // bts [rbx], rax ; bt dword [rbx], ecx ; syscall
        let code = [0x48, 0x0f, 0xab, 0x03, 0x0f, 0xa3, 0x0b, 0x0f, 0x05];
        let mut b = Bench::new(&code);
        (b.regs().ax, b.regs().bx, b.regs().cx) = (-65i64 as u64, DATA + 0x100, 33);
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(b.peek(DATA + 0x100 - 16), 1 << 63);
        assert_eq!(b.regs().flags & 1, 0);
    }

    #[test]
    fn a_short_address_stays_short() {
        // lock bts [600100h] (32-bit address), rbp ; syscall
        let code = [0x67, 0xf0, 0x48, 0x0f, 0xab, 0x2c, 0x25, 0, 1, 0x60, 0, 0x0f, 0x05];
        let mut b = Bench::new(&code);
        b.regs().bp = 0x8000_0000_0000_0001;
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(b.peek(DATA + 0x100), 2);
    }

    #[test]
    fn a_scan_of_nothing_leaves_its_destination() {
        // bsf eax, ecx ; lzcnt (here: bsr) edx, ebx ; syscall
        let mut b = Bench::new(&[0x0f, 0xbc, 0xc1, 0xf3, 0x0f, 0xbd, 0xd3, 0x0f, 0x05]);
        (b.regs().ax, b.regs().bx) = (0x1_0000_0007, 0x10);
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!((b.regs().ax, b.regs().dx), (0x1_0000_0007, 4));
    }
}
