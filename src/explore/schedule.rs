//! Schedules: who was chosen, step by step, as a line of text and back.
//!
//! ```text
//! 1x3 2 ?1 1     process 1 three times, 2 once, its way number 1, then 1
//! ```
//!
//! Processes are numbered in the order of their creation, from 1.
//!
//! Left out: priorities.

use std::fmt;
use std::str::FromStr;

use crate::base::Rng;
use crate::kernel::sched::asked;
use crate::kernel::task::TaskId;
use crate::session::program::Programs;

/// One choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The process with this number goes on.
    Process(u32),
    /// A process that asked for one of several ways takes this one.
    Way(u32),
}

/// Choices in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule(pub Vec<Choice>);

/// Why a text is no schedule, or does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A word that means nothing.
    #[error("`{0}` is no choice: a schedule is written like `1x3 2 ?1 1`")]
    Word(String),
    /// It chooses somebody who cannot go on.
    #[error("step {step} of the schedule is process {number}, which cannot go on then")]
    NotRunnable {
        /// Counted from 1.
        step: usize,
        /// The process.
        number: u32,
    },
    /// It chooses a process where a way is asked for, or the reverse, or a way
    /// that there is not.
    #[error("step {step} of the schedule does not fit what is asked there")]
    Misfit {
        /// Counted from 1.
        step: usize,
    },
    /// No policy has this name.
    #[error(
        "there is no policy {0:?}: \"fifo\", \"round-robin\", \"random\" with a seed, \"kernel\", \
         or a schedule"
    )]
    Policy(String),
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, run) in
            self.0.chunk_by(|a, b| a == b && matches!(a, Choice::Process(_))).enumerate()
        {
            let gap = if i > 0 { " " } else { "" };
            match (run[0], run.len()) {
                (Choice::Process(n), 1) => write!(f, "{gap}{n}")?,
                (Choice::Process(n), times) => write!(f, "{gap}{n}x{times}")?,
                (Choice::Way(n), _) => write!(f, "{gap}?{n}")?,
            }
        }
        Ok(())
    }
}

/// Longest run that one word may stand for.
const MAX_RUN: usize = 1 << 20;

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        let mut choices = Vec::new();
        for word in text.split_whitespace() {
            let wrong = || ScheduleError::Word(word.to_string());
            if let Some(way) = word.strip_prefix('?') {
                choices.push(Choice::Way(way.parse().map_err(|_| wrong())?));
                continue;
            }
            let (number, times) = word.split_once('x').unwrap_or((word, "1"));
            let number = number.parse().map_err(|_| wrong())?;
            let times: usize = times.parse().map_err(|_| wrong())?;
            if times == 0 || times > MAX_RUN {
                return Err(wrong());
            }
            choices.extend(std::iter::repeat_n(Choice::Process(number), times));
        }
        Ok(Schedule(choices))
    }
}

/// How choices are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Whoever runs goes on until it sleeps or ends; then the oldest.
    Fifo,
    /// Each in turn, one step at a time.
    RoundRobin,
    /// By chance: the same seed chooses the same.
    Random(Rng),
    /// As written; after its end as [`Policy::Fifo`].
    Replay(Schedule, usize),
    /// As the kernel's scheduler would; see `kernel::sched::asked`.
    Kernel(asked::Steps),
}

/// What [`Policy::Kernel`] charges a process for a step, in ns. The machine's
/// own clock runs slower, by what a call takes, and is left alone: the same
/// choices made by another policy give the same run.
const STEP_NS: u64 = 100_000;

impl Policy {
    /// A policy by name, or a schedule.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str, seed: u64) -> Result<Policy, ScheduleError> {
        match text {
            "fifo" => Ok(Policy::Fifo),
            "round-robin" => Ok(Policy::RoundRobin),
            "random" => Ok(Policy::random(seed)),
            "kernel" => Ok(Policy::kernel()),
            text if text.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                Err(ScheduleError::Policy(text.to_string()))
            }
            text => Ok(Policy::Replay(text.parse()?, 0)),
        }
    }

    /// As the kernel's scheduler would choose.
    pub fn kernel() -> Policy {
        Policy::Kernel(asked::Steps::default())
    }

    /// Choices by chance.
    pub fn random(seed: u64) -> Policy {
        Policy::Random(Rng::new(seed))
    }

    /// Whether the choices are made already, part of a step or not.
    pub(super) fn replays(&self) -> bool {
        matches!(self, Policy::Replay(..))
    }

    /// The one that ran lets others go first (sched_yield(2)). Gives who counts
    /// as the one that ran before.
    pub(super) fn yielded(&mut self, ready: &[u32], last: u32) -> Result<u32, ScheduleError> {
        match self {
            // The call itself has told the scheduler.
            Policy::Kernel(_) => Ok(last),
            _ => Policy::RoundRobin.process(ready, last),
        }
    }

    /// Chooses among processes, given by number in ascending order; `last` ran
    /// before. There is at least one.
    pub(super) fn choose(
        &mut self,
        programs: &mut Programs,
        ready: &[u32],
        last: u32,
    ) -> Result<u32, ScheduleError> {
        let Policy::Kernel(steps) = self else { return self.process(ready, last) };
        let bodies = programs.bodies().map(|(task, body)| (task, body.number));
        let mut able: Vec<(TaskId, u32)> = bodies.filter(|(_, n)| ready.contains(n)).collect();
        able.sort_unstable_by_key(|(_, n)| *n);
        let tasks: Vec<TaskId> = able.iter().map(|(task, _)| *task).collect();
        let next = asked::next(&mut programs.system, &tasks, STEP_NS, steps);
        let number = able.iter().find(|(task, _)| Some(*task) == next).map(|(_, n)| *n);
        Ok(number.unwrap_or(ready[0]))
    }

    /// Chooses among processes, given by number in ascending order; `last` ran
    /// before. There is at least one.
    pub(super) fn process(&mut self, ready: &[u32], last: u32) -> Result<u32, ScheduleError> {
        let fifo = || if ready.contains(&last) { last } else { ready[0] };
        match self {
            // Without a look at the tasks all are alike.
            Policy::Fifo | Policy::Kernel(_) => Ok(fifo()),
            Policy::RoundRobin => Ok(*ready.iter().find(|n| **n > last).unwrap_or(&ready[0])),
            Policy::Random(rng) => Ok(ready[rng.below(ready.len() as u64) as usize]),
            Policy::Replay(schedule, at) => {
                let Some(choice) = schedule.0.get(*at) else { return Ok(fifo()) };
                *at += 1;
                match *choice {
                    Choice::Process(n) if ready.contains(&n) => Ok(n),
                    Choice::Process(number) => {
                        Err(ScheduleError::NotRunnable { step: *at, number })
                    }
                    Choice::Way(_) => Err(ScheduleError::Misfit { step: *at }),
                }
            }
        }
    }

    /// Chooses one of `n` ways.
    pub(super) fn way(&mut self, n: u32) -> Result<u32, ScheduleError> {
        match self {
            Policy::Fifo | Policy::RoundRobin | Policy::Kernel(_) => Ok(0),
            Policy::Random(rng) => Ok(rng.below(u64::from(n.max(1))) as u32),
            Policy::Replay(schedule, at) => {
                let Some(choice) = schedule.0.get(*at) else { return Ok(0) };
                *at += 1;
                match *choice {
                    Choice::Way(way) if way < n => Ok(way),
                    _ => Err(ScheduleError::Misfit { step: *at }),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_read_as_they_print() {
        for text in ["", "1", "1x3 2 ?1 1", "2 1 2 1 ?0 ?0 3x70"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for wrong in ["a", "1x", "1x0", "x3", "?", "?-1", "1x99999999999", "-1"] {
            assert!(wrong.parse::<Schedule>().is_err(), "{wrong}");
        }
        assert!(matches!(Policy::parse("rr", 0), Err(ScheduleError::Policy(_))));
    }

    #[test]
    fn policies_choose() {
        let ready = [1, 3, 4];
        assert_eq!(Policy::Fifo.process(&ready, 3), Ok(3));
        assert_eq!(Policy::Fifo.process(&ready, 2), Ok(1));
        assert_eq!(Policy::RoundRobin.process(&ready, 3), Ok(4));
        assert_eq!(Policy::RoundRobin.process(&ready, 4), Ok(1));
        let mut replay = Policy::parse("3 2", 0).unwrap();
        assert_eq!(replay.process(&ready, 1), Ok(3));
        let refused = Err(ScheduleError::NotRunnable { step: 2, number: 2 });
        assert_eq!(replay.process(&ready, 1), refused);
        assert_eq!(replay.process(&ready, 4), Ok(4), "after its end, as fifo");
        let (mut a, mut b) = (Policy::random(7), Policy::random(7));
        let picks = |p: &mut Policy| (0..50).map(|_| p.process(&ready, 1)).collect::<Vec<_>>();
        assert_eq!(picks(&mut a), picks(&mut b));
    }
}
