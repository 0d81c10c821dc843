//! What came of a run, so that one on the host and one on the model can be
//! found equal; and the sets of both.
//!
//! An outcome is what was written, how it ended, and the wait status of the
//! first process. Two are equal as they stand, or after the pids in both texts
//! were replaced by the order in which they appear: two children may have got
//! each other's number.
//!
//! Left out: what tasks were told; see `calls`.

use std::fmt;
use std::sync::Arc;

use super::calls::{Along, Linux};
use super::{End, FIRST_PID, Run};
use crate::abi::structs::WaitStatus;
use crate::explore::guided::Goal;
use crate::explore::{self, Choice, Ending, Schedule};
use crate::script::bind::program;
use crate::session::program::Programs;
use crate::session::program::record::Asked;

/// How a run ended, as far as both kernels can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All processes have ended.
    Finished,
    /// Those that are left sleep for ever.
    Stuck,
    /// It was ended by a limit.
    Limit,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What was written.
    pub output: String,
    /// How it ended.
    pub ended: Ended,
    /// The first process's wait status.
    pub status: Option<i32>,
    /// Numbers in the output that are pids, if they stand there.
    pub pids: Vec<i32>,
}

impl Outcome {
    /// Of a run on the host.
    pub fn of_host(run: &Run) -> Outcome {
        let ended = match &run.end {
            End::Finished => Ended::Finished,
            End::Stuck(_) => Ended::Stuck,
            End::Time | End::Interrupted => Ended::Limit,
        };
        let output = String::from_utf8_lossy(&run.output).into_owned();
        Outcome { output, ended, status: run.status, pids: run.pids.clone() }
    }

    /// Of a run on the model.
    pub fn of_model(run: &program::Run) -> Outcome {
        let ended = match run.ending() {
            Ending::Finished => Ended::Finished,
            Ending::Stuck(_) => Ended::Stuck,
            Ending::Steps(_) | Ending::Stopped => Ended::Limit,
        };
        let output = run.output().to_string();
        Outcome { output, ended, status: run.status(), pids: pids(run.schedule()) }
    }

    /// Of a run that an exploration has found; with the numbers that are pids.
    pub fn of_explored(found: &explore::Outcome, pids: &[i32]) -> Outcome {
        let ended = match found.end {
            explore::End::Finished => Ended::Finished,
            explore::End::Stuck => Ended::Stuck,
            explore::End::Endless | explore::End::Cut => Ended::Limit,
        };
        let (output, pids) = (found.output.clone(), pids.to_vec());
        Outcome { output, ended, status: found.status, pids }
    }

    /// Whether the two are the same outcome.
    pub fn is_like(&self, other: &Outcome) -> bool {
        self.ended == other.ended
            && self.status == other.status
            && (self.output == other.output
                || by_appearance(&self.output, &self.pids)
                    == by_appearance(&other.output, &other.pids))
    }
}

/// What Linux did, as something to look for on the model.
pub struct Sought<'o> {
    linux: &'o Outcome,
    /// What it told each task, if that matters.
    calls: Option<&'o Linux<'o>>,
    /// Its output, pids by order of appearance.
    canonical: String,
}

impl<'o> Sought<'o> {
    /// Looks for this outcome, and for these calls.
    pub fn new(linux: &'o Outcome, calls: Option<&'o Linux<'o>>) -> Sought<'o> {
        Sought { linux, calls, canonical: by_appearance(&linux.output, &linux.pids) }
    }
}

impl Goal for Sought<'_> {
    type Along = Option<Along>;

    fn begin(&self, programs: &Programs) -> Option<Along> {
        self.calls.map(|calls| calls.begin(programs))
    }

    fn follow(
        &self,
        along: &mut Option<Along>,
        programs: &Programs,
        by: u32,
        asked: &Arc<Asked>,
    ) -> bool {
        let (Some(calls), Some(along)) = (self.calls, along) else { return true };
        calls.follow(along, programs, by, asked)
    }

    fn way(&self, along: &Option<Along>, by: u32) -> u32 {
        let (Some(calls), Some(along)) = (self.calls, along) else { return 0 };
        calls.way(along, by)
    }

    fn may_begin(&self, output: &[u8]) -> bool {
        let output = String::from_utf8_lossy(output);
        self.linux.output.starts_with(&*output)
            // A number may go on, a line that has ended does not.
            || !output.ends_with('\n')
            || self.canonical.starts_with(&by_appearance(&output, &self.linux.pids))
    }

    fn is(&self, outcome: &explore::Outcome, along: &Option<Along>) -> bool {
        self.linux.is_like(&Outcome::of_explored(outcome, &self.linux.pids))
            && match (self.calls, along) {
                (Some(calls), Some(along)) => calls.is_all(along),
                _ => true,
            }
    }
}

/// Processes are numbered from 1 in schedules, in the order of their pids.
fn pids(schedule: &Schedule) -> Vec<i32> {
    let numbers = schedule.0.iter().map(|choice| match choice {
        Choice::Process(n) => *n as i32,
        _ => 1,
    });
    let most = numbers.max().unwrap_or(1);
    (FIRST_PID..FIRST_PID + most).collect()
}

/// The text with each number that is a pid replaced by the order in which it
/// appears. What follows `#` is no pid.
pub(super) fn by_appearance(text: &str, pids: &[i32]) -> String {
    let mut seen: Vec<i32> = Vec::new();
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[begin..].find(|c: char| !c.is_ascii_digit());
        let end = end.map_or(rest.len(), |n| begin + n);
        out.push_str(&rest[..begin]);
        let word = &rest[begin..end];
        // `#7` is the number of a line of a random program.
        let label = rest[..begin].ends_with('#');
        match word.parse::<i32>().ok().filter(|n| !label && pids.contains(n)) {
            Some(pid) => {
                let order = seen.iter().position(|p| *p == pid).unwrap_or_else(|| {
                    seen.push(pid);
                    seen.len() - 1
                });
                out.push_str(&format!("<pid {order}>"));
            }
            None => out.push_str(word),
        }
        rest = &rest[end..];
    }
    out + rest
}

impl Outcome {
    /// How it ended, in words.
    pub fn heading(&self) -> String {
        let mut text = match (self.ended, self.status.map(WaitStatus::decode)) {
            (_, Some(WaitStatus::Exited(code))) => format!("exit {code}"),
            (_, Some(WaitStatus::Signaled(sig, _))) => format!("killed by signal {sig}"),
            (_, _) => "main does not end".to_string(),
        };
        text += match self.ended {
            Ended::Finished => "",
            Ended::Stuck => ", some sleep for ever",
            Ended::Limit => ", ended by a limit",
        };
        text
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.heading(), self.output)
    }
}

/// Outcomes that differ from each other, with how often each was seen.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// In the order in which they were seen first; with a schedule that leads
    /// to it, if it is the model's.
    pub outcomes: Vec<(Outcome, usize, Option<String>)>,
}

impl Seen {
    /// Counts an outcome; gives its place.
    pub fn add(&mut self, outcome: Outcome, schedule: impl FnOnce() -> Option<String>) -> usize {
        let known = self.find(&outcome);
        if let Some(i) = known {
            self.outcomes[i].1 += 1;
            return i;
        }
        self.outcomes.push((outcome, 1, schedule()));
        self.outcomes.len() - 1
    }

    /// The place of an outcome.
    pub fn find(&self, outcome: &Outcome) -> Option<usize> {
        self.outcomes.iter().position(|(o, _, _)| o.is_like(outcome))
    }

    /// How many runs there were.
    pub fn runs(&self) -> usize {
        self.outcomes.iter().map(|(_, n, _)| n).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(output: &str, status: i32) -> Outcome {
        Outcome {
            output: output.into(),
            ended: Ended::Finished,
            status: Some(status),
            pids: vec![3, 4, 5],
        }
    }

    #[test]
    fn pids_are_compared_by_order_of_appearance() {
        let a = outcome("parent 3: children 4, 5; 40 and 5", 0);
        assert!(a.is_like(&outcome("parent 3: children 5, 4; 40 and 4", 0)));
        assert!(!a.is_like(&outcome("parent 3: children 5, 4; 40 and 5", 0)));
        assert!(!a.is_like(&outcome("parent 3: children 4, 5; 50 and 5", 0)));
        assert!(!a.is_like(&Outcome { status: Some(256), ..a.clone() }));
        assert!(!a.is_like(&Outcome { ended: Ended::Stuck, ..a.clone() }));
    }

    #[test]
    fn equal_outcomes_are_counted_together() {
        let mut seen = Seen::default();
        assert_eq!(seen.add(outcome("4 5", 0), || None), 0);
        assert_eq!(seen.add(outcome("5 4", 0), || None), 0);
        assert_eq!(seen.add(outcome("5 5", 0), || None), 1);
        assert_eq!((seen.outcomes.len(), seen.runs()), (2, 3));
    }
}
