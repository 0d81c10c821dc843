//! Strings: MOVS, STOS, LODS, CMPS, SCAS, alone and with REP, REPE, REPNE.
//!
//! ```text
//! each step: an element at RSI and/or RDI, then both go on by its size,
//!            down if DF is set; with a prefix RCX counts down to 0
//! ```
//!
//! Registers are right after each step, so that a fault in the middle leaves
//! what is left to do. One call of a handler does at most a page and answers
//! [`Flow::Again`] when more is left; single-stepped, one step. MOVS and STOS
//! do what lies in one page at once.
//!
//! Linux: none. Source: Intel SDM vol. 1, section 7.3.9; vol. 2, REP. Left out:
//! INS and OUTS, which user mode may not execute.

use crate::machine::interp::core::Core;
use crate::machine::interp::decode::Form;
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W8, W16, W32, W64, Width};
use crate::machine::regs::Rflags;
use iced_x86::{Code, OpKind};

const MOVS: u8 = 0;
const STOS: u8 = 1;
const LODS: u8 = 2;
const CMPS: u8 = 3;
const SCAS: u8 = 4;

const ALONE: u8 = 0;
/// REP; REPE for CMPS and SCAS.
const REP: u8 = 1;
const REPNE: u8 = 2;

const AX: u8 = 0;
const CX: u8 = 1;
const SI: u8 = 6;
const DI: u8 = 7;

const PAGE: u64 = 0x1000;

const fn reads_si(op: u8) -> bool {
    op == MOVS || op == LODS || op == CMPS
}

const fn uses_di(op: u8) -> bool {
    op != LODS
}

const fn compares(op: u8) -> bool {
    op == CMPS || op == SCAS
}

#[inline(always)]
fn is_down(c: &Core<'_>) -> bool {
    c.flags.system & Rflags::DF.bits() != 0
}

/// Where RSI points to; its segment can be another one.
#[inline(always)]
fn source<A: Width>(c: &Core<'_>, i: &Insn) -> u64 {
    c.get::<A>(SI).wrapping_add(c.r[usize::from(i.seg & 31)])
}

/// Moves RSI and RDI, as far as the instruction uses them, by some bytes.
#[inline(always)]
fn advance<const OP: u8, A: Width>(c: &mut Core<'_>, bytes: u64) {
    if reads_si(OP) {
        let si = c.get::<A>(SI).wrapping_add(bytes);
        c.set::<A>(SI, si);
    }
    if uses_di(OP) {
        let di = c.get::<A>(DI).wrapping_add(bytes);
        c.set::<A>(DI, di);
    }
}

/// One element.
#[inline(always)]
fn step<const OP: u8, W: Width, A: Width>(c: &mut Core<'_>, i: &Insn) -> Result<(), Trap> {
    let (from, to) = (source::<A>(c, i), c.get::<A>(DI));
    match OP {
        MOVS => {
            let v = c.load::<W>(from)?;
            c.store::<W>(to, v)?;
        }
        STOS => {
            let v = c.get::<W>(AX);
            c.store::<W>(to, v)?;
        }
        LODS => {
            let v = c.load::<W>(from)?;
            c.set::<W>(AX, v);
        }
        _ => {
            // If both fault it is RDI's that is seen.
            let b = c.load::<W>(to)?;
            let a = if OP == CMPS { c.load::<W>(from)? } else { c.get::<W>(AX) };
            c.flags.sub::<W>(a, b, a.wrapping_sub(b));
        }
    }
    let size = W::BYTES as u64;
    let by = if is_down(c) { size.wrapping_neg() } else { size };
    advance::<OP, A>(c, by);
    Ok(())
}

/// Steps that lie in one page of source and destination, all at once. Gives
/// how many were done: none where it cannot be so.
#[inline(never)]
fn at_once<const OP: u8, W: Width, A: Width>(c: &mut Core<'_>, i: &Insn, left: u64) -> u64 {
    if A::BYTES != 8 || compares(OP) || OP == LODS || c.single || is_down(c) {
        return 0;
    }
    let (from, to) = (source::<A>(c, i), c.get::<A>(DI));
    let mut room = PAGE - to % PAGE;
    if OP == MOVS {
        room = room.min(PAGE - from % PAGE);
    }
    let n = left.min(room / W::BYTES as u64);
    let done = n > 0
        && match OP {
            MOVS => c.copy_run(to, from, n as usize * W::BYTES),
            _ => match W::BYTES {
                1 => c.fill_run(to, [c.get::<W>(AX) as u8], n as usize),
                2 => c.fill_run(to, (c.get::<W>(AX) as u16).to_le_bytes(), n as usize),
                4 => c.fill_run(to, (c.get::<W>(AX) as u32).to_le_bytes(), n as usize),
                _ => c.fill_run(to, c.get::<W>(AX).to_le_bytes(), n as usize),
            },
        };
    if !done {
        return 0;
    }
    advance::<OP, A>(c, n * W::BYTES as u64);
    n
}

fn string<const OP: u8, const PREFIX: u8, W: Width, A: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    if PREFIX == ALONE {
        step::<OP, W, A>(c, i)?;
        return Ok(Flow::Next);
    }
    let mut left = c.get::<A>(CX);
    let mut most = PAGE / W::BYTES as u64;
    while left > 0 {
        if most == 0 {
            return Ok(Flow::Again);
        }
        let done = match at_once::<OP, W, A>(c, i, left.min(most)) {
            0 => {
                step::<OP, W, A>(c, i)?;
                1
            }
            n => n,
        };
        left -= done;
        most -= done;
        c.set::<A>(CX, left);
        if compares(OP) && c.flags.zf() != (PREFIX == REP) {
            break;
        }
        if c.single && left > 0 {
            return Ok(Flow::Again);
        }
    }
    Ok(Flow::Next)
}

fn by_prefix<const OP: u8, W: Width, A: Width>(form: &Form<'_>) -> Handler {
    if form.insn.has_repne_prefix() && compares(OP) {
        string::<OP, REPNE, W, A>
    } else if form.insn.has_rep_prefix() || form.insn.has_repne_prefix() {
        string::<OP, REP, W, A>
    } else {
        string::<OP, ALONE, W, A>
    }
}

fn by_address<const OP: u8, W: Width>(form: &Form<'_>) -> Handler {
    let narrow = (0..form.insn.op_count())
        .any(|op| matches!(form.insn.op_kind(op), OpKind::MemorySegESI | OpKind::MemoryESEDI));
    if narrow { by_prefix::<OP, W, W32>(form) } else { by_prefix::<OP, W, W64>(form) }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    let handler = match form.insn.code() {
        Code::Movsb_m8_m8 => by_address::<MOVS, W8>(form),
        Code::Movsw_m16_m16 => by_address::<MOVS, W16>(form),
        Code::Movsd_m32_m32 => by_address::<MOVS, W32>(form),
        Code::Movsq_m64_m64 => by_address::<MOVS, W64>(form),
        Code::Stosb_m8_AL => by_address::<STOS, W8>(form),
        Code::Stosw_m16_AX => by_address::<STOS, W16>(form),
        Code::Stosd_m32_EAX => by_address::<STOS, W32>(form),
        Code::Stosq_m64_RAX => by_address::<STOS, W64>(form),
        Code::Lodsb_AL_m8 => by_address::<LODS, W8>(form),
        Code::Lodsw_AX_m16 => by_address::<LODS, W16>(form),
        Code::Lodsd_EAX_m32 => by_address::<LODS, W32>(form),
        Code::Lodsq_RAX_m64 => by_address::<LODS, W64>(form),
        Code::Cmpsb_m8_m8 => by_address::<CMPS, W8>(form),
        Code::Cmpsw_m16_m16 => by_address::<CMPS, W16>(form),
        Code::Cmpsd_m32_m32 => by_address::<CMPS, W32>(form),
        Code::Cmpsq_m64_m64 => by_address::<CMPS, W64>(form),
        Code::Scasb_AL_m8 => by_address::<SCAS, W8>(form),
        Code::Scasw_AX_m16 => by_address::<SCAS, W16>(form),
        Code::Scasd_EAX_m32 => by_address::<SCAS, W32>(form),
        Code::Scasq_RAX_m64 => by_address::<SCAS, W64>(form),
        _ => return None,
    };
    out.seg = super::segment(form.insn);
    Some(handler)
}

#[cfg(test)]
mod tests {
    use crate::machine::Exception;
    use crate::machine::interp::Exit;
    use crate::machine::interp::testing::{Bench, DATA};
    use crate::machine::regs::Rflags;

    const REP_MOVSB: &[u8] = &[0xf3, 0xa4, 0x0f, 0x05];

    fn filled() -> Bench {
        let mut b = Bench::new(REP_MOVSB);
        let bytes: Vec<u8> = (0..0x2000).map(|n| (n * 7 % 251) as u8).collect();
        b.poke(DATA, &bytes);
        b
    }

    #[test]
    fn a_copy_across_pages_is_whole() {
        let mut b = filled();
        (b.regs().si, b.regs().di, b.regs().cx) = (DATA + 3, DATA + 0xf80, 0x100);
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!((b.regs().si, b.regs().di, b.regs().cx), (DATA + 0x103, DATA + 0x1080, 0));
        for n in 0..0x100 / 8 {
            assert_eq!(b.peek(DATA + 0xf80 + n * 8), b.peek(DATA + 3 + n * 8));
        }
    }

    #[test]
    fn an_overlapping_copy_repeats() {
        let mut b = filled();
        let byte = b.peek(DATA) & 0xff;
        (b.regs().si, b.regs().di, b.regs().cx) = (DATA, DATA + 1, 0x1100);
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(b.peek(DATA + 0x10f8), byte * 0x0101_0101_0101_0101);
    }

    #[test]
    fn a_fault_leaves_the_rest_to_do() {
        let mut b = filled();
        (b.regs().si, b.regs().di, b.regs().cx) = (DATA, DATA + 0x1ff0, 100);
        let fault = b.go();
        assert!(
            matches!(fault, Exit::Exception(Exception::PageFault { addr, .. }) if addr.0 == DATA + 0x2000)
        );
        assert_eq!((b.regs().si, b.regs().di, b.regs().cx), (DATA + 16, DATA + 0x2000, 84));
    }

    #[test]
    fn single_steps_are_iterations() {
        let mut b = filled();
        (b.regs().si, b.regs().di, b.regs().cx) = (DATA, DATA + 0x800, 3);
        b.regs().flags |= Rflags::TF.bits();
        let start = b.regs().ip;
        for left in [2, 1, 0] {
            assert_eq!(b.run(9).exit, Exit::Exception(Exception::Debug));
            assert_eq!(b.regs().cx, left);
            assert_eq!(b.regs().ip, start + if left == 0 { 2 } else { 0 });
        }
    }

    #[test]
    fn a_budget_bounds_a_long_fill() {
        // rep stosb over both pages, three bytes in
        let mut b = Bench::new(&[0xf3, 0xaa, 0x0f, 0x05]);
        (b.regs().di, b.regs().cx, b.regs().ax) = (DATA + 3, 0x1ffd, 0xee);
        let run = b.run(1);
        assert_eq!((run.exit, run.retired, b.regs().cx), (Exit::Budget, 1, 0xffd));
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(
            (b.peek(DATA + 0x1ff8), b.peek(DATA)),
            (!0 / 255 * 0xee, (!0 / 255 * 0xee) & !0xff_ffff)
        );
    }

    #[test]
    fn comparisons_stop_where_they_differ() {
        // repe cmpsb ; syscall
        let mut b = Bench::new(&[0xf3, 0xa6, 0x0f, 0x05]);
        b.poke(DATA, b"abcd");
        b.poke(DATA + 8, b"abxd");
        (b.regs().si, b.regs().di, b.regs().cx) = (DATA, DATA + 8, 4);
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!((b.regs().cx, b.regs().si), (1, DATA + 3));
        assert!(b.regs().has(Rflags::CF) && !b.regs().has(Rflags::ZF));
    }
}
