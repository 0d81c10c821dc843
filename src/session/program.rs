//! Program style: a process whose user mode is a function and its tape.
//!
//! ```text
//! frame:  function + arguments      what runs
//!         tape: answer, answer, …   what the kernel has answered so far
//! ```
//!
//! To learn what a process wants next, an [`Interpreter`] runs its function
//! from the start, feeds it the answers on the tape, and stops it at the first
//! question that has none. So a process is plain data: fork copies the tape
//! and adds a 0 to the child's; snapshots, undo and exploration come free.
//!
//! A signal handler is a frame on top of the one it interrupts. The kernel
//! decides when one runs: it sets the instruction pointer to the handler's
//! address, and [`Programs`] sees it there.
//!
//! Linux: none; this is user mode. Left out: choosing who goes on (`explore`
//! does), languages (`script` has one).

mod between;
mod follow;
pub mod identity;
mod interpreter;
mod look;
mod outside;
pub mod record;
mod tape;

pub use interpreter::{Interpreter, Repertoire};
pub use look::not_there;
pub use tape::{Answer, Child, Entry, Start, Tape, Value, Want, question};

use std::collections::BTreeMap;
use std::fmt;

use super::director::{Done, Trouble};
use crate::abi::{Errno, SigSet, Signal};
use crate::base::VirtAddr;
use crate::kernel::entry::{self, UserFault};
use crate::kernel::error::{Oops, SysError};
use crate::kernel::fs::exec::MAX_ARG_STRLEN;
use crate::kernel::fs::rootfs;
use crate::kernel::mm::symbols::{Place, define_symbol};
use crate::kernel::mm::uaccess;
use crate::kernel::signal::send::force_sig;
use crate::kernel::syscalls::{Call, Out};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskState};
use crate::machine::{Ring, Size, UserOp};
use crate::trace::Origin;

/// Where the addresses begin that stand for functions of a program.
pub const TEXT: u64 = 0x7000_0000_0000;
/// Between two functions.
const TEXT_STEP: u64 = 0x1000;

/// A call that has not returned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waits {
    serial: u64,
    question: u64,
    child: Child,
    /// The call is execve(2), which does not return when it succeeds.
    execs: bool,
}

/// A function under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What runs.
    pub start: Start,
    /// What it was told so far.
    pub tape: Tape,
    /// Of a handler: the stack pointer that it began with.
    handler_sp: Option<u64>,
    waits: Option<Waits>,
}

impl Frame {
    fn new(start: Start, handler_sp: Option<u64>, pid: i32) -> Frame {
        let tape = Tape::begin(&start, handler_sp.is_some(), pid);
        Frame { start, tape, handler_sp, waits: None }
    }

    /// Whether it is a signal handler.
    pub fn is_handler(&self) -> bool {
        self.handler_sp.is_some()
    }
}

/// The user mode of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Order of creation, from 1: the task's name in schedules.
    pub number: u32,
    /// Its pid when it was made.
    pub pid: i32,
    /// Functions under way; handlers lie on what they interrupted.
    frames: Vec<Frame>,
    /// Whether it began with a function that is not its process's main one.
    thread: bool,
    /// Its mask, while all is blocked between two calls.
    mask: Option<SigSet>,
}

impl Body {
    /// What the functions under way have begun with.
    pub fn starts(&self) -> impl Iterator<Item = &Start> {
        self.frames.iter().map(|frame| &frame.start)
    }

    /// What runs now.
    pub fn top(&self) -> &Frame {
        self.frames.last().expect("a body has a frame")
    }
}

/// The address that stands for function number `index`.
pub fn text_address(index: u32) -> u64 {
    TEXT + u64::from(index) * TEXT_STEP
}

/// A process that has ended, as init saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its pid.
    pub pid: i32,
    /// Its wait status.
    pub status: i32,
}

/// A body that an error ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// The body as it was then: asked again, it says the same.
    pub body: Body,
    /// The error.
    pub message: Box<str>,
}

/// An instruction that killed its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The process's pid.
    pub pid: i32,
    /// The task's name in schedules.
    pub number: u32,
    /// Signal, line and reason.
    pub message: Box<str>,
}

/// A step that could not be made: our own mistake, or a broken kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The simulated kernel is broken.
    #[error(transparent)]
    Oops(#[from] Oops),
    /// init could not make the first process.
    #[error("cannot start the program: {0}")]
    Start(SysError),
    /// A task cannot do what was asked of it.
    #[error("task {pid} cannot act: {why}")]
    CannotAct {
        /// Its pid.
        pid: i32,
        /// Why.
        why: String,
    },
}

/// A system and the programs that run on it: plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The system.
    pub system: System,
    bodies: BTreeMap<TaskId, Body>,
    started: u32,
    /// Each task blocks all signals between two calls; see `between`.
    pub masks_between_calls: bool,
    /// Those that init has waited for, in order.
    pub ended: Vec<Ended>,
    /// Errors that nobody caught, in order.
    pub crashes: Vec<Crash>,
    /// Instructions that killed their processes, in order.
    pub faults: Vec<Fault>,
    /// How many tasks were not made because there may be no more (EAGAIN).
    pub unborn: usize,
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pid, self.top().start.function)
    }
}

impl System {
    /// Whether a task of a program is neither asleep nor stopped nor has to finish
    /// a call or take a signal first.
    pub fn is_in_user_mode(&self, task: TaskId) -> bool {
        self.task(task).__state == TaskState::RUNNING && !self.kernel.todo.contains(&task)
    }
}

/// Whether a task is dead or gone.
fn is_over(sys: &System, task: TaskId) -> bool {
    sys.kernel.tasks.get(task).is_none_or(|t| t.is_dead() || t.__state == TaskState::DEAD)
}

impl Programs {
    /// Programs on a system, none of them started.
    pub fn new(system: System) -> Programs {
        Programs {
            system,
            bodies: BTreeMap::new(),
            started: 0,
            masks_between_calls: false,
            ended: Vec::new(),
            crashes: Vec::new(),
            faults: Vec::new(),
            unborn: 0,
        }
    }

    /// Makes functions executable files: /bin/NAME. A name that is there
    /// already stays the file that it is.
    pub fn install<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        for name in names {
            rootfs::add_program(&mut self.system, name);
        }
    }

    /// Starts a function as a new child of init.
    ///
    /// # Errors
    /// fork was refused, or the kernel is broken.
    pub fn start(&mut self, start: Start) -> Result<TaskId, ProgramError> {
        let init = self.system.kernel.init_process;
        match self.system.call(init, Call::new(NR_FORK, &[])) {
            Ok(_) => {}
            Err(Trouble::Refused(e)) => return Err(ProgramError::Start(e)),
            Err(e) => return Err(self.trouble(init, e)),
        }
        let (task, _) = self.system.new_task().expect("fork makes a task");
        let pid = self.system.task(task).pid;
        self.add(task, vec![Frame::new(start, None, pid)], false);
        Ok(task)
    }

    fn add(&mut self, task: TaskId, frames: Vec<Frame>, thread: bool) {
        self.started += 1;
        self.system.task_mut(task).stepped = true;
        let pid = self.system.task(task).pid;
        self.bodies.insert(task, Body { number: self.started, pid, frames, thread, mask: None });
    }

    /// The programs that are alive, by task.
    pub fn bodies(&self) -> impl Iterator<Item = (TaskId, &Body)> + '_ {
        self.bodies.iter().map(|(t, b)| (*t, b))
    }

    /// The program of a task.
    pub fn body(&self, task: TaskId) -> Option<&Body> {
        self.bodies.get(&task)
    }

    /// Whether a task has a program that can go on.
    pub fn is_runnable(&self, task: TaskId) -> bool {
        self.body(task).is_some_and(|body| self.can_go_on(task, body))
    }

    /// The same of a task whose program is at hand. Most of many sleep.
    fn can_go_on(&self, task: TaskId, body: &Body) -> bool {
        self.system.task(task).__state == TaskState::RUNNING
            && (body.top().waits.is_none() || self.is_on_its_way(task))
    }

    /// Whether there is one that can go on.
    fn any_runnable(&self) -> bool {
        self.bodies().any(|(task, body)| self.can_go_on(task, body))
    }

    /// Whether a task was woken or signalled and is not in user mode yet.
    pub fn is_on_its_way(&self, task: TaskId) -> bool {
        self.system.kernel.todo.contains(&task) || self.has_masked_signal(task)
    }

    /// What a task that can go on does next, and from which line.
    pub fn next(&self, interpreter: &impl Interpreter, task: TaskId) -> (Want, Origin) {
        if self.is_on_its_way(task) {
            let resume = self.system.task(task).resume.as_ref();
            return (Want::GoOn, resume.map_or(self.system.log.origin, |resume| resume.origin));
        }
        interpreter.next(self.body(task).expect("it has a program"))
    }

    /// Those who can go on, in order of creation.
    pub fn runnable(&self) -> Vec<TaskId> {
        let can = |(task, body): &(TaskId, &Body)| self.can_go_on(*task, body);
        let mut found: Vec<_> = self.bodies().filter(can).collect();
        found.sort_unstable_by_key(|(_, body)| body.number);
        found.into_iter().map(|(task, _)| task).collect()
    }

    /// Does what the program of a task wants, then lets everything happen that
    /// follows without anybody choosing. `choice` answers [`Want::Choose`].
    ///
    /// # Errors
    /// The kernel is broken. A refused call is an answer, not an error.
    pub fn perform(
        &mut self,
        interpreter: &impl Interpreter,
        task: TaskId,
        want: Want,
        choice: u32,
    ) -> Result<(), ProgramError> {
        let question = question(&want);
        self.unmask(task);
        match want {
            Want::Sys(call, child) => self.sys(interpreter, task, call, child, question)?,
            Want::Op(op) => {
                // A thread is gone when it is dead.
                let tgid = self.system.task(task).tgid;
                match self.system.op(task, op) {
                    Ok(value) => {
                        self.answer(task, question, Answer::Returned(value as i64, Out::None));
                    }
                    Err(Trouble::Fault(fault)) if fault.killed => self.fault(task, tgid, &fault),
                    // The signal's handler runs first, then the instruction
                    // again.
                    Err(Trouble::Fault(_)) => {}
                    Err(e) => return Err(self.trouble(task, e)),
                }
            }
            Want::Define(name, size) => {
                let at = define_symbol(&mut self.system, task, &name, size, Place::Packed);
                let at = at.map(|addr| (addr as i64, Out::None));
                self.answer(task, question, at.into());
            }
            Want::Symbol(name) => {
                let answer = self.symbol(task, &name);
                self.answer(task, question, answer.into());
            }
            Want::State(pid) => {
                let answer = self.state_of(task, pid);
                self.answer(task, question, answer.into());
            }
            Want::Choose(_) => {
                self.answer(task, question, Answer::Returned(i64::from(choice), Out::None));
            }
            Want::Return(_) if self.bodies[&task].top().is_handler() => self.sigreturn(task)?,
            Want::Return(code) => {
                let nr = if self.bodies[&task].thread { NR_EXIT } else { NR_EXIT_GROUP };
                let call = Call::new(nr, &[code as u64]);
                self.sys(interpreter, task, call, Child::Returns, question)?;
            }
            Want::Crash(message) => self.crash(task, message)?,
            Want::GoOn => self.go_on(task)?,
        }
        self.settle(interpreter)
    }

    fn sys(
        &mut self,
        interpreter: &impl Interpreter,
        task: TaskId,
        call: Call,
        child: Child,
        question: u64,
    ) -> Result<(), ProgramError> {
        let (nr, execs) = (call.nr, call.nr == NR_EXECVE);
        let done = self.system.call(task, call);
        self.adopt(task, question, &child);
        match done {
            Ok(Done::Returned(..)) if execs => self.exec(interpreter, task)?,
            Ok(Done::Returned(ret, out)) => {
                self.answer(task, question, Answer::Returned(ret, out));
            }
            Ok(Done::Dead) => {}
            Ok(Done::Blocked | Done::Interrupted | Done::Stopped) => {
                let serial = self.system.last_call();
                let frame = self.top_mut(task);
                frame.waits = Some(Waits { serial, question, child, execs });
            }
            Err(Trouble::Refused(e)) => {
                self.unborn += usize::from(e.errno == Errno::EAGAIN && MAKE_TASKS.contains(&nr));
                self.answer(task, question, Answer::Refused(e));
            }
            Err(e) => return Err(self.trouble(task, e)),
        }
        Ok(())
    }

    /// Lets a task that was woken or signalled go on.
    fn go_on(&mut self, task: TaskId) -> Result<(), ProgramError> {
        self.system.kernel.born.clear();
        entry::resume_picked(&mut self.system, task);
        entry::settle(&mut self.system);
        self.system.still_sound()?;
        self.adopt_late(None);
        Ok(())
    }

    /// The address of a variable of a task.
    pub fn peek_symbol(&self, task: TaskId, name: &str) -> Option<u64> {
        let mm = self.system.kernel.mms.get(self.system.task(task).mm?)?;
        mm.symbols.get(name).map(|symbol| symbol.addr)
    }

    /// Notes an instruction that has killed its process.
    fn fault(&mut self, task: TaskId, tgid: i32, fault: &UserFault) {
        let Some(body) = self.bodies.get(&task) else { return };
        let line = self.system.log.origin.line;
        let (sig, why, addr) = (fault.sig, &fault.why, fault.addr);
        let message = format!("{sig} at address {addr:#x}, line {line}: {why}").into();
        self.faults.push(Fault { pid: tgid, number: body.number, message });
    }

    fn symbol(&self, task: TaskId, name: &str) -> Result<(i64, Out), SysError> {
        match self.peek_symbol(task, name) {
            Some(addr) => Ok((addr as i64, Out::None)),
            None => Err(SysError::with(
                Errno::ENOENT,
                "symbol",
                format!("the program has no variable `{name}`: `define({name:?}, 0)` makes one"),
            )),
        }
    }

    /// A program was replaced: by a function, or by one that has none, which
    /// the interpreter knows by its path. Its arguments are where the kernel
    /// has put them: argc, then the pointers, at the stack pointer.
    fn exec(&mut self, interpreter: &impl Interpreter, task: TaskId) -> Result<(), ProgramError> {
        let t = self.system.task(task);
        let (pid, mm) = (t.pid, t.mm.expect("a program has an mm"));
        let path = self.system.mm(mm).exe_file.clone();
        let argv = self.argv(task).map_err(|e| self.trouble(task, e.into()))?;
        let argv = argv.into_iter().map(|a| Value::Text(a.into())).collect();
        let mut start = interpreter.image(&path).unwrap_or_else(|| Start::new(&path));
        start.args.push(Value::Array(argv));
        let body = self.bodies.get_mut(&task).expect("it made the call");
        // A thread that execs has become the leader.
        (body.thread, body.pid) = (false, pid);
        body.frames = vec![Frame::new(start, None, pid)];
        Ok(())
    }

    fn argv(&mut self, task: TaskId) -> Result<Vec<String>, SysError> {
        let sp = self.user_regs(task).1;
        let word = |sys: &mut System, i: u64| {
            uaccess::get_user_u64(sys, task, sp.wrapping_add(i.wrapping_mul(8)))
        };
        let argc = word(&mut self.system, 0)?;
        let mut argv = Vec::new();
        for i in 1..=argc {
            let at = word(&mut self.system, i)?;
            argv.push(uaccess::strncpy_from_user(&mut self.system, task, at, MAX_ARG_STRLEN)?);
        }
        Ok(argv)
    }

    fn top_mut(&mut self, task: TaskId) -> &mut Frame {
        let body = self.bodies.get_mut(&task).expect("it acts");
        body.frames.last_mut().expect("a body has a frame")
    }

    fn answer(&mut self, task: TaskId, question: u64, answer: Answer) {
        if self.bodies.contains_key(&task) {
            self.top_mut(task).tape.push(question, answer);
        }
    }

    /// A handler's end: RET to the restorer, which calls rt_sigreturn.
    fn sigreturn(&mut self, task: TaskId) -> Result<(), ProgramError> {
        let sp = self.user_regs(task).1;
        let load = UserOp::Load { addr: VirtAddr(sp), size: Size::Qword };
        let to = self.system.op(task, load).map_err(|e| self.trouble(task, e))?;
        let cpu = self.system.task(task).cpu as usize;
        let regs = &mut self.system.machine.cpus[cpu].regs;
        (regs.ip, regs.sp) = (to, sp.wrapping_add(8));
        let body = self.bodies.get_mut(&task).expect("it acts");
        body.frames.pop();
        let (question, child) = match &self.bodies[&task].top().waits {
            // fork(2) that was interrupted is made again here.
            Some(w) => (w.question, w.child.clone()),
            None => (0, Child::Returns),
        };
        match self.system.call(task, Call::new(NR_RT_SIGRETURN, &[])) {
            Ok(_) | Err(Trouble::Refused(_)) => {}
            Err(e) => return Err(self.trouble(task, e)),
        }
        self.adopt(task, question, &child);
        Ok(())
    }

    /// An error that nobody caught: as abort(3), whatever is blocked.
    fn crash(&mut self, task: TaskId, message: Box<str>) -> Result<(), ProgramError> {
        self.crashes.push(Crash { body: self.bodies[&task].clone(), message });
        force_sig(&mut self.system, task, Signal::SIGABRT);
        // It looks at its signals on the way back to user mode.
        match self.system.call(task, Call::new(NR_GETPID, &[])) {
            Ok(_) | Err(Trouble::CannotAct(_) | Trouble::Refused(_)) => Ok(()),
            Err(e) => Err(self.trouble(task, e)),
        }
    }

    /// Instruction and stack pointer of user mode.
    pub fn user_regs(&self, task: TaskId) -> (u64, u64) {
        let t = self.system.task(task);
        let cpu = &self.system.machine.cpus[t.cpu as usize];
        let runs = self.system.kernel.per_cpu[t.cpu as usize].current_task == task;
        let regs = if runs && cpu.ring() == Ring::User { &cpu.regs } else { &t.regs };
        (regs.ip, regs.sp)
    }

    fn trouble(&self, task: TaskId, trouble: Trouble) -> ProgramError {
        let pid = self.system.kernel.tasks.get(task).map_or(0, |t| t.pid);
        match trouble {
            Trouble::Oops(oops) => ProgramError::Oops(oops),
            other => ProgramError::CannotAct { pid, why: other.to_string() },
        }
    }
}

const NR_GETPID: u32 = 39;
const NR_FORK: u32 = 57;
/// clone, fork, vfork, clone3.
const MAKE_TASKS: [u32; 4] = [56, 57, 58, 435];
const NR_EXECVE: u32 = 59;
const NR_EXIT: u32 = 60;
const NR_WAIT4: u32 = 61;
const NR_RT_SIGRETURN: u32 = 15;
const NR_EXIT_GROUP: u32 = 231;
const WNOHANG: u64 = 1;
