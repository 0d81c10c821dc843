//! Read, change, write: XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B, XCHG.
//!
//! Processors take turns, so that each of these is atomic with and without a
//! LOCK prefix.
//!
//! Linux: none. Source: Intel SDM vol. 2. Left out: nothing.

use super::sized;
use crate::machine::exception::Exception;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W32, W64, Width};
use iced_x86::Mnemonic;

const AX: u8 = 0;
const CX: u8 = 1;
const DX: u8 = 2;
const BX: u8 = 3;

fn xadd_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (a, b) = (c.get::<W>(i.a), c.get::<W>(i.b));
    let sum = a.wrapping_add(b);
    c.flags.add::<W>(a, b, sum);
    c.set::<W>(i.b, a);
    // The sum wins where both are the same register.
    c.set::<W>(i.a, sum);
    Ok(Flow::Next)
}

fn xadd_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let b = c.get::<W>(i.b);
    let old = c.update::<W>(c.address(i), |flags, a| {
        let sum = a.wrapping_add(b);
        flags.add::<W>(a, b, sum);
        sum
    })?;
    c.set::<W>(i.b, old);
    Ok(Flow::Next)
}

fn cmpxchg_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (acc, there, new) = (c.get::<W>(AX), c.get::<W>(i.a), c.get::<W>(i.b));
    c.flags.sub::<W>(acc, there, acc.wrapping_sub(there));
    if acc == there {
        c.set::<W>(i.a, new);
    } else {
        // Unlike memory, the register is not written: it keeps its upper half.
        c.set::<W>(AX, there);
    }
    Ok(Flow::Next)
}

fn cmpxchg_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (acc, new) = (c.get::<W>(AX), c.get::<W>(i.b));
    // Memory is written in any case.
    let old = c.update::<W>(c.address(i), |flags, there| {
        flags.sub::<W>(acc, there, acc.wrapping_sub(there));
        if acc == there { new } else { there }
    })?;
    if old != acc {
        c.set::<W>(AX, old);
    }
    Ok(Flow::Next)
}

/// CMPXCHG8B (of doublewords) and CMPXCHG16B (of quadwords).
fn cmpxchg_pair<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let at = c.address(i);
    let high = at.wrapping_add(W::BYTES as u64);
    if W::BYTES == 8 && at & 15 != 0 {
        return c.raise(Exception::GP);
    }
    c.probe_write(at, 2 * W::BYTES)?;
    let old = (c.load::<W>(at)?, c.load::<W>(high)?);
    let equal = old == (c.get::<W>(AX), c.get::<W>(DX));
    let new = if equal { (c.get::<W>(BX), c.get::<W>(CX)) } else { old };
    c.store::<W>(at, new.0)?;
    c.store::<W>(high, new.1)?;
    c.flags.set_zf(equal);
    if !equal {
        c.set::<W>(AX, old.0);
        c.set::<W>(DX, old.1);
    }
    Ok(Flow::Next)
}

fn xchg_reg<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let (a, b) = (c.get::<W>(i.a), c.get::<W>(i.b));
    c.set::<W>(i.a, b);
    c.set::<W>(i.b, a);
    Ok(Flow::Next)
}

fn xchg_mem<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let new = c.get::<W>(i.b);
    let old = c.update::<W>(c.address(i), |_, _| new)?;
    c.set::<W>(i.b, old);
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    match (form.insn.mnemonic(), form.kinds) {
        (Mnemonic::Xadd, [Kind::Reg, ..]) => sized!(form.bytes, W => xadd_reg::<W>),
        (Mnemonic::Xadd, [Kind::Mem, ..]) => sized!(form.bytes, W => xadd_mem::<W>),
        (Mnemonic::Cmpxchg, [Kind::Reg, ..]) => sized!(form.bytes, W => cmpxchg_reg::<W>),
        (Mnemonic::Cmpxchg, [Kind::Mem, ..]) => sized!(form.bytes, W => cmpxchg_mem::<W>),
        (Mnemonic::Cmpxchg8b, _) => Some(cmpxchg_pair::<W32>),
        (Mnemonic::Cmpxchg16b, _) => Some(cmpxchg_pair::<W64>),
        (Mnemonic::Xchg, [Kind::Reg, Kind::Reg, ..]) => sized!(form.bytes, W => xchg_reg::<W>),
        (Mnemonic::Xchg, [Kind::Mem, Kind::Reg, ..]) => sized!(form.bytes, W => xchg_mem::<W>),
        (Mnemonic::Xchg, [Kind::Reg, Kind::Mem, ..]) => {
            out.b = out.a;
            sized!(form.bytes, W => xchg_mem::<W>)
        }
        _ => None,
    }
}
