//! Where to go on: JMP, Jcc, CALL, RET, LOOP, JRCXZ, and SYSCALL, which leaves
//! it to the kernel.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: far jumps, calls and
//! returns, which need segments that user mode does not have; INT 80h.

use super::mov::{by_condition, condition, push};
use crate::machine::exception::Exception;
use crate::machine::interp::core::{Core, Stopped};
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, PAGE, Trap};
use crate::machine::interp::width::{W32, W64, Width};
use iced_x86::{Mnemonic, Register};

const CX: u8 = 1;
const SP: usize = 4;

#[inline(always)]
fn here(c: &Core<'_>, in_page: u64) -> u64 {
    c.r[usize::from(PAGE)].wrapping_add(in_page)
}

/// Goes on at `to`; a non-canonical address is refused before anything else.
#[inline(always)]
fn jump_to(c: &mut Core<'_>, to: u64) -> Result<Flow, Trap> {
    if !c.cpu.is_canonical(to) {
        return c.raise(Exception::GP);
    }
    c.ip = to;
    Ok(Flow::Jump)
}

fn jmp(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let to = here(c, i.imm);
    jump_to(c, to)
}

fn jmp_reg(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let to = c.get::<W64>(i.a);
    jump_to(c, to)
}

fn jmp_mem(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let to = c.load::<W64>(c.address(i))?;
    jump_to(c, to)
}

fn jcc<const CC: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    if c.flags.condition::<CC>() { jmp(c, i) } else { Ok(Flow::Next) }
}

#[inline(always)]
fn call_to(c: &mut Core<'_>, i: &Insn, to: u64) -> Result<Flow, Trap> {
    if !c.cpu.is_canonical(to) {
        // The stack is looked at first, and not written.
        let sp = c.r[SP].wrapping_sub(8);
        c.probe_write(sp, 8).map_err(|t| c.on_stack(t))?;
        return c.raise(Exception::GP);
    }
    let back = here(c, i.end());
    push::<W64>(c, back)?;
    c.ip = to;
    Ok(Flow::Jump)
}

fn call(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let to = here(c, i.imm);
    call_to(c, i, to)
}

fn call_reg(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let to = c.get::<W64>(i.a);
    call_to(c, i, to)
}

fn call_mem(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let to = c.load::<W64>(c.address(i))?;
    call_to(c, i, to)
}

/// RET, and RET imm16: `imm` more bytes of arguments go.
fn ret(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let sp = c.r[SP];
    let to = c.load_stack::<W64>(sp)?;
    let flow = jump_to(c, to)?;
    c.r[SP] = sp.wrapping_add(8).wrapping_add(i.imm);
    Ok(flow)
}

/// JRCXZ, JECXZ.
fn jcxz<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    if c.get::<W>(CX) == 0 { jmp(c, i) } else { Ok(Flow::Next) }
}

const ALWAYS: u8 = 0;
const IF_ZERO: u8 = 1;
const IF_NOT: u8 = 2;

fn loop_<const WHEN: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let left = c.get::<W>(CX).wrapping_sub(1) & W::MASK;
    let goes = left != 0
        && match WHEN {
            IF_ZERO => c.flags.zf(),
            IF_NOT => !c.flags.zf(),
            _ => true,
        };
    let flow = if goes { jmp(c, i)? } else { Flow::Next };
    c.set::<W>(CX, left);
    Ok(flow)
}

fn syscall(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.trap = Stopped::Syscall;
    Err(Trap)
}

fn breakpoint(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.trap = Stopped::Trapped(Exception::Breakpoint, i.len);
    Err(Trap)
}

fn debug(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.trap = Stopped::Trapped(Exception::Debug, i.len);
    Err(Trap)
}

/// INT n: user mode has gates for 3 and 4 only.
fn interrupt(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    match i.imm {
        3 => breakpoint(c, i),
        4 => {
            c.trap = Stopped::Trapped(Exception::Overflow, i.len);
            Err(Trap)
        }
        _ => c.raise(Exception::GeneralProtection { code: (i.imm as u32 & 0xff) << 3 | 2 }),
    }
}

fn by_address_size<const WHEN: u8>(form: &Form<'_>) -> Handler {
    use iced_x86::Code;
    match form.insn.code() {
        Code::Loop_rel8_64_ECX | Code::Loope_rel8_64_ECX | Code::Loopne_rel8_64_ECX => {
            loop_::<WHEN, W32>
        }
        _ => loop_::<WHEN, W64>,
    }
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    let cc = condition(form);
    match (form.insn.mnemonic(), form.kinds[0]) {
        (Mnemonic::Jmp, Kind::Target) => Some(jmp),
        (Mnemonic::Jmp, Kind::Reg) => Some(jmp_reg),
        (Mnemonic::Jmp, Kind::Mem) if form.bytes == 8 && form.insn.is_jmp_near_indirect() => {
            Some(jmp_mem)
        }
        (Mnemonic::Call, Kind::Target) => Some(call),
        (Mnemonic::Call, Kind::Reg) => Some(call_reg),
        (Mnemonic::Call, Kind::Mem) if form.bytes == 8 && form.insn.is_call_near_indirect() => {
            Some(call_mem)
        }
        (Mnemonic::Ret, _) => Some(ret),
        (Mnemonic::Jrcxz, _) => Some(jcxz::<W64>),
        (Mnemonic::Jecxz, _) => Some(jcxz::<W32>),
        (Mnemonic::Loop, _) => Some(by_address_size::<ALWAYS>(form)),
        (Mnemonic::Loope, _) => Some(by_address_size::<IF_ZERO>(form)),
        (Mnemonic::Loopne, _) => Some(by_address_size::<IF_NOT>(form)),
        (Mnemonic::Syscall, _) => Some(syscall),
        (Mnemonic::Int3, _) => Some(breakpoint),
        (Mnemonic::Int1, _) => Some(debug),
        // 80h is a system call of 32-bit programs.
        (Mnemonic::Int, _) if form.insn.immediate8() != 0x80 => Some(interrupt),
        (_, Kind::Target) if form.insn.is_jcc_short_or_near() => {
            by_condition!(cc, CC => Some(jcc::<CC>))
        }
        _ => {
            debug_assert_ne!(form.insn.op0_register(), Register::EIP);
            None
        }
    }
}
