//! Making, replacing, ending and waiting for tasks: fork, vfork, clone,
//! clone3, unshare, setns, execve, exit, exit_group, wait, and futexes.
//!
//! Left out: calls that the kernel does not model; `syscall` names them.

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::args::{self, Named};
use super::door::{self, NOTHING, NUMBER, nr};
use super::pending::Pending;
use super::registry::{Book, Raised, functions};
use super::task::Task;
use super::waited;
use crate::abi::CloneFlags;
use crate::abi::structs::CloneArgs;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;
use crate::session::Done;

type Ctx<'a> = NativeCallContext<'a>;

/// The made task, from its number: a call that slept (vfork) gives it later.
fn child(maker: &Task, ret: i64, _: Out) -> Dynamic {
    Dynamic::from(maker.by_number(ret as i32))
}

/// Makes a task; gives its handle, or handle and pidfd.
fn create(ctx: &Ctx, t: &Task, args: &[&Dynamic], call: Call) -> Raised<Dynamic> {
    t.machine().check_task_limit()?;
    let done = door::step(ctx, t, args, call)?;
    let made = t.machine().read(|sys| sys.new_task_of(t.id()));
    if !matches!(done, Done::Returned(..)) {
        // vfork: the parent sleeps, the child is at hand all the same.
        let waiting = Pending::new(t, door::shown(ctx.fn_name(), args), child);
        if made.is_none() {
            return Ok(if matches!(done, Done::Dead) {
                Dynamic::UNIT
            } else {
                Dynamic::from(waiting)
            });
        }
    }
    let Some((id, pidfd)) = made else { return Ok(Dynamic::UNIT) };
    let task = Dynamic::from(t.machine().handle(id));
    let Some(pidfd) = pidfd else { return Ok(task) };
    let mut map = Map::new();
    map.insert("task".into(), task);
    map.insert("pidfd".into(), i64::from(pidfd).into());
    Ok(map.into())
}

/// clone3 from named arguments.
pub(super) fn clone_args(map: &Map) -> Result<CloneArgs, ScriptError> {
    let mut named = Named::new("clone", map);
    let args = CloneArgs {
        flags: named.word("flags", 0)?,
        pidfd: named.word("pidfd", 0)?,
        child_tid: named.word("child_tid", 0)?,
        parent_tid: named.word("parent_tid", 0)?,
        exit_signal: match named.get("exit_signal") {
            Some(sig) => args::signal_number("clone exit_signal", sig)?,
            None => 0,
        },
        stack: named.word("stack", 0)?,
        stack_size: named.word("stack_size", 0)?,
        tls: named.word("tls", 0)?,
        set_tid: match named.get("set_tid") {
            Some(v) if v.is_int() => vec![args::word("clone set_tid", v)? as i32],
            Some(v) => args::ids("clone set_tid", v)?.into_iter().map(|n| n as i32).collect(),
            None => Vec::new(),
        },
        cgroup: named.word("cgroup", 0)?,
    };
    named.finish()?;
    Ok(args)
}

fn clone3(ctx: Ctx, t: &mut Task, map: Dynamic) -> Raised<Dynamic> {
    let args = {
        let Some(named) = map.read_lock::<Map>() else {
            return Err(
                ScriptError::usage("clone3 takes named arguments: #{flags: CLONE_VM}").into()
            );
        };
        clone_args(&named)?
    };
    let call = Call::with(nr("clone3"), &[0, 0], Payload::Clone(Box::new(args)));
    create(&ctx, t, &[&map], call)
}

fn clone(ctx: Ctx, t: &mut Task, flags: Dynamic) -> Raised<Dynamic> {
    if flags.is_map() {
        return clone3(ctx, t, flags);
    }
    let word = args::word("clone: flags", &flags)?;
    // What only clone3 can express would be cut off silently by clone.
    let only_clone3 = CloneFlags::CLONE_CLEAR_SIGHAND | CloneFlags::CLONE_INTO_CGROUP;
    if word >> 32 != 0 && word & only_clone3.bits() != 0 {
        return Err(ScriptError::Usage {
            message: "clone(2) has 32 bits of flags: these need clone3".into(),
            help: Some("`t.clone(#{flags: …, exit_signal: SIGCHLD})`".into()),
        }
        .into());
    }
    create(&ctx, t, &[&flags], Call::new(nr("clone"), &[word]))
}

fn clone_stack(ctx: Ctx, t: &mut Task, flags: Dynamic, stack: Dynamic) -> Raised<Dynamic> {
    let words = [args::word("clone: flags", &flags)?, args::word("clone: stack", &stack)?];
    create(&ctx, t, &[&flags, &stack], Call::new(nr("clone"), &words))
}

fn execve(
    ctx: &Ctx,
    t: &Task,
    path: &Dynamic,
    argv: Option<&Dynamic>,
    envp: Option<&Dynamic>,
) -> Raised<Dynamic> {
    let file = args::text("execve: path", path)?;
    let argv_list = match argv {
        Some(v) => args::texts("execve: args", v)?,
        None => vec![file.clone()],
    };
    let envp_list = match envp {
        Some(v) => args::texts("execve: env", v)?,
        None => Vec::new(),
    };
    let payload = Payload::Exec(Box::new((file, argv_list, envp_list)));
    let call = Call::with(nr("execve"), &[0, 0, 0], payload);
    let shown: Vec<&Dynamic> = [Some(path), argv, envp].into_iter().flatten().collect();
    door::call(ctx, t, &shown, call, NOTHING)
}

fn wait4(ctx: &Ctx, t: &Task, who: Option<&Dynamic>, options: Option<&Dynamic>) -> Raised<Dynamic> {
    let pid = match who {
        Some(who) => args::pid(&format!("{}: pid", ctx.fn_name()), t, who)?,
        None => -1_i64 as u64,
    };
    let flags = match options {
        Some(v) => args::word(&format!("{}: options", ctx.fn_name()), v)?,
        None => 0,
    };
    let shown: Vec<&Dynamic> = [who, options].into_iter().flatten().collect();
    door::call(ctx, t, &shown, Call::new(nr("wait4"), &[pid, 0, flags, 0]), waited::value)
}

fn waitid(
    ctx: Ctx,
    t: &mut Task,
    which: Dynamic,
    id: Dynamic,
    options: Dynamic,
) -> Raised<Dynamic> {
    let words = [
        args::word("waitid: which", &which)?,
        args::pid("waitid: id", t, &id)?,
        0,
        args::word("waitid: options", &options)?,
        0,
    ];
    door::call(&ctx, t, &[&which, &id, &options], Call::new(nr("waitid"), &words), waited::value)
}

fn exit(ctx: &Ctx, t: &Task, number: u32, code: &Dynamic) -> Raised<Dynamic> {
    door::numbers(ctx, t, number, &[("code", code)], NOTHING)
}

/// The raw door: a number or name, and registers.
fn syscall(ctx: &Ctx, t: &Task, which: &Dynamic, rest: &[&Dynamic]) -> Raised<Dynamic> {
    let number = match which.clone().into_immutable_string() {
        Ok(name) => {
            let found = crate::abi::nr::SYSCALL_NAMES.iter().find(|(_, n)| *n == name.as_str());
            let Some((number, _)) = found else {
                let message = format!("there is no system call named {name:?}");
                return Err(ScriptError::usage(message).into());
            };
            *number
        }
        Err(_) => {
            let word = args::word("syscall: number", which)?;
            u32::try_from(word).unwrap_or(u32::MAX)
        }
    };
    let mut words = [0; 6];
    for (i, (word, value)) in words.iter_mut().zip(rest).enumerate() {
        *word = args::pid(&format!("syscall: argument {}", i + 1), t, value)?;
    }
    let mut shown = vec![which];
    shown.extend(rest);
    t.machine().check_task_limit()?;
    door::call(ctx, t, &shown, Call::raw(number, &words), NUMBER)
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    making(book);
    ending(book);
    futexes(book);
    raw(book);
}

fn making(book: &mut Book) {
    functions! { book;
        /// Makes a copy of the task (fork(2)); gives the child. The child's
        /// memory is a copy made at the first write, its `regs.ax` is 0.
        "fork(t: Task) -> Task" => |ctx: Ctx, t: &mut Task| {
            create(&ctx, t, &[], Call::new(nr("fork"), &[]))
        };
        /// Makes a task that borrows the address space (vfork(2)); gives the
        /// child. The parent sleeps (D) until the child execs or exits.
        "vfork(t: Task) -> Task" => |ctx: Ctx, t: &mut Task| {
            create(&ctx, t, &[], Call::new(nr("vfork"), &[]))
        };
        /// Makes a task that shares what the flags say (clone(2)); the low byte
        /// is the exit signal: `t.clone(CLONE_VM | SIGCHLD)`. A map of named
        /// arguments makes it clone3(2): flags, exit_signal, stack, stack_size,
        /// tls, parent_tid, child_tid, pidfd, set_tid, cgroup. With CLONE_PIDFD
        /// gives #{task, pidfd}.
        "clone(t: Task, flags: Flags) -> Task" => clone;
        /// clone(2) with the child's stack pointer; 0 goes on with the parent's.
        "clone(t: Task, flags: Flags, stack: Addr) -> Task" => clone_stack;
        /// clone(2) with all its arguments.
        "clone(t: Task, flags: Flags, stack: Addr, parent_tid: Addr, child_tid: Addr, tls: Addr) -> Task" =>
            |ctx: Ctx, t: &mut Task, flags: Dynamic, stack: Dynamic, ptid: Dynamic, ctid: Dynamic,
             tls: Dynamic| -> Raised<Dynamic> {
                let given = [&flags, &stack, &ptid, &ctid, &tls];
                let names = ["flags", "stack", "parent_tid", "child_tid", "tls"];
                let mut words = [0; 5];
                for (i, word) in words.iter_mut().enumerate() {
                    *word = args::word(&format!("clone: {}", names[i]), given[i])?;
                }
                create(&ctx, t, &given, Call::new(nr("clone"), &words))
            };
        /// clone3(2) with named arguments: flags, exit_signal, stack,
        /// stack_size, tls, parent_tid, child_tid, pidfd, set_tid, cgroup.
        "clone3(t: Task, args: map) -> Task" => clone3;
        /// Gives the task things and namespaces of its own (unshare(2)):
        /// `t.unshare(CLONE_FILES | CLONE_NEWPID)`. A new pid namespace is for
        /// its next children.
        "unshare(t: Task, flags: Flags)" => |ctx: Ctx, t: &mut Task, flags: Dynamic| {
            door::numbers(&ctx, t, nr("unshare"), &[("flags", &flags)], NOTHING)
        };
        /// Enters namespaces of the process that a pidfd names (setns(2)):
        /// `t.setns(t.pidfd_open(other), CLONE_NEWUTS)`.
        "setns(t: Task, fd: int, flags: Flags)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, flags: Dynamic| {
                let given = [("fd", &fd), ("flags", &flags)];
                door::numbers(&ctx, t, nr("setns"), &given, NOTHING)
            };
        /// Replaces the program (execve(2)).
        "execve(t: Task, path: string)" => |ctx: Ctx, t: &mut Task, path: Dynamic| {
            execve(&ctx, t, &path, None, None)
        };
        /// Replaces the program, with arguments.
        "execve(t: Task, path: string, args: array)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, argv: Dynamic| {
                execve(&ctx, t, &path, Some(&argv), None)
            };
        /// Replaces the program, with arguments and environment.
        "execve(t: Task, path: string, args: array, env: array)" =>
            |ctx: Ctx, t: &mut Task, path: Dynamic, argv: Dynamic, envp: Dynamic| {
                execve(&ctx, t, &path, Some(&argv), Some(&envp))
            };
        /// Replaces the program by one named from an open directory, or by what a
        /// descriptor has open: "" and AT_EMPTY_PATH (execveat(2)).
        "execveat(t: Task, fd: int, path: string, args: array, flags: Flags)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, path: Dynamic, argv: Dynamic, flags: Dynamic|
            -> Raised<Dynamic> {
                let text = args::text("execveat: path", &path)?;
                let words = [
                    args::word("execveat: fd", &fd)?,
                    0,
                    0,
                    0,
                    args::word("execveat: flags", &flags)?,
                ];
                let list = args::texts("execveat: args", &argv)?;
                let payload = Payload::Exec(Box::new((text, list, Vec::new())));
                let call = Call::with(nr("execveat"), &words, payload);
                door::call(&ctx, t, &[&fd, &path, &argv, &flags], call, NOTHING)
            };
        /// Sets where the kernel clears the tid at exit (set_tid_address(2));
        /// gives the caller's tid.
        "set_tid_address(t: Task, addr: Addr) -> int" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic| {
                door::numbers(&ctx, t, nr("set_tid_address"), &[("addr", &addr)], NUMBER)
            };
    }
}

fn ending(book: &mut Book) {
    functions! { book;
        /// Ends the thread (_exit(2)); with the last one the process ends.
        "exit(t: Task, code: int)" => |ctx: Ctx, t: &mut Task, code: Dynamic| {
            exit(&ctx, t, nr("exit"), &code)
        };
        /// Ends all threads of the process (exit_group(2)).
        "exit_group(t: Task, code: int)" => |ctx: Ctx, t: &mut Task, code: Dynamic| {
            exit(&ctx, t, nr("exit_group"), &code)
        };
        /// Waits for any child; gives what became of it (wait(2)).
        "wait(t: Task) -> Waited" => |ctx: Ctx, t: &mut Task| wait4(&ctx, t, None, None);
        /// Waits for a child (waitpid(2)): a task, a pid, -1 for any, 0 for the
        /// own group, -n for group n.
        "waitpid(t: Task, pid: int|Task) -> Waited" => |ctx: Ctx, t: &mut Task, who: Dynamic| {
            wait4(&ctx, t, Some(&who), None)
        };
        /// The same with options: WNOHANG (gives () when there is nothing),
        /// WUNTRACED, WCONTINUED.
        "waitpid(t: Task, pid: int|Task, options: Flags) -> Waited" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, options: Dynamic| {
                wait4(&ctx, t, Some(&who), Some(&options))
            };
        /// wait4(2); its result holds the rusage.
        "wait4(t: Task, pid: int|Task, options: Flags) -> Waited" =>
            |ctx: Ctx, t: &mut Task, who: Dynamic, options: Dynamic| {
                wait4(&ctx, t, Some(&who), Some(&options))
            };
        /// waitid(2): P_PID, P_PGID, P_PIDFD or P_ALL; options need one of
        /// WEXITED, WSTOPPED, WCONTINUED; WNOWAIT leaves the child waitable.
        "waitid(t: Task, which: Flags, id: int|Task, options: Flags) -> Waited" => waitid;
    }
}

fn futexes(book: &mut Book) {
    fn futex(ctx: &Ctx, t: &Task, addr: &Dynamic, op: u64, val: &Dynamic) -> Raised<Dynamic> {
        let name = ctx.fn_name();
        let addr_word = args::word(&format!("{name}: addr"), addr)?;
        let val_word = args::word(&format!("{name}: value"), val)?;
        let call = Call::new(nr("futex"), &[addr_word, op, val_word, 0]);
        door::call(ctx, t, &[addr, val], call, NUMBER)
    }
    functions! { book;
        /// Sleeps while the 32-bit word at the address holds the value
        /// (futex(2), FUTEX_WAIT).
        "futex_wait(t: Task, addr: Addr, value: int) -> int" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, val: Dynamic| futex(&ctx, t, &addr, 0, &val);
        /// Wakes up to n tasks that sleep on the word (FUTEX_WAKE); gives how many.
        "futex_wake(t: Task, addr: Addr, n: int) -> int" =>
            |ctx: Ctx, t: &mut Task, addr: Dynamic, n: Dynamic| futex(&ctx, t, &addr, 1, &n);
    }
}

fn raw(book: &mut Book) {
    functions! { book;
        /// The raw door: a system call by number or name, with up to six
        /// registers, as a program makes it: pointers are addresses, NULL too.
        /// Gives RAX; a refusal is an error.
        "syscall(t: Task, nr: int|string) -> int" => |ctx: Ctx, t: &mut Task, n: Dynamic| {
            syscall(&ctx, t, &n, &[])
        };
        /// The raw door with one argument.
        "syscall(t: Task, nr: int|string, a: int) -> int" =>
            |ctx: Ctx, t: &mut Task, n: Dynamic, a: Dynamic| syscall(&ctx, t, &n, &[&a]);
        /// The raw door with two arguments.
        "syscall(t: Task, nr: int|string, a: int, b: int) -> int" =>
            |ctx: Ctx, t: &mut Task, n: Dynamic, a: Dynamic, b: Dynamic| {
                syscall(&ctx, t, &n, &[&a, &b])
            };
        /// The raw door with three arguments.
        "syscall(t: Task, nr: int|string, a: int, b: int, c: int) -> int" =>
            |ctx: Ctx, t: &mut Task, n: Dynamic, a: Dynamic, b: Dynamic, c: Dynamic| {
                syscall(&ctx, t, &n, &[&a, &b, &c])
            };
        /// The raw door with four arguments.
        "syscall(t: Task, nr: int|string, a: int, b: int, c: int, d: int) -> int" =>
            |ctx: Ctx, t: &mut Task, n: Dynamic, a: Dynamic, b: Dynamic, c: Dynamic, d: Dynamic| {
                syscall(&ctx, t, &n, &[&a, &b, &c, &d])
            };
        /// The raw door with arguments in an array.
        "syscall(t: Task, nr: int|string, args: array) -> int" =>
            |ctx: Ctx, t: &mut Task, n: Dynamic, args: Array| -> Raised<Dynamic> {
                if args.len() > 6 {
                    return Err(ScriptError::usage("a system call has at most 6 arguments").into());
                }
                syscall(&ctx, t, &n, &args.iter().collect::<Vec<_>>())
            };
    }
}
