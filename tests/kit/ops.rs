//! Random operations: what a task can do, with arguments that hit something
//! more often than not.

use proptest::prelude::*;
use proptest::sample::select;

/// One operation of one task. Small numbers choose among what there is when
/// it runs: tasks, areas, descriptors.
#[derive(Debug, Clone)]
pub struct Op {
    pub who: u8,
    pub verb: Verb,
}

/// A place in the address space: an area, and a page of it.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub area: u8,
    pub page: u8,
}

#[derive(Debug, Clone)]
pub enum Verb {
    Fork,
    Vfork,
    Thread,
    Clone {
        flags: u64,
        signal: u8,
    },
    Clone3 {
        flags: u64,
        signal: u8,
        set_tid: Option<i32>,
    },
    Exit(u8),
    ExitGroup(u8),
    Wait {
        pid: i8,
        options: u64,
    },
    Waitid {
        idtype: u64,
        id: u8,
        options: u64,
    },
    InitReaps,
    Kill {
        target: u8,
        how: u8,
        sig: u8,
    },
    Tgkill {
        target: u8,
        sig: u8,
    },
    Queue {
        target: u8,
        sig: u8,
    },
    PidfdKill {
        fd: u8,
        sig: u8,
    },
    Sigaction {
        sig: u8,
        handler: u8,
        flags: u8,
    },
    Sigprocmask {
        how: u64,
        set: u64,
    },
    Ptrace {
        op: u64,
        target: u8,
        at: Place,
        data: u64,
    },
    Sigsuspend(u64),
    Sigtimedwait(u64),
    Pause,
    Sigreturn,
    Altstack {
        at: Place,
        flags: u32,
    },
    Ids {
        call: &'static str,
        a: u32,
        b: u32,
        c: u32,
    },
    Setgroups(Vec<u32>),
    Capset(u64, u64, u64),
    Prctl {
        op: u64,
        arg: u64,
    },
    Rlimit {
        which: u64,
        cur: u64,
    },
    Setpgid {
        pid: u8,
        pgid: u8,
    },
    Setsid,
    Mmap {
        pages: u8,
        prot: u64,
        flags: u64,
        fd: u8,
        at: Option<Place>,
    },
    Munmap {
        at: Place,
        pages: u8,
    },
    Mprotect {
        at: Place,
        pages: u8,
        prot: u64,
    },
    Madvise {
        at: Place,
        pages: u8,
        advice: u64,
    },
    Mlock {
        call: &'static str,
        at: Place,
        pages: u8,
    },
    Mlockall(u64),
    Brk(i8),
    Load(Place),
    Store(Place, u8),
    Exec(Place),
    Trap(u8),
    Open {
        path: u8,
        flags: u64,
    },
    Path {
        call: &'static str,
        path: u8,
        mode: u64,
    },
    Fd {
        call: &'static str,
        a: u8,
        b: u8,
    },
    Fcntl {
        fd: u8,
        cmd: u64,
        arg: u64,
    },
    Pipe(u64),
    Read {
        fd: u8,
        len: u16,
        at: Option<Place>,
    },
    Write {
        fd: u8,
        len: u16,
        at: Option<Place>,
    },
    PidfdOpen {
        target: u8,
        flags: u64,
    },
    Mremap {
        at: Place,
        old: u8,
        new: u8,
        flags: u64,
        to: Place,
    },
    Poll {
        fds: [u8; 3],
        events: u16,
        msecs: i32,
    },
    Futex {
        wait: bool,
        at: Place,
        val: u32,
    },
    SetTidAddress(Place),
    /// Something with a terminal.
    Tty {
        what: u8,
        fd: u8,
        arg: u8,
    },
    Execve(u8),
    Affinity(u8),
    /// unshare, and setns with a pidfd of another.
    Unshare(u64),
    Setns {
        target: u8,
        flags: u64,
    },
    /// sched_setscheduler, also of others.
    Scheduler {
        target: u8,
        policy: u64,
        priority: i32,
    },
    Nice {
        which: u64,
        target: u8,
        nice: i8,
    },
    Yield,
    /// Sleeps and alarms, and time for them to end.
    Sleep(u16),
    Alarm {
        value: u16,
        interval: u16,
    },
    Pass(u16),
    RobustList(Place),
    /// A group below the root of control groups is made or removed.
    Group {
        call: &'static str,
        name: u8,
    },
    /// A word is written to a file of /proc or of a control group.
    Tell {
        file: u8,
        word: u8,
        target: u8,
    },
    Look(u8),
    Inject {
        step: u8,
        skip: u8,
    },
    /// Any call of the table with arguments of any kind, as a program makes it.
    Raw {
        call: u16,
        args: [Arg; 6],
    },
}

/// An argument of a raw call.
#[derive(Debug, Clone, Copy)]
pub enum Arg {
    Number(u64),
    At(Place),
    Fd(u8),
    Pid(u8),
}

pub const PATHS: [&str; 7] =
    ["/tmp/a", "/tmp/b", "/tmp/d", "/tmp/d/x", "/etc/passwd", "/dev/zero", "/tmp"];
pub const PROGRAMS: [&str; 4] = ["/bin/true", "/bin/su", "/no/such", "/etc/passwd"];

/// Control groups, and the files that take words.
pub const GROUPS: [&str; 3] = ["/sys/fs/cgroup/a", "/sys/fs/cgroup/b", "/sys/fs/cgroup/a/c"];
pub const WRITTEN: [&str; 12] = [
    "/sys/fs/cgroup/cgroup.procs",
    "/sys/fs/cgroup/cgroup.subtree_control",
    "/sys/fs/cgroup/a/cgroup.procs",
    "/sys/fs/cgroup/a/cgroup.subtree_control",
    "/sys/fs/cgroup/a/pids.max",
    "/sys/fs/cgroup/a/c/cgroup.procs",
    "/sys/fs/cgroup/a/cgroup.kill",
    "/sys/fs/cgroup/b/cgroup.procs",
    "/proc/self/uid_map",
    "/proc/self/gid_map",
    "/proc/self/setgroups",
    "/proc/self/oom_score_adj",
];
pub const WORDS: [&str; 10] =
    ["0", "1", "3", "max", "+pids", "-pids", "deny", "0 0 1", "0 1000 1\n1 0 1", "junk"];
/// Files of /proc that are read as a whole, of the process itself and of
/// another.
pub const LOOKED_AT: [&str; 12] = [
    "stat",
    "status",
    "maps",
    "smaps",
    "statm",
    "limits",
    "cgroup",
    "uid_map",
    "comm",
    "cmdline",
    "pagemap",
    "task/children",
];

fn signal() -> impl Strategy<Value = u8> {
    select(vec![0u8, 1, 2, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 21, 34, 40, 64, 65])
}

/// Sparse sets of the signals used here.
fn set() -> impl Strategy<Value = u64> {
    (select(vec![0u64, 1 << 9, 1 << 16, 1 << 11, 1 << 39, u64::MAX, 0x0002_0a00]), any::<bool>())
        .prop_map(|(set, chld)| if chld { set | 1 << 16 } else { set })
}

fn place() -> impl Strategy<Value = Place> {
    (any::<u8>(), 0u8..8).prop_map(|(area, page)| Place { area, page })
}

/// Up to four flags of clone, the combinations that make sense preferred.
fn clone_flags() -> impl Strategy<Value = u64> {
    let bit = (7u32..34).prop_map(|b| 1u64 << b);
    let basis = select(vec![0u64, 0, 0x100, 0x4100, 0x900, 0x10900, 0x10f00, 0x8000, 0x2000_0000]);
    (basis, proptest::collection::vec(bit, 0..3))
        .prop_map(|(basis, bits)| bits.iter().fold(basis, |f, b| f | b))
}

pub fn op() -> impl Strategy<Value = Op> {
    (any::<u8>(), verb()).prop_map(|(who, verb)| Op { who, verb })
}

fn raw() -> impl Strategy<Value = Verb> {
    const NUMBERS: [u64; 17] = [
        0,
        0,
        0,
        1,
        1,
        2,
        3,
        8,
        0x22,
        0x1000,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX as u64,
        1 << 47,
        i64::MAX as u64,
        1 << 63,
        u64::MAX,
    ];
    let arg = prop_oneof![
        4 => select(NUMBERS.to_vec()).prop_map(Arg::Number),
        1 => (0u64..256).prop_map(Arg::Number),
        3 => place().prop_map(Arg::At),
        1 => any::<u8>().prop_map(Arg::Fd),
        1 => any::<u8>().prop_map(Arg::Pid),
    ];
    (any::<u16>(), proptest::array::uniform6(arg)).prop_map(|(call, args)| Verb::Raw { call, args })
}

fn verb() -> impl Strategy<Value = Verb> {
    let id = || select(vec![0u32, 1000, 1001, 65534, u32::MAX]);
    let caps = || select(vec![0u64, 0xff, 0x1_ffff_ffff, 0x1ff_ffff_ffff, u64::MAX]);
    let protection = || select(vec![3u64, 3, 1, 0, 5, 7, 2]);
    let life = prop_oneof![
        14 => Just(Verb::Fork),
        3 => Just(Verb::Vfork),
        6 => Just(Verb::Thread),
        6 => (clone_flags(), signal()).prop_map(|(flags, signal)| Verb::Clone { flags, signal }),
        4 => (clone_flags(), signal(), proptest::option::weighted(0.2, -1i32..40))
            .prop_map(|(flags, signal, set_tid)| Verb::Clone3 { flags, signal, set_tid }),
        3 => any::<u8>().prop_map(Verb::Exit),
        3 => any::<u8>().prop_map(Verb::ExitGroup),
        6 => (select(vec![-1i8, -1, -1, 0, 1, 2, -2]), select(vec![
                0u64, 1, 2, 3, 8, 9, 0x4000_0001, 0x4000_0000, 0x8000_0001, 0x2000_0001, 4,
            ])).prop_map(|(pid, options)| Verb::Wait { pid, options }),
        3 => (0u64..5, any::<u8>(), select(vec![4u64, 5, 7, 0xd, 0x0100_0005, 0x4000_0005, 2, 0]))
            .prop_map(|(idtype, id, options)| Verb::Waitid { idtype, id, options }),
        2 => Just(Verb::InitReaps),
        2 => (0u8..4).prop_map(Verb::Execve),
        1 => (0u8..4).prop_map(Verb::Affinity),
    ];
    let signals = prop_oneof![
        18 => (any::<u8>(), 0u8..8, signal())
            .prop_map(|(target, how, sig)| Verb::Kill { target, how, sig }),
        6 => (any::<u8>(), signal()).prop_map(|(target, sig)| Verb::Tgkill { target, sig }),
        6 => (any::<u8>(), signal()).prop_map(|(target, sig)| Verb::Queue { target, sig }),
        3 => (any::<u8>(), signal()).prop_map(|(fd, sig)| Verb::PidfdKill { fd, sig }),
        12 => (signal(), 0u8..4, 0u8..8)
            .prop_map(|(sig, handler, flags)| Verb::Sigaction { sig, handler, flags }),
        9 => (0u64..4, set()).prop_map(|(how, set)| Verb::Sigprocmask { how, set }),
        1 => set().prop_map(Verb::Sigsuspend),
        1 => set().prop_map(Verb::Sigtimedwait),
        1 => Just(Verb::Pause),
        6 => Just(Verb::Sigreturn),
        3 => (place(), select(vec![0u32, 2, 1 << 31])).prop_map(|(at, flags)| Verb::Altstack { at, flags }),
    ];
    let request = || {
        select(vec![
            0u64, 0, 16, 16, 0x4206, 0x4206, 7, 7, 7, 24, 24, 24, 17, 17, 0x4207, 0x4208, 8,
            0x4200, 0x4200, 2, 5, 5, 6, 6, 12, 3, 0x4201, 0x4202, 0x420a, 0x420e, 9, 31,
        ])
    };
    let data = || {
        select(vec![
            0u64,
            0,
            0,
            0,
            2,
            8,
            16,
            40,
            0x60,
            0x7f,
            0x10_007e,
            9,
            10,
            15,
            17,
            18,
            19,
            65,
            57,
            39,
            59,
            60,
            231,
            0x40_0000,
            u64::MAX,
        ])
    };
    let tracing = (request(), any::<u8>(), place(), data())
        .prop_map(|(op, target, at, data)| Verb::Ptrace { op, target, at, data });
    let identity = prop_oneof![
        4 => (select(vec!["setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
                          "setfsuid", "setfsgid"]), id(), id(), id())
            .prop_map(|(call, a, b, c)| Verb::Ids { call, a, b, c }),
        1 => proptest::collection::vec(id(), 0..3).prop_map(Verb::Setgroups),
        1 => (caps(), caps(), caps()).prop_map(|(e, p, i)| Verb::Capset(e, p, i)),
        3 => (select(vec![1u64, 4, 8, 15, 24, 28, 36, 36, 38, 47]), 0u64..3)
            .prop_map(|(op, arg)| Verb::Prctl { op, arg }),
        1 => (select(vec![2u64, 3, 6, 6, 7, 8, 9, 11]), select(vec![0u64, 1, 4, 1 << 20, u64::MAX]))
            .prop_map(|(which, cur)| Verb::Rlimit { which, cur }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(pid, pgid)| Verb::Setpgid { pid, pgid }),
        1 => Just(Verb::Setsid),
    ];
    let memory = prop_oneof![
        12 => (1u8..8, protection(), select(vec![
                0x22u64, 0x22, 0x22, 0x21, 0x8022, 0x2022, 0x122, 0x8021, 2, 1, 0x4022,
            ]), any::<u8>(), proptest::option::weighted(0.2, place()))
            .prop_map(|(pages, prot, flags, fd, at)| Verb::Mmap { pages, prot, flags, fd, at }),
        6 => (place(), 1u8..6).prop_map(|(at, pages)| Verb::Munmap { at, pages }),
        6 => (place(), 1u8..6, protection())
            .prop_map(|(at, pages, prot)| Verb::Mprotect { at, pages, prot }),
        8 => (place(), 1u8..6, select(vec![0u64, 1, 2, 3, 4, 4, 10, 11, 16, 17, 18, 18, 19, 22, 23, 24]))
            .prop_map(|(at, pages, advice)| Verb::Madvise { at, pages, advice }),
        4 => (select(vec!["mlock", "munlock", "msync", "mincore"]), place(), 1u8..6)
            .prop_map(|(call, at, pages)| Verb::Mlock { call, at, pages }),
        2 => (0u64..4).prop_map(Verb::Mlockall),
        8 => (place(), 0u8..6, 0u8..8, select(vec![0u64, 1, 1, 1, 3, 3, 5, 5, 7, 8]), place())
            .prop_map(|(at, old, new, flags, to)| Verb::Mremap { at, old, new, flags, to }),
        6 => (-4i8..8).prop_map(Verb::Brk),
        12 => place().prop_map(Verb::Load),
        20 => (place(), any::<u8>()).prop_map(|(at, v)| Verb::Store(at, v)),
        1 => place().prop_map(Verb::Exec),
        1 => (0u8..4).prop_map(Verb::Trap),
        4 => (any::<bool>(), place(), 0u32..3)
            .prop_map(|(wait, at, val)| Verb::Futex { wait, at, val }),
        2 => place().prop_map(Verb::SetTidAddress),
    ];
    let files = prop_oneof![
        4 => (0u8..7, select(vec![0u64, 0x42, 0x42, 0x242, 0x441, 2, 0o2000000, 0o4002]))
            .prop_map(|(path, flags)| Verb::Open { path, flags }),
        3 => (select(vec!["unlink", "mkdir", "chdir", "chmod", "creat", "truncate"]), 0u8..7, select(vec![0o755u64, 0, 0o600]))
            .prop_map(|(call, path, mode)| Verb::Path { call, path, mode }),
        5 => (select(vec!["close", "dup", "dup2", "dup3", "close_range", "fchmod", "ftruncate"]), any::<u8>(), any::<u8>())
            .prop_map(|(call, a, b)| Verb::Fd { call, a, b }),
        1 => (any::<u8>(), select(vec![0u64, 1, 2, 3, 4, 1030]), 0u64..3)
            .prop_map(|(fd, cmd, arg)| Verb::Fcntl { fd, cmd, arg }),
        3 => select(vec![0u64, 0, 0o4000, 0o2000000]).prop_map(Verb::Pipe),
        4 => (any::<u8>(), select(vec![0u16, 1, 100, 5000]), proptest::option::of(place()))
            .prop_map(|(fd, len, at)| Verb::Read { fd, len, at }),
        5 => (any::<u8>(), select(vec![0u16, 1, 100, 5000, 65535]), proptest::option::of(place()))
            .prop_map(|(fd, len, at)| Verb::Write { fd, len, at }),
        2 => (any::<u8>(), select(vec![0u64, 0o4000, 0o200]))
            .prop_map(|(target, flags)| Verb::PidfdOpen { target, flags }),
        4 => (any::<[u8; 3]>(), select(vec![1u16, 4, 5, 0, 0xffff]), select(vec![-1i32, -1, 0, 1, 500]))
            .prop_map(|(fds, events, msecs)| Verb::Poll { fds, events, msecs }),
    ];
    let spaces = || {
        select(vec![
            0x2000_0000u64,
            0x2000_0000,
            0x1000_0000,
            0x1000_0000,
            0x0400_0000,
            0x0800_0000,
            0x0002_0000,
            0x4000_0000,
            0x80,
            0x3c02_0000,
            0x400,
            0x200,
            0x40000,
            0x100,
            0x0001_0000,
        ])
    };
    let world = prop_oneof![
        3 => spaces().prop_map(Verb::Unshare),
        2 => (any::<u8>(), spaces()).prop_map(|(target, flags)| Verb::Setns { target, flags }),
        3 => (any::<u8>(), select(vec![0u64, 0, 1, 2, 3, 5, 6, 0x4000_0000, 0x4000_0001, 9]),
              select(vec![0i32, 0, 1, 50, 99, 100, -1]))
            .prop_map(|(target, policy, priority)| Verb::Scheduler { target, policy, priority }),
        2 => (0u64..4, any::<u8>(), select(vec![0i8, 5, 19, -5, -20, 40]))
            .prop_map(|(which, target, nice)| Verb::Nice { which, target, nice }),
        1 => Just(Verb::Yield),
        2 => any::<u16>().prop_map(Verb::Sleep),
        2 => (any::<u16>(), select(vec![0u16, 0, 1, 900]))
            .prop_map(|(value, interval)| Verb::Alarm { value, interval }),
        3 => any::<u16>().prop_map(Verb::Pass),
        1 => place().prop_map(Verb::RobustList),
        3 => (select(vec!["mkdir", "mkdir", "rmdir"]), 0u8..3)
            .prop_map(|(call, name)| Verb::Group { call, name }),
        6 => (0u8..12, 0u8..20, any::<u8>())
            .prop_map(|(file, word, target)| Verb::Tell { file, word, target }),
        2 => any::<u8>().prop_map(Verb::Look),
    ];
    // A process that has a terminal, first of all.
    let what =
        select(vec![0u8, 0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 8, 9, 9, 10, 11, 12, 12]);
    let terminals =
        (what, any::<u8>(), any::<u8>()).prop_map(|(what, fd, arg)| Verb::Tty { what, fd, arg });
    let inject = (any::<u8>(), 0u8..4).prop_map(|(step, skip)| Verb::Inject { step, skip });
    prop_oneof![
        9 => life,
        5 => signals,
        3 => identity,
        5 => tracing,
        8 => memory,
        5 => files,
        3 => world,
        4 => terminals,
        1 => inject,
        3 => raw(),
    ]
}
