//! Random instructions: every legacy encoding of 64-bit mode that the emulated
//! processor has a handler for, with random operands; memory operands point to
//! the data, mostly.

use crate::state::{CODE, DATA, GS_BASE, RAX, RBX, RCX, RDI, RDX, RSI, Rng, SLOT, State, WRITABLE};
use OpCodeOperandKind as K;
use forkyard::machine::interp::is_supported;
use iced_x86::{
    Code, Decoder, DecoderOptions, Encoder, EncodingKind, FlowControl, Instruction, Mnemonic,
    OpCodeOperandKind, OpKind, Register,
};

/// One instruction, or a few, and what they begin with.
#[derive(Clone)]
pub struct Test {
    /// As the decoder reads them at their addresses.
    pub insns: Vec<Instruction>,
    /// Where the first one is.
    pub ip: u64,
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// Registers before.
    pub state: State,
}

/// Whether an instruction is not compared, though it is executed.
fn is_left_out(insn: &Instruction, bytes: &[u8]) -> bool {
    use Mnemonic as M;
    // AMD's processors cut RIP to 16 bits then, Intel's (and ours) do not.
    let prefixes = bytes.iter().take_while(|b| matches!(b, 0x26..=0x67 | 0xf0..=0xf3));
    if insn.flow_control() != FlowControl::Next && prefixes.clone().any(|b| *b == 0x66) {
        return true;
    }
    match insn.code() {
        // AMD's have no NOP there, Intel's do.
        Code::Reservednop_rm16_r16_0F0D
        | Code::Reservednop_rm32_r32_0F0D
        | Code::Reservednop_rm64_r64_0F0D => return true,
        // KVM does not step over it on AMD's processors.
        Code::Int1 => return true,
        // AMD's read four bytes.
        Code::Movsxd_r16_rm16 => return true,
        _ => {}
    }
    match insn.mnemonic() {
        // They leave the test, or ask for what differs between processors.
        M::Syscall | M::Sysenter | M::Int | M::Cpuid | M::Rdtsc | M::Rdtscp | M::Rdpmc => true,
        // The host has LZCNT and BMI1, the emulated processor has not.
        M::Lzcnt | M::Tzcnt => true,
        // AMD's take REPE and REPNE for a part of the opcode.
        M::Loope | M::Loopne if prefixes.clone().any(|b| matches!(b, 0xf2 | 0xf3)) => true,
        // FS is in use by the child.
        M::Rdfsbase | M::Wrfsbase => true,
        M::Mov | M::Pop if insn.op0_register() == Register::FS => true,
        _ => insn.segment_prefix() == Register::FS,
    }
}

/// The codes to draw from.
pub fn codes() -> Vec<Code> {
    Code::values()
        .filter(|code| {
            let op = code.op_code();
            op.is_instruction()
                && op.encoding() == EncodingKind::Legacy
                && op.mode64()
                && op.op_kinds().iter().all(|k| is_known(*k))
        })
        .collect()
}

fn is_known(kind: K) -> bool {
    !matches!(
        kind,
        K::farbr2_2
            | K::farbr4_2
            | K::br16_1
            | K::br32_1
            | K::br16_2
            | K::br32_4
            | K::xbegin_2
            | K::xbegin_4
            | K::brdisp_2
            | K::brdisp_4
            | K::tr_reg
    )
}

const GPR64: [Register; 16] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::RBX,
    Register::RSP,
    Register::RBP,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];
const GPR8: [Register; 20] = [
    Register::AL,
    Register::CL,
    Register::DL,
    Register::BL,
    Register::AH,
    Register::CH,
    Register::DH,
    Register::BH,
    Register::SPL,
    Register::BPL,
    Register::SIL,
    Register::DIL,
    Register::R8L,
    Register::R9L,
    Register::R10L,
    Register::R11L,
    Register::R12L,
    Register::R13L,
    Register::R14L,
    Register::R15L,
];

/// One of so many registers that follow each other in `Register`.
fn nth(first: Register, rng: &mut Rng, count: u64) -> Register {
    Register::values().nth(first as usize + rng.below(count) as usize).unwrap_or(first)
}

fn gpr(bytes: usize, rng: &mut Rng) -> Register {
    match bytes {
        1 => rng.pick(&GPR8),
        2 => nth(Register::AX, rng, 16),
        4 => nth(Register::EAX, rng, 16),
        _ => nth(Register::RAX, rng, 16),
    }
}

/// A test for this code; `None`: this time nothing came of it.
pub fn test(code: Code, ip: u64, rng: &mut Rng, table: &[Code]) -> Option<Test> {
    let mut state = State::random(rng);
    let count = if rng.percent(20) { 2 + rng.below(3) } else { 1 };
    let mut test = Test { insns: Vec::new(), ip, bytes: Vec::new(), state: state.clone() };
    for n in 0..count {
        let code = if n == 0 { code } else { rng.pick(table) };
        let at = ip + test.bytes.len() as u64;
        let Some((insn, bytes)) = instruction(code, at, rng, &mut state, n == 0) else {
            if n == 0 {
                return None;
            }
            continue;
        };
        if test.bytes.len() + bytes.len() > SLOT - 12 {
            break;
        }
        test.insns.push(insn);
        test.bytes.extend(bytes);
    }
    test.state = state;
    Some(test)
}

fn instruction(
    code: Code,
    ip: u64,
    rng: &mut Rng,
    state: &mut State,
    first: bool,
) -> Option<(Instruction, Vec<u8>)> {
    let op = code.op_code();
    let mut insn = Instruction::default();
    insn.set_code(code);
    let mut has_memory = false;
    for n in 0..op.op_count() {
        has_memory |= operand(&mut insn, n, op.op_kind(n), ip, rng)?;
    }
    if op.can_use_lock_prefix() && has_memory && rng.percent(20) {
        insn.set_has_lock_prefix(true);
    }
    let strings = insn.is_string_instruction();
    if op.can_use_rep_prefix() && rng.percent(if strings { 40 } else { 5 }) {
        insn.set_has_rep_prefix(true);
    }
    if op.can_use_repne_prefix() && rng.percent(if strings { 20 } else { 3 }) {
        insn.set_has_repne_prefix(true);
    }
    let mut fixed = state.clone();
    if has_memory {
        memory(&mut insn, rng, &mut fixed, first);
    }
    if first {
        suit(&insn, rng, &mut fixed);
    }
    let mut encoder = Encoder::new(64);
    encoder.encode(&insn, ip).ok()?;
    let mut bytes = encoder.take_buffer();
    if rng.percent(4) {
        // A prefix that changes the meaning, or has none.
        bytes.insert(0, rng.pick(&[0x66, 0xf2, 0xf3, 0x2e, 0x3e, 0x26, 0x36, 0x40, 0x48, 0x67]));
    }
    let decoded = Decoder::with_ip(64, &bytes, ip, DecoderOptions::NONE).decode();
    let good = !decoded.is_invalid()
        && decoded.len() == bytes.len()
        && !is_left_out(&decoded, &bytes)
        && is_supported(&bytes);
    if !good {
        return None;
    }
    if first {
        *state = fixed;
    }
    Some((decoded, bytes))
}

/// Gives the instruction its operand; true if it is in memory.
fn operand(insn: &mut Instruction, n: u32, kind: K, ip: u64, rng: &mut Rng) -> Option<bool> {
    let mut reg = |r: Register| {
        insn.set_op_kind(n, OpKind::Register);
        insn.set_op_register(n, r);
        Some(false)
    };
    let or_memory = |bytes: usize, rng: &mut Rng| rng.percent(50).then(|| gpr(bytes, rng));
    let register = match kind {
        K::mem | K::mem_mpx | K::mem_mib => None,
        K::r8_or_mem => or_memory(1, rng),
        K::r16_or_mem => or_memory(2, rng),
        K::r32_or_mem | K::r32_or_mem_mpx => or_memory(4, rng),
        K::r64_or_mem | K::r64_or_mem_mpx => or_memory(8, rng),
        K::mm_or_mem => rng.percent(50).then(|| nth(Register::MM0, rng, 8)),
        K::xmm_or_mem => rng.percent(50).then(|| nth(Register::XMM0, rng, 16)),
        K::bnd_or_mem_mpx => rng.percent(50).then(|| nth(Register::BND0, rng, 4)),
        K::r8_reg | K::r8_opcode => Some(gpr(1, rng)),
        K::r16_reg | K::r16_reg_mem | K::r16_rm | K::r16_opcode => Some(gpr(2, rng)),
        K::r32_reg | K::r32_reg_mem | K::r32_rm | K::r32_opcode => Some(gpr(4, rng)),
        K::r64_reg | K::r64_reg_mem | K::r64_rm | K::r64_opcode => Some(gpr(8, rng)),
        K::seg_reg => Some(nth(Register::ES, rng, 6)),
        K::mm_reg | K::mm_rm => Some(nth(Register::MM0, rng, 8)),
        K::xmm_reg | K::xmm_rm => Some(nth(Register::XMM0, rng, 16)),
        K::cr_reg => Some(nth(Register::CR0, rng, 9)),
        K::dr_reg => Some(nth(Register::DR0, rng, 8)),
        K::bnd_reg => Some(nth(Register::BND0, rng, 4)),
        K::sti_opcode => Some(nth(Register::ST0, rng, 8)),
        K::es => Some(Register::ES),
        K::cs => Some(Register::CS),
        K::ss => Some(Register::SS),
        K::ds => Some(Register::DS),
        K::fs => Some(Register::FS),
        K::gs => Some(Register::GS),
        K::al => Some(Register::AL),
        K::cl => Some(Register::CL),
        K::ax => Some(Register::AX),
        K::dx => Some(Register::DX),
        K::eax => Some(Register::EAX),
        K::rax => Some(Register::RAX),
        K::st0 => Some(Register::ST0),
        _ => return other(insn, n, kind, ip, rng),
    };
    match register {
        Some(r) => reg(r),
        None => {
            insn.set_op_kind(n, OpKind::Memory);
            Some(true)
        }
    }
}

/// Operands that are neither registers nor ordinary memory.
fn other(insn: &mut Instruction, n: u32, kind: K, ip: u64, rng: &mut Rng) -> Option<bool> {
    let narrow = rng.percent(10);
    match kind {
        K::imm8 | K::imm8_const_1 => {
            let second = n > 0
                && (0..n)
                    .any(|o| matches!(insn.op_kind(o), OpKind::Immediate8 | OpKind::Immediate16));
            let v = if kind == K::imm8_const_1 { 1 } else { rng.integer() as u8 };
            if second {
                insn.set_op_kind(n, OpKind::Immediate8_2nd);
                insn.set_immediate8_2nd(v);
            } else {
                insn.set_op_kind(n, OpKind::Immediate8);
                insn.set_immediate8(v);
            }
        }
        K::imm8sex16 => {
            insn.set_op_kind(n, OpKind::Immediate8to16);
            insn.set_immediate8to16(i16::from(rng.integer() as i8));
        }
        K::imm8sex32 => {
            insn.set_op_kind(n, OpKind::Immediate8to32);
            insn.set_immediate8to32(i32::from(rng.integer() as i8));
        }
        K::imm8sex64 => {
            insn.set_op_kind(n, OpKind::Immediate8to64);
            insn.set_immediate8to64(i64::from(rng.integer() as i8));
        }
        K::imm16 => {
            insn.set_op_kind(n, OpKind::Immediate16);
            insn.set_immediate16(rng.integer() as u16);
        }
        K::imm32 => {
            insn.set_op_kind(n, OpKind::Immediate32);
            insn.set_immediate32(rng.integer() as u32);
        }
        K::imm32sex64 => {
            insn.set_op_kind(n, OpKind::Immediate32to64);
            insn.set_immediate32to64(i64::from(rng.integer() as i32));
        }
        K::imm64 => {
            insn.set_op_kind(n, OpKind::Immediate64);
            insn.set_immediate64(rng.integer());
        }
        K::br64_1 | K::br64_4 => {
            // Behind the test, where INT3s are, or (rarely) anywhere near.
            let slot = (ip - CODE) / SLOT as u64 * SLOT as u64 + CODE;
            let to = slot + SLOT as u64 - 11 + rng.below(10);
            let far = kind == K::br64_4 && rng.percent(10);
            insn.set_op_kind(n, OpKind::NearBranch64);
            insn.set_near_branch64(if far { DATA + rng.below(1 << 16) } else { to });
        }
        K::mem_offs => {
            insn.set_op_kind(n, OpKind::Memory);
            insn.set_memory_displ_size(if narrow { 4 } else { 8 });
            insn.set_memory_displacement64(target(rng, 8, true));
        }
        K::seg_rSI => {
            insn.set_op_kind(n, if narrow { OpKind::MemorySegESI } else { OpKind::MemorySegRSI });
        }
        K::es_rDI => {
            // Both addresses have the same size.
            let narrow = match n {
                1 if insn.op_kind(0) == OpKind::MemorySegESI => true,
                1 if insn.op_kind(0) == OpKind::MemorySegRSI => false,
                _ => narrow,
            };
            insn.set_op_kind(n, if narrow { OpKind::MemoryESEDI } else { OpKind::MemoryESRDI });
        }
        K::seg_rDI => {
            insn.set_op_kind(n, if narrow { OpKind::MemorySegEDI } else { OpKind::MemorySegRDI });
        }
        K::seg_rBX_al => {
            insn.set_op_kind(n, OpKind::Memory);
            insn.set_memory_base(if narrow { Register::EBX } else { Register::RBX });
            insn.set_memory_index(Register::AL);
        }
        _ => return None,
    }
    if kind == K::seg_rSI && insn.op_kind(0) == OpKind::MemoryESEDI {
        insn.set_op_kind(n, OpKind::MemorySegESI);
    } else if kind == K::seg_rSI && insn.op_kind(0) == OpKind::MemoryESRDI {
        insn.set_op_kind(n, OpKind::MemorySegRSI);
    }
    Some(false)
}

/// An address in the data, for so many bytes; now and then it is at an edge.
fn target(rng: &mut Rng, size: u64, narrow: bool) -> u64 {
    let room = WRITABLE as u64 - 0x100;
    match rng.below(40) {
        0 => DATA + 0x1000 - rng.below(size.max(1) + 1),
        1 => DATA + 0x2000 - rng.below(size.max(1) + 1),
        2 => DATA + 0x3000 - rng.below(size.max(1) + 1),
        3 => DATA - rng.below(size.max(1) + 1),
        4 => DATA + 0x2000 + rng.below(0xf00),
        5 if !narrow => rng.pick(&[1 << 47, (1 << 47) - 4, !0, !0 << 47, !0 << 48, 1 << 63, 0]),
        6..=20 => DATA + 0x80 + rng.below(room),
        _ => DATA + 0x80 + (rng.below(room) & !15),
    }
}

/// Gives the memory operand a form and the registers in it their values.
fn memory(insn: &mut Instruction, rng: &mut Rng, state: &mut State, first: bool) {
    let size = insn.memory_size().size() as u64;
    let gs = if rng.percent(6) { GS_BASE } else { 0 };
    if gs != 0 {
        insn.set_segment_prefix(Register::GS);
    }
    // An earlier instruction may have changed registers: then without.
    let form = if first { rng.below(20) } else { rng.below(4) };
    let simple = form >= 4 || gs != 0;
    let at = target(rng, size, !simple || gs != 0).wrapping_sub(gs);
    match form {
        0 | 1 if gs == 0 => {
            insn.set_memory_base(Register::RIP);
            insn.set_memory_displ_size(8);
            insn.set_memory_displacement64(at);
            return;
        }
        0..=3 if at < 1 << 31 => {
            insn.set_memory_displ_size(8);
            insn.set_memory_displacement64(at);
            return;
        }
        _ => {}
    }
    let narrow = rng.percent(8) && at < 1 << 32;
    let base = rng.below(16) as usize;
    let index = rng.below(16) as usize;
    let pick = |n: usize| if narrow { gpr32(n) } else { GPR64[n] };
    insn.set_memory_base(pick(base));
    let mut rest = at;
    if rng.percent(40) && index != 4 && index != base {
        let scale = 1 << rng.below(4);
        insn.set_memory_index(pick(index));
        insn.set_memory_index_scale(scale);
        rest = rest.wrapping_sub(state.gpr[index].wrapping_mul(u64::from(scale)));
    }
    if rng.percent(60) {
        let disp = if rng.percent(50) { rng.next() as i8 as i64 } else { rng.next() as i32 as i64 };
        insn.set_memory_displ_size(if disp == i64::from(disp as i8) { 1 } else { 8 });
        let wide = disp as u64;
        insn.set_memory_displacement64(if narrow { wide & 0xffff_ffff } else { wide });
        if narrow && insn.memory_displ_size() == 8 {
            insn.set_memory_displ_size(4);
        }
        rest = rest.wrapping_sub(wide);
    }
    state.gpr[base] = if narrow { rest & 0xffff_ffff | rng.next() << 32 } else { rest };
}

fn gpr32(n: usize) -> Register {
    Register::values().nth(Register::EAX as usize + n).unwrap_or(Register::EAX)
}

/// Makes values likely that let the instruction do something.
fn suit(insn: &Instruction, rng: &mut Rng, state: &mut State) {
    use Mnemonic as M;
    let r = &mut state.gpr;
    let strings = insn.is_string_instruction();
    if strings {
        // RCX at the edges only where a run ends soon.
        r[RCX] = match rng.below(10) {
            0 => 0,
            1 => rng.below(0x2000),
            2 => rng.integer() | 1 << 40,
            _ => rng.below(40),
        };
        for n in [RSI, RDI] {
            if rng.percent(95) {
                r[n] = DATA + rng.below(WRITABLE as u64);
            }
        }
        if rng.percent(30) {
            r[RSI] = r[RDI].wrapping_add(rng.below(64)).wrapping_sub(32);
        }
    }
    match insn.mnemonic() {
        M::Mov if insn.op0_register().is_segment_register() && rng.percent(80) => {
            let n = insn.op1_register();
            let known = [0, 1, 3, 0x10, 0x18, 0x20, 0x23, 0x28, 0x2b, 0x2f, 0x33, 0x7b, 0x7f, 0x83];
            if n.is_gpr() {
                r[n.number()] = rng.pick(&known);
            }
        }
        M::Div | M::Idiv if rng.percent(60) => {
            r[RDX] = if rng.percent(50) { 0 } else { (r[RAX] as i64 >> 63) as u64 };
        }
        M::Xlatb if rng.percent(90) => r[RBX] = DATA + rng.below(0x1000),
        M::Cmpxchg8b | M::Cmpxchg16b if rng.percent(30) => {
            (r[RAX], r[RDX]) = (0, 0);
        }
        M::Maskmovq | M::Maskmovdqu => r[RDI] = DATA + 0x80 + rng.below(0x1e00),
        M::Bt | M::Bts | M::Btr | M::Btc if insn.op1_kind() == OpKind::Register => {
            let n = insn.op1_register().number();
            let base = insn.memory_base();
            let used = [base, insn.memory_index()].iter().any(|b| b.is_gpr() && b.number() == n);
            if !used && rng.percent(70) {
                r[n] = rng.below(2048).wrapping_sub(1024);
            }
        }
        M::Jmp | M::Call if insn.op0_kind() == OpKind::Register && rng.percent(80) => {
            r[insn.op0_register().number()] = CODE - 0x1000 + rng.below(16);
        }
        _ => {}
    }
}
