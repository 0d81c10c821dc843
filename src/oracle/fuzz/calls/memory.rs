//! Mappings, what is in them, and accesses that fault.
//!
//! Addresses are variables: where the kernel maps is its own choice. Nothing
//! reaches beyond a mapping, since what lies there differs.
//!
//! Left out: brk, mremap.

use super::{Around, call, tried};
use crate::oracle::fuzz::features::Feature;
use crate::oracle::fuzz::program::{Call, Form};

const NAMES: [&str; 3] = ["m0", "m1", "m2"];
const PAGE: u64 = 4096;

/// A mapping that is there: its variable and its pages.
fn mapped(a: &mut Around) -> Option<(&'static str, u64)> {
    let there: Vec<usize> = (0..3).filter(|i| a.pages[*i] > 0).collect();
    let i = *there.get(a.below(there.len().max(1) as u64) as usize)?;
    Some((NAMES[i], a.pages[i]))
}

/// A part of it, in pages: where, and how long.
fn part(a: &mut Around, pages: u64) -> (u64, u64) {
    let from = a.below(pages);
    (from * PAGE, (1 + a.below(pages - from)) * PAGE)
}

fn map(a: &mut Around) -> Call {
    let i = a.below(3) as usize;
    let pages = 1 + a.below(4);
    a.pages[i] = pages;
    let len = (pages * PAGE).to_string();
    let prot = a.pick(&[
        "PROT_READ | PROT_WRITE",
        "PROT_READ | PROT_WRITE",
        "PROT_READ | PROT_WRITE",
        "PROT_READ",
        "PROT_NONE",
        "PROT_WRITE",
    ]);
    let flags = a.pick(&[
        "MAP_PRIVATE",
        "MAP_PRIVATE",
        "MAP_SHARED",
        "MAP_SHARED",
        "MAP_PRIVATE | MAP_POPULATE",
        "MAP_SHARED | MAP_NORESERVE",
        "MAP_PRIVATE | MAP_STACK",
    ]);
    call(Form::Let(NAMES[i]), "mmap", [&len, prot, flags])
}

const ADVICE: &[&str] = &[
    "MADV_NORMAL",
    "MADV_RANDOM",
    "MADV_WILLNEED",
    "MADV_DONTNEED",
    "MADV_DONTNEED",
    "MADV_DONTFORK",
    "MADV_DOFORK",
    "MADV_WIPEONFORK",
    "MADV_WIPEONFORK",
    "MADV_KEEPONFORK",
    "MADV_DONTDUMP",
    "MADV_DODUMP",
    "MADV_POPULATE_READ",
    "MADV_POPULATE_WRITE",
    "MADV_DONTNEED_LOCKED",
    "999",
];

/// Mappings and what is in them.
pub(super) fn memory(a: &mut Around) -> Call {
    let Some((name, pages)) = mapped(a) else { return map(a) };
    let (from, len) = part(a, pages);
    let at = if from == 0 { name.to_string() } else { format!("{name} + {from}") };
    let word = format!("{name} + {}", from + 8 * a.below(4));
    match a.below(22) {
        0 | 1 => map(a),
        2..=5 => call(Form::Silent, "store", [&word, &a.below(1000).to_string()]),
        6..=9 => call(Form::Plain, "load", [&word]),
        10 => {
            let prot = a.pick(&[
                "PROT_READ",
                "PROT_READ | PROT_WRITE",
                "PROT_NONE",
                "PROT_WRITE",
                "PROT_READ | PROT_EXEC",
                "16",
            ]);
            tried("mprotect", [&at, &len.to_string(), prot])
        }
        11..=14 => tried("madvise", [&at, &len.to_string(), a.pick(ADVICE)]),
        15 => match a.below(6) {
            0 => tried("madvise", [&format!("{at} + 1"), "8", "MADV_DONTNEED"]),
            1 => tried("munmap", [&format!("{at} + 8"), "8"]),
            2 => tried("munmap", [&at, "0"]),
            3 => tried("mprotect", [&format!("{at} + 4"), "8", "PROT_READ"]),
            4 => call(Form::Let("m2"), "mmap", ["0", "PROT_READ", "MAP_PRIVATE"]),
            _ => call(
                Form::Let("m2"),
                "mmap",
                ["4096", "PROT_READ", a.pick(&["0", "MAP_STACK", "3", "MAP_PRIVATE | 0x2000000"])],
            ),
        },
        16 if a.may_die => tried("munmap", [&at, &len.to_string()]),
        17 if a.has(Feature::Lock) => match a.below(4) {
            0 => tried("munlock", [&at, &len.to_string()]),
            1 => tried("munlockall", []),
            2 => tried("mlockall", [a.pick(&["2", "6", "0", "4", "8"])]),
            _ => tried("mlock", [&at, &len.to_string()]),
        },
        18 if a.has(Feature::Msync) => {
            tried("msync", [&at, &len.to_string(), a.pick(&["4", "1", "2", "5", "0", "6", "8"])])
        }
        19 if a.may_die && a.rarely(3) => {
            call(Form::Plain, "load", [a.pick(&["0", "8", "-8", "0x800000000000", "4096"])])
        }
        20 | 21 if a.has(Feature::Mremap) => {
            // Shorter only: programs keep the addresses of their mappings, and what
            // room is behind one is the host's.
            let flags = a.pick(&["0", "0", "8", "MREMAP_FIXED", "MREMAP_DONTUNMAP"]);
            let new = a.pick(&["4096", "4096", "0", "-1"]);
            match a.below(5) {
                0 => tried("mremap", [&format!("{at} + 8"), "4096", new, flags]),
                1 => tried("mremap", [&at, "0", new, flags]),
                _ if a.may_die => tried("mremap", [&at, &len.to_string(), new, flags]),
                _ => tried("mremap", [&at, "4096", "4096", flags]),
            }
        }
        _ => call(Form::Plain, "load", [&word]),
    }
}
