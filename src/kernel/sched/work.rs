//! What a task's user mode does while nobody directs it: computes, sleeps,
//! yields. A program of three instructions for people who want to look at a
//! scheduler.
//!
//! The kernel does not look at this; whoever drives the processors does
//! (`session::clock`).
//!
//! Linux: none; this is user mode. Left out: everything else a program does.

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Computes for so many ns.
    Run(u64),
    /// Sleeps for so many ns, by nanosleep(2).
    Sleep(u64),
    /// Lets others go first, by sched_yield(2).
    Yield,
}

/// Things to do, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Work {
    /// One round.
    pub phases: Vec<Phase>,
    /// Rounds to go, this one included; `None` for ever.
    pub rounds: Option<u64>,
    /// The phase it is in.
    pub at: usize,
    /// Of a [`Phase::Run`]: ns that are left.
    pub left: u64,
}

impl Work {
    /// So many rounds of something.
    pub fn new(phases: Vec<Phase>, rounds: Option<u64>) -> Work {
        let mut work = Work { phases, rounds, at: 0, left: 0 };
        work.begin();
        work
    }

    fn begin(&mut self) {
        self.left = match self.phases.get(self.at) {
            Some(Phase::Run(ns)) => *ns,
            _ => 0,
        };
    }

    /// What it does now; `None` when all is done.
    pub fn now(&self) -> Option<Phase> {
        match self.rounds {
            Some(0) => None,
            _ => self.phases.get(self.at).copied(),
        }
    }

    /// The phase is over.
    pub fn next(&mut self) {
        self.at += 1;
        if self.at >= self.phases.len() {
            self.at = 0;
            self.rounds = self.rounds.map(|n| n.saturating_sub(1));
        }
        self.begin();
    }

    /// It has computed for `ns`.
    pub fn ran(&mut self, ns: u64) {
        if matches!(self.now(), Some(Phase::Run(_))) {
            self.left = self.left.saturating_sub(ns);
        }
    }
}
