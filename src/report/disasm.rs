//! `disasm`: a task's code as text, with the names of its symbols; `backtrace`:
//! who called whom, by frame pointers.
//!
//! ```text
//!   401005 <_start+0x5>  e8 f6 00 00 00   call 0x401100 <f>
//!
//!   stack, growing down:   bp -> | bp of the caller | -> | ... | -> 0
//!                                | return address   |
//! ```
//!
//! Source: Intel SDM vol. 1, section 6.2 (calling procedures). Left out: unwinding
//! by DWARF tables: a program without frame pointers shows its first frame only.

use super::symbols::Symbols;
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{Regs, disassemble};
use crate::session::debug::memory;
use std::fmt;

/// The longest instruction, in bytes.
const INSN_MAX: usize = 15;
/// PUSH RBP, with which functions begin that have a frame, and its length.
const PUSH_BP: u8 = 0x55;
const PUSH_LEN: u64 = 1;
/// Most frames that are followed.
const MOST_FRAMES: usize = 64;
/// Bytes shown in a line; more are cut.
const SHOWN: usize = 8;

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsnLine {
    /// Where it is.
    pub addr: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its text; what cannot be decoded is `(bad)`, what is not mapped `(unmapped)`.
    pub text: String,
    /// The symbol it belongs to, as `f+0x5`.
    pub symbol: Option<String>,
}

impl InsnLine {
    /// The same without the bytes: `401005 <_start+0x5> call 0x401100 <f>`.
    pub fn brief(&self) -> String {
        format!("{} {}", self.place(), self.text)
    }

    fn place(&self) -> String {
        match &self.symbol {
            Some(symbol) => format!("{:x} <{symbol}>", self.addr),
            None => format!("{:x}", self.addr),
        }
    }
}

impl fmt::Display for InsnLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.bytes.iter().take(SHOWN).map(|b| format!("{b:02x}"));
        let mut bytes = shown.collect::<Vec<_>>().join(" ");
        if self.bytes.len() > SHOWN {
            bytes.push('…');
        }
        write!(f, "{:<22} {bytes:<24} {}", self.place(), self.text)
    }
}

/// The instruction at an address.
pub fn insn(sys: &System, task: TaskId, addr: u64, symbols: &Symbols) -> InsnLine {
    let symbol = symbols.show(addr);
    let code = memory::read(sys, task, addr, INSN_MAX);
    let (text, len) = match disassemble(&code, addr) {
        Some((text, len)) => (with_target(text, symbols), len),
        None if code.is_empty() => ("(unmapped)".to_string(), 0),
        None => ("(bad)".to_string(), 1),
    };
    InsnLine { addr, bytes: code[..len.min(code.len())].to_vec(), text, symbol }
}

/// The name of the place that a jump or a call goes to.
fn with_target(text: String, symbols: &Symbols) -> String {
    let target = text.rsplit_once(' ').and_then(|(verb, target)| {
        let jumps = verb.starts_with(['j', 'c']) && !verb.contains(',') && !verb.contains('[');
        u64::from_str_radix(target.strip_prefix("0x").filter(|_| jumps)?, 16).ok()
    });
    match target.and_then(|addr| symbols.show(addr)) {
        Some(name) => format!("{text} <{name}>"),
        None => text,
    }
}

/// `n` instructions from an address on.
pub fn disasm(
    sys: &System,
    task: TaskId,
    mut addr: u64,
    n: usize,
    symbols: &Symbols,
) -> Vec<InsnLine> {
    let mut lines = Vec::new();
    while lines.len() < n {
        let line = insn(sys, task, addr, symbols);
        let len = line.bytes.len() as u64;
        lines.push(line);
        if len == 0 {
            break;
        }
        addr = addr.wrapping_add(len);
    }
    lines
}

/// A function that has not returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// 0 for the innermost.
    pub number: usize,
    /// Where it goes on.
    pub addr: u64,
    /// The symbol there.
    pub symbol: Option<String>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {:#x}", self.number, self.addr)?;
        self.symbol.as_ref().map_or(Ok(()), |s| write!(f, " <{s}>"))
    }
}

/// The functions that have not returned, innermost first: from the instruction
/// pointer and the chain that begins at `bp`. A function that has not made its frame
/// yet has its return address on top of the stack, or behind the `bp` that it has
/// just pushed.
pub fn backtrace(sys: &System, task: TaskId, regs: &Regs, symbols: &Symbols) -> Vec<Frame> {
    let (ip, mut bp) = (regs.ip, regs.bp);
    let mut frames = vec![Frame { number: 0, addr: ip, symbol: symbols.show(ip) }];
    let on_stack = match symbols.at(ip) {
        Some((_, 0)) => Some(0),
        Some((_, PUSH_LEN)) => Some(8),
        _ => None,
    };
    let is_push = |at: u64| memory::read(sys, task, at, 1) == [PUSH_BP];
    if let Some(offset) = on_stack.filter(|o| is_push(ip.wrapping_sub(o / 8))) {
        let bytes = memory::read(sys, task, regs.sp.wrapping_add(offset), 8);
        if let Ok(bytes) = bytes.try_into() {
            let addr = u64::from_le_bytes(bytes);
            frames.push(Frame { number: 1, addr, symbol: symbols.show(addr) });
        }
    }
    while frames.len() < MOST_FRAMES && bp != 0 {
        let words = memory::read(sys, task, bp, 16);
        let word = |at: usize| {
            let bytes = words.get(at..at + 8)?.try_into().ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let (Some(next), Some(addr)) = (word(0), word(8)) else { break };
        if addr == 0 {
            break;
        }
        let number = frames.len();
        let symbol = symbols.show(addr);
        frames.push(Frame { number, addr, symbol });
        if next <= bp {
            break;
        }
        bp = next;
    }
    frames
}
