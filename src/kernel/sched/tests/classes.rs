//! The classes at work: shares, slices, wake-ups, budgets, several processors.

use super::super::FairPolicy::{self, Cfs, Eevdf};
use super::{MS, World, world};
use crate::abi::numbers::{SCHED_BATCH, SCHED_DEADLINE, SCHED_FIFO, SCHED_IDLE, SCHED_RR};
use crate::abi::structs::SchedAttr;
use crate::kernel::sched::SchedClass;
use crate::kernel::sched::stop::sched_set_stop_task;
use crate::kernel::sched::syscalls::sched_setscheduler;
use crate::kernel::sched::work::{Phase, Work};
use crate::kernel::task::TaskId;
use crate::report::timeline::{Timeline, timeline};

const BOTH: [FairPolicy; 2] = [Eevdf, Cfs];

impl World {
    fn policy(&mut self, t: TaskId, policy: u32, prio: u32) {
        let attr = SchedAttr { sched_priority: prio, ..SchedAttr::default() };
        let init = self.init;
        sched_setscheduler(&mut self.sys, init, t, Some(policy), &attr).expect("root may");
        self.recount();
    }

    fn deadline(&mut self, t: TaskId, runtime: u64, deadline: u64, period: u64) {
        let attr = SchedAttr {
            sched_runtime: runtime,
            sched_deadline: deadline,
            sched_period: period,
            ..SchedAttr::default()
        };
        let init = self.init;
        sched_setscheduler(&mut self.sys, init, t, Some(SCHED_DEADLINE), &attr).expect("it fits");
    }

    fn works(&mut self, t: TaskId, run: u64, sleep: u64) {
        let work = Work::new(vec![Phase::Run(run), Phase::Sleep(sleep)], None);
        self.sys.set_work(t, Some(work));
    }

    fn timeline(&self) -> Timeline {
        timeline(&self.sys)
    }

    fn ran(&self, t: TaskId) -> u64 {
        let pid = self.sys.task(t).pid;
        self.timeline().rows.iter().find(|r| r.pid == pid).map_or(0, |r| r.ran)
    }
}

#[test]
fn a_slice_is_not_interrupted() {
    let mut w = world(Eevdf, 1);
    let (a, _b) = (w.hog(0), w.hog(0));
    w.run_for(100 * MS);
    let pid = w.sys.task(a).pid;
    let rows = w.timeline();
    let row = rows.rows.iter().find(|r| r.pid == pid).expect("it ran");
    // 0.7 ms, looked at once a ms.
    let runs: Vec<u64> = row.stretches.iter().filter(|s| s.runs).map(|s| s.to - s.from).collect();
    let runs = &runs[..runs.len() - 1];
    assert!(runs.iter().all(|ns| (MS / 2..=2 * MS).contains(ns)), "{runs:?}");
}

#[test]
fn a_custom_slice_makes_for_longer_turns() {
    let mut w = world(Eevdf, 1);
    let (a, b) = (w.hog(0), w.hog(0));
    for t in [a, b] {
        let attr = SchedAttr { sched_runtime: 10 * MS, ..SchedAttr::default() };
        let init = w.init;
        sched_setscheduler(&mut w.sys, init, t, None, &attr).expect("root may");
    }
    w.run_for(200 * MS);
    assert_eq!(w.ran(a) + w.ran(b), 200 * MS);
    assert!(w.ran(a).abs_diff(w.ran(b)) <= 10 * MS);
    let turns: u64 = w.timeline().rows.iter().map(|r| r.times).sum();
    assert!((18..=24).contains(&turns), "{turns} turns of 10 ms in 200 ms");
}

#[test]
fn cfs_gives_each_a_part_of_its_latency() {
    let mut w = world(Cfs, 1);
    let (_a, _b) = (w.hog(0), w.hog(0));
    w.run_for(120 * MS);
    let turns: u64 = w.timeline().rows.iter().map(|r| r.times).sum();
    // Half of 6 ms, found out at the tick after.
    assert!((28..=41).contains(&turns), "{turns} turns of 3 to 4 ms in 120 ms");
}

#[test]
fn a_sleeper_does_not_save_up() {
    for fair in BOTH {
        let mut w = world(fair, 1);
        let (hog, sleeper) = (w.hog(0), w.hog(0));
        w.sys.set_work(sleeper, None);
        w.run_for(500 * MS);
        w.sys.set_work(sleeper, Some(Work::new(vec![Phase::Run(u64::MAX)], None)));
        w.run_for(100 * MS);
        let (a, b) = (w.ran(hog), w.ran(sleeper));
        assert!(a.abs_diff(b) <= 8 * MS, "{fair:?}: {a} {b}");
    }
}

#[test]
fn a_task_that_sleeps_much_is_served_soon() {
    for fair in BOTH {
        let mut w = world(fair, 1);
        let (_hog, editor) = (w.hog(0), w.hog(0));
        w.works(editor, MS / 10, 9 * MS);
        w.run_for(500 * MS);
        let pid = w.sys.task(editor).pid;
        let rows = w.timeline();
        let row = rows.rows.iter().find(|r| r.pid == pid).expect("it ran");
        let waits: Vec<u64> =
            row.stretches.iter().filter(|s| !s.runs).map(|s| s.to - s.from).collect();
        let longest = waits.iter().max().copied().unwrap_or(0);
        assert!(longest <= 4 * MS, "{fair:?}: it waited {longest} ns");
        assert!(w.sys.task(editor).nvcsw > 40, "it sleeps by itself");
    }
}

#[test]
fn idle_and_batch_tasks_give_way() {
    for fair in BOTH {
        let mut w = world(fair, 1);
        let (hog, idle) = (w.hog(0), w.hog(0));
        w.policy(idle, SCHED_IDLE, 0);
        w.run_for(400 * MS);
        assert!(w.ran(idle) <= 6 * MS, "{fair:?}: weight 3 of 1027");
        // Awake it takes the processor at once.
        w.works(hog, MS, 10 * MS + MS / 2);
        w.run_for(200 * MS);
        let waited = w.timeline().rows.iter().map(|r| (r.pid, r.waited)).collect::<Vec<_>>();
        let pid = w.sys.task(hog).pid;
        let hogs = waited.iter().find(|(p, _)| *p == pid).map_or(0, |(_, ns)| *ns);
        assert!(hogs <= 2 * MS, "{fair:?}: {waited:?}");
        w.policy(idle, SCHED_BATCH, 0);
        w.run_for(100 * MS);
        assert!(w.ran(idle) > 60 * MS, "{fair:?}");
    }
}

#[test]
fn real_time_goes_first() {
    let mut w = world(Eevdf, 1);
    let (fair, low, high) = (w.hog(-20), w.hog(0), w.hog(0));
    w.policy(low, SCHED_FIFO, 10);
    w.policy(high, SCHED_FIFO, 20);
    w.works(high, MS, MS);
    w.run_for(100 * MS);
    assert_eq!(w.ran(fair), 0);
    assert!(w.ran(high).abs_diff(50 * MS) < MS, "{}", w.ran(high));
    assert!(w.ran(low).abs_diff(50 * MS) < MS, "{}", w.ran(low));
    assert!(w.sys.task(low).nivcsw >= 49, "it is taken off each time");
}

#[test]
fn fifo_has_no_slice_and_round_robin_has_one() {
    let mut w = world(Eevdf, 1);
    let all = [w.hog(0), w.hog(0)];
    all.iter().for_each(|t| w.policy(*t, SCHED_FIFO, 1));
    w.run_for(500 * MS);
    assert_eq!([w.ran(all[0]), w.ran(all[1])], [500 * MS, 0]);
    all.iter().for_each(|t| w.policy(*t, SCHED_RR, 1));
    w.run_for(1_000 * MS);
    assert_eq!([w.ran(all[0]), w.ran(all[1])], [500 * MS, 500 * MS]);
    let turns: u64 = w.timeline().rows.iter().map(|r| r.times).sum();
    assert!((10..=11).contains(&turns), "{turns} turns of 100 ms in 1 s");
}

#[test]
fn deadline_tasks_have_their_budget_and_no_more() {
    let mut w = world(Eevdf, 1);
    let (fair, a, b) = (w.hog(0), w.hog(0), w.hog(0));
    w.deadline(a, 10 * MS, 40 * MS, 40 * MS);
    w.deadline(b, 5 * MS, 20 * MS, 20 * MS);
    w.run_for(400 * MS);
    // What is overrun until the tick is taken from the next budget.
    assert!(w.ran(a).abs_diff(100 * MS) <= MS, "10 ms in each of 10 periods: {}", w.ran(a));
    assert!(w.ran(b).abs_diff(100 * MS) <= MS, "5 ms in each of 20 periods: {}", w.ran(b));
    assert!(w.ran(fair).abs_diff(200 * MS) <= 2 * MS);
    let pid = w.sys.task(a).pid;
    let rows = w.timeline();
    let row = rows.rows.iter().find(|r| r.pid == pid).expect("it ran");
    let latest = row.stretches.iter().filter(|s| s.runs).map(|s| s.to).max().unwrap();
    assert!(latest <= rows.to);
    w.recount();
}

#[test]
fn the_earliest_deadline_goes_first() {
    let mut w = world(Eevdf, 1);
    let (late, early) = (w.hog(0), w.hog(0));
    w.deadline(late, 5 * MS, 50 * MS, 100 * MS);
    w.deadline(early, 5 * MS, 20 * MS, 100 * MS);
    w.run_for(10 * MS);
    let first = |t: TaskId| {
        let pid = w.sys.task(t).pid;
        let rows = timeline(&w.sys);
        let row = rows.rows.into_iter().find(|r| r.pid == pid).expect("it ran");
        row.stretches.iter().find(|s| s.runs).expect("it ran").from
    };
    assert!(first(early) < first(late));
}

#[test]
fn the_stopper_goes_before_all() {
    let mut w = world(Eevdf, 1);
    let (dl, stopper) = (w.hog(0), w.hog(0));
    w.deadline(dl, 5 * MS, 10 * MS, 10 * MS);
    sched_set_stop_task(&mut w.sys, stopper);
    w.recount();
    w.run_for(50 * MS);
    assert_eq!(w.sys.task(stopper).sched_class, SchedClass::Stop);
    assert_eq!(w.ran(stopper), 50 * MS);
}

#[test]
fn processors_share_the_load() {
    for fair in BOTH {
        let mut w = world(fair, 2);
        let all: Vec<TaskId> = (0..4).map(|_| w.hog(0)).collect();
        w.run_for(400 * MS);
        let total: u64 = all.iter().map(|t| w.ran(*t)).sum();
        assert!(total >= 799 * MS, "{fair:?}: {total}");
        assert!(all.iter().all(|t| w.ran(*t).abs_diff(200 * MS) < 30 * MS), "{fair:?}");
        // One that may run on one processor only.
        w.sys.task_mut(all[0]).cpus_mask = 2;
        w.run_for(50 * MS);
        w.run_for(100 * MS);
        let pid = w.sys.task(all[0]).pid;
        let rows = w.timeline();
        let row = rows.rows.iter().find(|r| r.pid == pid).expect("it ran");
        assert!(row.ran > 20 * MS);
    }
}

#[test]
fn yielding_lets_others_run() {
    for fair in BOTH {
        let mut w = world(fair, 1);
        let (hog, polite) = (w.hog(0), w.hog(0));
        w.sys.set_work(polite, Some(Work::new(vec![Phase::Run(MS / 10), Phase::Yield], None)));
        w.run_for(100 * MS);
        assert!(w.ran(polite) < w.ran(hog), "{fair:?}: {} {}", w.ran(polite), w.ran(hog));
        assert!(w.ran(polite) > 0);
    }
}

/// The same state runs on in the same way, to the last bit.
#[test]
fn a_snapshot_runs_on_as_the_original() {
    for fair in BOTH {
        let mut w = world(fair, 2);
        let all: Vec<TaskId> = [0, 3, -3].into_iter().map(|nice| w.hog(nice)).collect();
        w.works(all[0], MS, 2 * MS);
        w.run_for(20 * MS);
        let mut twin = w.sys.clone();
        twin.run_for(30 * MS).expect("sound");
        assert_ne!(w.sys, twin);
        w.run_for(30 * MS);
        assert_eq!(w.sys, twin);
    }
}
