//! Whatever is in the registers, the kernel answers: every system call of the
//! table and numbers that are none, with the ends of the number range for
//! addresses, lengths and flags. Never a panic of ours, never an Oops, and
//! all counts stay right.

mod kit;

use forkyard::base::{Rng, VirtAddr};
use forkyard::kernel::check::teardown;
use forkyard::kernel::syscalls::Call;
use forkyard::kernel::syscalls::table::{AREAS, lookup};
use forkyard::kernel::{System, TaskId};
use forkyard::machine::UserOp;
use forkyard::machine::vmem::Size;
use kit::perform::actors;
use kit::{World, quietly};
use std::collections::BTreeMap;

/// Calls in each of the two runs.
const CALLS: u32 = 100_000;

/// More tasks than this and the world begins anew.
const CROWD: usize = 24;

const ENDS: [u64; 24] = [
    0,
    1,
    2,
    7,
    8,
    0xfff,
    0x1000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_e000,
    0x7fff_ffff_f000,
    0x7fff_ffff_ffff,
    0x8000_0000_0000,
    0xffff_7fff_ffff_ffff,
    0xffff_8000_0000_0000,
    0xffff_c900_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_f000,
    u64::MAX - 1,
    u64::MAX,
];

/// A register: an end of the range, a small number, an address that is
/// mapped, a power of two, or anything.
fn register(rng: &mut Rng, sys: &System, t: TaskId) -> u64 {
    match rng.below(10) {
        0..3 => ENDS[rng.below(ENDS.len() as u64) as usize],
        3..6 => rng.below(8),
        6 => {
            let Some(mm) = sys.task(t).mm else { return 0 };
            let areas: Vec<_> = sys.mm(mm).mmap.values().collect();
            let Some(v) = areas.get(rng.below(areas.len() as u64) as usize) else { return 0 };
            v.vm_start + rng.below((v.vm_end - v.vm_start) + 8)
        }
        7 => 1 << rng.below(64),
        8 => rng.below(70),
        _ => rng.next_u64(),
    }
}

fn number(rng: &mut Rng) -> u32 {
    let rows: usize = AREAS.iter().map(|a| a.len()).sum();
    match rng.below(20) {
        0 => rng.next_u64() as u32,
        1 => rng.below(512) as u32,
        _ => {
            let n = rng.below(rows as u64) as usize;
            AREAS.iter().flat_map(|a| a.iter()).nth(n).expect("below their number").nr
        }
    }
}

fn operation(rng: &mut Rng, sys: &System, t: TaskId) -> UserOp {
    let addr = VirtAddr(register(rng, sys, t));
    let size = Size::from_bytes(1 << rng.below(4)).expect("1, 2, 4, 8");
    match rng.below(6) {
        0 | 1 => UserOp::Load { addr, size },
        2 | 3 => UserOp::Store { addr, size, value: rng.next_u64() },
        4 => UserOp::Exec { addr },
        _ => UserOp::Divide { a: i64::MIN, b: register(rng, sys, t) as i64 },
    }
}

fn attack(cpus: u32, seed: u64) {
    let base = World::new(cpus);
    let mut rng = Rng::new(seed);
    let mut w = base.clone();
    let mut returned: BTreeMap<u32, u32> = BTreeMap::new();
    for i in 0..CALLS {
        if w.sys.kernel.tasks.len() > CROWD {
            teardown(&mut w.sys).expect("everything dies");
            w.check("teardown");
            w = base.clone();
        }
        let all = actors(&w.sys);
        let Some(&t) = all.get(rng.below(all.len() as u64) as usize) else {
            let init = w.init;
            if w.sys.call(init, Call::new(57, &[])).is_err() {
                w = base.clone();
            }
            continue;
        };
        let mut result = Ok(());
        let what = if rng.below(8) == 0 {
            let op = operation(&mut rng, &w.sys, t);
            result = result.and(quietly(|| drop(w.sys.op(t, op))));
            format!("{op:?}")
        } else {
            let nr = number(&mut rng);
            let args: [u64; 6] = std::array::from_fn(|_| register(&mut rng, &w.sys, t));
            let name = lookup(nr).map_or("?", |row| row.name);
            result = result.and(quietly(|| {
                if w.sys.call(t, Call::new(nr, &args)).is_ok() {
                    *returned.entry(nr).or_default() += 1;
                }
            }));
            format!("{name} ({nr}) {args:x?}")
        };
        if let Err(panic) = result {
            panic!("call {i}, {what}: {panic}");
        }
        w.check(&format!("call {i}, {what}"));
    }
    let tried = AREAS.iter().flat_map(|a| a.iter()).count();
    let never: Vec<_> = AREAS
        .iter()
        .flat_map(|a| a.iter())
        .filter(|row| !returned.contains_key(&row.nr))
        .map(|row| row.name)
        .collect();
    // Numbers alone name no path, no open descriptor, no structure in memory.
    assert!(never.len() * 2 < tried, "these never succeeded: {never:?}");
}

#[test]
fn any_registers_on_one_processor() {
    attack(1, 0x6f70_656e);
}

#[test]
fn any_registers_on_two_processors() {
    attack(2, 0x7365_7361);
}

/// One call at a time from a fresh process, all ends in all places.
#[test]
fn every_call_with_the_ends_of_the_range() {
    let mut base = World::new(1);
    let init = base.init;
    let t = base.fork(init);
    base.map(t, 0x4000);
    for row in AREAS.iter().flat_map(|a| a.iter()) {
        for place in 0..6 {
            for end in ENDS {
                for rest in [0, u64::MAX, 0x1000] {
                    let mut w = base.clone();
                    let mut args = [rest; 6];
                    args[place] = end;
                    let call = Call::new(row.nr, &args);
                    let done = quietly(|| drop(w.sys.call(t, call)));
                    if let Err(panic) = done {
                        panic!("{}{args:x?}: {panic}", row.name);
                    }
                    w.check(&format!("{}{args:x?}", row.name));
                }
            }
        }
    }
}
