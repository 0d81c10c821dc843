//! Segment registers: reading them, and loading those that a program may.
//!
//! ```text
//! Linux's GDT, as ring 3 sees it
//! 20 __USER32_CS  28 __USER_DS  30 __USER_CS  78 CPUNODE     loaded; base 0
//! 0..3            null                                       loaded, but for SS
//! 60 68 70        TLS, empty       others: the kernel's, none     #GP(selector)
//! ```
//!
//! What is loaded means nothing in 64-bit mode but the bases of FS and GS, which
//! become 0.
//!
//! Linux: arch/x86/kernel/cpu/common.c (gdt_page). Source: Intel SDM vol. 2 (MOV,
//! POP, PUSH); vol. 3, section 3.4. Left out: LFS, LGS, LSS; far jumps, calls and
//! returns; LAR, LSL, VERR, VERW; that MOV to SS holds a single step back; FDS, which
//! stays that of a null DS.

use super::mov::push;
use super::sized;
use crate::machine::cpu::Selectors;
use crate::machine::exception::Exception;
use crate::machine::interp::core::Core;
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::insn::{self, Flow, Handler, Insn, Trap};
use crate::machine::interp::width::{W16, W64, Width};
use crate::machine::regs::USER_DS;
use iced_x86::Mnemonic;

/// Numbers of segment registers as instructions hold them.
const ES: u8 = 0;
const CS: u8 = 1;
const SS: u8 = 2;
const DS: u8 = 3;
const FS: u8 = 4;
const SP: usize = 4;

/// Descriptors that ring 3 may load, without their last three bits.
const USER_DESCRIPTORS: [u64; 4] = [0x20, 0x28, 0x30, 0x78];

fn selector(c: &Core<'_>, n: u8) -> u64 {
    let Selectors { ds, es, fs, gs } = c.cpu.selectors;
    match n {
        ES => es.into(),
        CS => c.cpu.regs.cs,
        SS => c.cpu.regs.ss,
        DS => ds.into(),
        FS => fs.into(),
        _ => gs.into(),
    }
}

/// Loads a segment register other than CS.
fn load(c: &mut Core<'_>, n: u8, value: u64) -> Result<(), Trap> {
    let value = value & 0xffff;
    let null = value & !3 == 0;
    let good = match n {
        // The ring of a stack is the one that runs.
        SS => value == USER_DS,
        _ => null || value & 4 == 0 && USER_DESCRIPTORS.contains(&(value & !7)),
    };
    if !good {
        return c.raise(Exception::GeneralProtection { code: value as u32 & 0xfffc });
    }
    let s = &mut c.cpu.selectors;
    match n {
        ES => s.es = value as u16,
        SS => c.cpu.regs.ss = value,
        DS => s.ds = value as u16,
        FS => {
            s.fs = value as u16;
            c.r[usize::from(insn::FS)] = 0;
            c.cpu.msrs.fs_base = 0;
        }
        _ => {
            s.gs = value as u16;
            c.r[usize::from(insn::GS)] = 0;
            c.cpu.msrs.gs_base = 0;
        }
    }
    Ok(())
}

fn reg_segment<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = selector(c, i.b);
    c.set::<W>(i.a, v);
    Ok(Flow::Next)
}

fn mem_segment(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = selector(c, i.b);
    c.store::<W16>(c.address(i), v)?;
    Ok(Flow::Next)
}

fn push_segment<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = selector(c, i.a);
    push::<W>(c, v)?;
    Ok(Flow::Next)
}

fn segment_reg(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.get::<W16>(i.b);
    load(c, i.a, v)?;
    Ok(Flow::Next)
}

fn segment_mem(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let v = c.load::<W16>(c.address(i))?;
    load(c, i.a, v)?;
    Ok(Flow::Next)
}

/// POP FS, POP GS: a word of what is popped.
fn pop_segment<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let sp = c.r[SP];
    let v = c.load_stack::<W>(sp)?;
    load(c, i.a, v)?;
    c.r[SP] = sp.wrapping_add(W::BYTES as u64);
    Ok(Flow::Next)
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    let segment = |op: u32| {
        form.kinds[op as usize] == Kind::Reg && form.insn.op_register(op).is_segment_register()
    };
    let short = form.insn.stack_pointer_increment().abs() == 2;
    match (form.insn.mnemonic(), form.kinds) {
        (Mnemonic::Mov, [Kind::Reg, Kind::Reg, ..]) if segment(1) => {
            sized!(form.bytes, W => reg_segment::<W>)
        }
        (Mnemonic::Mov, [Kind::Mem, ..]) if segment(1) => Some(mem_segment),
        (Mnemonic::Mov, [_, Kind::Reg, ..]) if segment(0) => Some(segment_reg),
        (Mnemonic::Mov, [_, Kind::Mem, ..]) if segment(0) => Some(segment_mem),
        (Mnemonic::Push, _) if segment(0) && short => Some(push_segment::<W16>),
        (Mnemonic::Push, _) if segment(0) => Some(push_segment::<W64>),
        (Mnemonic::Pop, _) if segment(0) && short => Some(pop_segment::<W16>),
        (Mnemonic::Pop, _) if segment(0) => Some(pop_segment::<W64>),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::interp::Exit;
    use crate::machine::interp::testing::{Bench, CODE, DATA};

    #[test]
    fn user_selectors_can_be_loaded() {
        // mov ds,eax ; mov es,[rbx] ; mov fs,eax ; push fs ; pop gs ; mov ecx,es ; syscall
        let code =
            [0x8e, 0xd8, 0x8e, 0x03, 0x8e, 0xe0, 0x0f, 0xa0, 0x0f, 0xa9, 0x8c, 0xc1, 0x0f, 0x05];
        let mut b = Bench::new(&code);
        b.poke(DATA, &[0x7b, 0]);
        (b.regs().ax, b.regs().bx) = (0x1_002b, DATA);
        let cpu = &mut b.space.m.cpus[0];
        (cpu.msrs.fs_base, cpu.msrs.gs_base) = (DATA, DATA);
        assert_eq!(b.go(), Exit::Syscall);
        let cpu = &b.space.m.cpus[0];
        assert_eq!(cpu.selectors, Selectors { ds: 0x2b, es: 0x7b, fs: 0x2b, gs: 0x2b });
        assert_eq!((cpu.msrs.fs_base, cpu.msrs.gs_base, cpu.regs.cx), (0, 0, 0x7b));
    }

    #[test]
    fn others_are_refused() {
        // mov ds,eax and mov ss,eax
        for (n, value, error) in [
            (0xd8, 0x18, Some(0x18)),
            (0xd8, 0x13, Some(0x10)),
            (0xd8, 0x63, Some(0x60)),
            (0xd8, 0x2f, Some(0x2c)),
            (0xd8, 0xffff, Some(0xfffc)),
            (0xd8, 3, None),
            (0xd8, 0x31, None),
            (0xd0, 0x2b, None),
            (0xd0, 3, Some(0)),
            (0xd0, 0x28, Some(0x28)),
            (0xd0, 0x33, Some(0x30)),
        ] {
            let mut b = Bench::new(&[0x8e, n, 0x0f, 0x05]);
            b.regs().ax = value;
            let end = match error {
                Some(code) => Exit::Exception(Exception::GeneralProtection { code }),
                None => Exit::Syscall,
            };
            assert_eq!(b.go(), end, "{n:#x} {value:#x}");
            assert_eq!(b.regs().ip, CODE + if error.is_some() { 0 } else { 2 });
        }
        // mov cs,eax
        assert_eq!(Bench::new(&[0x8e, 0xc8]).go(), Exit::Exception(Exception::InvalidOpcode));
    }
}
