//! Moving data: MOV and its extending kinds, LEA, CMOVcc, SETcc, PUSH, POP,
//! LEAVE, ENTER.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: MOVBE (not in x86-64-v2);
//! segment registers, see `segment`.

use super::sized;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, ODD_ADDRESS, Trap, ZERO};
use crate::machine::interp::width::{W8, W16, W32, W64, Width};
use iced_x86::{Code, ConditionCode, Instruction, Mnemonic, Register};

/// Numbers of RAX and RBX.
const AX: u8 = 0;
const BX: u8 = 3;
/// Number of RSP and RBP.
const SP: usize = 4;
const BP: usize = 5;

fn reg_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W>(i.b);
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

fn reg_imm<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.set::<W>(i.a, i.imm);
    Ok(Flow::Next)
}

fn reg_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.load::<W>(c.address(i))?;
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

fn mem_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W>(i.b);
    c.store::<W>(c.address(i), v)?;
    Ok(Flow::Next)
}

fn mem_imm<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.store::<W>(c.address(i), i.imm)?;
    Ok(Flow::Next)
}

fn extend_reg<const SIGNED: bool, To: Width, From: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let v = c.get::<From>(i.b);
    c.set::<To>(i.a, if SIGNED { From::sign_extend(v) } else { v });
    Ok(Flow::Next)
}

fn extend_mem<const SIGNED: bool, To: Width, From: Width>(
    c: &mut Core<'_>,
    i: &Insn,
) -> Result<Flow, Trap> {
    let v = c.load::<From>(c.address(i))?;
    c.set::<To>(i.a, if SIGNED { From::sign_extend(v) } else { v });
    Ok(Flow::Next)
}

fn extend<const SIGNED: bool>(form: &Form<'_>) -> Option<Handler> {
    match (form.kinds[1], form.width(1)) {
        (Kind::Reg, 1) => sized!(form.bytes, W => extend_reg::<SIGNED, W, W8>),
        (Kind::Reg, 2) => sized!(form.bytes, W => extend_reg::<SIGNED, W, W16>),
        (Kind::Reg, 4) => sized!(form.bytes, W => extend_reg::<SIGNED, W, W32>),
        (Kind::Mem, 1) => sized!(form.bytes, W => extend_mem::<SIGNED, W, W8>),
        (Kind::Mem, 2) => sized!(form.bytes, W => extend_mem::<SIGNED, W, W16>),
        (Kind::Mem, 4) => sized!(form.bytes, W => extend_mem::<SIGNED, W, W32>),
        _ => None,
    }
}

fn lea<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    c.set::<W>(i.a, at);
    Ok(Flow::Next)
}

fn cmov_reg<const CC: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = if c.flags.condition::<CC>() { c.get::<W>(i.b) } else { c.get::<W>(i.a) };
    // A doubleword clears the upper half either way.
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

fn cmov_mem<const CC: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    // Memory is read whatever the condition.
    let there = c.load::<W>(c.address(i))?;
    let v = if c.flags.condition::<CC>() { there } else { c.get::<W>(i.a) };
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

fn set_reg<const CC: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = u64::from(c.flags.condition::<CC>());
    c.set::<W8>(i.a, v);
    Ok(Flow::Next)
}

fn set_mem<const CC: u8>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = u64::from(c.flags.condition::<CC>());
    c.store::<W8>(c.address(i), v)?;
    Ok(Flow::Next)
}

/// Sixteen handlers, by condition.
macro_rules! by_condition {
    ($cc:expr, $CC:ident => $f:expr) => {
        by_condition!(@ $cc, $CC => $f; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    (@ $cc:expr, $CC:ident => $f:expr; $($n:literal)*) => {
        match $cc {
            $($n => { const $CC: u8 = $n; $f })*
            _ => None,
        }
    };
}
pub(super) use by_condition;

/// The condition as the low four bits of the opcode.
pub(super) fn condition(form: &Form<'_>) -> u8 {
    match form.insn.condition_code() {
        ConditionCode::o => 0,
        ConditionCode::no => 1,
        ConditionCode::b => 2,
        ConditionCode::ae => 3,
        ConditionCode::e => 4,
        ConditionCode::ne => 5,
        ConditionCode::be => 6,
        ConditionCode::a => 7,
        ConditionCode::s => 8,
        ConditionCode::ns => 9,
        ConditionCode::p => 10,
        ConditionCode::np => 11,
        ConditionCode::l => 12,
        ConditionCode::ge => 13,
        ConditionCode::le => 14,
        ConditionCode::g => 15,
        ConditionCode::None => 16,
    }
}

/// Pushes a value of width `W`; RSP changes only if the write succeeds.
#[inline(always)]
pub(super) fn push<W: Width>(c: &mut Core<'_>, value: u64) -> Result<(), Trap> {
    let sp = c.r[SP].wrapping_sub(W::BYTES as u64);
    c.store_stack::<W>(sp, value)?;
    c.r[SP] = sp;
    Ok(())
}

fn push_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W>(i.a);
    push::<W>(c, v)?;
    Ok(Flow::Next)
}

fn push_imm<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    push::<W>(c, i.imm)?;
    Ok(Flow::Next)
}

fn push_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.load::<W>(c.address(i))?;
    push::<W>(c, v)?;
    Ok(Flow::Next)
}

fn pop_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let sp = c.r[SP];
    let v = c.load_stack::<W>(sp)?;
    c.r[SP] = sp.wrapping_add(W::BYTES as u64);
    // POP RSP: the value wins.
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

fn pop_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let sp = c.r[SP];
    let v = c.load_stack::<W>(sp)?;
    // An address that uses RSP uses the one after the pop.
    c.r[SP] = sp.wrapping_add(W::BYTES as u64);
    let at = c.address(i);
    if c.store::<W>(at, v).is_err() {
        c.r[SP] = sp;
        return Err(Trap);
    }
    Ok(Flow::Next)
}

fn leave<W: Width>(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let bp = c.r[BP];
    let v = c.load_stack::<W>(bp)?;
    c.r[SP] = bp.wrapping_add(W::BYTES as u64);
    c.r[BP] = W::merge(bp, v);
    Ok(Flow::Next)
}

/// ENTER: a frame of `imm` bytes below copies of the `c - 1` frame pointers of
/// the procedures around it.
fn enter<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let size = W::BYTES as u64;
    let (old, level) = (c.r[BP], u64::from(i.c & 31));
    let frame = c.r[SP].wrapping_sub(size);
    c.store_stack::<W>(frame, old)?;
    let mut sp = frame;
    for n in 1..level {
        let v = c.load_stack::<W>(old.wrapping_sub(n * size))?;
        sp = sp.wrapping_sub(size);
        c.store_stack::<W>(sp, v)?;
    }
    if level > 0 {
        sp = sp.wrapping_sub(size);
        c.store_stack::<W>(sp, frame)?;
    }
    sp = sp.wrapping_sub(i.imm);
    // The new top must be writable.
    c.probe_write(sp, W::BYTES).map_err(|t| c.on_stack(t))?;
    c.r[SP] = sp;
    c.r[BP] = W::merge(old, frame);
    Ok(Flow::Next)
}

/// Whether the instruction holds a 64-bit address (moffs), which goes to
/// [`Insn::imm`].
pub fn has_whole_address(insn: &Instruction) -> bool {
    matches!(
        insn.code(),
        Code::Mov_AL_moffs8
            | Code::Mov_AX_moffs16
            | Code::Mov_EAX_moffs32
            | Code::Mov_RAX_moffs64
            | Code::Mov_moffs8_AL
            | Code::Mov_moffs16_AX
            | Code::Mov_moffs32_EAX
            | Code::Mov_moffs64_RAX
    )
}

fn whole_address(c: &Core<'_>, i: &Insn) -> u64 {
    i.imm.wrapping_add(c.r[usize::from(i.seg & 31)])
}

fn acc_moffs<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.load::<W>(whole_address(c, i))?;
    c.set::<W>(AX, v);
    Ok(Flow::Next)
}

fn moffs_acc<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W>(AX);
    c.store::<W>(whole_address(c, i), v)?;
    Ok(Flow::Next)
}

/// XLAT: AL from a table of bytes at RBX.
fn xlat<A: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.get::<A>(BX).wrapping_add(c.get::<W8>(AX)) & A::MASK;
    let v = c.load::<W8>(at.wrapping_add(c.r[usize::from(i.seg & 31)]))?;
    c.set::<W8>(AX, v);
    Ok(Flow::Next)
}

fn is_setcc(m: Mnemonic) -> bool {
    use Mnemonic::{
        Seta, Setae, Setb, Setbe, Sete, Setg, Setge, Setl, Setle, Setne, Setno, Setnp, Setns, Seto,
        Setp, Sets,
    };
    matches!(
        m,
        Seta | Setae
            | Setb
            | Setbe
            | Sete
            | Setg
            | Setge
            | Setl
            | Setle
            | Setne
            | Setno
            | Setnp
            | Setns
            | Seto
            | Setp
            | Sets
    )
}

fn is_cmovcc(m: Mnemonic) -> bool {
    use Mnemonic::{
        Cmova, Cmovae, Cmovb, Cmovbe, Cmove, Cmovg, Cmovge, Cmovl, Cmovle, Cmovne, Cmovno, Cmovnp,
        Cmovns, Cmovo, Cmovp, Cmovs,
    };
    matches!(
        m,
        Cmova
            | Cmovae
            | Cmovb
            | Cmovbe
            | Cmove
            | Cmovg
            | Cmovge
            | Cmovl
            | Cmovle
            | Cmovne
            | Cmovno
            | Cmovnp
            | Cmovns
            | Cmovo
            | Cmovp
            | Cmovs
    )
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    let m = form.insn.mnemonic();
    let cc = condition(form);
    match (m, form.kinds) {
        (Mnemonic::Mov, [Kind::Reg, ..]) if has_whole_address(form.insn) => {
            sized!(form.bytes, W => acc_moffs::<W>)
        }
        (Mnemonic::Mov, [Kind::Mem, ..]) if has_whole_address(form.insn) => {
            sized!(form.bytes, W => moffs_acc::<W>)
        }
        (Mnemonic::Mov, [Kind::Reg, Kind::Reg, ..])
            if form.insn.op0_register().is_gpr() && form.insn.op1_register().is_gpr() =>
        {
            sized!(form.bytes, W => reg_reg::<W>)
        }
        (Mnemonic::Mov, [Kind::Reg, Kind::Imm, ..]) => sized!(form.bytes, W => reg_imm::<W>),
        (Mnemonic::Mov, [Kind::Reg, Kind::Mem, ..]) if form.insn.op0_register().is_gpr() => {
            sized!(form.bytes, W => reg_mem::<W>)
        }
        (Mnemonic::Mov, [Kind::Mem, Kind::Reg, ..]) if form.insn.op1_register().is_gpr() => {
            sized!(form.width(1), W => mem_reg::<W>)
        }
        (Mnemonic::Mov, [Kind::Mem, Kind::Imm, ..]) => sized!(form.bytes, W => mem_imm::<W>),
        (Mnemonic::Movzx, _) => extend::<false>(form),
        (Mnemonic::Movsx | Mnemonic::Movsxd, _) => extend::<true>(form),
        (Mnemonic::Lea, _) => {
            // A segment base is no part of an effective address.
            if out.scale & ODD_ADDRESS == 0 && out.index > 17 {
                out.index = ZERO;
            }
            out.seg = out.seg & 0x80 | ZERO;
            sized!(form.bytes, W => lea::<W>)
        }
        (Mnemonic::Push, [Kind::Reg, ..]) if form.insn.op0_register().is_gpr() => {
            if form.bytes == 2 { Some(push_reg::<W16>) } else { Some(push_reg::<W64>) }
        }
        (Mnemonic::Push, [Kind::Imm, ..]) => {
            // 66 6A and 66 68 push a word.
            if form.insn.stack_pointer_increment() == -2 {
                Some(push_imm::<W16>)
            } else {
                Some(push_imm::<W64>)
            }
        }
        (Mnemonic::Push, [Kind::Mem, ..]) => {
            if form.bytes == 2 {
                Some(push_mem::<W16>)
            } else {
                Some(push_mem::<W64>)
            }
        }
        (Mnemonic::Pop, [Kind::Reg, ..]) if form.insn.op0_register().is_gpr() => {
            if form.bytes == 2 { Some(pop_reg::<W16>) } else { Some(pop_reg::<W64>) }
        }
        (Mnemonic::Pop, [Kind::Mem, ..]) => {
            if form.bytes == 2 {
                Some(pop_mem::<W16>)
            } else {
                Some(pop_mem::<W64>)
            }
        }
        (Mnemonic::Leave, _) => {
            if form.insn.code() == Code::Leavew {
                Some(leave::<W16>)
            } else {
                Some(leave::<W64>)
            }
        }
        (Mnemonic::Enter, _) => {
            out.imm = form.insn.immediate(0);
            out.c = form.insn.immediate(1) as u8;
            if form.insn.code() == Code::Enterw_imm16_imm8 {
                Some(enter::<W16>)
            } else {
                Some(enter::<W64>)
            }
        }
        (Mnemonic::Xlatb, _) => {
            let narrow = form.insn.memory_base() == Register::EBX;
            (out.base, out.index, out.scale) = (ZERO, ZERO, 0);
            out.seg = super::segment(form.insn);
            if narrow { Some(xlat::<W32>) } else { Some(xlat::<W64>) }
        }
        (_, [Kind::Reg, Kind::None, ..]) if is_setcc(m) => {
            by_condition!(cc, CC => Some(set_reg::<CC>))
        }
        (_, [Kind::Mem, Kind::None, ..]) if is_setcc(m) => {
            by_condition!(cc, CC => Some(set_mem::<CC>))
        }
        (_, [Kind::Reg, Kind::Reg, ..]) if is_cmovcc(m) => {
            by_condition!(cc, CC => sized!(form.bytes, W => cmov_reg::<CC, W>))
        }
        (_, [Kind::Reg, Kind::Mem, ..]) if is_cmovcc(m) => {
            by_condition!(cc, CC => sized!(form.bytes, W => cmov_mem::<CC, W>))
        }
        _ => None,
    }
}
