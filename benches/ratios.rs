//! The model beside the host kernel, in one run: `cargo bench`.
//!
//! Each figure is measured on both sides in turn, several times, and the best
//! of each side is kept; what counts is the ratio, for absolute times depend
//! on the machine and on what else it does. The host's side is a small static
//! C program, because a large benchmark process would fork slowly.
//!
//! On hosts other than Linux, or without a C compiler, only the model is
//! measured.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use forkyard::base::VirtAddr;
use forkyard::kernel::boot::BootConfig;
use forkyard::kernel::syscalls::Call;
use forkyard::kernel::system::System;
use forkyard::kernel::task::TaskId;
use forkyard::machine::{MachineConfig, Size, UserOp};
use forkyard::session::{Done, Session};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

const NR_MMAP: u32 = 9;
const NR_FORK: u32 = 57;
const NR_WAIT4: u32 = 61;
const NR_EXIT_GROUP: u32 = 231;
const NR_CLONE: u32 = 56;
const NR_EXIT: u32 = 60;
const ROUNDS: usize = 5;

fn boot(ram: u64) -> (System, TaskId) {
    let machine = MachineConfig { ram_bytes: ram, ..MachineConfig::default() };
    let session =
        Session::boot(BootConfig { machine, seed: 1, ..BootConfig::default() }).expect("boots");
    let init = session.init();
    (session.system, init)
}

fn ok(sys: &mut System, task: TaskId, nr: u32, args: &[u64]) -> i64 {
    match sys.call(task, Call::new(nr, args)) {
        Ok(Done::Returned(v, _)) => v,
        Ok(Done::Dead) => 0,
        other => panic!("call {nr}: {other:?}"),
    }
}

fn fork(sys: &mut System, task: TaskId) -> TaskId {
    ok(sys, task, NR_FORK, &[]);
    sys.new_task().expect("fork makes a task").0
}

fn mmap(sys: &mut System, task: TaskId, pages: u64) -> u64 {
    ok(sys, task, NR_MMAP, &[0, pages * 4096, 3, 0x22, u64::MAX, 0]) as u64
}

fn store(sys: &mut System, task: TaskId, addr: u64, value: u64) {
    let op = UserOp::Store { addr: VirtAddr(addr), size: Size::Qword, value };
    sys.op(task, op).expect("the store succeeds");
}

fn touch(sys: &mut System, task: TaskId, pages: u64) -> u64 {
    let base = mmap(sys, task, pages);
    for i in 0..pages {
        store(sys, task, base + i * 4096, i + 1);
    }
    base
}

fn timed(f: impl FnOnce()) -> f64 {
    let t = Instant::now();
    f();
    t.elapsed().as_nanos() as f64
}

/// A process like a small C program: a handful of mappings, thirty pages.
fn small_process() -> (System, TaskId) {
    let (mut sys, init) = boot(256 << 20);
    let p = fork(&mut sys, init);
    mmap(&mut sys, p, 4);
    touch(&mut sys, p, 24);
    (sys, p)
}

fn fork_exit_wait() -> f64 {
    let (mut sys, p) = small_process();
    let n = 20_000;
    timed(|| {
        for _ in 0..n {
            let c = fork(&mut sys, p);
            ok(&mut sys, c, NR_EXIT_GROUP, &[0]);
            ok(&mut sys, p, NR_WAIT4, &[u64::MAX, 0, 0, 0]);
        }
    }) / n as f64
}

/// Runs a script with the binary; nanoseconds of the whole process.
fn script(text: &str) -> f64 {
    timed(|| {
        let status = Command::new(env!("CARGO_BIN_EXE_forkyard"))
            .args(["run", "-e", text])
            .stdout(std::process::Stdio::null())
            .status();
        assert!(status.expect("forkyard starts").success());
    })
}

/// The loop of [`fork_exit_wait`] as a script, without what starting costs.
fn rhai_loop() -> f64 {
    let text = |n: u32| {
        format!(
            "let p = init.fork(); let a = p.mmap(98304); for i in 0..24 {{ p.store(a + i * 4096, 1); }}
             for i in 0..{n} {{ let c = p.fork(); c.exit(0); p.wait(); }}"
        )
    };
    let n = 20_000;
    (script(&text(n)) - script(&text(0))) / f64::from(n)
}

const TEN_LINES: &str = "let a = init.define(\"data\", 10);
let c = init.fork();
c.vars.data = 20;
assert(init.vars.data == 10);
c.setuid(1000);
assert(c.cred.uid == 1000);
c.exit(3);
let w = init.wait();
assert(w.exit_status == 3);
print(`${w.pid} ${w.exit_status}`);";

fn start_up() {
    if !asked("ten lines") {
        return;
    }
    let best = (0..4 * ROUNDS).map(|_| script(TEN_LINES)).fold(f64::MAX, f64::min);
    println!("forkyard run of ten lines: {:.1} ms", best / 1e6);
}

fn thread() -> f64 {
    let (mut sys, p) = small_process();
    let n = 20_000;
    // VM FS FILES SIGHAND THREAD SYSVSEM
    let flags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;
    timed(|| {
        for _ in 0..n {
            ok(&mut sys, p, NR_CLONE, &[flags, 0, 0, 0, 0]);
            let t = sys.new_task().expect("clone makes a task").0;
            ok(&mut sys, t, NR_EXIT, &[0]);
        }
    }) / n as f64
}

fn fork_pages(pages: u64) -> f64 {
    let (mut sys, init) = boot((pages * 4096 * 2).max(256 << 20));
    let p = fork(&mut sys, init);
    touch(&mut sys, p, pages);
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let mut child = p;
        best = best.min(timed(|| child = fork(&mut sys, p)));
        ok(&mut sys, child, NR_EXIT_GROUP, &[0]);
        ok(&mut sys, p, NR_WAIT4, &[u64::MAX, 0, 0, 0]);
    }
    best
}

fn cow_fault(pages: u64) -> f64 {
    let (mut sys, init) = boot(256 << 20);
    let p = fork(&mut sys, init);
    let base = touch(&mut sys, p, pages);
    fork(&mut sys, p);
    timed(|| {
        for i in 0..pages {
            store(&mut sys, p, base + i * 4096, 2);
        }
    }) / pages as f64
}

fn touch_fault(pages: u64) -> f64 {
    let (mut sys, init) = boot(256 << 20);
    let base = mmap(&mut sys, init, pages);
    timed(|| {
        for i in 0..pages {
            store(&mut sys, init, base + i * 4096, 1);
        }
    }) / pages as f64
}

fn with_children(n: u64) -> (System, TaskId, Vec<f64>) {
    let (mut sys, init) = boot(16 << 30);
    let ns = sys.kernel.init_pid_ns;
    sys.kernel.pid_namespaces[ns].pid_max = 4 << 20;
    sys.kernel.sysctl.threads_max = 1 << 20;
    let mut times = Vec::with_capacity(n as usize);
    for _ in 0..n {
        times.push(timed(|| {
            fork(&mut sys, init);
        }));
    }
    (sys, init, times)
}

fn wait_live(n: u64) -> f64 {
    let (mut sys, init, _) = with_children(n);
    let calls = 2_000;
    timed(|| {
        for _ in 0..calls {
            ok(&mut sys, init, NR_WAIT4, &[u64::MAX, 0, 1, 0]);
        }
    }) / calls as f64
}

fn median(v: &[f64]) -> f64 {
    let mut v = v.to_vec();
    v.sort_by(f64::total_cmp);
    v[v.len() / 2]
}

struct Host(Option<PathBuf>);

impl Host {
    fn build() -> Host {
        if !cfg!(target_os = "linux") {
            return Host(None);
        }
        let out = std::env::temp_dir().join(format!("forkyard-bench-{}", std::process::id()));
        let built = Command::new("cc")
            .args(["-O2", "-static", "-o"])
            .arg(&out)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/host/host.c"))
            .status();
        Host(matches!(built, Ok(s) if s.success()).then_some(out))
    }

    fn run(&self, name: &str, n: u64) -> Option<f64> {
        let out = Command::new(self.0.as_ref()?).args([name, &n.to_string()]).output().ok()?;
        String::from_utf8(out.stdout).ok()?.split_whitespace().nth(2)?.parse().ok()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(p) = &self.0 {
            let _ = std::fs::remove_file(p);
        }
    }
}

/// Whether a figure is asked for: `cargo bench -- WORD` measures those that
/// have the word in their name.
fn asked(what: &str) -> bool {
    std::env::args().skip(1).find(|a| !a.starts_with('-')).is_none_or(|word| what.contains(&word))
}

fn row(host: &Host, what: &str, name: &str, n: u64, per: f64, model: impl Fn() -> f64) {
    if !asked(what) {
        return;
    }
    let (mut m, mut h) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        m = m.min(model());
        if let Some(ns) = host.run(name, n) {
            h = h.min(ns);
        }
    }
    let (m, h) = (m / per, h / per);
    if h < 1e17 {
        println!("{what:<44} {m:>12.1} {h:>14.1} {:>9.1}x", h / m);
    } else {
        println!("{what:<44} {m:>12.1} {:>14} {:>10}", "-", "-");
    }
}

fn main() {
    // `cargo test --benches` runs this without `--bench`: nothing to time.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let host = Host::build();
    println!("{:<44} {:>12} {:>14} {:>10}", "", "model ns", "host ns", "ratio");
    row(&host, "fork + exit + wait, small process", "fork_exit_wait", 0, 1.0, fork_exit_wait);
    row(&host, "the same in a Rhai loop", "fork_exit_wait", 0, 1.0, rhai_loop);
    row(&host, "thread: clone + exit (+ join on the host)", "thread", 0, 1.0, thread);
    for mib in [16u64, 256, 1024] {
        let pages = mib * 256;
        let what = format!("fork, a touched page, at {mib} MiB");
        row(&host, &what, "fork_pages", pages, pages as f64, || fork_pages(pages));
    }
    row(&host, "write fault on a shared page (COW)", "cow_fault", 4096, 1.0, || cow_fault(4096));
    row(&host, "first write to a page", "touch_fault", 4096, 1.0, || touch_fault(4096));
    row(&host, "wait4(-1, WNOHANG), 100 live children", "wait_live", 100, 1.0, || wait_live(100));
    row(&host, "wait4(-1, WNOHANG), 30,000 live children", "wait_live", 30_000, 1.0, || {
        wait_live(30_000)
    });
    growth();
    snapshots();
    start_up();
}

fn growth() {
    if !asked("live tasks") {
        return;
    }
    let (_, _, times) = with_children(30_000);
    let early = median(&times[50..150]);
    let late = median(&times[29_850..]);
    println!(
        "the 30,000th fork costs {:.2} of the 100th ({late:.0} ns, {early:.0} ns)",
        late / early
    );
    let before = rss();
    let (sys, _, _) = with_children(200_000);
    println!("200,000 live tasks: {} MiB of host memory", (rss() - before) >> 20);
    drop(sys);
}

fn snapshots() {
    if !asked("snapshot") {
        return;
    }
    let (mut sys, init) = boot(1 << 30);
    touch(&mut sys, init, 16_384);
    for _ in 0..1_000 {
        fork(&mut sys, init);
    }
    let n = 100;
    let before = rss();
    let mut kept = Vec::with_capacity(n);
    let t = timed(|| {
        for _ in 0..n {
            kept.push(sys.clone());
        }
    }) / n as f64;
    let bytes = (rss() - before) / n as u64;
    println!("snapshot of 1,000 tasks and 64 MiB: {:.0} µs, {} KiB", t / 1e3, bytes >> 10);
    let undo = timed(|| sys = kept.pop().expect("a snapshot"));
    println!("undo: {:.0} µs", undo / 1e3);
}

/// Resident bytes of this process, 0 where /proc is not there.
fn rss() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|s| s.parse::<u64>().ok()).unwrap_or(0) * 4096
}
