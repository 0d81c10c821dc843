//! What asks or tells the processor about itself: NOP and hints, flags as a
//! whole, counters, segment bases, and what user mode may not execute.
//!
//! Linux: none. Source: Intel SDM vol. 2; vol. 3, section 6.9 (privileged
//! instructions); AMD APM vol. 3 for SYSENTER, which 64-bit mode does not have.
//! Left out: I/O permission bitmaps; SGDT and its kin; far jumps, IRET.

use super::mov::push;
use crate::machine::exception::Exception;
use crate::machine::interp::core::{Core, Stopped};
use crate::machine::interp::decode::{Form, Kind};
use crate::machine::interp::flags::STATUS;
use crate::machine::interp::insn::{FS, Flow, GS, HIGH, Handler, Insn, Trap};
use crate::machine::interp::width::{W8, W16, W32, W64, Width};
use crate::machine::regs::{Cr4, Rflags};
use iced_x86::{Mnemonic, Register};

const AX: u8 = 0;
const AH: u8 = HIGH;
const SP: usize = 4;

/// The flags that POPF changes in ring 3.
const POPF: u64 = STATUS
    | Rflags::TF.union(Rflags::DF).union(Rflags::NT).union(Rflags::AC).union(Rflags::ID).bits();
/// The flags that LAHF and SAHF move.
const LOW_FLAGS: u64 =
    Rflags::CF.union(Rflags::PF).union(Rflags::AF).union(Rflags::ZF).union(Rflags::SF).bits();

/// The handler of bytes that are no instruction.
pub fn invalid() -> Handler {
    undefined
}

/// The handler of bytes that are an instruction longer than one may be.
pub fn too_long() -> Handler {
    privileged
}

/// The handler of instructions that have none.
pub fn unsupported() -> Handler {
    not_supported
}

fn not_supported(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.trap = Stopped::Unsupported;
    Err(Trap)
}

fn undefined(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.raise(Exception::InvalidOpcode)
}

fn privileged(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.raise(Exception::GP)
}

fn nothing(_: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    Ok(Flow::Next)
}

/// CLFLUSH: there is no cache, but the address must be readable.
fn clflush(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    c.load::<W8>(c.address(i))?;
    Ok(Flow::Next)
}

/// RDTSC, and RDTSCP, which gives the processor's number too as Linux sets it
/// (`MSR_TSC_AUX`).
fn rdtsc<const AUX: bool>(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let tsc = c.tsc;
    c.set::<W32>(AX, tsc);
    c.set::<W32>(2, tsc >> 32);
    if AUX {
        let id = u64::from(c.cpu.id);
        c.set::<W32>(1, id);
    }
    Ok(Flow::Next)
}

fn pushf<W: Width>(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let flags = c.flags.word() & !(Rflags::VM | Rflags::RF).bits();
    push::<W>(c, flags)?;
    Ok(Flow::Next)
}

fn popf<W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    let sp = c.r[SP];
    let new = c.load_stack::<W>(sp)?;
    let mask = POPF & W::MASK;
    let steps = new & !c.flags.system & Rflags::TF.bits() != 0;
    c.flags.system = c.flags.system & !(mask & !STATUS) | new & mask & !STATUS;
    c.flags.system &= !Rflags::RF.bits();
    c.flags.set_status(new);
    c.note_alignment();
    c.r[SP] = sp.wrapping_add(W::BYTES as u64);
    if steps {
        // It is the next instruction that traps.
        c.trap = Stopped::Steps(i.len);
        return Err(Trap);
    }
    Ok(Flow::Next)
}

fn lahf(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let flags = c.flags.status() & LOW_FLAGS | Rflags::FIXED.bits();
    c.set::<W8>(AH, flags);
    Ok(Flow::Next)
}

fn sahf(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let flags = c.get::<W8>(AH) & LOW_FLAGS | c.flags.status() & !LOW_FLAGS;
    c.flags.set_status(flags);
    Ok(Flow::Next)
}

fn set_carry<const ON: bool>(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    c.flags.set_cf(ON);
    Ok(Flow::Next)
}

fn cmc(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let cf = c.flags.cf();
    c.flags.set_cf(!cf);
    Ok(Flow::Next)
}

fn set_direction<const ON: bool>(c: &mut Core<'_>, _: &Insn) -> Result<Flow, Trap> {
    let df = Rflags::DF.bits();
    c.flags.system = c.flags.system & !df | if ON { df } else { 0 };
    Ok(Flow::Next)
}

fn read_base<const SEGMENT: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    if !c.cpu.cr4.contains(Cr4::FSGSBASE) {
        return undefined(c, i);
    }
    let base = c.r[usize::from(SEGMENT)];
    c.set::<W>(i.a, base);
    Ok(Flow::Next)
}

fn write_base<const SEGMENT: u8, W: Width>(c: &mut Core<'_>, i: &Insn) -> Result<Flow, Trap> {
    if !c.cpu.cr4.contains(Cr4::FSGSBASE) {
        return undefined(c, i);
    }
    let base = c.get::<W>(i.a);
    if !c.cpu.is_canonical(base) {
        return c.raise(Exception::GP);
    }
    c.r[usize::from(SEGMENT)] = base;
    match SEGMENT {
        FS => c.cpu.msrs.fs_base = base,
        _ => c.cpu.msrs.gs_base = base,
    }
    Ok(Flow::Next)
}

macro_rules! base {
    ($f:ident, $form:expr, $segment:expr) => {
        if $form.bytes == 8 { Some($f::<$segment, W64>) } else { Some($f::<$segment, W32>) }
    };
}

/// What ring 3 gets #GP for.
fn is_privileged(form: &Form<'_>) -> bool {
    use Mnemonic as M;
    let is_system = |r: Register| r.is_cr() || r.is_dr();
    match form.insn.mnemonic() {
        M::Hlt | M::Cli | M::Sti | M::In | M::Out | M::Insb | M::Insw | M::Insd => true,
        M::Outsb | M::Outsw | M::Outsd | M::Lgdt | M::Lidt | M::Lldt | M::Ltr => true,
        M::Lmsw | M::Clts | M::Invd | M::Wbinvd | M::Wbnoinvd | M::Invlpg => true,
        M::Rdmsr | M::Wrmsr | M::Rdpmc | M::Swapgs | M::Sysret | M::Sysretq => true,
        M::Sysexit | M::Sysexitq => true,
        M::Mov => is_system(form.insn.op0_register()) || is_system(form.insn.op1_register()),
        _ => false,
    }
}

/// Control and debug registers that no processor has.
fn has_no_such_register(form: &Form<'_>) -> bool {
    [form.insn.op0_register(), form.insn.op1_register()].iter().any(|r| {
        r.is_cr() && !matches!(r.number(), 0 | 2 | 3 | 4 | 8) || r.is_dr() && r.number() > 7
    })
}

/// Hints: some of them mean something to processors with CET or MPX only.
#[allow(clippy::match_like_matches_macro, reason = "a row each kind")]
fn is_hint(m: Mnemonic) -> bool {
    use Mnemonic as M;
    matches!(
        m,
        M::Nop
            | M::Pause
            | M::Endbr64
            | M::Endbr32
            | M::Lfence
            | M::Mfence
            | M::Sfence
            | M::Prefetchnta
            | M::Prefetcht0
            | M::Prefetcht1
            | M::Prefetcht2
            | M::Prefetch
            | M::Prefetchw
            | M::Prefetchwt1
            | M::Prefetchit0
            | M::Prefetchit1
            | M::Cldemote
            | M::Reservednop
            | M::Rdsspd
            | M::Rdsspq
            | M::Bndmk
            | M::Bndcl
            | M::Bndcu
            | M::Bndcn
            | M::Bndmov
            | M::Bndldx
            | M::Bndstx
    )
}

/// The handler, if the instruction is of this family.
pub fn select(form: &Form<'_>) -> Option<Handler> {
    use Mnemonic as M;
    let m = form.insn.mnemonic();
    if is_hint(m) {
        return Some(nothing);
    }
    if is_privileged(form) {
        return Some(if has_no_such_register(form) { undefined } else { privileged });
    }
    match m {
        M::Ud2 | M::Ud1 | M::Ud0 | M::Sysenter => Some(undefined),
        M::Clflush if form.kinds[0] == Kind::Mem => Some(clflush),
        M::Cpuid => Some(super::cpuid::cpuid),
        M::Rdtsc => Some(rdtsc::<false>),
        M::Rdtscp => Some(rdtsc::<true>),
        M::Pushf => Some(pushf::<W16>),
        M::Pushfq => Some(pushf::<W64>),
        M::Popf => Some(popf::<W16>),
        M::Popfq => Some(popf::<W64>),
        M::Lahf => Some(lahf),
        M::Sahf => Some(sahf),
        M::Clc => Some(set_carry::<false>),
        M::Stc => Some(set_carry::<true>),
        M::Cmc => Some(cmc),
        M::Cld => Some(set_direction::<false>),
        M::Std => Some(set_direction::<true>),
        M::Rdfsbase => base!(read_base, form, FS),
        M::Rdgsbase => base!(read_base, form, GS),
        M::Wrfsbase => base!(write_base, form, FS),
        M::Wrgsbase => base!(write_base, form, GS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::interp::Exit;
    use crate::machine::interp::testing::{Bench, CODE, DATA};
    use crate::machine::regs::Cr0;

    #[test]
    fn ring_3_may_not_touch_the_machine() {
        // hlt, cli, in al,dx, mov rax,cr3, wrmsr, invlpg [rax], rep outsb
        let codes: [&[u8]; 7] = [
            &[0xf4],
            &[0xfa],
            &[0xec],
            &[0x0f, 0x20, 0xd8],
            &[0x0f, 0x30],
            &[0x0f, 0x01, 0x38],
            &[0xf3, 0x6e],
        ];
        for code in codes {
            let mut b = Bench::new(code);
            assert_eq!(b.go(), Exit::Exception(Exception::GP), "{code:x?}");
            assert_eq!(b.regs().ip, CODE);
        }
        // mov rax,cr1; ud2; sysenter; vzeroupper; rdrand eax; xgetbv
        let codes: [&[u8]; 6] = [
            &[0x0f, 0x20, 0xc8],
            &[0x0f, 0x0b],
            &[0x0f, 0x34],
            &[0xc5, 0xf8, 0x77],
            &[0x0f, 0xc7, 0xf0],
            &[0x0f, 0x01, 0xd0],
        ];
        for code in codes {
            assert_eq!(Bench::new(code).go(), Exit::Exception(Exception::InvalidOpcode));
        }
    }

    #[test]
    fn popf_leaves_what_the_kernel_owns() {
        let mut b = Bench::new(&[0x9d, 0x9c, 0x0f, 0x05]);
        b.regs().sp = DATA + 8;
        b.poke(DATA + 8, &(!Rflags::TF.bits()).to_le_bytes());
        assert_eq!(b.go(), Exit::Syscall);
        let all = POPF & !Rflags::TF.bits() | Rflags::IF.bits() | Rflags::FIXED.bits();
        assert_eq!((b.regs().flags, b.peek(DATA + 8)), (all, all));
    }

    #[test]
    fn the_instruction_after_popf_traps() {
        // popf ; nop ; nop
        let mut b = Bench::new(&[0x9d, 0x90, 0x90]);
        b.regs().sp = DATA;
        b.poke(DATA, &Rflags::TF.bits().to_le_bytes());
        let run = b.run(100);
        assert_eq!((run.exit, run.retired), (Exit::Exception(Exception::Debug), 2));
        assert_eq!(b.regs().ip, CODE + 2);
        let mut b = Bench::new(&[0x9d, 0x90, 0x90]);
        b.regs().sp = DATA;
        b.poke(DATA, &Rflags::TF.bits().to_le_bytes());
        assert_eq!(b.run(1).exit, Exit::Budget);
        assert_eq!(b.run(100).exit, Exit::Exception(Exception::Debug));
        assert_eq!(b.regs().ip, CODE + 2);
    }

    #[test]
    fn alignment_is_checked_from_popf_on() {
        // popf ; mov eax,[rbx] ; mov eax,[rbx+1] ; nop
        let code = [0x9d, 0x8b, 0x03, 0x8b, 0x43, 1, 0x90];
        let ac = Rflags::AC.bits() | Rflags::FIXED.bits();
        for (am, end) in [(true, Exception::AlignmentCheck), (false, Exception::InvalidOpcode)] {
            let mut b = Bench::new(&code);
            b.poke(CODE + 6, &[0x0f, 0x0b]);
            b.poke(DATA, &ac.to_le_bytes());
            (b.regs().sp, b.regs().bx) = (DATA, DATA + 8);
            b.space.m.cpus[0].cr0.set(Cr0::AM, am);
            assert_eq!(b.go(), Exit::Exception(end));
            assert_eq!(b.regs().ip, CODE + if am { 3 } else { 6 });
        }
    }

    #[test]
    fn segment_bases_move() {
        // wrfsbase rax ; mov rcx, fs:[8] ; rdfsbase rdx ; syscall
        let code = [
            0xf3, 0x48, 0x0f, 0xae, 0xd0, 0x64, 0x48, 0x8b, 0x0c, 0x25, 8, 0, 0, 0, 0xf3, 0x48,
            0x0f, 0xae, 0xc2, 0x0f, 0x05,
        ];
        let mut b = Bench::new(&code);
        b.poke(DATA + 8, &77u64.to_le_bytes());
        b.regs().ax = DATA;
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!((b.regs().cx, b.regs().dx), (77, DATA));
        assert_eq!(b.space.m.cpus[0].msrs.fs_base, DATA);
        (b.regs().ip, b.regs().ax) = (CODE, 1 << 63);
        assert_eq!(b.go(), Exit::Exception(Exception::GP));
    }
}
