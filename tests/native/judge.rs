//! Compares what both processors made of a test, and makes a failing one small.

use crate::emulated::Emulated;
use crate::generate::Test;
use crate::state::{DF, Outcome, RCX, STATUS, State, WRITABLE};
use crate::undefined::{self, Undefined};
use crate::{host, image, vendor};
use iced_x86::{Formatter, Instruction, IntelFormatter};
use std::collections::BTreeMap;
use std::fmt::Write;

const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15",
];
/// Failures of one encoding that are shown, and of all after which it ends.
const SHOWN: usize = 2;
/// Failures that are made small.
const SHRUNK: usize = 40;
const ENOUGH: usize = 400;

/// What differed, by encoding.
#[derive(Default)]
pub struct Failures {
    found: BTreeMap<String, Vec<String>>,
    count: usize,
}

impl Failures {
    pub fn are_enough(&self) -> bool {
        self.count >= ENOUGH
    }

    /// # Panics
    /// When there are any.
    pub fn report(&self) {
        let mut text = String::new();
        for (code, cases) in &self.found {
            let _ = writeln!(text, "--- {code}: {} failures", cases.len());
            for case in cases.iter().take(SHOWN) {
                let _ = writeln!(text, "{case}");
            }
        }
        assert!(self.count == 0, "{} differences\n{text}", self.count);
    }
}

/// Executes tests twice; gives the instructions that were compared.
pub fn batch<'t>(
    tests: &'t [Test],
    data: &[u8],
    failures: &mut Failures,
) -> impl Iterator<Item = &'t Instruction> {
    let code = image(tests);
    let jobs: Vec<(u64, State)> = tests.iter().map(|t| (t.ip, t.state.clone())).collect();
    let native = match host::run(&jobs, &code, data) {
        Ok(n) => n,
        Err((n, how)) => panic!("{how}: {}", describe(&tests[n])),
    };
    let mut emulated = Emulated::new(&code, data);
    for (test, native) in tests.iter().zip(&native) {
        let ours = emulated.run(test.ip, &test.state);
        let found = differences(test, native, &ours, data);
        if found.is_empty() || failures.are_enough() {
            continue;
        }
        let code = format!("{:?}", test.insns[0].code());
        failures.count += 1;
        let cases = failures.found.entry(code).or_default();
        if cases.len() < SHOWN && failures.count <= SHRUNK {
            let (small, found) = shrink(test, data, found);
            cases.push(format!("{}{}", describe(&small), found));
        } else {
            cases.push(format!("{}{}", describe(test), found));
        }
    }
    tests.iter().flat_map(|t| &t.insns)
}

fn text(insn: &Instruction) -> String {
    let mut out = String::new();
    IntelFormatter::new().format(insn, &mut out);
    out
}

fn describe(test: &Test) -> String {
    let mut out = String::new();
    for insn in &test.insns {
        let _ = writeln!(out, "{:#x}  {}    ({:?})", insn.ip(), text(insn), insn.code());
    }
    let _ = writeln!(out, "  bytes {:02x?}", test.bytes);
    let s = &test.state;
    for (n, v) in s.gpr.iter().enumerate().filter(|(_, v)| **v != 0) {
        let _ = write!(out, "  {}={v:x}", NAMES[n]);
    }
    let _ = writeln!(out, "  flags={:x}", s.flags);
    if test.insns.iter().any(uses_fpu) {
        let word = |at: usize, n: usize| {
            s.fx[at..at + n].iter().rev().fold(0u128, |v, b| v << 8 | u128::from(*b))
        };
        let _ = writeln!(
            out,
            "  fcw={:x} fsw={:x} ftw={:x} mxcsr={:x}",
            word(0, 2),
            word(2, 2),
            word(4, 1),
            word(24, 4)
        );
        for i in (0..8).filter(|i| word(32 + i * 16, 10) != 0) {
            let _ = write!(out, "  st{i}={:x}:{:016x}", word(40 + i * 16, 2), word(32 + i * 16, 8));
        }
        for i in (0..16).filter(|i| word(160 + i * 16, 16) != 0) {
            let _ = write!(out, "  xmm{i}={:032x}", word(160 + i * 16, 16));
        }
        let _ = writeln!(out);
    }
    out
}

fn uses_fpu(insn: &Instruction) -> bool {
    insn.cpuid_features().iter().any(|f| {
        let f = format!("{f:?}");
        f.starts_with("SSE") || f.starts_with("SSSE") || f.starts_with("FPU") || f == "MMX"
    })
}

/// What differs in what is defined, line by line; empty if nothing does.
fn differences(
    test: &Test,
    native: &Outcome,
    ours: &Result<Outcome, String>,
    data: &[u8],
) -> String {
    if vendor::leaves_open(&test.insns, native) {
        return String::new();
    }
    let undefined = match undefined::of_all(&test.insns, &test.state, native) {
        Undefined::All => return String::new(),
        Undefined::Flags(f) => f,
    };
    let ours = match ours {
        Ok(o) => o,
        Err(e) => return format!("  emulated: {e}\n"),
    };
    if undefined::either_first(native.vector, ours.vector) {
        return String::new();
    }
    let mut out = String::new();
    let mut line = |what: &str, a: u128, b: u128| {
        if a != b {
            let _ = writeln!(out, "  {what:8} host {a:x}  emulated {b:x}");
        }
    };
    let mut word = |what: &str, a: u64, b: u64| line(what, a.into(), b.into());
    word("vector", native.vector, ours.vector);
    word("rip", native.ip, ours.ip);
    for ((name, host), emulated) in NAMES.iter().zip(native.gpr).zip(ours.gpr) {
        word(name, host, emulated);
    }
    let mask = (STATUS | DF) & !undefined;
    word("flags", native.flags & mask, ours.flags & mask);
    if native.vector == ours.vector {
        // The kernel says of its own addresses always that they are there.
        let known = if native.cr2 < (1 << 47) - 0x1000 { !0 } else { !1 };
        word("error", native.error & known, ours.error & known);
        if native.vector == 14 && !undefined::reads_in_parts(&test.insns) {
            word("cr2", native.cr2, ours.cr2);
        }
    }
    let part = |o: &Outcome, at: usize, n: usize| {
        o.fx[at..at + n].iter().rev().fold(0u128, |v, b| v << 8 | u128::from(*b))
    };
    line("fcw", part(native, 0, 2), part(ours, 0, 2));
    let near = undefined::is_near(&test.insns);
    // Which way it was rounded differs where the result does.
    let fsw = if near { !0x200 } else { !0 };
    line("fsw", part(native, 2, 2) & fsw, part(ours, 2, 2) & fsw);
    line("ftw", part(native, 4, 1), part(ours, 4, 1));
    line("mxcsr", part(native, 24, 4), part(ours, 24, 4));
    for i in 0..8 {
        let (a, b) = (part(native, 32 + i * 16, 10), part(ours, 32 + i * 16, 10));
        if !(near && undefined::are_neighbours(a, b)) {
            line(&format!("st{i}"), a, b);
        }
    }
    for i in 0..16 {
        line(&format!("xmm{i}"), part(native, 160 + i * 16, 16), part(ours, 160 + i * 16, 16));
    }
    let memory = |o: &Outcome| if o.dirty != 0 { o.memory } else { before(data) };
    if native.dirty != 0 || ours.dirty != 0 {
        let (a, b) = (memory(native), memory(ours));
        let bits: u32 = a.iter().zip(&b).map(|(a, b)| (a ^ b).count_ones()).sum();
        if bits == 1 && undefined::stores_mask(&test.insns) {
            return out;
        }
        let places = (0..WRITABLE / 8).filter(|n| a[n * 8..n * 8 + 8] != b[n * 8..n * 8 + 8]);
        for n in places.take(4) {
            let at = |m: &[u8]| {
                m[n * 8..n * 8 + 8].iter().rev().fold(0u128, |v, b| v << 8 | u128::from(*b))
            };
            line(&format!("[{:#x}]", crate::state::DATA + n as u64 * 8), at(&a), at(&b));
        }
    }
    out
}

fn before(data: &[u8]) -> [u8; WRITABLE] {
    let mut m = [0; WRITABLE];
    m.copy_from_slice(&data[..WRITABLE]);
    m
}

/// Takes away what is not needed for the difference.
fn shrink(test: &Test, data: &[u8], found: String) -> (Test, String) {
    let (mut best, mut found) = (test.clone(), found);
    let fails = |t: &Test| {
        let code = image(std::slice::from_ref(t));
        let native = host::run(&[(t.ip, t.state.clone())], &code, data).ok()?.pop()?;
        let ours = Emulated::new(&code, data).run(t.ip, &t.state);
        Some(differences(t, &native, &ours, data)).filter(|d| !d.is_empty())
    };
    let mut attempt = |t: Test| {
        if let Some(d) = fails(&t) {
            (best, found) = (t, d);
        }
        best.clone()
    };
    let mut now = test.clone();
    while now.insns.len() > 1 {
        let mut shorter = now.clone();
        let last = shorter.insns.pop().map_or(0, |i| i.len());
        shorter.bytes.truncate(shorter.bytes.len() - last);
        let left = attempt(shorter.clone());
        if left.insns.len() != shorter.insns.len() {
            break;
        }
        now = left;
    }
    for n in 0..16 {
        let mut t = now.clone();
        t.state.gpr[n] = u64::from(n == RCX);
        now = attempt(t);
        let mut t = now.clone();
        t.state.gpr[n] = 0;
        now = attempt(t);
    }
    let mut t = now.clone();
    t.state.flags = 0;
    now = attempt(t);
    for at in (32..crate::state::FX).step_by(16) {
        let mut t = now.clone();
        t.state.fx[at..at + 16].fill(0);
        now = attempt(t);
    }
    (best, found)
}
