//! The families of flags and numbered constants, and their tables: how a word
//! prints and what may be combined with what.
//!
//! Left out: the numbers themselves; they are `abi`'s.

use bitflags::Flags as _;

use crate::abi::cap::Cap;
use crate::abi::flags::SaFlags;
use crate::abi::ptrace::{PtraceFlags, PtraceOptions, request};
use crate::abi::signal::{SIGNAL_NAMES, SIGRTMIN, si_code};
use crate::abi::tty;
use crate::abi::{CloneFlags, MapFlags, OpenFlags, ProtFlags, Signal, WaitOptions, numbers};
use crate::kernel::mm::VmFlags;
use crate::kernel::signal::SignalFlags;
use crate::kernel::task::{PF, TaskState};
use crate::machine::{PageFlags, PteFlags};
use crate::script::value::{Field, FlagKind, Flags, Style};

/// Names and values.
pub(super) type Table = &'static [(&'static str, u64)];

/// The table of a bitflags type, at compile time.
macro_rules! bits_of {
    ($ty:ty) => {{
        const N: usize = <$ty>::FLAGS.len();
        const TABLE: [(&str, u64); N] = {
            let mut table = [("", 0); N];
            let mut i = 0;
            while i < N {
                let flag = &<$ty>::FLAGS[i];
                table[i] = (flag.name(), flag.value().bits() as u64);
                i += 1;
            }
            table
        };
        &TABLE
    }};
}

/// A table of numbers, made unsigned, at compile time.
macro_rules! words_of {
    ($table:expr) => {{
        const N: usize = $table.len();
        const TABLE: [(&str, u64); N] = {
            let mut table = [("", 0); N];
            let mut i = 0;
            while i < N {
                table[i] = ($table[i].0, $table[i].1 as u64);
                i += 1;
            }
            table
        };
        &TABLE
    }};
}

/// `PREFIX_NAME` for each flag of a type whose names lack the prefix.
macro_rules! prefixed {
    ($ty:ty, $prefix:literal: $($name:ident)*) => {
        &[$((concat!($prefix, stringify!($name)), <$ty>::$name.bits() as u64)),*]
    };
}

const fn kind(name: &'static str, table: Table, style: Style) -> FlagKind {
    FlagKind { name, table, fields: &[], style, accepts: &[] }
}

const STANDARD: usize = SIGNAL_NAMES.len();

/// `SIGRTMIN+1` and so on.
macro_rules! realtime {
    ($($n:literal)*) => { [$(concat!("SIGRTMIN+", $n)),*] };
}
const REALTIME: [&str; 32] = realtime!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
    24 25 26 27 28 29 30 31 32);

/// The standard signals, then the real-time ones.
const ALL_SIGNALS: [(&str, u64); STANDARD + 33] = {
    let mut table = [("SIGRTMIN", SIGRTMIN as u64); STANDARD + 33];
    let mut i = 0;
    while i < STANDARD {
        table[i] = (SIGNAL_NAMES[i].0, SIGNAL_NAMES[i].1 as u64);
        i += 1;
    }
    while i < STANDARD + REALTIME.len() {
        let n = i - STANDARD;
        table[i + 1] = (REALTIME[n], SIGRTMIN as u64 + 1 + n as u64);
        i += 1;
    }
    table
};
const SIGNALS: Table = &ALL_SIGNALS;

/// SIG*.
pub(super) static SIGNAL: FlagKind = kind("signals", SIGNALS, Style::Value);
/// CLONE_*; the low byte holds the exit signal.
pub(super) static CLONE: FlagKind = FlagKind {
    name: "clone flags",
    table: bits_of!(CloneFlags),
    fields: &[Field { mask: crate::abi::flags::CSIGNAL, values: SIGNALS }],
    style: Style::Bits,
    accepts: &["signals"],
};
/// W*.
pub(super) static WAIT: FlagKind = kind("wait options", bits_of!(WaitOptions), Style::Bits);
/// PROT_*.
pub(super) static PROT: FlagKind = kind("page protection", bits_of!(ProtFlags), Style::Bits);
/// MAP_*.
pub(super) static MAP: FlagKind = kind("mapping flags", bits_of!(MapFlags), Style::Bits);
/// O_*.
pub(super) static OPEN: FlagKind = kind("open flags", bits_of!(OpenFlags), Style::Bits);
/// SA_*.
pub(super) static SA: FlagKind = kind("sigaction flags", bits_of!(SaFlags), Style::Bits);
/// PTRACE_*: requests, and PTRACE_EVENT_*, which other numbers name.
pub(super) static PTRACE: FlagKind = kind("ptrace requests", request::NAMES, Style::Value);
/// PTRACE_EVENT_*.
pub(super) static PTRACE_EVENT: FlagKind = kind(
    "ptrace events",
    &[
        ("PTRACE_EVENT_FORK", 1),
        ("PTRACE_EVENT_VFORK", 2),
        ("PTRACE_EVENT_CLONE", 3),
        ("PTRACE_EVENT_EXEC", 4),
        ("PTRACE_EVENT_VFORK_DONE", 5),
        ("PTRACE_EVENT_EXIT", 6),
        ("PTRACE_EVENT_SECCOMP", 7),
        ("PTRACE_EVENT_STOP", 128),
    ],
    Style::Value,
);
/// PTRACE_O_*.
pub(super) static PTRACE_O: FlagKind = kind("ptrace options", bits_of!(PtraceOptions), Style::Bits);
/// PT_*.
pub(super) static PT: FlagKind = kind("ptrace flags", bits_of!(PtraceFlags), Style::Bits);
/// PF_*.
pub(super) static TASK: FlagKind = kind(
    "task flags",
    prefixed!(PF, "PF_": IDLE EXITING POSTCOREDUMP FORKNOEXEC SUPERPRIV DUMPCORE SIGNALED
        NPROC_EXCEEDED KTHREAD RANDOMIZE),
    Style::Bits,
);
/// TASK_* and EXIT_* as `__state` and `exit_state` hold them.
pub(super) static STATE: FlagKind = FlagKind {
    name: "task states",
    table: &[
        ("TASK_RUNNING", 0),
        ("TASK_INTERRUPTIBLE", TaskState::INTERRUPTIBLE.bits() as u64),
        ("TASK_UNINTERRUPTIBLE", TaskState::UNINTERRUPTIBLE.bits() as u64),
        ("__TASK_STOPPED", TaskState::__TASK_STOPPED.bits() as u64),
        ("__TASK_TRACED", TaskState::__TASK_TRACED.bits() as u64),
        ("TASK_PARKED", TaskState::PARKED.bits() as u64),
        ("TASK_DEAD", TaskState::DEAD.bits() as u64),
        ("TASK_WAKEKILL", TaskState::WAKEKILL.bits() as u64),
        ("TASK_WAKING", TaskState::WAKING.bits() as u64),
        ("TASK_NOLOAD", TaskState::NOLOAD.bits() as u64),
        ("TASK_NEW", TaskState::NEW.bits() as u64),
        ("TASK_KILLABLE", TaskState::KILLABLE.bits() as u64),
        ("TASK_STOPPED", TaskState::STOPPED.bits() as u64),
        ("TASK_IDLE", TaskState::IDLE.bits() as u64),
    ],
    fields: &[],
    style: Style::Bits,
    accepts: &["exit states"],
};
/// EXIT_*.
pub(super) static EXIT_STATE: FlagKind =
    kind("exit states", &[("EXIT_DEAD", 0x10), ("EXIT_ZOMBIE", 0x20)], Style::Bits);
/// VM_*.
pub(super) static VM: FlagKind = kind(
    "vm flags",
    prefixed!(VmFlags, "VM_": READ WRITE EXEC SHARED MAYREAD MAYWRITE MAYEXEC MAYSHARE GROWSDOWN
        LOCKED SEQ_READ RAND_READ DONTCOPY DONTEXPAND LOCKONFAULT ACCOUNT NORESERVE WIPEONFORK
        DONTDUMP),
    Style::Bits,
);
/// PG_*.
pub(super) static PAGE: FlagKind = kind(
    "page flags",
    prefixed!(PageFlags, "PG_": RESERVED ANON ANON_EXCLUSIVE PGTABLE SLAB KSTACK SWAPBACKED DIRTY
        LOCKED REFERENCED UPTODATE ZERO BUDDY FILE HOLE),
    Style::Bits,
);
/// _PAGE_*.
pub(super) static PTE: FlagKind = kind(
    "page-table bits",
    prefixed!(PteFlags, "_PAGE_": P RW US PWT PCD A D PS G SPECIAL SOFT_DIRTY NX),
    Style::Bits,
);
/// SIGNAL_*.
pub(super) static SIGNAL_STRUCT: FlagKind = kind(
    "signal_struct flags",
    prefixed!(SignalFlags, "SIGNAL_": STOP_STOPPED STOP_CONTINUED GROUP_EXIT CLD_STOPPED
        CLD_CONTINUED UNKILLABLE),
    Style::Bits,
);
/// MADV_*.
pub(super) static MADV: FlagKind =
    kind("madvise advice", words_of!(numbers::MADV_NAMES), Style::Value);
/// P_*.
pub(super) static ID_TYPE: FlagKind = kind("id types", words_of!(numbers::P_NAMES), Style::Value);
/// PR_* operations.
pub(super) static PRCTL: FlagKind =
    kind("prctl operations", words_of!(numbers::PR_NAMES), Style::Value);
/// SCHED_*.
pub(super) static SCHED: FlagKind =
    kind("scheduling policies", words_of!(numbers::SCHED_NAMES), Style::Value);
/// SCHED_FLAG_*.
pub(super) static SCHED_FLAG: FlagKind =
    kind("flags of sched_setattr", words_of!(numbers::SCHED_FLAG_NAMES), Style::Bits);
/// PRIO_*.
pub(super) static PRIO: FlagKind =
    kind("whose nice value", words_of!(numbers::PRIO_NAMES), Style::Value);
/// GRND_*.
pub(super) static GRND: FlagKind =
    kind("flags of getrandom", words_of!(numbers::GRND_NAMES), Style::Bits);
/// RLIMIT_*.
pub(super) static RLIMIT: FlagKind =
    kind("resources", words_of!(numbers::RLIMIT_NAMES), Style::Value);
/// F_*, FD_CLOEXEC, SEEK_*, O_RDONLY, CLOSE_RANGE_*.
pub(super) static FILE: FlagKind = FlagKind {
    name: "file constants",
    table: words_of!(numbers::FILE_NAMES),
    fields: &[],
    style: Style::Value,
    accepts: &["open flags"],
};
/// What access(2) asks.
pub(super) static ACCESS: FlagKind =
    kind("access modes", &[("F_OK", 0), ("X_OK", 1), ("W_OK", 2), ("R_OK", 4)], Style::Bits);
/// LOCK_*.
pub(super) static LOCK: FlagKind = kind(
    "lock operations",
    &[("LOCK_SH", 1), ("LOCK_EX", 2), ("LOCK_NB", 4), ("LOCK_UN", 8)],
    Style::Bits,
);
/// RENAME_*.
pub(super) static RENAME: FlagKind =
    kind("rename flags", &[("RENAME_NOREPLACE", 1), ("RENAME_EXCHANGE", 2)], Style::Bits);
/// MREMAP_*.
pub(super) static MREMAP: FlagKind =
    kind("mremap flags", words_of!(numbers::MREMAP_NAMES), Style::Bits);
/// What poll(2) asks for and finds.
pub(super) static POLL: FlagKind = kind("poll events", words_of!(numbers::POLL_NAMES), Style::Bits);
/// EPOLL*.
pub(super) static EPOLL: FlagKind =
    kind("epoll events", words_of!(numbers::EPOLL_NAMES), Style::Bits);
/// EFD_*, TFD_*, SFD_*, EPOLL_CTL_*.
pub(super) static EVENT: FlagKind =
    kind("constants of event descriptors", words_of!(numbers::ANON_NAMES), Style::Bits);
/// SIG_BLOCK, SIG_DFL and their companions.
pub(super) static SIGNAL_NUMBER: FlagKind =
    kind("signal constants", words_of!(numbers::SIGNAL_NUMBER_NAMES), Style::Value);
/// What a disposition's handler field holds.
pub(super) static HANDLER: FlagKind =
    kind("handlers", &[("SIG_DFL", 0), ("SIG_IGN", 1)], Style::Value);
/// SECBIT_*.
pub(super) static SECBIT: FlagKind =
    kind("secure bits", words_of!(numbers::SECBIT_NAMES), Style::Bits);
/// RUSAGE_*.
pub(super) static RUSAGE: FlagKind =
    kind("rusage targets", words_of!(numbers::RUSAGE_NAMES), Style::Value);
/// RLIM_INFINITY.
pub(super) static RLIM: FlagKind =
    kind("limits", &[("RLIM_INFINITY", numbers::RLIM_INFINITY)], Style::Value);

const CAPS: usize = Cap::ALL.len();
const CAP_NAMES: [(&str, u64); CAPS] = {
    let mut table = [("", 0); CAPS];
    let mut i = 0;
    while i < CAPS {
        table[i] = (Cap::ALL[i].name(), i as u64);
        i += 1;
    }
    table
};
/// CAP_*, as numbers.
pub(super) static CAP: FlagKind = kind("capabilities", &CAP_NAMES, Style::Value);
/// Why a signal came: `SI_*`. Those that depend on the signal are told by name.
pub(super) static SI_CODE: FlagKind = kind(
    "signal codes",
    &[
        ("SI_USER", si_code::SI_USER as u64),
        ("SI_KERNEL", si_code::SI_KERNEL as u64),
        ("SI_QUEUE", si_code::SI_QUEUE as i64 as u64),
        ("SI_TKILL", si_code::SI_TKILL as i64 as u64),
    ],
    Style::Value,
);
/// FUTEX_*.
pub(super) static FUTEX: FlagKind = kind(
    "futex operations",
    &[
        ("FUTEX_WAIT", 0),
        ("FUTEX_WAKE", 1),
        ("FUTEX_REQUEUE", 3),
        ("FUTEX_CMP_REQUEUE", 4),
        ("FUTEX_WAKE_OP", 5),
        ("FUTEX_WAIT_BITSET", 9),
        ("FUTEX_WAKE_BITSET", 10),
        ("FUTEX_PRIVATE_FLAG", 128),
        ("FUTEX_CLOCK_REALTIME", 256),
    ],
    Style::Bits,
);

/// CLOCK_*.
pub(super) static CLOCK: FlagKind = kind(
    "clocks",
    &[
        ("CLOCK_REALTIME", 0),
        ("CLOCK_MONOTONIC", 1),
        ("CLOCK_PROCESS_CPUTIME_ID", 2),
        ("CLOCK_THREAD_CPUTIME_ID", 3),
        ("CLOCK_MONOTONIC_RAW", 4),
        ("CLOCK_REALTIME_COARSE", 5),
        ("CLOCK_MONOTONIC_COARSE", 6),
        ("CLOCK_BOOTTIME", 7),
        ("CLOCK_TAI", 11),
    ],
    Style::Value,
);
/// ITIMER_*.
pub(super) static ITIMER: FlagKind = kind(
    "interval timers",
    &[("ITIMER_REAL", 0), ("ITIMER_VIRTUAL", 1), ("ITIMER_PROF", 2)],
    Style::Value,
);

/// TIMER_*.
pub(super) static TIMER: FlagKind =
    kind("flags of clock_nanosleep", &[("TIMER_ABSTIME", 1)], Style::Bits);

/// Requests of ioctl(2).
pub(super) static IOCTL: FlagKind = kind("ioctl requests", tty::REQUESTS, Style::Value);
/// Input modes of terminals.
pub(super) static C_IFLAG: FlagKind = kind("input modes", bits_of!(tty::InputModes), Style::Bits);
/// Output modes of terminals.
pub(super) static C_OFLAG: FlagKind = kind("output modes", bits_of!(tty::OutputModes), Style::Bits);
/// Local modes of terminals.
pub(super) static C_LFLAG: FlagKind = kind("local modes", bits_of!(tty::LocalModes), Style::Bits);
/// When tcsetattr(3) takes effect.
pub(super) static TCSA: FlagKind =
    kind("times of tcsetattr", &[("TCSANOW", 0), ("TCSADRAIN", 1), ("TCSAFLUSH", 2)], Style::Value);

/// All of them.
static KINDS: [&FlagKind; 44] = [
    &SIGNAL,
    &CLONE,
    &WAIT,
    &PROT,
    &MAP,
    &OPEN,
    &SA,
    &TASK,
    &STATE,
    &EXIT_STATE,
    &VM,
    &PAGE,
    &PTE,
    &SIGNAL_STRUCT,
    &MADV,
    &ID_TYPE,
    &PRCTL,
    &SCHED,
    &RLIMIT,
    &GRND,
    &FILE,
    &ACCESS,
    &LOCK,
    &RENAME,
    &POLL,
    &EPOLL,
    &EVENT,
    &MREMAP,
    &SIGNAL_NUMBER,
    &HANDLER,
    &SECBIT,
    &RUSAGE,
    &RLIM,
    &CAP,
    &SI_CODE,
    &FUTEX,
    &CLOCK,
    &ITIMER,
    &TIMER,
    &IOCTL,
    &C_IFLAG,
    &C_OFLAG,
    &C_LFLAG,
    &TCSA,
];

/// The family with a name.
pub(super) fn by_name(name: &str) -> Option<&'static FlagKind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}

/// A signal number as a value.
pub(super) fn signal(number: i32) -> Flags {
    Flags { bits: number as u64, kind: &SIGNAL }
}

/// The same of a signal.
pub(super) fn of_signal(sig: Signal) -> Flags {
    signal(sig.number())
}
