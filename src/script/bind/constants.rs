//! Linux's constants as names that are at hand everywhere: `CLONE_VM`,
//! `SIGCHLD`, `WNOHANG`… each of a type that prints as its name.
//!
//! Left out: error numbers (`script::errno`).

use rhai::Dynamic;

use super::kinds::{self, Table};
use super::names;
use super::registry::{Book, Raised, functions};
use crate::abi::signal::SIGRTMAX;
use crate::abi::{CapSet, SigSet, Signal};
use crate::script::control::Control;
use crate::script::errors::ScriptError;
use crate::script::value::{FlagKind, Flags, Style};

/// Kinds all of whose names are constants.
const KINDS: &[&FlagKind] = &[
    &kinds::SIGNAL,
    &kinds::CLONE,
    &kinds::WAIT,
    &kinds::PROT,
    &kinds::MAP,
    &kinds::OPEN,
    &kinds::SA,
    &kinds::PTRACE,
    &kinds::PTRACE_EVENT,
    &kinds::PTRACE_O,
    &kinds::PT,
    &kinds::TASK,
    &kinds::STATE,
    &kinds::EXIT_STATE,
    &kinds::VM,
    &kinds::PAGE,
    &kinds::PTE,
    &kinds::SIGNAL_STRUCT,
    &kinds::MADV,
    &kinds::ID_TYPE,
    &kinds::PRCTL,
    &kinds::SCHED,
    &kinds::SCHED_FLAG,
    &kinds::PRIO,
    &kinds::RLIMIT,
    &kinds::GRND,
    &kinds::FILE,
    &kinds::ACCESS,
    &kinds::LOCK,
    &kinds::RENAME,
    &kinds::POLL,
    &kinds::EPOLL,
    &kinds::EVENT,
    &kinds::MREMAP,
    &kinds::SIGNAL_NUMBER,
    &kinds::HANDLER,
    &kinds::SECBIT,
    &kinds::RUSAGE,
    &kinds::RLIM,
    &kinds::CAP,
    &kinds::SI_CODE,
    &kinds::FUTEX,
    &kinds::CLOCK,
    &kinds::ITIMER,
    &kinds::TIMER,
    &kinds::IOCTL,
    &kinds::C_IFLAG,
    &kinds::C_OFLAG,
    &kinds::C_LFLAG,
    &kinds::TCSA,
];

/// Second names, and names for combinations.
const ALIASES: &[(&str, u64, &FlagKind)] = &[
    ("MAP_ANON", 0x20, &kinds::MAP),
    ("MAP_SHARED_VALIDATE", 3, &kinds::MAP),
    ("MAP_FILE", 0, &kinds::MAP),
    ("PROT_NONE", 0, &kinds::PROT),
    ("WSTOPPED", 2, &kinds::WAIT),
    ("PTRACE_PEEKUSR", 3, &kinds::PTRACE),
    ("PTRACE_POKEUSR", 6, &kinds::PTRACE),
    ("SIGPOLL", 29, &kinds::SIGNAL),
    ("SIGIOT", 6, &kinds::SIGNAL),
    ("SIGRTMAX", SIGRTMAX as u64, &kinds::SIGNAL),
    ("O_RDONLY", 0, &kinds::OPEN),
    ("O_ACCMODE", 3, &kinds::OPEN),
    ("O_SYNC", 0o4_010_000, &kinds::OPEN),
    ("O_TMPFILE", 0o20_200_000, &kinds::OPEN),
    ("O_NDELAY", 0o4000, &kinds::OPEN),
];

/// Defines the constants, and the operations of signals and sets.
pub(super) fn register(book: &mut Book, control: &Control) {
    for kind in KINDS {
        define(control, kind, kind.table);
    }
    for (name, bits, kind) in ALIASES {
        control.define(*name, Dynamic::from(Flags { bits: *bits, kind }));
    }
    control.define("AT_FDCWD", -100_i64);
    control.define("UTIME_NOW", names::UTIME_NOW);
    control.define("UTIME_OMIT", names::UTIME_OMIT);
    // For PTRACE_GETREGSET.
    control.define("NT_PRSTATUS", 1_i64);
    register_arithmetic(book);
    register_sets(book);
}

fn define(control: &Control, kind: &'static FlagKind, table: Table) {
    // `SIGRTMIN+1` is how a value prints, not a name.
    for (name, bits) in table.iter().filter(|(name, _)| !name.contains('+')) {
        control.define(*name, Dynamic::from(Flags { bits: *bits, kind }));
    }
}

/// Numbered constants count: `SIGRTMIN + 1`, `for sig in 1..=64`.
fn register_arithmetic(book: &mut Book) {
    fn counted(a: Flags, bits: u64) -> Raised<Flags> {
        if a.kind.style == Style::Bits {
            let message = format!("{a} is a set of bits: combine with `|`, not with `+`");
            return Err(ScriptError::usage(message).into());
        }
        Ok(Flags { bits, kind: a.kind })
    }
    functions! { book;
        /// The constant `n` above another: `SIGRTMIN + 1`.
        "+(a: Flags, n: int) -> Flags" => |a: Flags, n: i64| {
            counted(a, a.bits.wrapping_add(n as u64))
        };
        /// Whether a number is smaller.
        "<(a: Flags, b: Flags) -> bool" => |a: Flags, b: Flags| a.bits < b.bits;
        /// Whether a number is larger.
        ">(a: Flags, b: Flags) -> bool" => |a: Flags, b: Flags| a.bits > b.bits;
        /// A signal from its number.
        "signal(n: int) -> Signal" => |n: i64| -> Raised<Flags> {
            match i32::try_from(n).ok().and_then(Signal::new) {
                Some(sig) => Ok(kinds::of_signal(sig)),
                None => Err(ScriptError::usage(format!("there is no signal {n} (1 to 64)")).into()),
            }
        };
    }
}

/// The signals of a set, ascending.
fn signals(set: &SigSet) -> rhai::Array {
    set.iter().map(|s| Dynamic::from(kinds::of_signal(s))).collect()
}

fn register_sets(book: &mut Book) {
    use super::args;
    book.prints::<SigSet>("SigSet");
    book.prints::<CapSet>("CapSet");
    book.iterates::<SigSet>(signals);
    functions! { book;
        /// A set of signals from an array of them.
        "sigset(signals: array) -> SigSet" => |v: Dynamic| -> Raised<SigSet> {
            Ok(args::signal_set("sigset", &v)?)
        };
        /// The empty set of signals.
        "sigset() -> SigSet" => || SigSet::EMPTY;
        /// All signals.
        "sigfillset() -> SigSet" => || SigSet(u64::MAX);
        /// Whether a signal is in the set; also written `sig in set`.
        "contains(set: SigSet, sig: Signal) -> bool" =>
            |set: &mut SigSet, sig: Dynamic| -> Raised<bool> {
                Ok(set.contains(args::signal("contains", &sig)?))
            };
        /// The number of signals in the set.
        "len(set: SigSet) -> int" => |set: &mut SigSet| i64::from(set.0.count_ones());
        /// Whether the set is empty.
        "is_empty(set: SigSet) -> bool" => |set: &mut SigSet| set.is_empty();
        /// The signals, ascending.
        "to_array(set: SigSet) -> array" => |set: &mut SigSet| signals(set);
        /// Whether two sets are equal.
        "==(a: SigSet, b: SigSet) -> bool" => |a: SigSet, b: SigSet| a == b;
        /// Whether two sets differ.
        "!=(a: SigSet, b: SigSet) -> bool" => |a: SigSet, b: SigSet| a != b;
        /// The signals in either set.
        "|(a: SigSet, b: SigSet) -> SigSet" => |a: SigSet, b: SigSet| a.or(b);
        /// The signals in both sets.
        "&(a: SigSet, b: SigSet) -> SigSet" => |a: SigSet, b: SigSet| a.and(b);
        /// The signals of the first set that are not in the second.
        "-(a: SigSet, b: SigSet) -> SigSet" => |a: SigSet, b: SigSet| a.minus(b);

        /// A set of capabilities from an array of them.
        "capset(caps: array) -> CapSet" => |v: Dynamic| -> Raised<CapSet> {
            Ok(args::capability_set("capset", &v)?)
        };
        /// Whether a capability is in the set; also written `cap in set`.
        "contains(set: CapSet, cap: int) -> bool" =>
            |set: &mut CapSet, cap: Dynamic| -> Raised<bool> {
                Ok(set.contains(args::capability("contains", &cap)?))
            };
        /// The number of capabilities in the set.
        "len(set: CapSet) -> int" => |set: &mut CapSet| i64::from(set.0.count_ones());
        /// Whether the set is empty.
        "is_empty(set: CapSet) -> bool" => |set: &mut CapSet| set.0 == 0;
        /// The set as a mask.
        "hex(set: CapSet) -> string" => |set: CapSet| format!("{:#x}", set.0);
        /// Whether two sets are equal.
        "==(a: CapSet, b: CapSet) -> bool" => |a: CapSet, b: CapSet| a == b;
        /// Whether two sets differ.
        "!=(a: CapSet, b: CapSet) -> bool" => |a: CapSet, b: CapSet| a != b;
        /// The capabilities in either set.
        "|(a: CapSet, b: CapSet) -> CapSet" => |a: CapSet, b: CapSet| CapSet(a.0 | b.0);
        /// The capabilities in both sets.
        "&(a: CapSet, b: CapSet) -> CapSet" => |a: CapSet, b: CapSet| CapSet(a.0 & b.0);
        /// The capabilities of the first set that are not in the second.
        "-(a: CapSet, b: CapSet) -> CapSet" => |a: CapSet, b: CapSet| CapSet(a.0 & !b.0);
    }
}
