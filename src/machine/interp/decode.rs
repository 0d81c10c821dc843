//! From bytes to an [`Insn`]: `iced_x86` says what they mean, the families say
//! who executes it.
//!
//! ```text
//! bytes -> iced_x86::Instruction -> Insn with its operands' places
//!                                   + int::select | sse::select | x87::select
//! ```
//!
//! A family looks at the mnemonic and the kinds of operands and gives a handler,
//! or nothing; what no family wants gets `system::unsupported`.
//!
//! Linux: none. Source: Intel SDM vol. 2, chapter 2. Left out: 16- and 32-bit
//! code.

use super::insn::{ADDR32, FS, GS, HIGH, Handler, Insn, ODD_ADDRESS, PAGE, STACK, ZERO};
use super::{int, sse, x87};
use iced_x86::{
    Decoder, DecoderError, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register,
};

/// The longest instruction.
pub const INSN_MAX: usize = 15;

/// What kind of operand an instruction has at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// None.
    None,
    /// A register.
    Reg,
    /// Memory.
    Mem,
    /// An immediate value.
    Imm,
    /// The target of a jump.
    Target,
}

/// An instruction as the families look at it.
#[derive(Debug, Clone, Copy)]
pub struct Form<'i> {
    /// As `iced_x86` decoded it, as if its page were at address 0.
    pub insn: &'i Instruction,
    /// Its bytes, prefixes included.
    pub code: &'i [u8],
    /// Kinds of the first four operands.
    pub kinds: [Kind; 4],
    /// Width of the first operand in bytes; of the second where the first has none.
    pub bytes: usize,
}

impl Form<'_> {
    /// Width of an operand in bytes, 0 where there is none.
    pub fn width(&self, op: u32) -> usize {
        match self.insn.try_op_kind(op) {
            Ok(OpKind::Register) => self.insn.op_register(op).size(),
            Ok(OpKind::Memory) => self.insn.memory_size().size(),
            Ok(_) | Err(_) if op < self.insn.op_count() => match kind(self.insn, op) {
                Kind::Mem => self.insn.memory_size().size(),
                _ => 0,
            },
            _ => 0,
        }
    }
}

/// What came of some bytes.
#[derive(Debug)]
pub enum Decoded {
    /// An instruction, and what it means for its block.
    Insn(Insn, Ends),
    /// Its bytes go on beyond those given.
    NeedsMore,
}

/// Where a block ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It goes on.
    No,
    /// After the instruction.
    After,
    /// Before it and after it: it asks how many were executed before its block.
    Around,
}

/// Decodes the instruction at the beginning of `bytes`, which lie at offset
/// `at` of their page.
pub fn decode(bytes: &[u8], at: u16) -> Decoded {
    let bytes = &bytes[..bytes.len().min(INSN_MAX)];
    let mut decoder = Decoder::with_ip(64, bytes, u64::from(at), DecoderOptions::NONE);
    let insn = decoder.decode();
    match decoder.last_error() {
        DecoderError::None => {}
        DecoderError::NoMoreBytes if bytes.len() < INSN_MAX => return Decoded::NeedsMore,
        _ if is_too_long(bytes) => {
            return Decoded::Insn(plain(int::too_long(), at, 0), Ends::After);
        }
        _ => return Decoded::Insn(plain(int::invalid(), at, 0), Ends::After),
    }
    let mut out = plain(int::unsupported(), at, insn.len() as u8);
    let handler =
        handler(&insn, bytes, &mut out).or_else(|| int::is_beyond(&insn).then(int::invalid));
    // A branch that is not taken goes on in its block.
    let goes_on = matches!(insn.flow_control(), FlowControl::Next | FlowControl::ConditionalBranch);
    let ends = match insn.mnemonic() {
        Mnemonic::Rdtsc | Mnemonic::Rdtscp => Ends::Around,
        _ if goes_on && handler.is_some() => Ends::No,
        _ => Ends::After,
    };
    if let Some(run) = handler {
        out.run = run;
    }
    Decoded::Insn(out, ends)
}

/// Whether bytes that are no instruction are the beginning of one that is longer
/// than any may be. Of so many bytes `iced_x86` does not say it; without the first
/// prefix they are fewer.
fn is_too_long(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.get(1..INSN_MAX) else { return false };
    let mut decoder = Decoder::with_ip(64, rest, 0, DecoderOptions::NONE);
    let _ = decoder.decode();
    decoder.last_error() == DecoderError::NoMoreBytes
}

/// Whether the instruction at the beginning of `bytes` has a handler: it is
/// executed, or raises what it must.
pub fn is_supported(bytes: &[u8]) -> bool {
    let insn = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    !insn.is_invalid() && handler(&insn, bytes, &mut plain(int::unsupported(), 0, 0)).is_some()
}

fn handler(insn: &Instruction, bytes: &[u8], out: &mut Insn) -> Option<Handler> {
    let code = bytes.get(..insn.len()).unwrap_or(bytes);
    let form = Form { insn, code, kinds: std::array::from_fn(|i| kind(insn, i as u32)), bytes: 0 };
    let first = form.width(0);
    let form = Form { bytes: if first == 0 { form.width(1) } else { first }, ..form };
    operands(insn, out)?;
    select(&form, out)
}

fn select(form: &Form<'_>, out: &mut Insn) -> Option<Handler> {
    int::select(form, out).or_else(|| sse::select(form, out)).or_else(|| x87::select(form, out))
}

/// An instruction without operands.
fn plain(run: Handler, at: u16, len: u8) -> Insn {
    Insn {
        run,
        imm: 0,
        disp: 0,
        at,
        len,
        base: ZERO,
        index: ZERO,
        scale: 0,
        seg: ZERO,
        a: 0,
        b: 0,
        c: 0,
    }
}

fn kind(insn: &Instruction, op: u32) -> Kind {
    if op >= insn.op_count() {
        return Kind::None;
    }
    match insn.op_kind(op) {
        OpKind::Register => Kind::Reg,
        OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => Kind::Target,
        OpKind::FarBranch16 | OpKind::FarBranch32 => Kind::None,
        OpKind::Immediate8
        | OpKind::Immediate8_2nd
        | OpKind::Immediate16
        | OpKind::Immediate32
        | OpKind::Immediate64
        | OpKind::Immediate8to16
        | OpKind::Immediate8to32
        | OpKind::Immediate8to64
        | OpKind::Immediate32to64 => Kind::Imm,
        _ => Kind::Mem,
    }
}

/// The number of a register within its class, as in [`Insn::a`].
pub fn number(r: Register) -> u8 {
    match r {
        Register::AH | Register::CH | Register::DH | Register::BH => HIGH | (r.number() as u8 & 3),
        // The other byte registers are counted after those.
        _ if r.is_gpr8() && r.number() > 7 => (r.number() as u8 - 4) & 15,
        _ => r.number() as u8 & 15,
    }
}

/// The segment whose base counts: FS, GS or none.
pub fn segment(insn: &Instruction) -> u8 {
    match insn.segment_prefix() {
        Register::FS => FS,
        Register::GS => GS,
        _ => ZERO,
    }
}

/// Where the operands are. `None`: an address that [`Insn`] cannot hold.
fn operands(insn: &Instruction, out: &mut Insn) -> Option<()> {
    for op in 0..insn.op_count() {
        match kind(insn, op) {
            Kind::Reg => {
                let n = number(insn.op_register(op));
                match op {
                    0 => out.a = n,
                    1 => out.b = n,
                    _ => out.c = n,
                }
            }
            Kind::Imm => out.imm = insn.immediate(op),
            Kind::Target => out.imm = insn.near_branch_target(),
            Kind::Mem if insn.op_kind(op) == OpKind::Memory => memory(insn, out)?,
            Kind::Mem | Kind::None => {}
        }
    }
    Some(())
}

fn memory(insn: &Instruction, out: &mut Insn) -> Option<()> {
    let (base, index) = (insn.memory_base(), insn.memory_index());
    let disp = insn.memory_displacement64();
    if int::has_whole_address(insn) {
        out.imm = disp;
        out.seg = segment(insn);
        return Some(());
    }
    let mut wide = true;
    out.base = match base {
        Register::None => ZERO,
        Register::RIP | Register::EIP => {
            wide = base == Register::RIP;
            PAGE
        }
        r => {
            wide = r.is_gpr64();
            number(r)
        }
    };
    if index != Register::None {
        wide &= index.is_gpr64();
        out.index = number(index);
        out.scale = insn.memory_index_scale().trailing_zeros() as u8;
    }
    // `disp` of a RIP-relative operand is the address in a page at 0.
    out.disp = i32::try_from(disp as i64).ok().or_else(|| {
        // An absolute 32-bit address with a 32-bit base.
        u32::try_from(disp).ok().filter(|_| !wide).map(|d| d as i32)
    })?;
    let segment = segment(insn);
    // A moffs address or [disp32] under an address-size prefix: what BT adds to it
    // stays below 4 GiB too.
    wide &= !(base == Register::None && index == Register::None && insn.memory_displ_size() == 4);
    // Prefixes of other segments mean nothing.
    if segment == ZERO && matches!(base.full_register(), Register::RSP | Register::RBP) {
        out.scale |= STACK;
    }
    if !wide {
        out.seg = segment | ADDR32;
        out.scale |= ODD_ADDRESS;
    } else if segment != ZERO {
        if out.index == ZERO {
            out.index = segment;
        } else {
            out.seg = segment;
            out.scale |= ODD_ADDRESS;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_have_their_numbers() {
        for (register, n) in [
            (Register::AL, 0),
            (Register::BL, 3),
            (Register::AH, HIGH),
            (Register::BH, HIGH | 3),
            (Register::SPL, 4),
            (Register::DIL, 7),
            (Register::R8L, 8),
            (Register::R15L, 15),
            (Register::R9W, 9),
            (Register::XMM15, 15),
            (Register::GS, 5),
        ] {
            assert_eq!(number(register), n, "{register:?}");
        }
    }

    #[test]
    fn fifteen_bytes_are_the_most() {
        let handler = |bytes: &[u8]| match decode(bytes, 0) {
            Decoded::Insn(insn, _) => insn.run as usize,
            Decoded::NeedsMore => 0,
        };
        let (long, invalid) = (int::too_long() as usize, int::invalid() as usize);
        let mut bytes = [0x66; 20];
        assert_eq!(handler(&bytes), long);
        bytes[14] = 0x90;
        assert!(![long, invalid].contains(&handler(&bytes)));
        (bytes[13], bytes[14]) = (0x0f, 0xff);
        assert_eq!(handler(&bytes[..14]), 0, "more may come");
        (bytes[0], bytes[1]) = (0x0f, 0x04);
        assert_eq!(handler(&bytes), invalid);
    }

    #[test]
    fn only_a_branch_that_is_taken_ends_a_block() {
        let ends = |bytes: &[u8]| matches!(decode(bytes, 0), Decoded::Insn(_, Ends::After));
        assert!(!ends(&[0x90]) && !ends(&[0x75, 2]) && !ends(&[0xe2, 2]));
        assert!(ends(&[0xeb, 2]) && ends(&[0xc3]) && ends(&[0x0f, 0x05]) && ends(&[0x0f, 0x0b]));
    }
}
