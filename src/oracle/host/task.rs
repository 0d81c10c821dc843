//! The tasks of a program as the supervisor knows them.
//!
//! Left out: when a task dies, which the supervisor mostly does not learn; see
//! `watch`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::calls::{Arms, Creates, Kind};
use super::names::Names;
use crate::session::program::record::Asked;
use crate::session::program::{Body, Child};

/// A call under way. A handler that interrupts it adds its own on top.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) kind: Kind,
    /// The number of the call; `None` for an instruction.
    pub(super) nr: Option<u32>,
    /// What was asked.
    pub(super) question: u64,
    /// Bytes of output.
    pub(super) output: u64,
    /// Bytes of the slot's buffer in use.
    pub(super) used: u64,
    /// The slot of the task it makes.
    pub(super) child: Option<usize>,
    /// It ends by itself.
    pub(super) timed: bool,
    /// How it sets the process's interval timer.
    pub(super) arms: Option<Arms>,
}

/// A task.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) body: Body,
    /// Its tid; a thread that execs gets another.
    pub(super) tid: i32,
    /// The variables of its address space.
    pub(super) names: Rc<RefCell<Names>>,
    /// What it is in, the innermost last.
    pub(super) flights: Vec<Flight>,
    /// Its number in the record.
    pub(super) number: u32,
    /// The number of the task that its process began with.
    pub(super) process: u32,
    /// What it has asked without an answer yet, the innermost last.
    pub(super) asked: Vec<Arc<Asked>>,
}

impl Task {
    /// Bytes of its slot's buffer in use.
    pub(super) fn used(&self) -> u64 {
        self.flights.iter().map(|f| f.used).max().unwrap_or(0)
    }
}

/// A task that a call is to make.
#[derive(Debug)]
pub(super) struct Unborn {
    /// Who makes it, as it was when it asked.
    pub(super) creator: Body,
    /// What its creator was in before that.
    pub(super) flights: Vec<Flight>,
    pub(super) child: Child,
    pub(super) creates: Creates,
    pub(super) names: Rc<RefCell<Names>>,
    pub(super) question: u64,
    /// Its creator's number in the record.
    pub(super) maker: u32,
    /// Its creator's process.
    pub(super) process: u32,
    /// Its own, if it has one already.
    pub(super) number: Option<u32>,
    /// What its creator has asked.
    pub(super) asked: Vec<Arc<Asked>>,
}

/// What a slot is used for.
#[derive(Debug)]
pub(super) enum Place {
    Free,
    Unborn(Box<Unborn>),
    Task(Box<Task>),
}

impl Unborn {
    /// It is there, and has a number.
    pub(super) fn born(self, number: u32, tid: i32) -> Task {
        let Unborn { creator, mut flights, child, creates, names, question, .. } = self;
        let mut asked = self.asked;
        let returns = child == Child::Returns;
        let names = match creates.vm {
            true => names,
            false => Rc::new(RefCell::new(names.borrow().clone())),
        };
        if !returns {
            flights.clear();
            asked.clear();
        }
        // What its creator's calls use lies in the creator's buffer.
        flights.iter_mut().for_each(|f| f.used = 0);
        flights.push(Flight {
            kind: Kind::Born(returns),
            nr: None,
            question,
            output: 0,
            used: 0,
            child: None,
            timed: false,
            arms: None,
        });
        let body = creator.child(number, tid, &child, creates.leads);
        let process = if creates.leads { number } else { self.process };
        Task { body, tid, names, flights, number, process, asked }
    }
}
