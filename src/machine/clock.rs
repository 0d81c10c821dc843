//! Virtual time, and each CPU's timer deadline on it.
//!
//! Time passes only when somebody says so; nothing reads the host's clock.
//!
//! Linux: kernel/time/timekeeping.c (`ktime_get`); the TSC-deadline timer of
//! arch/x86/kernel/apic/apic.c. Left out: frequency, drift, several sources.

use super::Machine;

/// Nanoseconds since power-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    now_ns: u64,
}

impl Clock {
    /// Now, in ns (CLOCK_MONOTONIC).
    #[inline]
    pub fn now(&self) -> u64 {
        self.now_ns
    }

    /// Lets `ns` pass. Stops at the end of time, 584 years from power-on.
    #[inline]
    pub fn advance(&mut self, ns: u64) {
        self.now_ns = self.now_ns.saturating_add(ns);
    }

    /// Lets time pass until `ns`; never goes back.
    pub fn advance_to(&mut self, ns: u64) {
        self.now_ns = self.now_ns.max(ns);
    }
}

impl Machine {
    /// Whether the CPU's timer has fired. The kernel clears or moves the
    /// deadline when it takes the interrupt.
    #[inline]
    pub fn timer_fired(&self, cpu: usize) -> bool {
        self.cpus[cpu].timer_deadline_ns.is_some_and(|at| at <= self.clock.now_ns)
    }

    /// The CPU whose timer fires first, and when; the lower number wins a tie.
    pub fn next_timer(&self) -> Option<(usize, u64)> {
        let all = self.cpus.iter().enumerate();
        all.filter_map(|(i, c)| c.timer_deadline_ns.map(|at| (i, at)))
            .min_by_key(|&(i, at)| (at, i))
    }
}

#[cfg(test)]
mod tests {
    use crate::machine::{Machine, MachineConfig};

    #[test]
    fn timers_fire_in_order() {
        let mut m = Machine::new(MachineConfig { cpus: 3, ..MachineConfig::default() });
        assert_eq!(m.next_timer(), None);
        m.cpus[2].timer_deadline_ns = Some(50);
        m.cpus[1].timer_deadline_ns = Some(50);
        assert_eq!(m.next_timer(), Some((1, 50)));
        m.clock.advance(49);
        assert!(!m.timer_fired(1));
        m.clock.advance_to(50);
        m.clock.advance_to(7);
        assert!(m.timer_fired(1) && !m.timer_fired(0));
        m.clock.advance(u64::MAX);
        assert_eq!(m.clock.now(), u64::MAX);
    }
}
