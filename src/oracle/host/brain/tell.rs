//! What a task wants as a command for it, or as an answer where no task is
//! needed.
//!
//! Left out: what comes of a command.

use super::super::calls::{self, Asker, Kind, No, Order};
use super::super::control::Command;
use super::super::stub::{self, op};
use super::super::task::{Flight, Place, Unborn};
use super::{Brain, Stop, unsupported};
use crate::abi::{Errno, Signal};
use crate::kernel::error::SysError;
use crate::kernel::syscalls::{Call, Out};
use crate::machine::{Atomic, UserOp};
use crate::session::program::{Answer, Child, Want};
use std::hash::BuildHasher;

impl Brain<'_> {
    /// Tells a task what to do; or gives the answer, if no task is needed.
    pub(super) fn tell(
        &mut self,
        slot: usize,
        want: Want,
        question: u64,
    ) -> Result<Option<Answer>, Stop> {
        let Place::Task(task) = &mut self.places[slot] else { return Ok(None) };
        match want {
            Want::Sys(call, child) => self.call(slot, &call, child, question),
            Want::Op(op) => self.op(slot, op, question),
            Want::Define(name, size) => {
                let at = task.names.borrow_mut().define(&name, size);
                match at {
                    Some(at) => Ok(Some(Answer::Returned(at as i64, Out::None))),
                    None => Err(unsupported("more than 1 MiB of variables")),
                }
            }
            Want::Symbol(name) => {
                let at = task.names.borrow().find(&name);
                Ok(Some(match at {
                    Some(at) => Answer::Returned(at as i64, Out::None),
                    None => Answer::Refused(SysError::with(
                        Errno::ENOENT,
                        "symbol",
                        format!(
                            "the program has no variable `{name}`: `define({name:?}, 0)` makes one"
                        ),
                    )),
                }))
            }
            Want::State(pid) => self.state_of(slot, pid).map(Some),
            Want::Choose(n) => {
                self.asked += 1;
                let chance = self.random.hash_one(self.asked);
                Ok(Some(Answer::Returned((chance % u64::from(n.max(1))) as i64, Out::None)))
            }
            Want::Return(_) if task.body.top().is_handler() => {
                task.body.end_handler();
                let command = Command { op: op::RETURN, ..Command::default() };
                self.sandbox.control.command(slot, &command);
                Ok(None)
            }
            // Only the model's kernel asks for this.
            Want::GoOn => Ok(None),
            Want::Return(code) => {
                let nr = if task.body.is_thread() { libc::SYS_exit } else { libc::SYS_exit_group };
                let call = Call::new(nr as u32, &[code as u64]);
                self.call(slot, &call, Child::Returns, question)
            }
            Want::Crash(message) => {
                let tid = task.tid;
                let report = self.language.report(&message);
                let report = report.note(format!("process {tid} ended by SIGABRT"));
                self.run.crashes.push((self.plan.show)(&report));
                let args = [Signal::SIGABRT.number() as u64, 0, 0, 8];
                let mut order =
                    self.internal(slot, libc::SYS_rt_sigaction, &args, Kind::Abort(true));
                order.input = calls::default_action();
                order.args[1] = order.base;
                self.send(slot, order, Child::Returns, 0)?;
                Ok(None)
            }
        }
    }

    /// A call that the script did not ask for.
    fn internal(&self, slot: usize, nr: libc::c_long, args: &[u64], kind: Kind) -> Order {
        let used = match &self.places[slot] {
            Place::Task(task) => task.used(),
            _ => 0,
        };
        let base = stub::buffer(slot) + used;
        let call = Call::new(nr as u32, args);
        Order {
            nr: call.nr,
            args: call.args,
            input: Vec::new(),
            base,
            output: (base, 0),
            kind,
            creates: None,
            timed: false,
            arms: None,
        }
    }

    /// The steps of abort(3), whatever the script has made of SIGABRT.
    pub(super) fn abort(&mut self, slot: usize, first: bool) {
        let Place::Task(task) = &self.places[slot] else { return };
        let order = if first {
            self.sandbox.control.unblock(slot, Signal::SIGABRT.number());
            let args = [task.tid as u64, Signal::SIGABRT.number() as u64];
            self.internal(slot, libc::SYS_tkill, &args, Kind::Abort(false))
        } else {
            self.internal(slot, libc::SYS_exit_group, &[134], Kind::End)
        };
        // No task is made, so there is no lack of slots.
        let _ = self.send(slot, order, Child::Returns, 0);
    }

    fn call(
        &mut self,
        slot: usize,
        call: &Call,
        child: Child,
        question: u64,
    ) -> Result<Option<Answer>, Stop> {
        let Place::Task(task) = &self.places[slot] else { return Ok(None) };
        let asker =
            Asker { slot, used: task.used(), in_handler: task.body.is_in_handler(), child: &child };
        if self.nested && calls::joins_group(call, task.tid) {
            return Err(unsupported(
                "setpgid to another's group in a program with pid namespaces: their process 1 \
                 might never end",
            ));
        }
        match calls::order(call, asker) {
            Ok(order) => {
                self.nested |= calls::makes_pid_namespace(call);
                self.dirty |= calls::writes_files(call);
                self.send(slot, order, child, question)?;
                Ok(None)
            }
            Err(No::Errno(errno)) => {
                Ok(Some(Answer::Refused(SysError::new(errno, "", "it is not the script's"))))
            }
            Err(No::Unsupported(what)) => Err(unsupported(what)),
        }
    }

    fn send(
        &mut self,
        slot: usize,
        mut order: Order,
        child: Child,
        question: u64,
    ) -> Result<(), Stop> {
        let mut born = None;
        if let Some(creates) = order.creates {
            let free = self.free_slot()?;
            let Place::Task(task) = &self.places[slot] else { return Ok(()) };
            if task.flights.iter().any(|f| f.child.is_some()) {
                return Err(unsupported("making a task in a handler that interrupted making one"));
            }
            let unborn = Unborn {
                creator: task.body.clone(),
                flights: task.flights.clone(),
                child,
                creates,
                names: task.names.clone(),
                question,
                maker: task.number,
                process: task.process,
                number: None,
                asked: task.asked.clone(),
            };
            order.set_stack(free);
            self.sandbox.control.prepare(free);
            self.places[free] = Place::Unborn(Box::new(unborn));
            self.high = self.high.max(free + 1);
            born = Some(free);
        }
        let Place::Task(task) = &mut self.places[slot] else { return Ok(()) };
        task.flights.push(Flight {
            nr: Some(order.nr),
            question,
            output: order.output.1,
            used: order.used(slot),
            child: born,
            timed: order.timed,
            arms: order.arms,
            kind: order.kind,
        });
        self.sandbox.control.put(slot, &order.input);
        self.sandbox.control.command(
            slot,
            &Command {
                op: op::SYSCALL,
                nr: order.nr,
                args: order.args,
                input: (order.base, order.input.len() as u64),
                output: order.output,
                child: born.map_or(0, stub::slot_address),
            },
        );
        Ok(())
    }

    fn op(&mut self, slot: usize, op: UserOp, question: u64) -> Result<Option<Answer>, Stop> {
        let (base, addr, size, values) = match op {
            UserOp::Load { addr, size } => (op::LOAD, addr.0, size, [0; 2]),
            UserOp::Store { addr, size, value } => (op::STORE, addr.0, size, [value, 0]),
            UserOp::Atomic { addr, size, change } => {
                let (op, values) = match change {
                    Atomic::Exchange(new) => (op::EXCHANGE, [new, 0]),
                    Atomic::FetchAdd(n) => (op::ADD, [n, 0]),
                    Atomic::CompareExchange { expected, new } => {
                        (op::COMPARE_EXCHANGE, [expected, new])
                    }
                };
                (op, addr.0, size, values)
            }
            // RDFSBASE is not there on every processor: ARCH_GET_FS is.
            UserOp::FsBase => {
                const ARCH_GET_FS: u64 = 0x1003;
                let args = [ARCH_GET_FS, 0];
                let mut order = self.internal(slot, libc::SYS_arch_prctl, &args, Kind::Stored);
                (order.args[1], order.output) = (order.base, (order.base, 8));
                self.send(slot, order, Child::Returns, question)?;
                return Ok(None);
            }
            other => return Err(unsupported(format!("the instruction {other:?}"))),
        };
        let bytes = size.bytes() as u64;
        if let Err(No::Unsupported(what)) = calls::touches(addr, bytes) {
            return Err(unsupported(what));
        }
        let Place::Task(task) = &mut self.places[slot] else { return Ok(None) };
        let used = task.used();
        task.flights.push(Flight {
            kind: Kind::Value,
            nr: None,
            question,
            output: 0,
            used,
            child: None,
            timed: false,
            arms: None,
        });
        let op = base + bytes.trailing_zeros();
        let args = [addr, values[0], values[1], 0, 0, 0];
        self.sandbox.control.command(slot, &Command { op, args, ..Command::default() });
        Ok(None)
    }
}
