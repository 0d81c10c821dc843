//! `machine`: the computer and its kernel as a whole. Tasks by pid, settings,
//! deliberate faults, snapshots, virtual time; and `boot`, which makes another.
//!
//! Left out: processors, frames, page tables (`views`).

use super::args::{self, Named};
use super::registry::{Book, Raised, functions, getters, setters};
use super::sysctl::{get_sysctl, set_sysctl};
use super::task::Task;
use super::world::{Machine, State};
use crate::abi::Errno;
use crate::kernel::boot::BootConfig;
use crate::kernel::sched::{FairPolicy, SchedConfig};
use crate::kernel::system::System;
use crate::kernel::task::TaskList;
use crate::kernel::timer;
use crate::kernel::{list, pid};
use crate::machine::{MachineConfig, PagingLevels};
use crate::script::errors::ScriptError;
use crate::script::names::{did_you_mean, suggestion};
use rhai::{Array, Dynamic, INT, ImmutableString, Map};
use std::rc::Rc;

/// Most processors of one machine.
const MAX_CPUS: u64 = 64;

/// Values of CONFIG_HZ.
const HZ: [u64; 4] = [100, 250, 300, 1000];

/// A machine's state at one time.
#[derive(Clone)]
pub(super) struct Saved {
    machine: Machine,
    state: Rc<State>,
}

impl Saved {
    /// Whether it is a state of this machine.
    pub(super) fn is_of(&self, machine: &Machine) -> bool {
        self.machine.is(machine)
    }

    /// The state.
    pub(super) fn system(&self) -> &System {
        &self.state.0
    }
}

impl std::fmt::Display for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sys = self.system();
        let tasks = sys.kernel.tasks.len();
        write!(f, "snapshot at {} ns, {tasks} tasks", sys.machine.clock.now())
    }
}

/// Deliberate faults of a machine's kernel.
#[derive(Clone)]
struct BugsHandle(Machine);

impl std::fmt::Display for BugsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.read(|sys| write!(f, "no_tlb_flush: {}", sys.kernel.bugs.no_tlb_flush))
    }
}

/// A size: bytes, or text as "64M".
fn size(what: &str, value: &Dynamic) -> Result<u64, ScriptError> {
    let Ok(text) = value.clone().into_immutable_string() else {
        return match i64::try_from(args::word(what, value)?) {
            Ok(n) if n > 0 => Ok(n as u64),
            _ => Err(ScriptError::usage(format!("{what} must be more than 0 bytes"))),
        };
    };
    let upper = text.to_ascii_uppercase();
    let (digits, shift) = match upper.trim_end_matches('B').trim_end_matches('I') {
        s if s.ends_with('K') => (&s[..s.len() - 1], 10),
        s if s.ends_with('M') => (&s[..s.len() - 1], 20),
        s if s.ends_with('G') => (&s[..s.len() - 1], 30),
        s if s.ends_with('T') => (&s[..s.len() - 1], 40),
        s => (s, 0),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(1 << shift));
    bytes.filter(|b| *b > 0).ok_or_else(|| {
        ScriptError::usage(format!("{what}: {text:?} is not a size such as \"512K\" or \"64M\""))
    })
}

/// What `boot` is asked for; what is not said is as `base` has it.
fn boot_config(base: &BootConfig, map: &Map) -> Result<BootConfig, ScriptError> {
    let mut named = Named::new("boot", map);
    let machine = base.machine;
    let cpus = named.word("cpus", u64::from(machine.cpus))?;
    if !(1..=MAX_CPUS).contains(&cpus) {
        return Err(ScriptError::usage(format!(
            "boot cpus: a machine has 1 to {MAX_CPUS} processors, not {}",
            cpus as i64
        )));
    }
    let ram_bytes = match named.get("ram") {
        Some(v) => size("boot ram", v)?,
        None => machine.ram_bytes,
    };
    let levels = match machine.paging_levels {
        PagingLevels::Four => 4,
        PagingLevels::Five => 5,
    };
    let paging_levels = match named.word("levels", levels)? {
        4 => PagingLevels::Four,
        5 => PagingLevels::Five,
        n => {
            let message = format!("boot levels: page tables have 4 or 5 levels, not {}", n as i64);
            return Err(ScriptError::usage(message));
        }
    };
    let mmu = named.word("mmu", u64::from(machine.mmu))? != 0;
    let nx = named.word("nx", u64::from(machine.nx))? != 0;
    let seed = named.word("seed", base.seed)?;
    let sched = sched_config(base, &mut named)?;
    named.finish()?;
    let machine = MachineConfig { cpus: cpus as u32, ram_bytes, paging_levels, mmu, nx };
    Ok(BootConfig { machine, seed, sched })
}

fn sched_config(base: &BootConfig, named: &mut Named<'_>) -> Result<SchedConfig, ScriptError> {
    let fair = match named.get("sched").map(|v| v.to_string()) {
        None => base.sched.fair,
        Some(name) => fair_policy(&name).ok_or_else(|| {
            ScriptError::usage(format!(
                "boot sched: the fair scheduler is \"eevdf\" (since 6.6) or \"cfs\", not {name:?}"
            ))
        })?,
    };
    let hz = named.word("hz", u64::from(base.sched.hz))?;
    if !HZ.contains(&hz) {
        return Err(ScriptError::usage(format!(
            "boot hz: a second has 100, 250, 300 or 1000 ticks, not {}",
            hz as i64
        )));
    }
    Ok(SchedConfig { fair, hz: hz as u32 })
}

/// A fair scheduler by name.
pub(crate) fn fair_policy(name: &str) -> Option<FairPolicy> {
    match name {
        "eevdf" => Some(FairPolicy::Eevdf),
        "cfs" => Some(FairPolicy::Cfs),
        _ => None,
    }
}

fn boot(machine: &Machine, map: &Map) -> Raised<Machine> {
    let config = boot_config(&machine.session(|s| s.config().clone()), map)?;
    Ok(machine.boot_another(config)?)
}

/// The task with a pid of the initial namespace.
fn task(machine: &Machine, nr: INT) -> Raised<Task> {
    let found = machine.read(|sys| {
        let number = i32::try_from(nr).ok()?;
        let pid = pid::find_pid_ns(sys, number, sys.kernel.init_pid_ns)?;
        pid::pid_task(sys, pid, pid::PidType::Pid)
    });
    if let Some(id) = found {
        return Ok(machine.handle(id));
    }
    let pids: Vec<String> = all(machine).iter().map(|t| t.pid().to_string()).collect();
    let more = if pids.len() > 12 { ", …" } else { "" };
    let shown = pids[..pids.len().min(12)].join(", ");
    Err(ScriptError::Usage {
        message: format!("there is no task with pid {nr}"),
        help: Some(format!("the pids are {shown}{more}")),
    }
    .into())
}

/// All tasks but the idle ones: leaders as they were made, each with its
/// threads.
fn all(machine: &Machine) -> Vec<Task> {
    let ids: Vec<_> = machine.read(|sys| {
        let k = &sys.kernel;
        let leaders = list::iter(&k.tasks, k.task_list, TaskList::Tasks);
        leaders.flat_map(|id| crate::kernel::signal::threads(sys, id)).collect()
    });
    ids.into_iter().map(|id| machine.handle(id)).filter(|t| t.pid() > 0).collect()
}

fn tasks(machine: &Machine) -> Array {
    all(machine).into_iter().map(Dynamic::from).collect()
}

fn inject(machine: &Machine, step: &str, errno: Errno, skip: INT) -> Raised<()> {
    let skip = u32::try_from(skip)
        .map_err(|_| ScriptError::usage(format!("inject: {skip} is no number of passes")))?;
    let armed = machine.write(|sys| sys.kernel.inject.arm(step, errno, skip));
    armed.map_err(|steps| {
        let near = did_you_mean(step, steps.iter().copied());
        ScriptError::Usage {
            message: format!("there is no step `{step}` to fail"),
            help: suggestion(&near).or_else(|| Some(format!("the steps are {}", steps.join(", ")))),
        }
        .into()
    })
}

fn tick(machine: &Machine, ns: INT) -> Raised<()> {
    match u64::try_from(ns) {
        Ok(ns) => {
            machine.write(|sys| timer::advance(sys, ns));
            Ok(())
        }
        Err(_) => Err(ScriptError::usage("time does not go back: tick takes ns from 0 up").into()),
    }
}

fn snapshot(machine: &Machine) -> Saved {
    Saved { machine: machine.clone(), state: Rc::new(machine.state()) }
}

fn restore(machine: &Machine, saved: &Saved) -> Raised<()> {
    if !machine.is(&saved.machine) {
        return Err(ScriptError::usage("the snapshot was taken of another machine").into());
    }
    machine.set_state((*saved.state).clone());
    Ok(())
}

/// Registers the type, and the functions on the first machine.
pub(super) fn register(book: &mut Book, main: &Machine) {
    book.prints::<Machine>("Machine");
    book.prints::<Saved>("Snapshot");
    book.prints::<BugsHandle>("Bugs");
    hardware(book);
    kernel(book);
    first(book, main);
}

fn hardware(book: &mut Book) {
    getters! { book, Machine;
        /// Number of processors.
        "cpus: int" => |m: &mut Machine| m.read(|sys| sys.machine.cpus.len() as INT);
        /// Bytes of emulated memory.
        "ram: int" => |m: &mut Machine| m.read(|sys| sys.machine.config.ram_bytes as INT);
        /// Frames of memory.
        "total_pages: int" => |m: &mut Machine| m.read(|sys| INT::from(sys.machine.mem.total_pages()));
        /// Free frames.
        "free_pages: int" => |m: &mut Machine| m.read(|sys| INT::from(sys.machine.mem.free_pages()));
        /// Virtual time since power-on, ns.
        "clock: int" => |m: &mut Machine| m.read(|sys| sys.machine.clock.now() as INT);
        /// Whether there is address translation.
        "mmu: bool" => |m: &mut Machine| m.read(|sys| sys.machine.config.mmu);
        /// Levels of the page tables, 4 or 5.
        "levels: int" => |m: &mut Machine| m.read(|sys| match sys.machine.config.paging_levels {
            PagingLevels::Four => 4_i64,
            PagingLevels::Five => 5,
        });
        /// Deliberate faults of the kernel: `machine.bugs.no_tlb_flush = true`.
        "bugs: Bugs" => |m: &mut Machine| BugsHandle(m.clone());
    }
    getters! { book, Bugs;
        /// Whether write-protecting and unmapping forget to flush the TLB.
        "no_tlb_flush: bool" => |b: &mut BugsHandle| b.0.read(|sys| sys.kernel.bugs.no_tlb_flush);
    }
    setters! { book, Bugs;
        /// Makes write-protecting and unmapping forget to flush the TLB.
        "no_tlb_flush: bool" => |b: &mut BugsHandle, on: bool| {
            b.0.write(|sys| sys.kernel.bugs.no_tlb_flush = on);
        };
    }
}

fn kernel(book: &mut Book) {
    getters! { book, Machine;
        /// Task 1.
        "init: Task" => |m: &mut Machine| m.init();
        /// Threads, not counting the idle ones.
        "nr_threads: int" => |m: &mut Machine| m.read(|sys| INT::from(sys.kernel.nr_threads));
        /// Tasks ever made.
        "total_forks: int" => |m: &mut Machine| m.read(|sys| sys.kernel.total_forks as INT);
        /// Frame of the shared page of zeroes.
        "zero_page: Addr" => |m: &mut Machine| {
            m.read(|sys| crate::script::value::Addr(sys.kernel.zero_page.0.into()))
        };
        /// What was found broken, or ().
        "oops: string" => |m: &mut Machine| m.read(|sys| match &sys.kernel.oops {
            Some(oops) => Dynamic::from(oops.to_string()),
            None => Dynamic::UNIT,
        });
    }
    functions! { book;
        /// Whether two handles mean the same machine.
        "==(a: Machine, b: Machine) -> bool" => |a: Machine, b: Machine| a.is(&b);
        /// Whether two handles mean different machines.
        "!=(a: Machine, b: Machine) -> bool" => |a: Machine, b: Machine| !a.is(&b);
        /// Whether two snapshots hold the same state of the same machine.
        "==(a: Snapshot, b: Snapshot) -> bool" => |a: Saved, b: Saved| {
            a.machine.is(&b.machine) && a.system() == b.system()
        };
        /// Whether two snapshots differ in state or machine.
        "!=(a: Snapshot, b: Snapshot) -> bool" => |a: Saved, b: Saved| {
            !(a.machine.is(&b.machine) && a.system() == b.system())
        };
        /// The task with this pid.
        "task(m: Machine, pid: int) -> Task" => |m: &mut Machine, nr: INT| task(m, nr);
        /// All tasks but the idle ones.
        "tasks(m: Machine) -> array" => |m: &mut Machine| tasks(m);
        /// A setting: "kernel.pid_max", "kernel.threads-max", "vm.max_map_count",
        /// "vm.mmap_min_addr", "fs.suid_dumpable".
        "sysctl(m: Machine, name: string) -> int" => |m: &mut Machine, name: ImmutableString| {
            get_sysctl(m, &name)
        };
        /// Changes a setting.
        "sysctl(m: Machine, name: string, value: int)" =>
            |m: &mut Machine, name: ImmutableString, value: INT| set_sysctl(m, &name, value);
        /// Makes a kernel step fail the next time: `machine.inject("copy_mm", ENOMEM)`.
        "inject(m: Machine, step: string, errno: Errno)" =>
            |m: &mut Machine, step: ImmutableString, errno: Errno| inject(m, &step, errno, 0);
        /// The same after the step has succeeded `skip` times.
        "inject(m: Machine, step: string, errno: Errno, skip: int)" =>
            |m: &mut Machine, step: ImmutableString, errno: Errno, skip: INT| {
                inject(m, &step, errno, skip)
            };
        /// The state of the machine now, to return to.
        "snapshot(m: Machine) -> Snapshot" => |m: &mut Machine| snapshot(m);
        /// Goes back to a state; handles to tasks of that time stay valid.
        "restore(m: Machine, s: Snapshot)" => |m: &mut Machine, s: Saved| restore(m, &s);
        /// Lets virtual time pass, in ns. Calls with a timeout end when it is over.
        "tick(m: Machine, ns: int)" => |m: &mut Machine, ns: INT| tick(m, ns);
    }
}

/// What functions of the first machine have in common with methods of any.
macro_rules! on {
    ($main:expr, $m:ident => $f:expr) => {{
        let $m = $main.clone();
        $f
    }};
}

fn first(book: &mut Book, main: &Machine) {
    functions! { book;
        /// Makes another machine: #{cpus: 2, ram: "64M", mmu: true, seed: 7,
        /// levels: 5, nx: true, sched: "eevdf" or "cfs", hz: 1000}; what is not given
        /// is as on the first.
        "boot(settings: map) -> Machine" => on!(main, m => move |map: Map| boot(&m, &map));
        /// Makes another machine like the first.
        "boot() -> Machine" => on!(main, m => move || boot(&m, &Map::new()));
        /// The task with this pid.
        "task(pid: int) -> Task" => on!(main, m => move |nr: INT| task(&m, nr));
        /// All tasks but the idle ones.
        "tasks() -> array" => on!(main, m => move || tasks(&m));
        /// Makes a kernel step fail the next time: `inject("copy_mm", ENOMEM)`.
        "inject(step: string, errno: Errno)" => on!(main, m => {
            move |step: ImmutableString, errno: Errno| inject(&m, &step, errno, 0)
        });
        /// Makes a kernel step fail after it has succeeded `skip` times.
        "inject(step: string, errno: Errno, skip: int)" => on!(main, m => {
            move |step: ImmutableString, errno: Errno, n: INT| inject(&m, &step, errno, n)
        });
        /// Lets virtual time pass, in ns.
        "tick(ns: int)" => on!(main, m => move |ns: INT| tick(&m, ns));
        /// The state of the machine now, to return to.
        "snapshot() -> Snapshot" => on!(main, m => move || snapshot(&m));
        /// Goes back to a state; handles to tasks of that time stay valid.
        "restore(s: Snapshot)" => on!(main, m => move |s: Saved| restore(&m, &s));
        /// A setting: "kernel.pid_max", "kernel.threads-max", "vm.max_map_count"…
        "sysctl(name: string) -> int" => on!(main, m => {
            move |name: ImmutableString| get_sysctl(&m, &name)
        });
        /// Changes a setting.
        "sysctl(name: string, value: int)" => on!(main, m => {
            move |name: ImmutableString, v: INT| set_sysctl(&m, &name, v)
        });
    }
}
