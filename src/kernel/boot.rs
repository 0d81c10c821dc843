//! Boot: from a static init_task to swapper, init and kthreadd.
//!
//! Task 0 is not made by anyone: it is data that is there before the kernel
//! runs. It makes task 1, which executes /sbin/init, and task 2, the parent of
//! kernel threads; then it becomes the idle task of processor 0. Each further
//! processor gets an idle task of its own, copied from it.
//!
//! Linux: init/init_task.c, init/main.c (start_kernel, rest_init, kernel_init),
//! kernel/smpboot.c (idle_threads_init).
//! Left out: everything that finds or starts hardware.

use crate::abi::CloneFlags;
use crate::abi::numbers::*;
use crate::abi::{CapSet, SigSet};
use crate::base::{Id, Pfn, Rng};
use crate::kernel::cred::{Cred, UserStruct};
use crate::kernel::entry;
use crate::kernel::error::Stop;
use crate::kernel::fork::{KernelCloneArgs, copy_process};
use crate::kernel::fs::{self, FsStruct};
use crate::kernel::inject::Inject;
use crate::kernel::list;
use crate::kernel::mm;
use crate::kernel::nsproxy::{Namespace, NsKind, Nsproxy, UidExtent, UserNamespace, next_inum};
use crate::kernel::pid::{PID_MAX_DEFAULT, PidNamespace};
use crate::kernel::sched::SchedEntity;
use crate::kernel::sched::core::{self as sched, percpu_base, text};
use crate::kernel::signal::{Rlimit, SigPending, SighandStruct, SignalFlags, SignalStruct};
use crate::kernel::syscalls::Out;
use crate::kernel::system::{Bugs, Kernel, PerCpu, Sysctl, System};
use crate::kernel::task::{
    ListHead, ListLink, NR_TASK_LISTS, PF, STACK_END_MAGIC, TaskId, TaskList, TaskState,
    TaskStruct, ThreadStruct,
};
use crate::kernel::wait_queue::WaitQueueHead;
use crate::machine::{Machine, MachineConfig, Regs};
use crate::trace::Log;
use std::collections::{BTreeMap, VecDeque};

/// What kind of system to boot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BootConfig {
    /// The hardware.
    pub machine: MachineConfig,
    /// Seed of everything random.
    pub seed: u64,
}

/// Why a system did not come up: the machine is too small for the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the machine does not boot: {0}")]
pub struct BootError(pub String);

/// Boots: afterwards init (pid 1) is in user mode and everything sleeps.
///
/// Errors: too little memory.
pub fn boot(config: &BootConfig) -> Result<System, BootError> {
    let mut sys = static_system(config);
    let fail =
        |what: &str| BootError(format!("{what} ({} bytes of RAM)", config.machine.ram_bytes));
    if !mm::init::mm_core_init(&mut sys) {
        return Err(fail("no memory for the kernel's own page tables"));
    }
    init_processors(&mut sys);
    let swapper = sys.kernel.init_task;
    give_stack(&mut sys, swapper).map_err(|e| fail(&e))?;
    fs::rootfs::init_rootfs(&mut sys);
    for cpu in 1..config.machine.cpus.max(1) {
        let args = KernelCloneArgs { idle: Some(cpu), ..KernelCloneArgs::default() };
        let (idle, _) = copy_process(&mut sys, swapper, &args).map_err(|e| fail(&e.to_string()))?;
        become_idle(&mut sys, idle, cpu);
    }
    rest_init(&mut sys).map_err(|e| fail(&e))?;
    become_idle(&mut sys, swapper, 0);
    if let Some(oops) = sys.kernel.oops.take() {
        return Err(fail(&oops.to_string()));
    }
    Ok(sys)
}

/// Makes init and kthreadd.
fn rest_init(sys: &mut System) -> Result<(), String> {
    let swapper = sys.kernel.init_task;
    let kernel_thread = KernelCloneArgs {
        flags: CloneFlags::CLONE_VM | CloneFlags::CLONE_UNTRACED | CloneFlags::CLONE_FS,
        kthread: true,
        ..KernelCloneArgs::default()
    };
    // user_mode_thread: a task that will exec, so no PF_KTHREAD.
    let user = KernelCloneArgs { kthread: false, exit_signal: 17, ..kernel_thread.clone() };
    let (init, _) = copy_process(sys, swapper, &user).map_err(|e| e.to_string())?;
    let kthreadd_args = KernelCloneArgs {
        flags: kernel_thread.flags | CloneFlags::CLONE_FILES,
        exit_signal: 17,
        ..kernel_thread
    };
    let (kthreadd, _) = copy_process(sys, swapper, &kthreadd_args).map_err(|e| e.to_string())?;
    sys.task_mut(kthreadd).set_comm("kthreadd");
    sys.task_mut(kthreadd).thread.ret_from_fork = false;
    // It sleeps until someone wants a kernel thread.
    sys.task_mut(kthreadd).__state = TaskState::INTERRUPTIBLE;
    sys.kernel.init_process = init;
    kernel_init(sys, init)
}

/// Task 1 in the kernel: opens the console three times and executes init.
fn kernel_init(sys: &mut System, init: TaskId) -> Result<(), String> {
    sys.task_mut(init).__state = TaskState::RUNNING;
    sys.task_mut(init).on_rq = true;
    sys.task_mut(init).thread.ret_from_fork = false;
    sys.signal_mut(init).flags |= SignalFlags::UNKILLABLE;
    let cpu = sys.task(init).cpu;
    sched::context_switch(sys, cpu, init);
    fs::open::console_on_rootfs(sys, init).map_err(|e| e.to_string())?;
    let argv = vec!["/sbin/init".to_string()];
    let envp = vec!["HOME=/".to_string(), "TERM=linux".to_string()];
    match fs::exec::do_execveat(sys, init, "/sbin/init", &argv, &envp) {
        Err(Stop::NoReturn) => {}
        other => return Err(format!("/sbin/init does not start: {other:?}")),
    }
    sys.task_mut(init).orig_ax = -1;
    entry::write_pt_regs(sys, init);
    entry::exit_to_user_regs(sys, init);
    Ok(())
}

fn init_processors(sys: &mut System) {
    for cpu in &mut sys.machine.cpus {
        cpu.msrs.lstar = text::ENTRY_SYSCALL_64;
        cpu.msrs.gs_base = percpu_base(cpu.id);
    }
    let pgd = sys.mm(sys.kernel.init_mm).pgd;
    for cpu in &mut sys.machine.cpus {
        cpu.load_cr3(pgd);
    }
}

fn give_stack(sys: &mut System, task: TaskId) -> Result<(), String> {
    let stack = mm::vmalloc::alloc_thread_stack(sys).map_err(|e| e.to_string())?;
    mm::vmalloc::stack_write(sys, &stack, 0, STACK_END_MAGIC);
    sys.task_mut(task).stack = Some(stack);
    Ok(())
}

/// The task is what `cpu` runs when nothing else can.
fn become_idle(sys: &mut System, task: TaskId, cpu: u32) {
    let init_mm = sys.kernel.init_mm;
    let t = sys.task_mut(task);
    t.set_comm(&format!("swapper/{cpu}"));
    t.flags |= PF::IDLE;
    t.cpu = cpu;
    t.thread.ret_from_fork = false;
    t.__state = TaskState::RUNNING;
    let running = sys.kernel.per_cpu[cpu as usize].current_task;
    sys.kernel.per_cpu[cpu as usize].idle = task;
    if cpu > 0 {
        // The boot placeholder was task 0; this processor really runs its own.
        sys.kernel.per_cpu[cpu as usize].current_task = task;
        let t = sys.task_mut(task);
        t.on_cpu = true;
        if t.active_mm.is_none() {
            t.active_mm = Some(init_mm);
            mm::lifetime::mmgrab(sys, init_mm);
        }
    } else {
        sys.task_mut(task).on_cpu = running == task;
    }
}

/// The system as the linker would lay it out: the static objects.
fn static_system(config: &BootConfig) -> System {
    let stale = || Id::from_bits(u64::MAX);
    let machine = Machine::new(config.machine);
    let ram_pages = config.machine.ram_bytes >> 12;
    // fork_init: threads may use an eighth of memory for their stacks.
    let threads_max = (ram_pages / (8 * 4)).clamp(20, 0x3fff_ffff) as u32;
    let mut kernel = Kernel {
        tasks: Default::default(),
        pids: Default::default(),
        pid_namespaces: Default::default(),
        nsproxies: Default::default(),
        namespaces: Default::default(),
        user_namespaces: Default::default(),
        creds: Default::default(),
        users: Default::default(),
        uidhash: BTreeMap::new(),
        mms: Default::default(),
        anon_vmas: Default::default(),
        sighands: Default::default(),
        signals: Default::default(),
        files: Default::default(),
        fs: Default::default(),
        filps: Default::default(),
        inodes: Default::default(),
        pipes: Default::default(),
        completions: Default::default(),
        task_list: ListHead::default(),
        init_task: stale(),
        init_process: stale(),
        init_cred: Id::from_bits(u64::MAX),
        init_pid_ns: Id::from_bits(u64::MAX),
        init_user_ns: Id::from_bits(u64::MAX),
        root_inode: Id::from_bits(u64::MAX),
        init_mm: Id::from_bits(u64::MAX),
        zero_page: Pfn(0),
        per_cpu: Vec::new(),
        sysctl: Sysctl {
            threads_max,
            max_map_count: 65530,
            suid_dumpable: 0,
            mmap_min_addr: 65536,
        },
        nr_threads: 0,
        total_forks: 0,
        cached_stacks: Vec::new(),
        free_stack_slots: Vec::new(),
        next_stack_slot: 0,
        next_ns_inum: 0xF000_0000,
        next_identity: 1,
        rng: Rng::new(config.seed),
        inject: Inject::default(),
        bugs: Bugs::default(),
        todo: VecDeque::new(),
        out: Out::None,
        note: 0,
        new_task: None,
        futex_queues: BTreeMap::new(),
        console: Vec::new(),
        oops: None,
    };
    let whole = UidExtent { first: 0, lower_first: 0, count: u32::MAX };
    let user_ns = kernel.user_namespaces.insert(UserNamespace {
        count: 1,
        level: 0,
        parent: None,
        owner: 0,
        group: 0,
        uid_map: vec![whole],
        gid_map: vec![whole],
        inum: 0xEFFF_FFFD,
    });
    kernel.init_user_ns = user_ns;
    let user = kernel.users.insert(UserStruct { count: 1, uid: 0, processes: 1, sigpending: 0 });
    kernel.uidhash.insert(0, user);
    kernel.user_namespaces[user_ns].count += 1;
    // Two references of task 0, one of the static definition.
    kernel.init_cred = kernel.creds.insert(Cred {
        usage: 3,
        uid: 0,
        gid: 0,
        suid: 0,
        sgid: 0,
        euid: 0,
        egid: 0,
        fsuid: 0,
        fsgid: 0,
        securebits: 0,
        cap_inheritable: CapSet::EMPTY,
        cap_permitted: CapSet::FULL,
        cap_effective: CapSet::FULL,
        cap_bset: CapSet::FULL,
        cap_ambient: CapSet::EMPTY,
        user,
        user_ns,
        group_info: [].into(),
    });
    kernel.user_namespaces[user_ns].count += 1;
    kernel.init_pid_ns = kernel.pid_namespaces.insert(PidNamespace::new(
        0,
        None,
        user_ns,
        PID_MAX_DEFAULT,
        0xEFFF_FFFC,
    ));
    let mut sys = System { machine, kernel, log: Log::default() };
    let nsproxy = init_nsproxy(&mut sys);
    let k = &mut sys.kernel;
    let sighand = k.sighands.insert(SighandStruct::new());
    let fs = k.fs.insert(FsStruct {
        users: 1,
        umask: 0o022,
        root: "/".into(),
        pwd: "/".into(),
        in_exec: false,
    });
    let files = k.files.insert(fs::FilesStruct { count: 1, fdt: Vec::new() });
    let signal = k.signals.insert(init_signals(threads_max));
    let cred = k.init_cred;
    let task = k.tasks.insert(TaskStruct {
        __state: TaskState::RUNNING,
        stack: None,
        usage: 2,
        flags: PF::KTHREAD,
        ptrace: 0,
        on_cpu: true,
        cpu: 0,
        on_rq: true,
        prio: 120,
        static_prio: 120,
        normal_prio: 120,
        rt_priority: 0,
        policy: SCHED_NORMAL,
        se: SchedEntity { load_weight: 1024, ..SchedEntity::default() },
        sched_reset_on_fork: false,
        cpus_mask: u64::MAX,
        mm: None,
        active_mm: None,
        exit_state: TaskState::RUNNING,
        exit_code: 0,
        exit_signal: 0,
        pdeath_signal: 0,
        jobctl: 0,
        no_new_privs: false,
        pid: 0,
        tgid: 0,
        stack_canary: 0,
        real_parent: stale(),
        parent: stale(),
        children: ListHead::default(),
        nr_children: 0,
        nr_clone_children: 0,
        sibling_seq: 0,
        next_child_seq: 0,
        notable_children: BTreeMap::new(),
        group_leader: stale(),
        links: [ListLink::default(); NR_TASK_LISTS],
        thread_pid: None,
        vfork_done: None,
        set_child_tid: 0,
        clear_child_tid: 0,
        robust_list: 0,
        utime: 0,
        stime: 0,
        nvcsw: 0,
        nivcsw: 0,
        start_time: 0,
        start_boottime: 0,
        min_flt: 0,
        maj_flt: 0,
        real_cred: cred,
        cred,
        comm: [0; 16],
        fs: Some(fs),
        files: Some(files),
        nsproxy: Some(nsproxy),
        signal: Some(signal),
        sighand: Some(sighand),
        blocked: SigSet::EMPTY,
        saved_sigmask: None,
        pending: SigPending::default(),
        sigpending: false,
        need_resched: false,
        sas_ss_sp: 0,
        sas_ss_size: 0,
        sas_ss_flags: SS_DISABLE as u32,
        last_siginfo: None,
        parent_exec_id: 0,
        self_exec_id: 0,
        sysvsem: None,
        io_context: None,
        timer_slack_ns: 50_000,
        default_timer_slack_ns: 50_000,
        sigtimedwait: None,
        thread: ThreadStruct::default(),
        regs: Regs::default(),
        orig_ax: 0,
        resume: None,
        interrupted: None,
        finished: None,
    });
    // Its own parent, its own leader: the only task of which that is true.
    let t = &mut k.tasks[task];
    (t.real_parent, t.parent, t.group_leader) = (task, task, task);
    t.set_comm("swapper");
    k.init_task = task;
    let mut head = k.signals[signal].thread_head;
    list::list_add_tail(&mut k.tasks, &mut head, TaskList::Thread, task);
    k.signals[signal].thread_head = head;
    list::list_add_tail(&mut k.tasks, &mut k.task_list, TaskList::Tasks, task);
    k.per_cpu = (0..config.machine.cpus.max(1))
        .map(|_| PerCpu { current_task: task, idle: task })
        .collect();
    sys
}

fn init_nsproxy(sys: &mut System) -> crate::kernel::nsproxy::NsproxyId {
    let user_ns = sys.kernel.init_user_ns;
    let mut make = |kind, count| {
        let inum = next_inum(sys);
        sys.kernel.user_namespaces[user_ns].count += 1;
        sys.kernel.namespaces.insert(Namespace { kind, count, user_ns, inum })
    };
    let time_ns = make(NsKind::Time, 2);
    let new = Nsproxy {
        count: 1,
        uts_ns: make(NsKind::Uts, 1),
        ipc_ns: make(NsKind::Ipc, 1),
        mnt_ns: make(NsKind::Mnt, 1),
        net_ns: make(NsKind::Net, 1),
        cgroup_ns: make(NsKind::Cgroup, 1),
        time_ns,
        time_ns_for_children: time_ns,
        pid_ns_for_children: sys.kernel.init_pid_ns,
    };
    let pid_ns = sys.kernel.init_pid_ns;
    sys.kernel.pid_namespaces[pid_ns].count += 1;
    sys.kernel.nsproxies.insert(new)
}

/// `INIT_SIGNALS` with `INIT_RLIMITS` (include/asm-generic/resource.h), and
/// the limits that fork_init derives from threads-max.
fn init_signals(threads_max: u32) -> SignalStruct {
    let inf = Rlimit { cur: RLIM_INFINITY, max: RLIM_INFINITY };
    let mut rlim = [inf; 16];
    let nproc = u64::from(threads_max / 2);
    rlim[RLIMIT_STACK as usize].cur = 8 << 20;
    rlim[RLIMIT_CORE as usize].cur = 0;
    rlim[RLIMIT_NPROC as usize] = Rlimit { cur: nproc, max: nproc };
    rlim[RLIMIT_SIGPENDING as usize] = Rlimit { cur: nproc, max: nproc };
    rlim[RLIMIT_NOFILE as usize] = Rlimit { cur: 1024, max: 4096 };
    rlim[RLIMIT_MEMLOCK as usize] = Rlimit { cur: 8 << 20, max: 8 << 20 };
    rlim[RLIMIT_MSGQUEUE as usize] = Rlimit { cur: 819_200, max: 819_200 };
    rlim[RLIMIT_NICE as usize] = Rlimit { cur: 0, max: 0 };
    rlim[RLIMIT_RTPRIO as usize] = Rlimit { cur: 0, max: 0 };
    SignalStruct {
        sigcnt: 1,
        live: 1,
        nr_threads: 1,
        thread_head: ListHead::default(),
        wait_chldexit: WaitQueueHead::default(),
        curr_target: None,
        shared_pending: SigPending::default(),
        group_exit_code: 0,
        group_exec_task: None,
        notify_count: 0,
        group_stop_count: 0,
        flags: SignalFlags::UNKILLABLE,
        is_child_subreaper: false,
        has_child_subreaper: false,
        pids: [None; 4],
        leader: false,
        rlim,
        dead_threads: Default::default(),
        children_usage: Default::default(),
        oom_score_adj: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::syscalls::Call;
    use crate::session::Done;

    #[test]
    fn boots_forks_and_reaps() {
        let mut sys = boot(&BootConfig::default()).unwrap();
        let init = sys.kernel.init_process;
        assert_eq!(sys.task(init).pid, 1);
        let before = sys.machine.mem.free_pages();
        for _ in 0..3 {
            assert_eq!(
                sys.call(init, Call::new(57, &[])).map(|d| matches!(d, Done::Returned(..))),
                Ok(true)
            );
            let child = sys.kernel.new_task.unwrap().0;
            assert_eq!(sys.task(child).tgid, sys.task(child).pid);
            assert_eq!(sys.call(child, Call::new(231, &[3])), Ok(Done::Dead));
            let w = sys.call(init, Call::new(61, &[u64::MAX, 0, 0, 0])).unwrap();
            let Done::Returned(pid, crate::kernel::syscalls::Out::Wait(info)) = w else {
                panic!("{w:?}")
            };
            assert!(pid > 2);
            assert_eq!(info.status, 0x300);
        }
        sys.still_sound().unwrap();
        assert!(
            before - sys.machine.mem.free_pages() < 16,
            "{} {}",
            before,
            sys.machine.mem.free_pages()
        );
    }
}
