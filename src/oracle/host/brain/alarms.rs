//! Which interval timers are set (alarm(2), setitimer(2)): whoever sleeps until
//! one fires does not sleep for ever.
//!
//! /proc does not show these timers, so it is kept what was set. The kernel sets
//! a periodic one anew when a thread takes its signal, and then that thread is
//! heard, or its tracer; when nobody is heard of for an interval, it has stopped.
//!
//! Left out: what is left of a timer; the kernel knows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::calls::Arms;
use super::super::control::Report;
use crate::abi::Signal;

/// How late a signal may be noticed.
const LATE: Duration = Duration::from_millis(40);

/// Timers by process.
#[derive(Debug, Default)]
pub(super) struct Alarms(BTreeMap<u32, Alarm>);

#[derive(Debug, Clone, Copy)]
struct Alarm {
    /// When it will have fired.
    due: Instant,
    interval: Duration,
}

impl Alarms {
    /// A process has set its timer.
    pub(super) fn set(&mut self, process: u32, arms: Arms) {
        if arms.value.is_zero() {
            self.0.remove(&process);
            return;
        }
        let due = Instant::now() + arms.value + LATE;
        self.0.insert(process, Alarm { due, interval: arms.interval });
    }

    /// A thread of a process has said something.
    pub(super) fn heard(&mut self, process: u32, report: &Report) {
        if self.0.is_empty() {
            return;
        }
        let now = Instant::now();
        for alarm in self.0.values_mut().filter(|alarm| !alarm.interval.is_zero()) {
            alarm.due = alarm.due.max(now + alarm.interval + LATE);
        }
        let rings = matches!(report, Report::Handler(_, sig) if *sig == Signal::SIGALRM.number());
        if rings && self.0.get(&process).is_some_and(|alarm| alarm.interval.is_zero()) {
            self.0.remove(&process);
        }
    }

    /// Whether a signal is still to come to a process.
    pub(super) fn awaits(&self, process: u32) -> bool {
        self.0.get(&process).is_some_and(|alarm| Instant::now() < alarm.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_what() {
        let ms = Duration::from_millis;
        let mut alarms = Alarms::default();
        assert!(!alarms.awaits(1));
        alarms.set(1, Arms { value: ms(60_000), interval: Duration::ZERO });
        assert!(alarms.awaits(1) && !alarms.awaits(2));
        alarms.heard(1, &Report::Handler(0, Signal::SIGUSR1.number()));
        assert!(alarms.awaits(1));
        alarms.heard(1, &Report::Handler(0, Signal::SIGALRM.number()));
        assert!(!alarms.awaits(1), "it fires once");
        alarms.set(2, Arms { value: ms(60_000), interval: ms(60_000) });
        alarms.heard(2, &Report::Handler(0, Signal::SIGALRM.number()));
        assert!(alarms.awaits(2), "it fires again");
        alarms.set(2, Arms { value: Duration::ZERO, interval: ms(10) });
        assert!(!alarms.awaits(2), "it is off");
        alarms.set(3, Arms { value: ms(1), interval: ms(60_000) });
        std::thread::sleep(ms(2) + LATE);
        assert!(!alarms.awaits(3));
        alarms.heard(4, &Report::Handler(0, Signal::SIGUSR1.number()));
        assert!(alarms.awaits(3), "a tracer has seen it");
        alarms.set(3, Arms { value: ms(1), interval: ms(1) });
        std::thread::sleep(ms(2) + LATE);
        assert!(!alarms.awaits(3), "nobody takes its signals");
    }
}
