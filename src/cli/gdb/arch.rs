//! x86-64 Linux as gdb knows it: which registers there are, and in which order
//! they go over the wire.
//!
//! ```text
//!   0 rax rbx rcx rdx rsi rdi rbp rsp r8..r15    16 rip    17 eflags
//!  18 cs ss ds es fs gs                          24 st0..st7
//!  32 fctrl fstat ftag fiseg fioff foseg fooff fop
//!  40 xmm0..xmm15    56 mxcsr    57 orig_rax    58 fs_base gs_base
//! ```
//!
//! Source: the manual of gdb, appendices E.18 (remote protocol) and G (target
//! descriptions; i386 features). Left out: AVX and what came after.

use crate::machine::Selectors;
use crate::machine::fpu::{F80, FpuState};
use crate::session::debug::registers::Registers;
use gdbstub::arch::{Arch, RegId};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::LazyLock;

/// x86-64 under Linux.
#[derive(Debug)]
pub enum Amd64Linux {}

impl Arch for Amd64Linux {
    type Usize = u64;
    type Registers = Wire;
    type BreakpointKind = usize;
    type RegId = Number;

    fn target_description_xml() -> Option<&'static str> {
        static XML: LazyLock<String> = LazyLock::new(description);
        Some(XML.as_str())
    }
}

/// How many registers of which size in bytes, in order.
const SIZES: [(usize, usize); 7] = [(17, 8), (7, 4), (8, 10), (8, 4), (16, 16), (1, 4), (3, 8)];
const COUNT: usize = 60;

const GENERAL: [&str; 24] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15", "rip", "eflags", "cs", "ss", "ds", "es", "fs", "gs",
];
const X87: [&str; 8] = ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"];

/// Bits of eflags and mxcsr by name, for gdb to print.
const EFLAGS: &str =
    "CF:0 :1 PF:2 AF:4 ZF:6 SF:7 TF:8 IF:9 DF:10 OF:11 NT:14 RF:16 VM:17 AC:18 VIF:19 VIP:20 ID:21";
const MXCSR: &str = "IE:0 DE:1 ZE:2 OE:3 UE:4 PE:5 DAZ:6 IM:7 DM:8 ZM:9 OM:10 UM:11 PM:12 FZ:15";

fn flags(x: &mut String, id: &str, bits: &str) {
    let _ = write!(x, "<flags id=\"{id}\" size=\"4\">");
    for bit in bits.split(' ') {
        if let Some((name, at)) = bit.split_once(':') {
            let _ = write!(x, "<field name=\"{name}\" start=\"{at}\" end=\"{at}\"/>");
        }
    }
    x.push_str("</flags>");
}

fn reg(x: &mut String, name: &str, bits: usize, rest: &str) {
    let _ = write!(x, "<reg name=\"{name}\" bitsize=\"{bits}\" {rest}/>");
}

fn description() -> String {
    let mut x = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi>\
         <feature name=\"org.gnu.gdb.i386.core\">",
    );
    flags(&mut x, "i386_eflags", EFLAGS);
    for (i, name) in GENERAL.iter().enumerate() {
        match (i, *name) {
            (_, "rbp" | "rsp") => reg(&mut x, name, 64, "type=\"data_ptr\""),
            (_, "rip") => reg(&mut x, name, 64, "type=\"code_ptr\""),
            (_, "eflags") => reg(&mut x, name, 32, "type=\"i386_eflags\""),
            (..17, _) => reg(&mut x, name, 64, "type=\"int64\""),
            _ => reg(&mut x, name, 32, "type=\"int32\""),
        }
    }
    (0..8).for_each(|i| reg(&mut x, &format!("st{i}"), 80, "type=\"i387_ext\""));
    X87.iter().for_each(|name| reg(&mut x, name, 32, "type=\"int\" group=\"float\""));
    x.push_str("</feature><feature name=\"org.gnu.gdb.i386.sse\">");
    for (id, ty, count) in [
        ("v4f", "ieee_single", 4),
        ("v2d", "ieee_double", 2),
        ("v16i8", "int8", 16),
        ("v8i16", "int16", 8),
        ("v4i32", "int32", 4),
        ("v2i64", "int64", 2),
    ] {
        let _ = write!(x, "<vector id=\"{id}\" type=\"{ty}\" count=\"{count}\"/>");
    }
    x.push_str("<union id=\"vec128\">");
    for (name, ty) in [
        ("v4_float", "v4f"),
        ("v2_double", "v2d"),
        ("v16_int8", "v16i8"),
        ("v8_int16", "v8i16"),
        ("v4_int32", "v4i32"),
        ("v2_int64", "v2i64"),
        ("uint128", "uint128"),
    ] {
        let _ = write!(x, "<field name=\"{name}\" type=\"{ty}\"/>");
    }
    x.push_str("</union>");
    flags(&mut x, "i386_mxcsr", MXCSR);
    (0..16).for_each(|i| reg(&mut x, &format!("xmm{i}"), 128, "type=\"vec128\""));
    reg(&mut x, "mxcsr", 32, "type=\"i386_mxcsr\" group=\"vector\"");
    x.push_str("</feature><feature name=\"org.gnu.gdb.i386.linux\">");
    reg(&mut x, "orig_rax", 64, "type=\"int\" group=\"system\"");
    x.push_str("</feature><feature name=\"org.gnu.gdb.i386.segments\">");
    reg(&mut x, "fs_base", 64, "type=\"int\"");
    reg(&mut x, "gs_base", 64, "type=\"int\"");
    x.push_str("</feature></target>");
    x
}

/// A register by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number(pub usize);

impl RegId for Number {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        let (_, size) = place(id)?;
        Some((Number(id), NonZeroUsize::new(size)))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.0)
    }
}

/// Where a register lies among all of them, and its size.
pub fn place(number: usize) -> Option<(usize, usize)> {
    let (mut at, mut first) = (0, 0);
    for (count, size) in SIZES {
        if number < first + count {
            return Some((at + (number - first) * size, size));
        }
        (at, first) = (at + count * size, first + count);
    }
    debug_assert_eq!(first, COUNT);
    None
}

/// All registers as they go over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wire(pub Vec<u8>);

impl gdbstub::arch::Registers for Wire {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        let bytes = self.0.get(16 * 8..17 * 8).and_then(|b| b.try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.0.iter().for_each(|b| write_byte(Some(*b)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.0 = bytes.to_vec();
        Ok(())
    }
}

/// The full tag word, as FSAVE has it: two bits a register, 3 for an empty one.
fn tag_word(fpu: &FpuState) -> u32 {
    let tag = |i: usize| {
        let F80 { sign_exp, mantissa } = fpu.x87.regs[i];
        match (fpu.x87.in_use >> i & 1, sign_exp & 0x7fff, mantissa) {
            (0, ..) => 3,
            (_, 0, 0) => 1,
            (_, 0 | 0x7fff, _) => 2,
            (_, _, m) if m >> 63 == 0 => 2,
            _ => 0,
        }
    };
    (0..8).map(|i| tag(i) << (2 * i)).sum()
}

/// Registers for the wire.
pub fn to_wire(r: &Registers) -> Wire {
    let g = &r.regs;
    let mut out = Vec::new();
    let general = [
        g.ax, g.bx, g.cx, g.dx, g.si, g.di, g.bp, g.sp, g.r8, g.r9, g.r10, g.r11, g.r12, g.r13,
        g.r14, g.r15, g.ip,
    ];
    general.iter().for_each(|v| out.extend(v.to_le_bytes()));
    let Selectors { ds, es, fs, gs } = r.selectors;
    let words = [g.flags as u32, g.cs as u32, g.ss as u32];
    let words = words.into_iter().chain([ds, es, fs, gs].map(u32::from));
    words.for_each(|v| out.extend(v.to_le_bytes()));
    let x = &r.fpu.x87;
    (0..8).for_each(|i| out.extend(x.regs[x.physical(i)].to_bytes()));
    let high = |v: u64| (v >> 32) as u32 & 0xffff;
    let words = [
        x.control.into(),
        x.status.into(),
        tag_word(&r.fpu),
        high(x.ip),
        x.ip as u32,
        high(x.dp),
        x.dp as u32,
        x.opcode.into(),
    ];
    words.iter().for_each(|v: &u32| out.extend(v.to_le_bytes()));
    r.fpu.xmm.iter().for_each(|v| out.extend(v.to_le_bytes()));
    out.extend(r.fpu.mxcsr.to_le_bytes());
    [r.orig_ax as u64, r.fs_base, r.gs_base].iter().for_each(|v| out.extend(v.to_le_bytes()));
    Wire(out)
}

/// Registers from the wire; what does not go over it stays as in `old`. `None`:
/// they are not as many.
pub fn from_wire(w: &Wire, old: &Registers) -> Option<Registers> {
    let word = |n: usize| -> Option<u128> {
        let (at, size) = place(n)?;
        let bytes = w.0.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |v, b| v << 8 | u128::from(*b)))
    };
    let mut r = old.clone();
    let g = &mut r.regs;
    let general = [
        &mut g.ax, &mut g.bx, &mut g.cx, &mut g.dx, &mut g.si, &mut g.di, &mut g.bp, &mut g.sp,
        &mut g.r8, &mut g.r9, &mut g.r10, &mut g.r11, &mut g.r12, &mut g.r13, &mut g.r14,
        &mut g.r15, &mut g.ip,
    ];
    for (n, field) in general.into_iter().enumerate() {
        *field = word(n)? as u64;
    }
    g.flags = g.flags & !0xffff_ffff | word(17)? as u64;
    (g.cs, g.ss) = (word(18)? as u64, word(19)? as u64);
    let x = &mut r.fpu.x87;
    x.control = word(32)? as u16;
    x.status = word(33)? as u16;
    let tags = word(34)? as u32;
    x.in_use = (0..8).map(|i| u8::from(tags >> (2 * i) & 3 != 3) << i).sum();
    // Selectors share the upper half with the addresses.
    let joined = |old: u64, seg: u128, off: u128| -> u64 {
        old & !0xffff_ffff_ffff | (seg as u64 & 0xffff) << 32 | off as u64
    };
    x.ip = joined(x.ip, word(35)?, word(36)?);
    x.dp = joined(x.dp, word(37)?, word(38)?);
    x.opcode = word(39)? as u16;
    for i in 0..8 {
        let v = word(24 + usize::from(i))?;
        let at = x.physical(i);
        x.regs[at] = F80 { sign_exp: (v >> 64) as u16, mantissa: v as u64 };
    }
    for (i, xmm) in r.fpu.xmm.iter_mut().enumerate() {
        *xmm = word(40 + i)?;
    }
    r.fpu.mxcsr = word(56)? as u32;
    r.orig_ax = word(57)? as i64;
    (r.fs_base, r.gs_base) = (word(58)? as u64, word(59)? as u64);
    Some(r)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Regs;

    #[test]
    fn there_and_back() {
        let mut fpu = FpuState::default();
        fpu.xmm[3] = 1 << 100;
        fpu.x87.status = 6 << 11;
        fpu.x87.in_use = 0xc0;
        fpu.x87.regs[6] = F80 { sign_exp: 0x3fff, mantissa: 1 << 63 };
        let regs = Regs { ax: 1, r15: 15, ..Regs::user(0x40_1000, 0x7fff_0000) };
        let selectors = Selectors { ds: 0x2b, ..Selectors::default() };
        let r = Registers { regs, orig_ax: -1, fs_base: 0x7000, gs_base: 0, selectors, fpu };
        let wire = to_wire(&r);
        assert_eq!(from_wire(&wire, &r), Some(r.clone()));
        assert_eq!(wire.0.len(), 17 * 8 + 7 * 4 + 80 + 32 + 256 + 4 + 24);
        assert_eq!(place(59), Some((wire.0.len() - 8, 8)));
        assert_eq!(place(COUNT), None);
        assert_eq!(tag_word(&r.fpu), 0x4fff);
        assert_eq!(from_wire(&Wire(vec![0; 10]), &r), None);
    }
}
