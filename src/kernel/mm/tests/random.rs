//! Random operations, recounted after each.
//!
//! Linux: none. Left out: exec, which has its own.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    Map(u64, u64, u32, bool, bool),
    Unmap(u64, u64),
    Protect(u64, u64, u32),
    Advise(u64, u64, u32),
    Touch(usize, u64, Option<u64>),
    Fork(usize),
    Exit(usize),
    Lock(u64, u64, bool),
    Brk(u64),
}

const BASE: u64 = 0x7f00_0000_0000;

fn op() -> impl Strategy<Value = Op> {
    let (at, len) = (0u64..40, 1u64..9);
    let prot = prop_oneof![Just(0u32), Just(1), Just(3), Just(3), Just(5)];
    let advice = prop_oneof![
        Just(MADV_DONTNEED),
        Just(MADV_DONTFORK),
        Just(MADV_DOFORK),
        Just(MADV_WIPEONFORK),
        Just(MADV_KEEPONFORK),
        Just(MADV_POPULATE_WRITE),
        Just(MADV_RANDOM),
    ];
    prop_oneof![
        4 => (at.clone(), len.clone(), prot.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(a, l, p, s, f)| Op::Map(a, l, p, s, f)),
        2 => (at.clone(), len.clone()).prop_map(|(a, l)| Op::Unmap(a, l)),
        3 => (at.clone(), len.clone(), prot).prop_map(|(a, l, p)| Op::Protect(a, l, p)),
        3 => (at.clone(), len.clone(), advice).prop_map(|(a, l, v)| Op::Advise(a, l, v)),
        8 => (0usize..5, at.clone(), proptest::option::of(1u64..100))
            .prop_map(|(m, a, v)| Op::Touch(m, a, v)),
        2 => (0usize..5).prop_map(Op::Fork),
        1 => (0usize..5).prop_map(Op::Exit),
        1 => (at, len, any::<bool>()).prop_map(|(a, l, y)| Op::Lock(a, l, y)),
        1 => (0u64..20).prop_map(Op::Brk),
    ]
}

fn at(page: u64) -> u64 {
    BASE + page * PAGE
}

fn run(m: &mut Mem, mms: &mut Vec<MmId>, op: &Op) {
    match *op {
        Op::Map(a, l, p, shared, fixed) => {
            let kind = if shared { SHARED } else { PRIVATE };
            let fixed = if fixed { FIXED } else { 0 };
            let _ = m.map(at(a), l, p, kind | fixed);
        }
        Op::Unmap(a, l) => drop(m.unmap(at(a), l)),
        Op::Protect(a, l, p) => drop(m.protect(at(a), l, p)),
        Op::Advise(a, l, v) => drop(m.advise(at(a), l, v)),
        Op::Touch(i, a, value) => {
            let mm = mms[i % mms.len()];
            match value {
                Some(v) => drop(m.store_in(mm, at(a), v)),
                None => drop(m.load_in(mm, at(a))),
            }
        }
        Op::Fork(i) if mms.len() < 5 => {
            let parent = mms[i % mms.len()];
            mms.push(dup_mm(&mut m.sys, m.task, parent).unwrap());
        }
        Op::Exit(i) if mms.len() > 1 => {
            let gone = mms.remove(1 + i % (mms.len() - 1));
            mmput(&mut m.sys, gone);
        }
        Op::Lock(a, l, yes) => {
            let f = if yes { mlock::do_mlock } else { mlock::do_munlock };
            let _ = f(&mut m.sys, m.task, at(a), l * PAGE);
        }
        Op::Brk(n) => {
            let start = m.sys.mm(m.mm).start_brk;
            brk::do_brk(&mut m.sys, m.task, start + n * 1000);
        }
        Op::Fork(_) | Op::Exit(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 64,
        ..Default::default()
    })]
    #[test]
    fn everything_adds_up_after_each_step(ops in proptest::collection::vec(op(), 1..80)) {
        let mut m = Mem::new();
        let before = m.sys.machine.mem.free_pages();
        let mut mms = vec![m.mm];
        for op in &ops {
            run(&mut m, &mut mms, op);
            m.check();
        }
        for mm in mms.drain(1..) {
            mmput(&mut m.sys, mm);
        }
        m.unmap(BASE, 64).unwrap();
        let start = m.sys.mm(m.mm).start_brk;
        brk::do_brk(&mut m.sys, m.task, start);
        m.check();
        // Mappings that went elsewhere and their tables may remain.
        prop_assert!(m.sys.machine.mem.free_pages() <= before);
    }

    /// Each address space sees what was stored in it, or in its ancestors
    /// before the fork, and nothing else.
    #[test]
    fn copy_on_write_is_invisible(
        ops in proptest::collection::vec((0usize..6, 0u64..12, 0u64..1000, 0u8..8), 1..120)
    ) {
        let mut m = Mem::new();
        let a = m.anon(12);
        let mut worlds = vec![(m.mm, [0u64; 12])];
        for (i, page, value, what) in ops {
            let i = i % worlds.len();
            let mm = worlds[i].0;
            match what {
                0 if worlds.len() < 6 => {
                    let model = worlds[i].1;
                    worlds.push((dup_mm(&mut m.sys, m.task, mm).unwrap(), model));
                }
                1 if i > 0 => {
                    mmput(&mut m.sys, mm);
                    worlds.remove(i);
                }
                2..5 => {
                    let got = m.load_in(mm, a + page * PAGE).unwrap();
                    prop_assert_eq!(got, worlds[i].1[page as usize]);
                }
                _ => {
                    m.store_in(mm, a + page * PAGE, value).unwrap();
                    worlds[i].1[page as usize] = value;
                }
            }
        }
        for (mm, model) in &worlds {
            for (page, want) in model.iter().enumerate() {
                prop_assert_eq!(m.load_in(*mm, a + page as u64 * PAGE).unwrap(), *want);
            }
        }
        prop_assert_eq!(check_memory(&m.sys), Vec::<String>::new());
    }
}
