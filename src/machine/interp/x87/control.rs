//! Control: FLDCW, FNSTCW, FNSTSW, FNCLEX, FNINIT, the environment and the
//! whole state, FINCSTP, FDECSTP, FFREE, FNOP, FWAIT, EMMS.
//!
//! ```text
//! environment, 28 bytes (14 with an operand-size prefix, all fields 16 bits)
//!   0  FCW    4  FSW    8  FTW    12  FIP    16  FCS, FOP    20  FDP    24  FDS
//! state: the environment, then ST(0) to ST(7), 10 bytes each
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 1, sections 8.1.7 to 8.1.10; vol. 2.
//! Left out: nothing.

use super::number::{Class, class};
use super::status::{B, ES, EXCEPTIONS, SF, Stack, TOP};
use super::{note, note_only, wait};
use crate::machine::fpu::{F80, FCW_DEFAULT, X87};
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::W16;
use crate::machine::mmu::Access;
use iced_x86::{Code, Mnemonic};

fn fldcw(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = c.address(i);
    let word = c.load::<W16>(at)? as u16;
    c.fpu.x87.set_control(word);
    Ok(Flow::Next)
}

fn fnstcw(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let word = c.fpu.x87.control;
    c.store::<W16>(c.address(i), word.into())?;
    Ok(Flow::Next)
}

fn fnstsw(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let word = c.fpu.x87.status;
    c.store::<W16>(c.address(i), word.into())?;
    Ok(Flow::Next)
}

fn fnstsw_ax(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let word = c.fpu.x87.status;
    c.set::<W16>(0, word.into());
    Ok(Flow::Next)
}

fn fnclex(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.fpu.x87.status &= !(EXCEPTIONS | SF | ES | B);
    Ok(Flow::Next)
}

/// As after FNINIT: the registers keep their values, but are empty.
fn init(x: &mut X87) {
    (x.control, x.status, x.in_use) = (FCW_DEFAULT, 0, 0);
    (x.opcode, x.ip, x.dp) = (0, 0, 0);
    (x.code_segment, x.data_segment) = (0, 0);
}

fn fninit(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    init(&mut c.fpu.x87);
    Ok(Flow::Next)
}

/// The full tag word: two bits a register.
fn tags(x: &X87) -> u16 {
    (0..8).fold(0, |tags, n| {
        let tag = match class(x.regs[n]) {
            _ if x.in_use >> n & 1 == 0 => 3,
            Class::Normal => 0,
            Class::Zero => 1,
            _ => 2,
        };
        tags | tag << (n * 2)
    })
}

/// Asks for the first and for the last of so many bytes, as the processor does
/// before it moves any: the page fault says so.
fn ask<const N: usize>(c: &mut Core<'_>, i: &Insn, access: Access) -> Result<u64, Trap> {
    let at = c.address(i);
    for byte in [at, at.wrapping_add(N as u64 - 1)] {
        match access {
            Access::Write => c.probe_write(byte, 1)?,
            _ => c.probe_read(byte, 1)?,
        }
    }
    Ok(at)
}

/// Bytes of an environment.
const LONG: usize = 28;
const SHORT: usize = 14;

fn environment<const N: usize>(x: &X87) -> [u8; N] {
    let fields = [
        u32::from(x.control) | 0xffff << 16,
        u32::from(x.status) | 0xffff << 16,
        u32::from(tags(x)) | 0xffff << 16,
        x.ip as u32,
        u32::from(x.code_segment) | u32::from(x.opcode & 0x7ff) << 16,
        x.dp as u32,
        u32::from(x.data_segment) | 0xffff << 16,
    ];
    let mut b = [0; N];
    let width = N / 7;
    for (to, field) in b.chunks_exact_mut(width).zip(fields) {
        to.copy_from_slice(&field.to_le_bytes()[..width]);
    }
    b
}

fn set_environment<const N: usize>(x: &mut X87, b: &[u8]) {
    let width = N / 7;
    let field = |n: usize| {
        b.iter().skip(n * width).take(width).rev().fold(0u32, |v, b| v << 8 | u32::from(*b))
    };
    let tags = field(2) as u16;
    x.status = field(1) as u16;
    x.in_use = (0..8).fold(0, |u, n| u | u8::from(tags >> (n * 2) & 3 != 3) << n);
    x.code_segment = field(4) as u16;
    x.data_segment = field(6) as u16;
    x.ip = field(3).into();
    x.dp = field(5).into();
    x.opcode = if width == 4 { (field(4) >> 16) as u16 & 0x7ff } else { 0 };
    x.set_control(field(0) as u16);
}

fn fnstenv<const N: usize>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = environment::<N>(&c.fpu.x87);
    let at = ask::<N>(c, i, Access::Write)?;
    c.write(at, b)?;
    let x = &mut c.fpu.x87;
    x.set_control(x.control | EXCEPTIONS);
    Ok(Flow::Next)
}

fn fldenv<const N: usize>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = ask::<N>(c, i, Access::Read)?;
    let b = c.read::<N>(at)?;
    set_environment::<N>(&mut c.fpu.x87, &b);
    Ok(Flow::Next)
}

fn fnsave<const N: usize, const ALL: usize>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let x = &c.fpu.x87;
    let mut b = [0; ALL];
    let (head, tail) = b.split_at_mut(N);
    head.copy_from_slice(&environment::<N>(x));
    for (n, to) in (0..8).zip(tail.chunks_exact_mut(10)) {
        to.copy_from_slice(&x.st(n).to_bytes());
    }
    let at = ask::<ALL>(c, i, Access::Write)?;
    c.write(at, b)?;
    init(&mut c.fpu.x87);
    Ok(Flow::Next)
}

fn frstor<const N: usize, const ALL: usize>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let at = ask::<ALL>(c, i, Access::Read)?;
    let b = c.read::<ALL>(at)?;
    let x = &mut c.fpu.x87;
    let (head, tail) = b.split_at(N);
    set_environment::<N>(x, head);
    for (n, from) in (0..8).zip(tail.chunks_exact(10)) {
        let mut ten = [0; 10];
        ten.copy_from_slice(from);
        let n = x.physical(n);
        x.regs[n] = F80::from_bytes(ten);
    }
    Ok(Flow::Next)
}

fn turn<const BY: u16>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    note(c, i).rotate(BY);
    Ok(Flow::Next)
}

fn ffree<const POP: bool>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = note(c, i);
    x.free(i.c);
    if POP {
        x.pop();
    }
    Ok(Flow::Next)
}

fn fnop(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    note_only(c, i);
    Ok(Flow::Next)
}

fn fwait(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    Ok(Flow::Next)
}

/// FNENI, FNDISI, FNSETPM: the 8087's and the 80287's, which do nothing now.
fn nothing(_: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    Ok(Flow::Next)
}

fn emms(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    wait(c)?;
    let x = &mut c.fpu.x87;
    x.in_use = 0;
    x.status &= !TOP;
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    Some(match form.insn.code() {
        Code::Fldenv_m14byte => fldenv::<SHORT>,
        Code::Fldenv_m28byte => fldenv::<LONG>,
        Code::Fnstenv_m14byte => fnstenv::<SHORT>,
        Code::Fnstenv_m28byte => fnstenv::<LONG>,
        Code::Fnsave_m94byte => fnsave::<SHORT, 94>,
        Code::Fnsave_m108byte => fnsave::<LONG, 108>,
        Code::Frstor_m94byte => frstor::<SHORT, 94>,
        Code::Frstor_m108byte => frstor::<LONG, 108>,
        _ => match form.insn.mnemonic() {
            Mnemonic::Fldcw => fldcw,
            Mnemonic::Fnstcw => fnstcw,
            Mnemonic::Fnstsw if form.kinds[0] == Kind::Mem => fnstsw,
            Mnemonic::Fnstsw => fnstsw_ax,
            Mnemonic::Fnclex => fnclex,
            Mnemonic::Fninit => fninit,
            Mnemonic::Fincstp => turn::<1>,
            Mnemonic::Fdecstp => turn::<7>,
            Mnemonic::Ffree => ffree::<false>,
            Mnemonic::Ffreep => ffree::<true>,
            Mnemonic::Fnop => fnop,
            Mnemonic::Wait => fwait,
            Mnemonic::Fneni | Mnemonic::Fndisi | Mnemonic::Fnsetpm => nothing,
            Mnemonic::Emms => emms,
            _ => return None,
        },
    })
}
