//! Signal numbers of the protocol, which are not Linux's.
//!
//! Source: the manual of gdb, section E.13 (include/gdb/signals.def). Left out:
//! SIGSTKFLT, which has none: it is said to be unknown.

use crate::abi::Signal;
use gdbstub::common::Signal as Gdb;

/// Linux's number and the protocol's, where they differ, below the real-time ones.
const DIFFERENT: [(i32, u8); 14] = [
    (7, 10),
    (10, 30),
    (12, 31),
    (16, UNKNOWN),
    (17, 20),
    (18, 19),
    (19, 17),
    (20, 18),
    (23, 16),
    (29, 23),
    (30, 32),
    (31, 12),
    (32, 77),
    (64, 78),
];
/// GDB_SIGNAL_UNKNOWN.
const UNKNOWN: u8 = 143;
/// GDB_SIGNAL_REALTIME_33.
const REALTIME_33: i32 = 45;

/// The protocol's number of a signal.
pub fn to_gdb(sig: Signal) -> Gdb {
    let n = sig.number();
    let special = DIFFERENT.iter().find(|(linux, _)| *linux == n);
    Gdb(match (special, n) {
        (Some((_, gdb)), _) => *gdb,
        (None, 33..=63) => (n - 33 + REALTIME_33) as u8,
        _ => n as u8,
    })
}

/// The signal that the protocol means.
pub fn from_gdb(sig: Gdb) -> Option<Signal> {
    (1..=64).filter_map(Signal::new).find(|s| to_gdb(*s) == sig && sig.0 != UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_there_and_back() {
        for n in (1..=64).filter(|n| *n != 16) {
            let sig = Signal::new(n).unwrap();
            assert_eq!(from_gdb(to_gdb(sig)), Some(sig), "{sig}");
        }
        let named = [
            (Signal::SIGSEGV, Gdb::SIGSEGV),
            (Signal::SIGBUS, Gdb::SIGBUS),
            (Signal::SIGUSR1, Gdb::SIGUSR1),
            (Signal::SIGCHLD, Gdb::SIGCHLD),
            (Signal::SIGSTOP, Gdb::SIGSTOP),
            (Signal::SIGSYS, Gdb::SIGSYS),
            (Signal::SIGIO, Gdb::SIGIO),
            (Signal::SIGPWR, Gdb::SIGPWR),
            (Signal::SIGXCPU, Gdb::SIGXCPU),
        ];
        named.iter().for_each(|(linux, gdb)| assert_eq!(to_gdb(*linux), *gdb));
    }
}
