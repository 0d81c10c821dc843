//! The emulated processor judged by the host's: random instructions with random
//! registers and memory are executed by both, and everything is compared that
//! the manual defines.
//!
//! ```text
//! generate   instructions of all encodings that have a handler
//! state      registers and memory before and after
//! host       executes a batch in a child, natively
//! emulated   executes it by Machine::run
//! undefined  what is not compared, and why     vendor  on whose processors
//! judge      the differences; a failing test made small
//! ```
//!
//! `FORKYARD_INSNS=5000000` compares so many, `FORKYARD_SEED=7` begins elsewhere,
//! `FORKYARD_ONLY=shl,^f` compares mnemonics that contain this or begin with that; with `--nocapture` a
//! table of encodings is printed.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(clippy::print_stdout, reason = "a report, for those who ask with --nocapture")]

mod emulated;
mod generate;
mod host;
mod judge;
mod state;
mod undefined;
mod vendor;

use generate::Test;
use state::{BATCH, CODE, CODE_SIZE, Rng, SLOT};
use std::collections::BTreeMap;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.replace('_', "").parse().ok()).unwrap_or(default)
}

/// Memory full of INT3 with the tests at their places.
pub fn image(tests: &[Test]) -> Vec<u8> {
    let mut code = vec![0xcc; CODE_SIZE];
    for t in tests {
        let at = (t.ip - CODE) as usize;
        code[at..at + t.bytes.len()].copy_from_slice(&t.bytes);
    }
    code
}

#[test]
fn does_as_the_host_does() {
    let wanted = number("FORKYARD_INSNS", 100_000);
    let seed = number("FORKYARD_SEED", 1);
    let only = std::env::var("FORKYARD_ONLY").unwrap_or_default().to_lowercase();
    let mut table = generate::codes();
    table.retain(|c| {
        let name = format!("{c:?}").to_lowercase();
        only.split(',').any(|o| match o.strip_prefix('^') {
            Some(start) => name.starts_with(start),
            None => name.contains(o),
        })
    });
    let mut compared: BTreeMap<String, u64> = BTreeMap::new();
    let mut failures = judge::Failures::default();
    let (mut done, mut batch, mut next) = (0, 0, 0);
    while done < wanted && !failures.are_enough() {
        let mut rng = Rng(seed.wrapping_add(batch << 20));
        batch += 1;
        let data = state::random_data(&mut rng);
        let mut tests = Vec::new();
        let mut tried = 0;
        while tests.len() < BATCH && tried < 40 * BATCH {
            tried += 1;
            let ip = CODE + (tests.len() * SLOT) as u64;
            let code = table[next % table.len()];
            next += 1;
            tests.extend(generate::test(code, ip, &mut rng, &table));
        }
        assert!(!tests.is_empty(), "no instruction to compare");
        for insn in judge::batch(&tests, &data, &mut failures) {
            *compared.entry(format!("{:?}", insn.code())).or_default() += 1;
            done += 1;
        }
    }
    for (code, times) in &compared {
        println!("{times:8} {code}");
    }
    let silent: Vec<String> =
        (table.iter().map(|c| format!("{c:?}"))).filter(|c| !compared.contains_key(c)).collect();
    println!("never: {}", silent.join(" "));
    println!("{done} instructions compared, {} encodings of {}", compared.len(), table.len());
    failures.report();
}
