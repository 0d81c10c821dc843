//! What the tree picks is what looking at all would pick, whatever happened
//! before; and lag adds up to nothing.

use proptest::prelude::*;

use super::super::FairPolicy::{self, Cfs, Eevdf};
use super::{MS, World, world};
use crate::kernel::sched::core::{current, cx, pick_next_task};
use crate::kernel::sched::eevdf::protect_slice;
use crate::kernel::sched::fork::set_user_nice;
use crate::kernel::sched::work::{Phase, Work};
use crate::kernel::task::TaskId;

/// The choice by its definition, among all fair tasks of processor 0.
fn naive(w: &World, fair: FairPolicy) -> Option<TaskId> {
    let k = &w.sys.kernel;
    let cfs = &k.per_cpu[0].rq.cfs;
    let curr = cfs.curr(&k.tasks).map(|(t, _)| t);
    let mut all: Vec<TaskId> =
        k.tasks.iter().filter(|(_, t)| t.se.on_rq && t.cpu == 0).map(|(id, _)| id).collect();
    all.sort_by_key(|t| k.tasks[*t].se.arrival);
    let se = |t: TaskId| &k.tasks[t].se;
    if fair == Cfs {
        return all.into_iter().min_by_key(|t| (se(*t).vruntime, Some(*t) != curr, se(*t).arrival));
    }
    let load: i128 = all.iter().map(|t| i128::from(se(*t).load_weight)).sum();
    let sum: i128 =
        all.iter().map(|t| i128::from(se(*t).vruntime) * i128::from(se(*t).load_weight)).sum();
    let eligible = |t: TaskId| i128::from(se(t).vruntime) * load <= sum;
    if let Some(curr) = curr
        && (all.len() == 1 || eligible(curr) && protect_slice(se(curr)))
    {
        return Some(curr);
    }
    let best = all.iter().copied().filter(|t| eligible(*t));
    // Of equal deadlines one that waits goes first.
    best.min_by_key(|t| (se(*t).deadline, Some(*t) == curr, se(*t).arrival))
}

fn step(w: &mut World, tasks: &[TaskId], what: u8, n: u64) {
    let t = tasks[n as usize % tasks.len()];
    let ns = n % 3_000_000 + 1;
    match what {
        0 => w.sys.set_work(t, Some(Work::new(vec![Phase::Run(u64::MAX)], None))),
        1 => w.sys.set_work(t, Some(Work::new(vec![Phase::Run(ns), Phase::Sleep(2 * ns)], None))),
        2 => w.sys.set_work(t, Some(Work::new(vec![Phase::Run(ns), Phase::Yield], None))),
        3 => w.sys.set_work(t, None),
        4 => set_user_nice(&mut w.sys, t, (n % 40) as i32 - 20),
        _ => w.run_for(ns),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn the_tree_picks_as_a_naive_picker(
        cfs in any::<bool>(),
        steps in proptest::collection::vec((0..8u8, any::<u64>()), 1..60),
    ) {
        let fair = if cfs { Cfs } else { Eevdf };
        let mut w = world(fair, 1);
        let tasks: Vec<TaskId> = (0..6).map(|_| w.hog(0)).collect();
        for (what, n) in steps {
            step(&mut w, &tasks, what, n);
            w.recount();
            let picked = pick_next_task(&w.sys, 0);
            // A task that gave up its turn is the one exception of CFS.
            if w.sys.kernel.per_cpu[0].rq.cfs.skip.is_none() {
                prop_assert_eq!(Some(picked), naive(&w, fair).or(Some(current(&w.sys, 0))));
            }
        }
    }
}

#[test]
fn lag_adds_up_to_nothing() {
    let mut w = world(Eevdf, 1);
    let tasks: Vec<TaskId> = [-5, 0, 0, 7, 19].into_iter().map(|nice| w.hog(nice)).collect();
    for _ in 0..20 {
        w.run_for(7 * MS);
        let k = &w.sys.kernel;
        let v = k.per_cpu[0].rq.cfs.avg_vruntime(&k.tasks);
        let mut sum = 0i128;
        let mut load = 0;
        for t in tasks.iter().chain([&w.init]) {
            let se = &k.tasks[*t].se;
            if se.on_rq {
                sum += i128::from(v - se.vruntime) * i128::from(se.load_weight);
                load += i128::from(se.load_weight);
            }
        }
        // But for the fraction of a ns that V is rounded by.
        assert!(sum.abs() <= load, "{sum} of {load}");
    }
}

/// No task is further from its share than a slice and a tick.
#[test]
fn nobody_is_far_from_its_share() {
    let mut w = world(Eevdf, 1);
    let nice = [0, 1, 3, 5];
    let tasks: Vec<TaskId> = nice.iter().map(|n| w.hog(*n)).collect();
    let total: u64 = tasks.iter().map(|t| w.sys.task(*t).se.load_weight).sum();
    let bound = cx(&w.sys).base_slice() + 2 * MS;
    for round in 1..=50 {
        w.run_for(20 * MS);
        for t in &tasks {
            let se = &w.sys.task(*t).se;
            let due = round * 20 * MS * se.load_weight / total;
            assert!(se.sum_exec_runtime.abs_diff(due) <= bound * 2, "round {round}: {se:?}");
        }
    }
}
