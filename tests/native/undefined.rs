//! What the manual leaves undefined, or differs between processors for a reason:
//! not compared.

use crate::state::{AC, Outcome, RCX, STATUS, State};
use crate::vendor;
use iced_x86::{Code, FlowControl, Instruction, Mnemonic, OpKind, RflagsBits};

/// What to leave out of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// These flags.
    Flags(u64),
    /// The result itself.
    All,
}

/// `RflagsBits` as bits of RFLAGS.
fn rflags(bits: u32) -> u64 {
    let places = [
        (RflagsBits::OF, 11),
        (RflagsBits::SF, 7),
        (RflagsBits::ZF, 6),
        (RflagsBits::AF, 4),
        (RflagsBits::CF, 0),
        (RflagsBits::PF, 2),
    ];
    places.iter().filter(|(b, _)| bits & b != 0).map(|(_, n)| 1 << n).sum()
}

/// The count of a shift, if it is known.
fn count(insn: &Instruction, op: u32, state: Option<&State>) -> Option<u64> {
    if insn.op_kind(op) == OpKind::Register {
        state.map(|s| s.gpr[RCX] & 0xff)
    } else {
        Some(insn.immediate(op))
    }
}

fn width(insn: &Instruction) -> u64 {
    let bytes = match insn.op0_kind() {
        OpKind::Register => insn.op0_register().size(),
        _ => insn.memory_size().size(),
    };
    bytes as u64 * 8
}

const CF: u64 = 1;
const AF: u64 = 1 << 4;
const OF: u64 = 1 << 11;

/// What an instruction leaves undefined; `state` is what it finds, if known.
pub fn of(insn: &Instruction, state: Option<&State>) -> Undefined {
    use Mnemonic as M;
    let bits = width(insn);
    let mask = if bits == 64 { 63 } else { 31 };
    match insn.mnemonic() {
        M::Shl | M::Sal | M::Shr | M::Sar => match count(insn, 1, state).map(|n| n & mask) {
            Some(0) => Undefined::Flags(0),
            Some(1) => Undefined::Flags(AF),
            // SAR's carry is the sign when all bits are gone.
            Some(n) if n >= bits && insn.mnemonic() != M::Sar => Undefined::Flags(AF | OF | CF),
            Some(_) => Undefined::Flags(AF | OF),
            None => Undefined::Flags(STATUS),
        },
        M::Rol | M::Ror | M::Rcl | M::Rcr => match count(insn, 1, state).map(|n| n & mask) {
            Some(0 | 1) => Undefined::Flags(0),
            Some(_) => Undefined::Flags(OF),
            None => Undefined::Flags(OF | CF),
        },
        M::Shld | M::Shrd => match count(insn, 2, state).map(|n| n & mask) {
            Some(0) => Undefined::Flags(0),
            Some(1) => Undefined::Flags(AF),
            Some(n) if n > bits => Undefined::All,
            Some(_) => Undefined::Flags(AF | OF),
            None if bits == 16 => Undefined::All,
            None => Undefined::Flags(STATUS),
        },
        // Approximations: only the size of the error is promised.
        M::Rcpps | M::Rcpss | M::Rsqrtps | M::Rsqrtss => Undefined::All,
        _ if insn.code() == Code::Bswap_r16 => Undefined::All,
        _ => Undefined::Flags(rflags(insn.rflags_undefined())),
    }
}

/// Whether the result may be one unit in the last place off: of functions that
/// processors compute to less than that, not rounded correctly.
pub fn is_near(insns: &[Instruction]) -> bool {
    use Mnemonic as M;
    insns.iter().any(|i| {
        matches!(
            i.mnemonic(),
            M::Fsin
                | M::Fcos
                | M::Fsincos
                | M::Fptan
                | M::Fpatan
                | M::F2xm1
                | M::Fyl2x
                | M::Fyl2xp1
        )
    })
}

/// Whether it stores MXCSR_MASK, in which processors differ by a bit: AMD's have
/// a mode for unaligned operands.
pub fn stores_mask(insns: &[Instruction]) -> bool {
    insns.iter().any(|i| matches!(i.mnemonic(), Mnemonic::Fxsave | Mnemonic::Fxsave64))
}

/// Whether it is open which of two exceptions comes: of an address that is neither
/// aligned nor canonical.
pub fn either_first(a: u64, b: u64) -> bool {
    matches!((a, b), (17, 12 | 13) | (12 | 13, 17))
}

/// Whether it is open which byte of a long operand faults first.
pub fn reads_in_parts(insns: &[Instruction]) -> bool {
    use Mnemonic as M;
    insns.iter().any(|i| matches!(i.mnemonic(), M::Fldenv | M::Frstor))
}

/// Whether two 80-bit numbers of one sign are the same or follow each other.
pub fn are_neighbours(a: u128, b: u128) -> bool {
    // Without the integer bit, numbers in order are integers in order.
    let place = |v: u128| (v >> 64 & 0x7fff) << 63 | v & (u128::MAX >> 65);
    a >> 79 == b >> 79 && place(a).abs_diff(place(b)) <= 1
}

fn sets_ac(insn: &Instruction) -> bool {
    matches!(insn.mnemonic(), Mnemonic::Popf | Mnemonic::Popfq)
}

/// Whether it moves an MMX register to memory, or converts one or to one.
fn stores_mmx(insn: &Instruction) -> bool {
    use Mnemonic as M;
    let converts = matches!(
        insn.mnemonic(),
        M::Cvtps2pi | M::Cvttps2pi | M::Cvtpd2pi | M::Cvttpd2pi | M::Cvtpi2ps
    );
    let moves = matches!(insn.mnemonic(), M::Movd | M::Movq | M::Movntq);
    converts || moves && insn.op1_register().is_mm()
}

/// The undefined flags after a sequence; `All`: they are used.
pub fn of_all(insns: &[Instruction], state: &State, end: &Outcome) -> Undefined {
    // Some processors raise it for a lock across cache lines, too.
    if end.vector == 17 && state.flags & AC == 0 && !insns.iter().any(sets_ac) {
        return Undefined::All;
    }
    // Whether the registers are MMX's when one could not be stored.
    if vendor::faulting(insns, end).is_some_and(stores_mmx) {
        return Undefined::All;
    }
    // What follows would make more of the difference.
    if is_near(&insns[..insns.len().saturating_sub(1)]) {
        return Undefined::All;
    }
    let mut mask = 0;
    let branches = insns.iter().any(|i| i.flow_control() != FlowControl::Next);
    for (n, insn) in insns.iter().enumerate() {
        let read = rflags(insn.rflags_read());
        if end.vector != 3 && insn.ip() == end.ip {
            // This one was not executed.
            break;
        }
        if mask & read != 0 {
            return Undefined::All;
        }
        // A count in CL may be 0: then flags stay what they are.
        let by_cl = (0..insn.op_count()).any(|o| {
            insn.op_kind(o) == OpKind::Register && insn.op_register(o) == iced_x86::Register::CL
        });
        let shift = matches!(
            insn.mnemonic(),
            Mnemonic::Shl
                | Mnemonic::Sal
                | Mnemonic::Shr
                | Mnemonic::Sar
                | Mnemonic::Rol
                | Mnemonic::Ror
                | Mnemonic::Rcl
                | Mnemonic::Rcr
                | Mnemonic::Shld
                | Mnemonic::Shrd
        );
        // So may that of a string instruction, and a fault leaves all as it was.
        let keeps = shift && (by_cl || n > 0) || insn.is_string_instruction() || branches;
        match of(insn, (n == 0).then_some(state)) {
            Undefined::All => return Undefined::All,
            Undefined::Flags(new) => {
                let set = insn.rflags_written() | insn.rflags_cleared() | insn.rflags_set();
                if !keeps {
                    mask &= !rflags(set);
                }
                mask |= new;
            }
        }
    }
    Undefined::Flags(mask)
}
