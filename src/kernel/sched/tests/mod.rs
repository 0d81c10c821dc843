//! Shares, slices, lag, wake-ups and budgets, under both fair schedulers.

mod calls;
mod classes;
mod picking;

use super::work::{Phase, Work};
use super::{FairPolicy, SchedConfig};
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::sched::fork::set_user_nice;
use crate::kernel::task::TaskId;
use crate::kernel::testing::World;
use crate::machine::MachineConfig;

const MS: u64 = 1_000_000;

fn world(fair: FairPolicy, cpus: u32) -> World {
    let machine = MachineConfig { cpus, ..MachineConfig::default() };
    let sched = SchedConfig { fair, ..SchedConfig::default() };
    let sys = boot(&BootConfig { machine, seed: 0, sched }).expect("it boots");
    let init = sys.kernel.init_process;
    World { sys, init }
}

impl World {
    fn hog(&mut self, nice: i32) -> TaskId {
        let t = self.fork(self.init);
        set_user_nice(&mut self.sys, t, nice);
        self.sys.set_work(t, Some(Work::new(vec![Phase::Run(u64::MAX)], None)));
        t
    }

    fn run_for(&mut self, ns: u64) {
        self.sys.run_for(ns).expect("the kernel is sound");
        self.recount();
    }

    fn utime(&self, t: TaskId) -> u64 {
        self.sys.task(t).utime
    }
}

#[test]
fn time_is_shared_by_weight() {
    for fair in [FairPolicy::Eevdf, FairPolicy::Cfs] {
        let mut w = world(fair, 1);
        let (a, b) = (w.hog(0), w.hog(5));
        w.run_for(1_000 * MS);
        let (a, b) = (w.utime(a), w.utime(b));
        assert_eq!(a + b, 1_000 * MS, "{fair:?}: nobody idles");
        let share = a as f64 / 1e9;
        assert!((share - 1024.0 / 1359.0).abs() < 0.01, "{fair:?}: {share}");
    }
}
