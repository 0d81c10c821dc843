//! `t.run()`, `t.run_until()`: the scheduler picks among all programs of the
//! machine until one of them is where the script wants it.
//!
//! Left out: stopping at signals; `t.strace()` tells of them.

use rhai::{Dynamic, NativeCallContext};

use super::drive::{Drive, Sleeper};
use super::hooks;
use super::look::resolve;
use super::stopped::{Stopped, Why};
use crate::kernel::entry::code::user_regs;
use crate::kernel::task::TaskId;
use crate::script::bind::args;
use crate::script::bind::registry::{Book, Raised, functions};
use crate::script::bind::task::Task;
use crate::script::bind::trouble::waits_for;
use crate::session::code::{CodeEvent, CodeRun};

type Ctx<'a> = NativeCallContext<'a>;

/// How far to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Until the process has ended, and all that writes to its output.
    End,
    /// Until the task is at an address.
    At(u64),
    /// Until the task is about to make this call, or any.
    Call(Option<u32>),
}

impl Drive<'_, '_> {
    /// The scheduler chooses.
    fn go(&mut self, goal: Goal) {
        let mut run = self.machine.write(CodeRun::begin);
        self.machine.code(|code| {
            run.in_space = code.points.clone();
            run.watches = code.watches.clone();
            code.reported.iter().for_each(|t| run.pass(*t));
        });
        self.seen.iter().for_each(|t| run.pass(*t));
        if let Goal::At(addr) = goal {
            run.breakpoints.insert(addr);
        }
        self.run = Some(run);
    }

    fn run(&mut self, goal: Goal) -> Raised<Stopped> {
        let id = self.task.id();
        self.go(goal);
        if let Some(run) = &mut self.run {
            // Where it stands now it has been seen.
            run.pass(id);
        }
        loop {
            let Some(run) = &mut self.run else { return Ok(self.stopped(id, Why::Gone)) };
            let before = run.place().retired;
            let event = match self.machine.write(|sys| run.next(sys)) {
                Ok(event) => event,
                Err(e) => return Err(self.error(e).into()),
            };
            let n = run.place().retired - before;
            self.charge(n)?;
            match &event {
                CodeEvent::Call(who, call) if !self.seen.remove(who) => {
                    let reported = self.machine.code(|code| code.reported.remove(who));
                    let wanted = match goal {
                        Goal::Call(nr) => *who == id && nr.is_none_or(|nr| nr == call.nr),
                        _ => false,
                    };
                    if wanted && !reported {
                        self.machine.code(|code| code.reported.insert(id));
                        return Ok(self.stopped(id, Why::Syscall(call.clone())));
                    }
                    if self.machine.hooks(|h| h.want(call.nr)) {
                        self.pause();
                        hooks::call(self.ctx, &self.machine, *who, call)?;
                        // It is announced again.
                        self.seen.insert(*who);
                        self.go(goal);
                        continue;
                    }
                }
                CodeEvent::Ran(who, n) if *n > 0 => {
                    self.seen.remove(who);
                    self.machine.code(|code| code.reported.remove(who));
                }
                CodeEvent::Breakpoint(who) => match self.at(*who, goal) {
                    Some(why) => return Ok(self.stopped(*who, why)),
                    None => continue,
                },
                _ => {}
            }
            self.after(&event)?;
            if let CodeEvent::Watch(who, touched) = event {
                return Ok(self.stopped(who, Why::Watch(touched)));
            }
            if matches!(event, CodeEvent::Ran(..)) {
                continue;
            }
            if let Some(why) = self.ended().filter(|_| goal != Goal::End || !self.is_written()) {
                return Ok(self.stopped(id, why));
            }
            if event == CodeEvent::Idle {
                let given = self.machine.code(|code| self.machine.write(|sys| code.pump(sys)));
                if !given {
                    let why = self.ended().unwrap_or_else(|| Why::Idle(self.sleepers()));
                    return Ok(self.stopped(id, why));
                }
            }
        }
    }

    fn stopped(&mut self, who: TaskId, why: Why) -> Stopped {
        self.pause();
        let task = if who == self.task.id() { self.task.clone() } else { self.machine.handle(who) };
        Stopped::new(&task, why, self.instructions)
    }

    /// What it means that a task is at a breakpoint, if anything.
    fn at(&self, who: TaskId, goal: Goal) -> Option<Why> {
        self.machine.code(|code| {
            let (ip, set) = self.machine.read(|sys| {
                let ip = user_regs(sys, who).ip;
                let points = sys.task(who).mm.and_then(|mm| code.points.get(&mm));
                (ip, points.is_some_and(|points| points.contains(&ip)))
            });
            let arrived = who == self.task.id() && goal == Goal::At(ip);
            if arrived || set {
                code.reported.insert(who);
            }
            match (arrived, set) {
                (true, _) => Some(Why::Arrived),
                (_, true) => Some(Why::Breakpoint),
                _ => None,
            }
        })
    }

    /// Whether somebody could still write to the output of the task's program.
    fn is_written(&self) -> bool {
        self.machine.code(|code| {
            let of_task = code.programs.iter().find(|p| p.root == self.task.id());
            of_task.is_some_and(|p| self.machine.read(|sys| p.streams.is_written(sys)))
        })
    }

    /// Programs' tasks that sleep, and for what.
    fn sleepers(&self) -> String {
        let asleep: Vec<(TaskId, u64, u32)> = self.machine.read(|sys| {
            let tasks = sys.kernel.tasks.iter().filter(|(_, t)| t.code && !t.is_dead());
            tasks
                .filter_map(|(id, t)| t.resume.as_ref().map(|r| (id, r.call.serial, r.call.nr)))
                .collect()
        });
        let show = |(id, serial, nr): (TaskId, u64, u32)| {
            let task = self.machine.handle(id);
            let waits = self.machine.read(|sys| waits_for(sys, &task, serial));
            format!("task {} sleeps in {}: it waits for {waits}", task.pid(), hooks::name(nr))
        };
        let shown: Vec<String> = asleep.into_iter().map(show).collect();
        let reads = self.machine.code(|code| {
            self.machine.read(|sys| code.programs.iter().any(|p| p.streams.wants_input(sys)))
        });
        let hint =
            if reads { " (`t.stdin(text)` gives input, `t.close_stdin()` ends it)" } else { "" };
        match shown.is_empty() {
            true => "no task can execute".into(),
            false => shown.join("; ") + hint,
        }
    }
}

fn run(ctx: &Ctx, t: &Task, goal: Goal) -> Raised<Stopped> {
    Drive::with(ctx, t, Sleeper::Allowed, |drive| drive.run(goal))
}

/// Registers the functions.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// Lets all programs of the machine run, as the scheduler picks, until the
        /// process of this task has ended, and whatever still writes to its output;
        /// or until a breakpoint, watched memory, or until nobody can run. Gives why.
        "run(t: Task) -> Stopped" => |ctx: Ctx, t: &mut Task| run(&ctx, t, Goal::End);
        /// The same until the task is at a function or an address:
        /// `t.run_until("main")`.
        "run_until(t: Task, place: string|Addr) -> Stopped" =>
            |ctx: Ctx, t: &mut Task, place: Dynamic| -> Raised<Stopped> {
                let addr = resolve("run_until", t, &place)?;
                run(&ctx, t, Goal::At(addr))
            };
        /// The same until the task is about to make a system call.
        "run_until_syscall(t: Task) -> Stopped" => |ctx: Ctx, t: &mut Task| {
            run(&ctx, t, Goal::Call(None))
        };
        /// The same until it is about to make this one: `t.run_until_syscall("fork")`.
        "run_until_syscall(t: Task, name: string) -> Stopped" =>
            |ctx: Ctx, t: &mut Task, name: Dynamic| -> Raised<Stopped> {
                let name = args::text("run_until_syscall: name", &name)?;
                let nr = hooks::number("run_until_syscall", &name)?;
                run(&ctx, t, Goal::Call(Some(nr)))
            };
    }
}
