//! gdb over the remote protocol: `target remote 127.0.0.1:PORT`.
//!
//! ```text
//!  gdb <--TCP, loopback only--> wire, front <--> gdbstub <--> target
//!                                                               |
//!        loop: read a packet | let the program run a bit   session::debug
//! ```
//!
//! One debugger, one connection; when it detaches, the program goes on without. What
//! debugging is stands in `session::debug`; here it is only spoken.
//!
//! Linux: gdbserver. Left out: starting and attaching over the protocol (`run`,
//! `attach`), non-stop mode, files (`remote get`), thread-local variables, which need
//! libthread_db.

mod arch;
mod front;
mod monitor;
mod signals;
mod target;
mod wire;

use crate::kernel::system::System;
use crate::session::debug::{Advance, Stop};
use crate::session::director::Trouble;
use crate::session::spawn::Spawned;
use crate::session::watch::WatchKind as Kind;
use front::{Client, Verdict};
use gdbstub::common::Signal as GdbSignal;
use gdbstub::stub::state_machine::GdbStubStateMachine as Machine;
use gdbstub::stub::{DisconnectReason, GdbStub, GdbStubError, MultiThreadStopReason as Reason};
use gdbstub::target::ext::base::reverse_exec::ReplayLogPosition;
use gdbstub::target::ext::breakpoints::WatchKind;
use gdbstub::target::ext::catch_syscalls::CatchSyscallPosition;
use signals::to_gdb;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;
use target::Program;
use wire::{Amend, Reader, Writer};

/// How often we look for Ctrl-C while the program waits for input.
const NAP: Duration = Duration::from_millis(20);

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The process that gdb looked at last is dead. Others may go on.
    Over,
    /// gdb has gone and let the program be.
    Detached,
}

/// Why it cannot be.
#[derive(Debug, thiserror::Error)]
pub enum GdbError {
    /// The port cannot be had, or the connection broke.
    #[error("gdb: {0}")]
    Io(#[from] io::Error),
    /// The simulated kernel is broken.
    #[error(transparent)]
    Trouble(Trouble),
    /// gdb and we do not understand each other.
    #[error("gdb: {0}")]
    Protocol(String),
}

impl From<GdbStubError<Trouble, io::Error>> for GdbError {
    fn from(e: GdbStubError<Trouble, io::Error>) -> Self {
        if e.is_connection_error() {
            let io = e.into_connection_error().map(|(e, _)| e);
            return GdbError::Io(io.unwrap_or_else(|| ErrorKind::Other.into()));
        }
        if e.is_target_error()
            && let Some(trouble) = e.into_target_error()
        {
            return GdbError::Trouble(trouble);
        }
        GdbError::Protocol("the packets make no sense".to_string())
    }
}

/// Waits for gdb on a port of the loopback interface (0: any), says on standard
/// error which, and lets it drive a process that has just been spawned.
///
/// `exec_file` is the program's path outside the machine. `output` is called
/// where the program may have written, or waits for input.
///
/// # Errors
/// The port is taken, the connection breaks, or the simulated kernel does.
pub fn serve(
    sys: &mut System,
    spawned: &Spawned,
    port: u16,
    exec_file: Option<String>,
    output: impl FnMut(&mut System),
) -> Result<Ended, GdbError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let at = listener.local_addr()?;
    writeln!(io::stderr(), "forkyard: waiting for gdb on {at}")?;
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    let program = Program::new(sys, spawned.task, exec_file);
    Server { program, spawned: spawned.clone(), client: Client::default(), output, stream }.run()
}

struct Server<'a, F> {
    program: Program<'a>,
    spawned: Spawned,
    client: Client,
    output: F,
    stream: TcpStream,
}

type State<'a> = Machine<'static, Program<'a>, Writer>;

impl<'a, F: FnMut(&mut System)> Server<'a, F> {
    fn run(mut self) -> Result<Ended, GdbError> {
        let writer = Writer::new(self.stream.try_clone()?);
        let stub = GdbStub::new(writer);
        let mut state = stub.run_state_machine(&mut self.program).map_err(GdbError::from)?;
        let mut reader = Reader::default();
        loop {
            state = match state {
                Machine::Idle(_) => match self.receive(&mut reader, true)? {
                    Some(sent) => self.feed(state, &sent)?,
                    None => return Ok(self.lost()),
                },
                Machine::Running(_) => match self.receive(&mut reader, false) {
                    Ok(Some(sent)) => self.feed(state, &sent)?,
                    Ok(None) => return Ok(self.lost()),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => self.go_on(state)?,
                    Err(e) => return Err(e.into()),
                },
                Machine::CtrlCInterrupt(m) => {
                    let stop = self.program.debugger.interrupt(self.program.sys);
                    let reason = self.reason(&stop);
                    m.interrupt_handled(&mut self.program, reason)?
                }
                Machine::Disconnected(m) => match m.get_reason() {
                    DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_) => {
                        return Ok(Ended::Over);
                    }
                    DisconnectReason::Disconnect => return Ok(self.lost()),
                    DisconnectReason::Kill => {
                        self.kill()?;
                        return Ok(Ended::Over);
                    }
                },
            };
        }
    }

    /// gdb has gone: the program is on its own.
    fn lost(&mut self) -> Ended {
        let pids: Vec<i32> = self.program.debugger.processes().collect();
        for pid in pids {
            self.program.debugger.detach(self.program.sys, pid);
        }
        Ended::Detached
    }

    /// Lets what is to be killed die.
    fn kill(&mut self) -> Result<(), GdbError> {
        let pids: Vec<i32> = self.program.debugger.processes().collect();
        let p = &mut self.program;
        for pid in pids {
            p.debugger.kill(p.sys, pid);
        }
        while p.debugger.processes().next().is_some() {
            let output = &mut self.output;
            let gone = p.debugger.advance(p.sys, |sys, _| output(sys));
            if gone.map_err(GdbError::Trouble)? == Advance::Idle {
                break;
            }
        }
        Ok(())
    }

    /// The next thing that gdb has sent. `None`: it has gone.
    fn receive(&mut self, reader: &mut Reader, wait: bool) -> io::Result<Option<wire::Sent>> {
        loop {
            if let Some(sent) = reader.next() {
                return Ok(Some(sent));
            }
            self.stream.set_nonblocking(!wait)?;
            let mut bytes = [0; 4096];
            let got = self.stream.read(&mut bytes);
            self.stream.set_nonblocking(false)?;
            match got {
                Ok(0) => return Ok(None),
                Ok(n) => reader.push(&bytes[..n]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }

    fn feed(&mut self, state: State<'a>, sent: &wire::Sent) -> Result<State<'a>, GdbError> {
        let mut state = state;
        if let (Some(body), Machine::Idle(m)) = (sent.body(), &mut state) {
            let ack = !self.client.no_ack;
            let writer = m.borrow_conn();
            if let Verdict::Reply(reply) = self.client.look(&mut self.program, writer, body) {
                writer.send(&reply, ack)?;
                return Ok(state);
            }
        }
        for byte in sent.bytes() {
            state = match state {
                Machine::Idle(m) => m.incoming_data(&mut self.program, *byte)?,
                Machine::Running(m) => m.incoming_data(&mut self.program, *byte)?,
                other => other,
            };
        }
        Ok(state)
    }

    /// Lets the program run a bit.
    fn go_on(&mut self, state: State<'a>) -> Result<State<'a>, GdbError> {
        let Machine::Running(mut m) = state else { return Ok(state) };
        let p = &mut self.program;
        let streams = self.spawned.streams;
        let output = &mut self.output;
        let drain = |sys: &mut System, new: bool| {
            if new {
                output(sys);
            } else {
                streams.take_stdout(sys);
                streams.take_stderr(sys);
            }
        };
        let found = match p.reverse.take() {
            Some(how) => p.debugger.reverse(p.sys, how, drain).map(Advance::Stopped),
            None => p.debugger.advance(p.sys, drain),
        };
        let stop = match found.map_err(GdbError::Trouble)? {
            Advance::Going => return Ok(m.into()),
            Advance::Idle => {
                if streams.wants_input(p.sys) {
                    (self.output)(p.sys);
                    // Whatever came from there.
                    self.program.debugger.influenced(self.program.sys);
                }
                std::thread::sleep(NAP);
                return Ok(m.into());
            }
            Advance::Stopped(stop) => stop,
        };
        let Some(reason) = self.reason(&stop) else {
            // Nothing that gdb wants to know.
            let plan = self.program.plan.clone();
            self.program.debugger.resume(self.program.sys, &plan);
            return Ok(m.into());
        };
        m.borrow_conn().amend = self.amended(&stop);
        self.program.plan = Default::default();
        Ok(m.report_stop(&mut self.program, reason)?)
    }

    /// What gdb is told. `None`: it does not want to know.
    fn reason(&mut self, stop: &Stop) -> Option<Reason<u64>> {
        let p = &mut self.program;
        p.named.clear();
        let of = |p: &mut Program<'_>, task| {
            let pid = p.sys.kernel.tasks.get(task).map_or(p.focus, |t| t.tgid);
            (p.focus, p.general) = (pid, pid);
            p.tid(task)
        };
        let signal = |tid, signal| Some(Reason::SignalWithThread { tid, signal });
        match *stop {
            Stop::Breakpoint(task) => {
                let tid = of(p, task);
                Some(if p.is_hardware(task) { Reason::HwBreak(tid) } else { Reason::SwBreak(tid) })
            }
            Stop::Watch(task, touched) => {
                let kind = match touched.kind {
                    Kind::Write => WatchKind::Write,
                    Kind::Read => WatchKind::Read,
                    Kind::Access => WatchKind::ReadWrite,
                };
                Some(Reason::Watch { tid: of(p, task), kind, addr: touched.addr })
            }
            Stop::Stepped(task) => signal(of(p, task), GdbSignal::SIGTRAP),
            Stop::Signal(task, sig) => signal(of(p, task), to_gdb(sig)),
            Stop::Interrupted(task) => signal(of(p, task), GdbSignal::SIGINT),
            Stop::SyscallEntry(task, number) => {
                let (tid, position) = (Some(of(p, task)), CatchSyscallPosition::Entry);
                Some(Reason::CatchSyscall { tid, number, position })
            }
            Stop::SyscallReturn(task, number) => {
                let (tid, position) = (Some(of(p, task)), CatchSyscallPosition::Return);
                Some(Reason::CatchSyscall { tid, number, position })
            }
            Stop::Forked { parent, child, vfork } => {
                let pid = p.sys.task(child).tgid;
                if !self.client.forks {
                    p.debugger.detach(p.sys, pid);
                    return None;
                }
                let (cur_tid, new_tid) = (of(p, parent), p.tid(child));
                // The reply names both processes.
                p.named.extend([p.focus, pid]);
                Some(match vfork {
                    true => Reason::VFork { cur_tid, new_tid },
                    false => Reason::Fork { cur_tid, new_tid },
                })
            }
            Stop::VforkDone(_) if !self.client.forks => None,
            Stop::VforkDone(task) => Some(Reason::VForkDone(of(p, task))),
            Stop::Exec(_) if !self.client.execs => None,
            Stop::Exec(task) => signal(of(p, task), GdbSignal::SIGTRAP),
            Stop::Exited { code, .. } => match p.debugger.processes().next() {
                None => Some(Reason::Exited(code)),
                // Said otherwise.
                Some(_) => Some(Reason::Signal(GdbSignal::SIGTRAP)),
            },
            Stop::Killed { sig, .. } => match p.debugger.processes().next() {
                None => Some(Reason::Terminated(to_gdb(sig))),
                Some(_) => Some(Reason::Signal(GdbSignal::SIGTRAP)),
            },
            Stop::Beginning(task) => {
                let pos = ReplayLogPosition::Begin;
                Some(Reason::ReplayLog { tid: Some(of(p, task)), pos })
            }
        }
    }

    /// What gdb is told instead, where gdbstub has no words for it.
    fn amended(&mut self, stop: &Stop) -> Option<Amend> {
        let p = &mut self.program;
        let others = p.debugger.processes().next();
        match *stop {
            Stop::Exec(task) => {
                let path = crate::session::debug::memory::exe(p.sys, task).unwrap_or_default();
                let hex: String = path.bytes().map(|b| format!("{b:02x}")).collect();
                let thread = self.client.name(p, task);
                Some(Amend::Replace(format!("T05thread:{thread};exec:{hex};")))
            }
            Stop::Exited { pid, code } => {
                p.focus = others?;
                Some(Amend::Replace(format!("W{code:02x};process:{pid:x}")))
            }
            Stop::Killed { pid, sig } => {
                p.focus = others?;
                Some(Amend::Replace(format!("X{:02x};process:{pid:x}", to_gdb(sig).0)))
            }
            _ => None,
        }
    }
}
