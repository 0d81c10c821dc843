//! Priorities: nice, static, normal and effective, real-time; and what a nice
//! value weighs.
//!
//! ```text
//!  -1        0 ......... 98 99   100 ........ 120 ........ 139
//!  deadline  rt 99 ..... rt 1        nice -20     nice 0       nice 19
//!            99 - rt_priority              static_prio = 120 + nice
//! ```
//!
//! Linux: include/linux/sched/prio.h, kernel/sched/core.c (__normal_prio,
//! sched_prio_to_weight, set_load_weight).
//! Left out: boosts by a mutex's waiters (prio is always normal_prio).

use crate::abi::numbers::{
    SCHED_BATCH, SCHED_DEADLINE, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL, SCHED_RR,
};
use crate::kernel::sched::SchedClass;
use crate::kernel::task::TaskStruct;

/// Static priority of nice 0.
pub const DEFAULT_PRIO: i32 = 120;
/// Real-time priorities are below.
pub const MAX_RT_PRIO: i32 = 100;
/// Lowest and highest nice value.
pub const NICE_RANGE: std::ops::RangeInclusive<i32> = -20..=19;
/// Weight of nice 0.
pub const NICE_0_LOAD: u64 = 1024;
/// Weight of a SCHED_IDLE task (`WEIGHT_IDLEPRIO`).
pub const WEIGHT_IDLEPRIO: u64 = 3;

/// `sched_prio_to_weight[]`: weight of nice -20 to 19; each step is 1.25.
pub const SCHED_PRIO_TO_WEIGHT: [u64; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
    3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87,
    70, 56, 45, 36, 29, 23, 18, 15,
];

/// NORMAL, BATCH (`fair_policy`): those that a nice value goes with.
pub fn fair_policy(policy: u32) -> bool {
    matches!(policy, SCHED_NORMAL | SCHED_BATCH)
}

/// FIFO, RR (`rt_policy`).
pub fn rt_policy(policy: u32) -> bool {
    matches!(policy, SCHED_FIFO | SCHED_RR)
}

/// `dl_policy`.
pub fn dl_policy(policy: u32) -> bool {
    policy == SCHED_DEADLINE
}

/// The class that serves a policy (`__setscheduler_class`).
pub fn class_of(policy: u32) -> SchedClass {
    match policy {
        SCHED_DEADLINE => SchedClass::Deadline,
        SCHED_FIFO | SCHED_RR => SchedClass::Rt,
        _ => SchedClass::Fair,
    }
}

/// Priority by policy (`__normal_prio`).
pub fn normal_prio(policy: u32, rt_priority: u32, static_prio: i32) -> i32 {
    if dl_policy(policy) {
        -1
    } else if rt_policy(policy) {
        MAX_RT_PRIO - 1 - rt_priority as i32
    } else {
        static_prio
    }
}

/// `task_nice`.
pub fn task_nice(t: &TaskStruct) -> i32 {
    t.static_prio - DEFAULT_PRIO
}

/// What a task weighs in the fair class (`set_load_weight`).
pub fn weight_of(policy: u32, static_prio: i32) -> u64 {
    if policy == SCHED_IDLE {
        return WEIGHT_IDLEPRIO;
    }
    SCHED_PRIO_TO_WEIGHT[(static_prio - MAX_RT_PRIO).clamp(0, 39) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_of_priorities() {
        assert_eq!(normal_prio(SCHED_NORMAL, 0, 125), 125);
        assert_eq!(normal_prio(SCHED_FIFO, 99, 125), 0);
        assert_eq!(normal_prio(SCHED_RR, 1, 100), 98);
        assert_eq!(normal_prio(SCHED_DEADLINE, 0, 120), -1);
        assert_eq!(weight_of(SCHED_NORMAL, 120), NICE_0_LOAD);
        assert_eq!(weight_of(SCHED_BATCH, 139), 15);
        assert_eq!(weight_of(SCHED_IDLE, 100), WEIGHT_IDLEPRIO);
        // Each step of nice is worth 10 % of the processor, or 1.25 of the other.
        for pair in SCHED_PRIO_TO_WEIGHT.windows(2) {
            let ratio = pair[0] as f64 / pair[1] as f64;
            assert!((1.15..1.30).contains(&ratio), "{pair:?}");
        }
    }
}
