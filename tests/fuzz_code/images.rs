//! Random files and changed programs: execve never panics, and leaves nothing of one
//! that it refused.

use crate::check;
use crate::kit::elf::{Asm, HEADERS};
use crate::kit::machine_code::{End, is_sound, run};
use crate::kit::{World, small};
use forkyard::kernel::check::Census;
use proptest::collection::vec;
use proptest::prelude::*;

const CASES: u32 = 1_500;
/// Instructions that a changed program may execute.
const LIMIT: u64 = 2_000;

/// A change of a file.
#[derive(Debug, Clone)]
enum Change {
    /// A byte anywhere.
    Byte(prop::sample::Index, u8),
    /// A word of the headers: one at an edge.
    Word(usize, u64),
    /// A part of the headers over another one.
    Copy(usize, usize),
    Cut(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let edge = prop_oneof![
        any::<u64>(),
        (0..64u32).prop_map(|n| 1 << n),
        (0..64u32).prop_map(|n| (1u64 << n).wrapping_neg()),
        (0..0x4000u64),
        (0..16u64).prop_map(|n| 0x40_0000 + n * 0x800),
    ];
    prop_oneof![
        2 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, v)| Change::Byte(at, v)),
        6 => (0..HEADERS / 4 - 1, edge).prop_map(|(at, v)| Change::Word(at * 4, v)),
        2 => (0..4usize, 0..4usize).prop_map(|(to, from)| Change::Copy(8 + to * 56, 8 + from * 56)),
        1 => any::<prop::sample::Index>().prop_map(Change::Cut),
    ]
}

fn changed(changes: &[Change]) -> Vec<u8> {
    let mut image = Asm::new().exit(42).elf();
    for change in changes {
        let len = image.len().max(1);
        match change {
            Change::Byte(at, value) => {
                if let Some(byte) = image.get_mut(at.index(len)) {
                    *byte = *value;
                }
            }
            Change::Word(at, value) => {
                if let Some(word) = image.get_mut(*at..*at + 8) {
                    word.copy_from_slice(&value.to_le_bytes());
                }
            }
            Change::Copy(to, from) => {
                if image.len() >= HEADERS {
                    image.copy_within(*from..*from + 56, *to);
                }
            }
            Change::Cut(at) => image.truncate(at.index(len)),
        }
    }
    image
}

fn property(base: &World, before: &Census, image: &[u8]) -> Result<(), String> {
    let mut ran = run(base, image, LIMIT);
    is_sound(&mut ran.sys, "the program");
    let mut after = Census::of(&ran.sys);
    // The file of the program, and the pipes for its streams that init holds.
    (after.inodes, after.filps, after.pipes) = (before.inodes, before.filps, before.pipes);
    if after == *before || !matches!(ran.end, End::Refused(_)) {
        return Ok(());
    }
    Err(format!("left of a refused program: {after:?}\nbefore: {before:?}"))
}

#[test]
fn changed_programs() {
    let base = World::boot(&small(1));
    let census = Census::of(&base.sys);
    check(CASES, 1, &vec(change(), 1..6), |changes| property(&base, &census, &changed(&changes)));
}

#[test]
fn random_files() {
    let base = World::boot(&small(1));
    let census = Census::of(&base.sys);
    let magic = prop_oneof![Just(&b""[..]), Just(&b"\x7fELF"[..]), Just(&b"#!"[..])];
    let files = (magic, vec(any::<u8>(), 0..512));
    check(CASES / 3, 2, &files, |(magic, rest)| property(&base, &census, &[magic, &rest].concat()));
}
