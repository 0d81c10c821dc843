//! The static objects: task 0 and what it holds, as the linker would lay them
//! out before the kernel runs.
//!
//! Linux: init/init_task.c (init_task, init_signals, init_sighand),
//! kernel/cred.c (init_cred), kernel/nsproxy.c (init_nsproxy),
//! kernel/user.c (init_user_ns, root_user), kernel/pid.c (init_pid_ns).
//! Left out: what is not modelled of them; each struct says it.

use super::boot::BootConfig;
use crate::abi::numbers::*;
use crate::abi::ptrace::PtraceFlags;
use crate::abi::{CapSet, SigSet};
use crate::base::{Id, Pfn, Rng};
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cred::{Cred, UserStruct};
use crate::kernel::fs::{self, FsStruct};
use crate::kernel::inject::Inject;
use crate::kernel::list;
use crate::kernel::nanosleep::RestartBlock;
use crate::kernel::nsproxy::{Namespace, NsKind, Nsproxy, UidExtent, UserNamespace};
use crate::kernel::pid_namespace::{PID_MAX_DEFAULT, PidNamespace};
use crate::kernel::sched::rq::Rq;
use crate::kernel::sched::{SchedClass, SchedEntity, SchedGlobals, SchedRtEntity};
use crate::kernel::signal::{Rlimit, SigPending, SighandStruct, SignalFlags, SignalStruct};
use crate::kernel::syscalls::Out;
use crate::kernel::system::{Bugs, Kernel, PerCpu, Sysctl, System};
use crate::kernel::task::{
    ListHead, ListLink, NR_TASK_LISTS, PF, TaskList, TaskState, TaskStruct, ThreadStruct,
};
use crate::kernel::utsname::UtsName;
use crate::kernel::wait_queue::WaitQueueHead;
use crate::machine::{Machine, Regs};
use crate::trace::Log;
use std::collections::{BTreeMap, VecDeque};

/// The system as the linker would lay it out: the static objects.
pub(super) fn static_system(config: &BootConfig) -> System {
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
        cgroups: Default::default(),
        cgroup_root: Id::from_bits(u64::MAX),
        anon_vmas: Default::default(),
        sighands: Default::default(),
        signals: Default::default(),
        files: Default::default(),
        fs: Default::default(),
        filps: Default::default(),
        inodes: Default::default(),
        pipes: Default::default(),
        ttys: Default::default(),
        completions: Default::default(),
        wait_queues: Default::default(),
        kthread_create_list: VecDeque::new(),
        kthread_callers: Vec::new(),
        task_list: ListHead::default(),
        init_task: stale(),
        init_process: stale(),
        init_cred: Id::from_bits(u64::MAX),
        init_pid_ns: Id::from_bits(u64::MAX),
        init_user_ns: Id::from_bits(u64::MAX),
        root_inode: Id::from_bits(u64::MAX),
        devpts_root: Id::from_bits(u64::MAX),
        init_mm: Id::from_bits(u64::MAX),
        zero_page: Pfn(0),
        per_cpu: Vec::new(),
        sysctl: Sysctl {
            threads_max,
            max_map_count: 65530,
            suid_dumpable: 0,
            mmap_min_addr: 65536,
        },
        contained: false,
        nr_threads: 0,
        total_forks: 0,
        cached_stacks: Vec::new(),
        free_stack_slots: Vec::new(),
        next_stack_slot: 0,
        next_ns_inum: 0xF000_0000,
        next_identity: 1,
        calls_made: 0,
        rng: Rng::new(config.seed),
        inject: Inject::default(),
        bugs: Bugs::default(),
        todo: VecDeque::new(),
        out: Out::None,
        note: 0,
        new_task: None,
        born: Vec::new(),
        futex_queues: BTreeMap::new(),
        timers: Default::default(),
        itimers: Default::default(),
        alarms: Default::default(),
        cpu_timers_armed: 0,
        anon_inodes: Default::default(),
        sched: SchedGlobals {
            config: config.sched,
            factor: u64::from(1 + config.machine.cpus.clamp(1, 8).ilog2()),
            ..SchedGlobals::default()
        },
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
        setgroups_allowed: true,
        parent_could_setfcap: true,
        uid_map: vec![whole],
        gid_map: vec![whole],
        inum: 0xEFFF_FFFD,
    });
    kernel.init_user_ns = user_ns;
    kernel.cgroup_root = kernel.cgroups.insert(Cgroup::new(None, "/".into()));
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
        ptrace: PtraceFlags::empty(),
        ptraced: ListHead::default(),
        ptracer_cred: None,
        ptrace_message: 0,
        syscall_trace: false,
        trap: None,
        on_cpu: true,
        cpu: 0,
        on_rq: true,
        throttled: false,
        stepped: false,
        sched_class: SchedClass::Fair,
        prio: 120,
        static_prio: 120,
        normal_prio: 120,
        rt_priority: 0,
        policy: SCHED_NORMAL,
        se: SchedEntity { load_weight: 1024, ..SchedEntity::default() },
        rt: SchedRtEntity::default(),
        dl: None,
        sched_reset_on_fork: false,
        cpus_mask: u64::MAX,
        mm: None,
        active_mm: None,
        exit_state: TaskState::RUNNING,
        exit_code: 0,
        exiting: None,
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
        cgroup: Id::from_bits(u64::MAX),
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
        code: false,
        fpu: None,
        work: None,
        sas_ss_sp: 0,
        sas_ss_size: 0,
        sas_ss_flags: SS_DISABLE as u32,
        last_siginfo: None,
        parent_exec_id: 0,
        self_exec_id: 0,
        sysvsem: None,
        io_context: None,
        personality: 0,
        timer_slack_ns: 50_000,
        default_timer_slack_ns: 50_000,
        restart_block: RestartBlock::None,
        sigtimedwait: None,
        kthread: None,
        thread: ThreadStruct::default(),
        regs: Regs::default(),
        orig_ax: 0,
        resume: None,
        interrupted: Vec::new(),
        finished: Vec::new(),
    });
    // Its own parent, its own leader: the only task of which that is true.
    let t = &mut k.tasks[task];
    (t.real_parent, t.parent, t.group_leader) = (task, task, task);
    t.set_comm("swapper");
    k.tasks[task].cgroup = k.cgroup_root;
    k.init_task = task;
    let mut head = k.signals[signal].thread_head;
    list::list_add_tail(&mut k.tasks, &mut head, TaskList::Thread, task);
    k.signals[signal].thread_head = head;
    list::list_add_tail(&mut k.tasks, &mut k.task_list, TaskList::Tasks, task);
    k.per_cpu = (0..config.machine.cpus.max(1))
        .map(|_| PerCpu { current_task: task, idle: task, rq: Rq::default() })
        .collect();
    sys
}

fn init_nsproxy(sys: &mut System) -> crate::kernel::nsproxy::NsproxyId {
    let user_ns = sys.kernel.init_user_ns;
    // include/uapi/linux/nsfs.h: the initial ones have numbers of their own.
    let mut make = |kind, count| {
        let inum = match kind {
            NsKind::Ipc => 0xEFFF_FFFF,
            NsKind::Uts => 0xEFFF_FFFE,
            NsKind::Cgroup => 0xEFFF_FFFB,
            NsKind::Time => 0xEFFF_FFFA,
            NsKind::Net => 0xEFFF_FFF9,
            NsKind::Mnt => 0xEFFF_FFF8,
        };
        let uts = (kind == NsKind::Uts).then(Box::<UtsName>::default);
        sys.kernel.user_namespaces[user_ns].count += 1;
        sys.kernel.namespaces.insert(Namespace { kind, count, user_ns, inum, uts })
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
        tty: None,
        tty_old_pgrp: None,
        rlim,
        dead_threads: Default::default(),
        children_usage: Default::default(),
        real_timer: Default::default(),
        watched: false,
        cpu_timers: Default::default(),
        posix_timers: Default::default(),
        oom_score_adj: 0,
        oom_score_adj_min: 0,
    }
}
