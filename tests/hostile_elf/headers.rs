//! ELF files whose headers say what cannot be.

use crate::host;
use crate::kit::elf::{Asm, DATA, ENTRY, HEADERS, TEXT};
use crate::kit::machine_code::{self, End, is_sound};
use crate::kit::{World, quietly, small};
use forkyard::kernel::check::Census;

/// Most instructions: the program has three.
const LIMIT: u64 = 20_000;
const PHDRS: usize = 64;
const PHDR: usize = 56;

/// A program that exits with 42.
fn valid() -> Vec<u8> {
    Asm::new().exit(42).elf()
}

/// The model's answer; afterwards everything adds up, and nothing is left of a
/// program that was refused.
fn model(base: &World, before: &Census, image: &[u8], what: &str) -> End {
    let done = quietly(|| {
        let mut ran = machine_code::run(base, image, LIMIT);
        is_sound(&mut ran.sys, what);
        let mut after = Census::of(&ran.sys);
        // The file of the program, and the pipes for its streams that init holds.
        (after.inodes, after.filps, after.pipes) = (before.inodes, before.filps, before.pipes);
        assert_eq!(after, *before, "{what}: something is left");
        ran.end
    });
    done.unwrap_or_else(|panic| panic!("{what}: {panic}"))
}

fn base() -> (World, Census) {
    let mut config = small(1);
    // Room for what the host has room for.
    config.machine.ram_bytes = 1 << 30;
    let base = World::boot(&config);
    let census = Census::of(&base.sys);
    (base, census)
}

/// Whether what comes of the file depends on the machine it runs on: on how
/// much memory there is, on who may map the lowest pages, on random places.
fn depends(image: &[u8]) -> bool {
    let word = |at: usize| {
        let mut bytes = [0; 8];
        let there = image.get(at..(at + 8).min(image.len())).unwrap_or_default();
        bytes[..there.len()].copy_from_slice(there);
        u64::from_le_bytes(bytes)
    };
    (0..3).any(|n| {
        let at = PHDRS + n * PHDR;
        let is_load = word(at) as u32 == 1;
        let (vaddr, memsz) = (word(at + 16), word(at + 40));
        let end = vaddr.wrapping_add(memsz);
        let many = (64 << 20..1 << 47).contains(&memsz);
        let random = (0x7000_0000_0000..1 << 47).contains(&end);
        is_load && (many || vaddr < 0x1_0000 || random)
    })
}

struct Judge {
    base: World,
    census: Census,
    folder: Option<tempfile::TempDir>,
    wrong: Vec<String>,
    compared: usize,
}

impl Judge {
    fn new() -> Judge {
        let (base, census) = base();
        let folder = host::is_there().then(|| tempfile::tempdir().expect("a folder"));
        if folder.is_none() {
            eprintln!("not compared with the host: it is no x86_64 Linux");
        }
        Judge { base, census, folder, wrong: Vec::new(), compared: 0 }
    }

    fn ask(&mut self, image: &[u8], what: &str) -> End {
        let model = model(&self.base, &self.census, image, what);
        if let Some(folder) = self.folder.as_ref().filter(|_| !depends(image)) {
            let linux = host::run(folder.path(), image);
            self.compared += 1;
            if model != linux {
                self.wrong.push(format!("{what}: Linux {linux:?}, model {model:?}"));
            }
        }
        model
    }

    /// Asserts what the model says, too, for hosts that cannot be asked.
    fn expect(&mut self, image: &[u8], what: &str, end: End) {
        let found = self.ask(image, what);
        if found != end {
            self.wrong.push(format!("{what}: {found:?}, not {end:?}"));
        }
    }

    fn finish(self, least: usize) {
        assert!(self.wrong.is_empty(), "{}:\n{}", self.wrong.len(), self.wrong.join("\n"));
        assert!(self.folder.is_none() || self.compared >= least, "only {}", self.compared);
    }
}

fn set(image: &mut [u8], at: usize, width: usize, value: u64) {
    image[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// A field of a program header.
fn field(segment: usize, name: &str) -> (usize, usize) {
    let (at, width) = match name {
        "p_type" => (0, 4),
        "p_flags" => (4, 4),
        "p_offset" => (8, 8),
        "p_vaddr" => (16, 8),
        "p_filesz" => (32, 8),
        "p_memsz" => (40, 8),
        "p_align" => (48, 8),
        other => panic!("no field {other}"),
    };
    (PHDRS + segment * PHDR + at, width)
}

fn with(fields: &[(usize, &str, u64)]) -> Vec<u8> {
    let mut image = valid();
    for (segment, name, value) in fields {
        let (at, width) = field(*segment, name);
        set(&mut image, at, width, *value);
    }
    image
}

#[test]
fn a_file_cut_at_every_byte_of_its_headers() {
    let mut judge = Judge::new();
    let whole = valid();
    for len in 0..=HEADERS + 4 {
        let end = judge.ask(&whole[..len], &format!("cut at {len}"));
        assert_ne!(end, End::Exit(42), "cut at {len}");
    }
    judge.expect(&whole, "whole", End::Exit(42));
    judge.finish(200);
}

#[test]
fn every_byte_of_the_headers_changed() {
    let mut judge = Judge::new();
    let whole = valid();
    for at in 0..HEADERS {
        let old = whole[at];
        let mut values = vec![0, 0xff, 0x7f, 0x80, old.wrapping_add(1), old.wrapping_sub(1)];
        values.retain(|v| *v != old);
        values.sort_unstable();
        values.dedup();
        for value in values {
            let mut image = whole.clone();
            image[at] = value;
            judge.ask(&image, &format!("byte {at} {old:#x} -> {value:#x}"));
        }
    }
    judge.finish(800);
}

/// Sizes and places at which sums wrap around.
#[test]
fn absurd_sizes_and_places() {
    let mut judge = Judge::new();
    let ends = [
        0,
        1,
        0xfff,
        0x1000,
        0x2000,
        0x1_0000_0000,
        (1 << 47) - 0x2000,
        (1 << 47) - 0x1000,
        (1 << 47) - 1,
        1 << 47,
        1 << 56,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - TEXT,
        u64::MAX - 0x1fff,
        u64::MAX - 0xfff,
        u64::MAX - 1,
        u64::MAX,
    ];
    for segment in 0..3 {
        for name in ["p_offset", "p_vaddr", "p_filesz", "p_memsz", "p_align"] {
            for end in ends {
                let image = with(&[(segment, name, end)]);
                judge.ask(&image, &format!("segment {segment} {name} = {end:#x}"));
            }
        }
        for end in ends {
            for other in [end, 0, u64::MAX, 0u64.wrapping_sub(end), 0u64.wrapping_sub(DATA)] {
                let sizes = [(segment, "p_filesz", end), (segment, "p_memsz", other)];
                judge.ask(&with(&sizes), &format!("segment {segment} sizes {end:#x} {other:#x}"));
                let places = [(segment, "p_offset", end), (segment, "p_vaddr", other)];
                judge.ask(&with(&places), &format!("segment {segment} at {end:#x} {other:#x}"));
            }
        }
    }
    judge.finish(300);
}

#[test]
fn headers_that_contradict_themselves() {
    const ENOEXEC: End = End::Refused(8);
    let mut judge = Judge::new();
    for (what, at, width, value, end) in [
        ("e_phnum", 56, 2, 0, ENOEXEC),
        ("e_phnum", 56, 2, 65_535, ENOEXEC),
        // As many as 64 KiB hold, most of them behind the end of the file.
        ("e_phnum", 56, 2, 1170, ENOEXEC),
        ("e_phentsize", 54, 2, 0, ENOEXEC),
        ("e_phentsize", 54, 2, 55, ENOEXEC),
        ("e_phentsize", 54, 2, 57, ENOEXEC),
        ("e_phentsize", 54, 2, 32, ENOEXEC),
        ("e_phentsize", 54, 2, 65_535, ENOEXEC),
        ("e_phoff", 32, 8, u64::MAX, ENOEXEC),
        ("e_phoff", 32, 8, u64::MAX - 167, ENOEXEC),
        ("e_phoff", 32, 8, 1 << 63, ENOEXEC),
        ("e_type", 16, 2, 1, ENOEXEC),
        ("e_type", 16, 2, 4, ENOEXEC),
        ("e_machine", 18, 2, 3, ENOEXEC),
        ("e_entry", 24, 8, 0, End::Signal(11)),
        ("e_entry", 24, 8, DATA, End::Signal(11)),
        ("e_entry", 24, 8, 1 << 47, End::Signal(11)),
        ("e_entry", 24, 8, 0x8000_0000_0000_0000, End::Signal(11)),
        ("e_entry", 24, 8, 0xffff_ffff_8100_0000, End::Signal(11)),
        ("e_entry", 24, 8, u64::MAX, End::Signal(11)),
    ] {
        let mut image = valid();
        set(&mut image, at, width, value);
        judge.expect(&image, &format!("{what} = {value:#x}"), end);
    }
    // The entry in the middle of an instruction: of `mov rdi, 42`, whose
    // immediate is no code that does anything good.
    let mut image = valid();
    set(&mut image, 24, 8, ENTRY + 2);
    judge.ask(&image, "entry in an immediate");
    judge.finish(15);
}

#[test]
fn segments_of_every_kind() {
    let mut judge = Judge::new();
    let died = End::Signal(11);
    let ran = End::Exit(42);
    for (what, fields, end) in [
        // Data over text: the last one wins, and the entry is zeros.
        ("overlap", vec![(1, "p_vaddr", TEXT)], died),
        // Only the tail of the bss.
        ("bss over text", vec![(1, "p_vaddr", TEXT - 0x1000)], died),
        ("no text", vec![(0, "p_type", 0)], died),
        ("empty text", vec![(0, "p_filesz", 0), (0, "p_memsz", 0)], died),
        ("text of the file only", vec![(0, "p_filesz", 0x1000), (0, "p_memsz", 0)], died),
        ("empty data", vec![(1, "p_filesz", 0), (1, "p_memsz", 0)], ran),
        ("data of zeros", vec![(1, "p_filesz", 0)], ran),
        ("memory behind the file", vec![(1, "p_offset", 0x10_0000)], ran),
        ("huge bss", vec![(1, "p_memsz", 1 << 46)], End::Signal(9)),
        ("W+X text", vec![(0, "p_flags", 7)], ran),
        ("text that is not executable", vec![(0, "p_flags", 4)], died),
        ("text without rights", vec![(0, "p_flags", 0)], died),
        ("execute-only text", vec![(0, "p_flags", 1)], ran),
        ("executable data", vec![(1, "p_flags", 7)], ran),
        ("executable stack", vec![(2, "p_flags", 7)], ran),
        ("a stack without rights", vec![(2, "p_flags", 0)], ran),
        ("a stack with sizes", vec![(2, "p_memsz", u64::MAX), (2, "p_vaddr", u64::MAX)], ran),
        ("a stack of other bits", vec![(2, "p_flags", u64::from(u32::MAX))], ran),
        ("no stack", vec![(2, "p_type", 0)], ran),
        ("three times text", vec![(1, "p_type", 0), (2, "p_type", 0)], ran),
    ] {
        let found = judge.ask(&with(&fields), what);
        // How it dies beyond the point of no return, the host says.
        let died = matches!((found, end), (End::Signal(_), End::Signal(_)));
        if !died && found != end {
            judge.wrong.push(format!("{what}: {found:?}, not {end:?}"));
        }
    }
    judge.finish(15);
}

#[test]
fn interpreters_that_are_none() {
    let mut judge = Judge::new();
    let name = |path: &[u8]| {
        let mut image =
            with(&[(2, "p_type", 3), (2, "p_offset", 0x1800), (2, "p_filesz", path.len() as u64)]);
        image[0x1800..0x1800 + path.len()].copy_from_slice(path);
        image
    };
    for (what, image, errno) in [
        ("missing", name(b"/nowhere/ld.so\0"), 2),
        ("a folder", name(b"/tmp\0"), 13),
        ("empty", name(b"\0\0"), 13),
        ("one byte", name(b"\0"), 8),
        ("not ended", name(b"/nowhere/ld.so"), 8),
        ("a device", name(b"/dev/null\0"), 13),
        ("no length", with(&[(2, "p_type", 3), (2, "p_filesz", 0)]), 8),
        ("long", with(&[(2, "p_type", 3), (2, "p_filesz", 4097)]), 8),
        ("huge", with(&[(2, "p_type", 3), (2, "p_filesz", u64::MAX)]), 8),
        (
            "behind the end",
            with(&[(2, "p_type", 3), (2, "p_filesz", 9), (2, "p_offset", 1 << 40)]),
            5,
        ),
        (
            "wrapping",
            with(&[(2, "p_type", 3), (2, "p_filesz", 9), (2, "p_offset", u64::MAX - 4)]),
            22,
        ),
    ] {
        judge.expect(&image, &format!("interpreter: {what}"), End::Refused(errno));
    }
    judge.finish(10);
}
