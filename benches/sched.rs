//! The scheduler: `cargo bench --bench sched`.
//!
//! First a switch between two tasks that yield to each other (the call, the
//! choice, the switch of stack and address space) beside the host's switch
//! between two processes that pass a byte to and fro through pipes, both on one
//! processor. Then what choosing costs among more and more tasks that can run:
//! logarithmic, so ten times as many cost a little more.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use forkyard::kernel::boot::BootConfig;
use forkyard::kernel::sched::core::{context_switch, current, pick_next_task};
use forkyard::kernel::sched::cputime::charge;
use forkyard::kernel::sched::work::{Phase, Work};
use forkyard::kernel::sched::{Chooser, FairPolicy, SchedConfig};
use forkyard::kernel::syscalls::Call;
use forkyard::kernel::system::System;
use forkyard::kernel::task::TaskId;
use forkyard::machine::MachineConfig;
use forkyard::session::Session;
use std::process::Command;
use std::time::Instant;

const NR_FORK: u32 = 57;
const ROUNDS: usize = 5;

fn boot(fair: FairPolicy, ram_bytes: u64) -> (System, TaskId) {
    let machine = MachineConfig { ram_bytes, ..MachineConfig::default() };
    let sched = SchedConfig { fair, ..SchedConfig::default() };
    let session = Session::boot(BootConfig { machine, seed: 1, sched }).expect("boots");
    let init = session.init();
    (session.system, init)
}

fn fork(sys: &mut System, task: TaskId) -> TaskId {
    sys.call(task, Call::new(NR_FORK, &[])).expect("fork succeeds");
    sys.new_task().expect("fork makes a task").0
}

/// ns of a switch between two tasks that yield after each µs.
fn switch(fair: FairPolicy) -> f64 {
    let (mut sys, init) = boot(fair, 64 << 20);
    for _ in 0..2 {
        let t = fork(&mut sys, init);
        sys.set_work(t, Some(Work::new(vec![Phase::Run(1_000), Phase::Yield], None)));
    }
    sys.run_for(1_000_000).expect("sound");
    let before = sys.kernel.per_cpu[0].rq.nr_switches;
    let begun = Instant::now();
    sys.run_for(200_000_000).expect("sound");
    let ns = begun.elapsed().as_nanos() as f64;
    ns / (sys.kernel.per_cpu[0].rq.nr_switches - before).max(1) as f64
}

/// ns of a choice, and of charging, choosing and switching, with `n` tasks.
fn pick(fair: FairPolicy, n: u64) -> (f64, f64) {
    let (mut sys, init) = boot(fair, 16 << 30);
    let ns = sys.kernel.init_pid_ns;
    sys.kernel.pid_namespaces[ns].pid_max = 4 << 20;
    sys.kernel.sysctl.threads_max = 1 << 20;
    for _ in 0..n {
        fork(&mut sys, init);
    }
    sys.kernel.sched.chooser = Chooser::Asked;
    let turns = 50_000;
    let round = |sys: &mut System| {
        let curr = current(sys, 0);
        charge(sys, curr, 1_000_000);
        let next = pick_next_task(sys, 0);
        context_switch(sys, 0, next);
    };
    (0..1_000).for_each(|_| round(&mut sys));
    let begun = Instant::now();
    (0..turns).for_each(|_| round(&mut sys));
    let whole = begun.elapsed().as_nanos() as f64 / f64::from(turns);
    let begun = Instant::now();
    for _ in 0..turns {
        std::hint::black_box(pick_next_task(std::hint::black_box(&sys), 0));
    }
    (begun.elapsed().as_nanos() as f64 / f64::from(turns), whole)
}

/// ns of the host's switch between two processes.
fn host() -> Option<f64> {
    let out = std::env::temp_dir().join(format!("forkyard-sched-{}", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/host/pingpong.c");
    let built = Command::new("cc").args(["-O2", "-static", "-o"]).arg(&out).arg(source).status();
    let best = built.ok().filter(|s| s.success()).and_then(|_| {
        let run = || {
            let out = Command::new(&out).output().ok()?;
            String::from_utf8(out.stdout).ok()?.trim().parse::<f64>().ok()
        };
        (0..ROUNDS).filter_map(|_| run()).min_by(f64::total_cmp)
    });
    let _ = std::fs::remove_file(&out);
    best
}

fn main() {
    // `cargo test --benches` runs this without `--bench`: nothing to time.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let best = |fair| (0..ROUNDS).map(|_| switch(fair)).fold(f64::MAX, f64::min);
    // `cargo bench --bench sched -- switch` is for a profiler.
    if std::env::args().any(|a| a == "switch") {
        return println!("switch between two tasks: model {:.0} ns", best(FairPolicy::Eevdf));
    }
    let host = host();
    println!("switch between two tasks: model {:.0} ns", best(FairPolicy::Eevdf));
    if let Some(host) = host {
        println!("the host's, through pipes:      {host:.0} ns");
        println!("target: a third of that; it is  {:.2}", best(FairPolicy::Eevdf) / host);
    }
    println!();
    println!("fair scheduler  runnable  choose ns  charge, choose and switch ns");
    for fair in [FairPolicy::Eevdf, FairPolicy::Cfs] {
        for n in [100, 1_000, 10_000, 100_000] {
            let (choose, whole) = pick(fair, n);
            println!("{:14}  {n:8}  {choose:9.0}  {whole:28.0}", format!("{fair:?}"));
        }
    }
}
