//! System calls as a program makes them: free functions that act on the
//! calling process, named as in C.
//!
//! Each comes twice: `kill(pid, SIGTERM)` throws when it is refused, and
//! `try_kill(pid, SIGTERM)` gives the negated errno then, as the kernel does.
//!
//! More of them are in `files`, `signals`, `resources` and `time`.
//!
//! Left out: calls that need buffers in user memory and have no form of their
//! own here; `syscall(nr, …)` makes any.

use rhai::{Array, Dynamic, NativeCallContext};

use super::{NotRefused, origin};
use super::{files, more, plain, policy, resources, signals, time, tracing, tty};
use crate::abi::flags::SaFlags;
use crate::abi::{Errno, SigSet};
use crate::kernel::signal::SigAction;
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::bind::args::{self, Named};
use crate::script::bind::door::{nr, shown};
use crate::script::bind::registry::{Book, Raised, Spec, What, docs};
use crate::script::bind::{kinds, waited};
use crate::script::control::Control;
use crate::script::errors::ScriptError;
use crate::script::tape::Asked;
use crate::script::value::Addr;
use crate::session::program::{Answer, Child, Start, Value, Want, text_address};

type Ctx<'a> = NativeCallContext<'a>;
/// Makes a call of the arguments.
pub(super) type Make = fn(&Control, &str, &[Dynamic]) -> Result<(Call, Child), ScriptError>;
/// Makes a value of what it returned.
pub(super) type Give = fn(i64, Out) -> Dynamic;

/// sizeof(sigset_t) as the kernel wants it.
pub(super) const SIGSETSIZE: u64 = 8;

/// A call as programs have it.
pub(super) struct Row {
    /// `name(param: type, …) -> type`.
    pub(super) signature: &'static str,
    pub(super) docs: &'static str,
    pub(super) make: Make,
    pub(super) give: Give,
}

pub(super) const NUMBER: Give = |ret, _| ret.into();
pub(super) const NOTHING: Give = |_, _| Dynamic::UNIT;
pub(super) const ADDR: Give = |ret, _| Dynamic::from(Addr(ret as u64));
pub(super) const BLOB: Give = |ret, out| match out {
    Out::Bytes(bytes) => Dynamic::from_blob(bytes),
    _ => ret.into(),
};
pub(super) const DATA: Give = |ret, out| match out {
    Out::Bytes(bytes) => match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(e) => Dynamic::from_blob(e.into_bytes()),
    },
    _ => ret.into(),
};
const FDS: Give = |ret, out| match out {
    Out::Fds(r, w) => Dynamic::from(vec![Dynamic::from(i64::from(r)), i64::from(w).into()]),
    _ => ret.into(),
};
pub(super) const SET: Give = |ret, out| match out {
    Out::SigSet(set) => Dynamic::from(set),
    _ => ret.into(),
};
pub(super) const IDS: Give = |ret, out| match out {
    Out::Ids(ids) => ids.iter().map(|n| Dynamic::from(i64::from(*n))).collect::<Array>().into(),
    _ => ret.into(),
};

/// A call whose arguments are numbers, in order.
pub(super) fn plain_call(
    number: u32,
    name: &str,
    args: &[Dynamic],
) -> Result<(Call, Child), ScriptError> {
    let mut words = [0; 6];
    for (i, (word, value)) in words.iter_mut().zip(args).enumerate() {
        *word = match value.is_string() {
            true => args::signal_number(name, value)?,
            false => args::word(&format!("{name}: argument {}", i + 1), value)?,
        };
    }
    Ok((Call::new(number, &words), Child::Returns))
}

/// A call on a path, then numbers from the second register on.
pub(super) fn path_call(
    number: u32,
    name: &str,
    args: &[Dynamic],
) -> Result<(Call, Child), ScriptError> {
    let path = args::text(&format!("{name}: path"), &args[0])?;
    let (mut call, child) = plain_call(number, name, &args[1..])?;
    call.args.rotate_right(1);
    call.args[0] = 0;
    call.payload = Payload::Text(path.into());
    Ok((call, child))
}

/// Rows of calls that only take numbers: `"signature" => name, give;`.
macro_rules! numbers {
    ($($(#[doc = $doc:literal])+ $sig:literal => $sys:literal, $give:expr;)*) => {
        &[$($crate::script::bind::program::calls::Row {
            signature: $sig,
            docs: $crate::script::bind::registry::docs![$($doc),+],
            make: |_, name, args| $crate::script::bind::program::calls::plain_call(
                const { $crate::script::bind::door::nr($sys) },
                name,
                args,
            ),
            give: $give,
        }),*]
    };
}

/// Rows of calls with a body of their own.
macro_rules! rows {
    ($($(#[doc = $doc:literal])+ $sig:literal => $give:expr, $make:expr;)*) => {
        &[$($crate::script::bind::program::calls::Row {
            signature: $sig,
            docs: $crate::script::bind::registry::docs![$($doc),+],
            make: $make,
            give: $give,
        }),*]
    };
}

pub(super) use {numbers, rows};

const NUMBERS: &[Row] = numbers! {
    /// The process id of the caller (getpid(2)).
    "getpid() -> int" => "getpid", NUMBER;
    /// The thread id of the caller (gettid(2)).
    "gettid() -> int" => "gettid", NUMBER;
    /// The parent's process id (getppid(2)).
    "getppid() -> int" => "getppid", NUMBER;
    /// The caller's process group (getpgrp(2)).
    "getpgrp() -> int" => "getpgrp", NUMBER;
    /// A process's group (getpgid(2)); 0 is the caller.
    "getpgid(pid: int) -> int" => "getpgid", NUMBER;
    /// A process's session (getsid(2)); 0 is the caller.
    "getsid(pid: int) -> int" => "getsid", NUMBER;
    /// Moves a process to a group (setpgid(2)).
    "setpgid(pid: int, pgid: int)" => "setpgid", NOTHING;
    /// Begins a session (setsid(2)); gives its id.
    "setsid() -> int" => "setsid", NUMBER;
    /// The real user id (getuid(2)).
    "getuid() -> int" => "getuid", NUMBER;
    /// The effective user id (geteuid(2)).
    "geteuid() -> int" => "geteuid", NUMBER;
    /// The real group id (getgid(2)).
    "getgid() -> int" => "getgid", NUMBER;
    /// The effective group id (getegid(2)).
    "getegid() -> int" => "getegid", NUMBER;
    /// Sets user ids (setuid(2)).
    "setuid(uid: int)" => "setuid", NOTHING;
    /// Sets group ids (setgid(2)).
    "setgid(gid: int)" => "setgid", NOTHING;
    /// Sets real and effective user id (setreuid(2)).
    "setreuid(ruid: int, euid: int)" => "setreuid", NOTHING;
    /// Sets real and effective group id (setregid(2)).
    "setregid(rgid: int, egid: int)" => "setregid", NOTHING;
    /// Sets real, effective and saved user id (setresuid(2)).
    "setresuid(ruid: int, euid: int, suid: int)" => "setresuid", NOTHING;
    /// Sets real, effective and saved group id (setresgid(2)).
    "setresgid(rgid: int, egid: int, sgid: int)" => "setresgid", NOTHING;
    /// Real, effective and saved user id (getresuid(2)).
    "getresuid() -> array" => "getresuid", IDS;
    /// Real, effective and saved group id (getresgid(2)).
    "getresgid() -> array" => "getresgid", IDS;
    /// Sends a signal (kill(2)).
    "kill(pid: int, sig: Signal)" => "kill", NOTHING;
    /// Sends a signal to a thread (tgkill(2)).
    "tgkill(tgid: int, tid: int, sig: Signal)" => "tgkill", NOTHING;
    /// Sleeps until a signal's handler has run (pause(2)).
    "pause()" => "pause", NOTHING;
    /// Lets others go first (sched_yield(2)).
    "sched_yield()" => "sched_yield", NOTHING;
    /// Closes a descriptor (close(2)).
    "close(fd: int)" => "close", NOTHING;
    /// Copies a descriptor (dup(2)); gives the copy.
    "dup(fd: int) -> int" => "dup", NUMBER;
    /// Copies a descriptor to a number (dup2(2)).
    "dup2(fd: int, to: int) -> int" => "dup2", NUMBER;
    /// Copies a descriptor to a number, with O_CLOEXEC or not (dup3(2)).
    "dup3(fd: int, to: int, flags: Flags) -> int" => "dup3", NUMBER;
    /// Asks or changes something of a descriptor (fcntl(2)).
    "fcntl(fd: int, cmd: Flags) -> int" => "fcntl", NUMBER;
    /// Changes something of a descriptor (fcntl(2)).
    "fcntl(fd: int, cmd: Flags, arg: int) -> int" => "fcntl", NUMBER;
    /// Moves a file's offset (lseek(2)); gives where it is then.
    "lseek(fd: int, offset: int, whence: Flags) -> int" => "lseek", NUMBER;
    /// Gives the caller things and namespaces of its own (unshare(2)).
    "unshare(flags: Flags)" => "unshare", NOTHING;
    /// Enters namespaces of the process that a pidfd names (setns(2)).
    "setns(fd: int, flags: Flags)" => "setns", NOTHING;
    /// Sets the file creation mask (umask(2)); gives the old one.
    "umask(mask: int) -> int" => "umask", NUMBER;
    /// Unmaps memory (munmap(2)).
    "munmap(addr: Addr, len: int)" => "munmap", NOTHING;
    /// Changes the protection of memory (mprotect(2)).
    "mprotect(addr: Addr, len: int, prot: Flags)" => "mprotect", NOTHING;
    /// Says how memory will be used (madvise(2)).
    "madvise(addr: Addr, len: int, advice: Flags)" => "madvise", NOTHING;
    /// Sets where the kernel clears the tid at exit (set_tid_address(2)).
    "set_tid_address(addr: Addr) -> int" => "set_tid_address", NUMBER;
    /// Ends the process at once, without flushing what `printf` keeps
    /// (exit_group(2)).
    "_exit(code: int)" => "exit_group", NOTHING;
    /// Ends all threads of the process (exit_group(2)).
    "exit_group(code: int)" => "exit_group", NOTHING;
    /// Ends the calling thread only (exit(2)).
    "exit_thread(code: int)" => "exit", NOTHING;
};

const OTHERS: &[Row] = rows! {
    /// Makes a copy of the process (fork(2)): returns the child's pid to the
    /// parent and 0 to the child.
    "fork() -> int" => NUMBER, |_, _, _| Ok((Call::new(nr("fork"), &[]), Child::Returns));
    /// Makes a child that borrows the address space (vfork(2)). The parent
    /// sleeps until the child execs or exits.
    "vfork() -> int" => NUMBER, |_, _, _| Ok((Call::new(nr("vfork"), &[]), Child::Returns));
    /// Makes a task that shares what the flags say (clone(2)); returns twice,
    /// as fork does.
    "clone(flags: Flags) -> int" => NUMBER, |_, name, a| {
        Ok((Call::new(nr("clone"), &[args::word(&format!("{name}: flags"), &a[0])?]), Child::Returns))
    };
    /// Makes a task that begins with a function (clone(2) as libc wraps it).
    "clone(flags: Flags, start: function) -> int" => NUMBER, |_, name, a| started(name, a, None);
    /// The same; the function gets an argument.
    "clone(flags: Flags, start: function, arg: any) -> int" => NUMBER,
        |_, name, a| started(name, a, Some(&a[2]));
    /// Waits for any child (wait(2)); gives what became of it.
    "wait() -> Waited" => waited::plain, |_, _, _| {
        Ok((Call::new(nr("wait4"), &[u64::MAX, 0, 0, 0]), Child::Returns))
    };
    /// Waits for a child (waitpid(2)).
    "waitpid(pid: int) -> Waited" => waited::plain, |_, name, a| wait4(name, &a[0], None);
    /// The same with WNOHANG (gives () when there is nothing), WUNTRACED,
    /// WCONTINUED.
    "waitpid(pid: int, options: Flags) -> Waited" => waited::plain,
        |_, name, a| wait4(name, &a[0], Some(&a[1]));
    /// Waits for a child's change of state (waitid(2)).
    "waitid(which: Flags, id: int, options: Flags) -> Waited" => waited::plain, |_, name, a| {
        let words = [
            args::word(&format!("{name}: which"), &a[0])?,
            args::word(&format!("{name}: id"), &a[1])?,
            0,
            args::word(&format!("{name}: options"), &a[2])?,
            0,
        ];
        Ok((Call::new(nr("waitid"), &words), Child::Returns))
    };
    /// Makes a pipe (pipe(2)); gives [read end, write end].
    "pipe() -> array" => FDS, |_, _, _| Ok((Call::new(nr("pipe2"), &[0, 0]), Child::Returns));
    /// Makes a pipe with O_CLOEXEC or O_NONBLOCK (pipe2(2)).
    "pipe2(flags: Flags) -> array" => FDS, |_, name, a| {
        let flags = args::word(&format!("{name}: flags"), &a[0])?;
        Ok((Call::new(nr("pipe2"), &[0, flags]), Child::Returns))
    };
    /// Reads up to n bytes (read(2)); gives "" at the end.
    "read(fd: int, n: int) -> string" => DATA, |_, name, a| {
        let words = [
            args::word(&format!("{name}: fd"), &a[0])?,
            0,
            args::word(&format!("{name}: n"), &a[1])?,
        ];
        Ok((Call::new(nr("read"), &words), Child::Returns))
    };
    /// Writes text or bytes (write(2)); gives how many.
    "write(fd: int, data: string) -> int" => NUMBER, |_, name, a| {
        let bytes = args::bytes(&format!("{name}: data"), &a[1])?;
        let words = [args::word(&format!("{name}: fd"), &a[0])?, 0, bytes.len() as u64];
        let call = Call::with(nr("write"), &words, Payload::Bytes(bytes.into()));
        Ok((call, Child::Returns))
    };
    /// Opens a file to read (open(2)); gives its descriptor.
    "open(path: string) -> int" => NUMBER, |_, name, a| path_call(nr("open"), name, a);
    /// Opens a file with O_* flags; files made get mode 0666.
    "open(path: string, flags: Flags) -> int" => NUMBER, |_, name, a| {
        path_call(nr("open"), name, &[a[0].clone(), a[1].clone(), 0o666_i64.into()])
    };
    /// Opens a file with O_* flags and the mode of a file made.
    "open(path: string, flags: Flags, mode: int) -> int" => NUMBER,
        |_, name, a| path_call(nr("open"), name, a);
    /// Removes a name (unlink(2)).
    "unlink(path: string)" => NOTHING, |_, name, a| path_call(nr("unlink"), name, a);
    /// Changes the working directory (chdir(2)).
    "chdir(path: string)" => NOTHING, |_, name, a| path_call(nr("chdir"), name, a);
    /// Replaces the program (execve(2)). Each function of the script is one:
    /// /bin/NAME runs `fn NAME(argv)`.
    "execve(path: string) -> int" => NUMBER, |_, name, a| execve(name, &a[0], None);
    /// Replaces the program, with arguments.
    "execve(path: string, args: array) -> int" => NUMBER,
        |_, name, a| execve(name, &a[0], Some(&a[1]));
    /// Maps private zeroed memory (mmap(2)); gives its address.
    "mmap(len: int) -> Addr" => ADDR, |_, name, a| {
        let len = args::word(&format!("{name}: len"), &a[0])?;
        let call = Call::new(nr("mmap"), &[0, len, 3, 0x22, u64::MAX, 0]);
        Ok((call, Child::Returns))
    };
    /// Maps zeroed memory with PROT_* and MAP_* flags.
    "mmap(len: int, prot: Flags, flags: Flags) -> Addr" => ADDR, |_, name, a| {
        let (call, _) = plain_call(nr("mmap"), name, a)?;
        let [len, prot, flags, ..] = call.args;
        let anonymous = flags | 0x20;
        let call = Call::new(nr("mmap"), &[0, len, prot, anonymous, u64::MAX, 0]);
        Ok((call, Child::Returns))
    };
    /// Says what a signal does (sigaction(2)): a function of the script that
    /// gets the signal's number, SIG_DFL or SIG_IGN.
    "sigaction(sig: Signal, action: function)" => NOTHING,
        |c, name, a| sigaction(c, name, &a[0], &a[1], SaFlags::empty(), SigSet::EMPTY);
    /// The same with SA_* flags. With SA_SIGINFO a function of two parameters
    /// gets the siginfo too.
    "sigaction(sig: Signal, action: function, flags: Flags)" => NOTHING, |c, name, a| {
        let flags = SaFlags::from_bits_truncate(args::word(&format!("{name}: flags"), &a[2])?);
        sigaction(c, name, &a[0], &a[1], flags, SigSet::EMPTY)
    };
    /// The same with a map: #{handler, flags, mask}.
    "sigaction_with(sig: Signal, action: map)" => NOTHING, |c, name, a| {
        let map = a[1].read_lock::<rhai::Map>();
        let Some(map) = map else {
            return Err(ScriptError::usage("sigaction_with takes #{handler, flags, mask}"));
        };
        let mut named = Named::new("sigaction_with", &map);
        let flags = SaFlags::from_bits_truncate(named.word("flags", 0)?);
        let mask = match named.get("mask") {
            Some(mask) => args::signal_set("sigaction_with mask", mask)?,
            None => SigSet::EMPTY,
        };
        let default = Dynamic::from(0_i64);
        let handler = named.get("handler").unwrap_or(&default).clone();
        named.finish()?;
        sigaction(c, name, &a[0], &handler, flags, mask)
    };
    /// Changes the set of blocked signals (sigprocmask(2)); gives the old one.
    "sigprocmask(how: Flags, set: Signal|array) -> SigSet" => SET, |_, name, a| {
        let how = args::word(&format!("{name}: how"), &a[0])?;
        let payload = Payload::SigSet(args::signal_set(&format!("{name}: set"), &a[1])?);
        Ok((Call::with(nr("rt_sigprocmask"), &[how, 0, 0, SIGSETSIZE], payload), Child::Returns))
    };
    /// The signals that wait because they are blocked (sigpending(2)).
    "sigpending() -> SigSet" => SET, |_, _, _| {
        Ok((Call::new(nr("rt_sigpending"), &[0, SIGSETSIZE]), Child::Returns))
    };
    /// Sleeps with another set of blocked signals until a handler has run
    /// (sigsuspend(2)).
    "sigsuspend(mask: Signal|array)" => NOTHING, |_, name, a| {
        let payload = Payload::SigSet(args::signal_set(&format!("{name}: mask"), &a[0])?);
        Ok((Call::with(nr("rt_sigsuspend"), &[0, SIGSETSIZE], payload), Child::Returns))
    };
    /// Sleeps while the 32-bit word at the address holds the value (futex(2)).
    "futex_wait(addr: Addr, value: int) -> int" => NUMBER, |_, name, a| {
        let (call, _) = plain_call(nr("futex"), name, a)?;
        let [addr, value, ..] = call.args;
        Ok((Call::new(nr("futex"), &[addr, 0, value, 0]), Child::Returns))
    };
    /// Wakes up to n tasks that sleep on the word (futex(2)).
    "futex_wake(addr: Addr, n: int) -> int" => NUMBER, |_, name, a| {
        let (call, _) = plain_call(nr("futex"), name, a)?;
        let [addr, n, ..] = call.args;
        Ok((Call::new(nr("futex"), &[addr, 1, n]), Child::Returns))
    };
    /// The raw door: a system call by number, with up to six registers.
    "syscall(nr: int, args: array) -> int" => NUMBER, |_, name, a| {
        let number = args::word(&format!("{name}: nr"), &a[0])?;
        let Some(list) = a[1].read_lock::<Array>() else {
            return Err(ScriptError::usage("syscall: args must be an array of numbers"));
        };
        if list.len() > 6 {
            return Err(ScriptError::usage("a system call has at most 6 arguments"));
        }
        plain_call(u32::try_from(number).unwrap_or(u32::MAX), name, &list)
    };
};

/// clone with a start routine.
fn started(name: &str, a: &[Dynamic], arg: Option<&Dynamic>) -> Result<(Call, Child), ScriptError> {
    let flags = args::word(&format!("{name}: flags"), &a[0])?;
    let mut start = plain::start(&format!("{name}: start"), &a[1])?;
    if let Some(arg) = arg {
        start.args.push(plain::value(&format!("{name}: arg"), arg)?);
    }
    Ok((Call::new(nr("clone"), &[flags]), Child::Starts(start)))
}

fn wait4(
    name: &str,
    pid: &Dynamic,
    options: Option<&Dynamic>,
) -> Result<(Call, Child), ScriptError> {
    let pid = args::word(&format!("{name}: pid"), pid)?;
    let options = match options {
        Some(v) => args::word(&format!("{name}: options"), v)?,
        None => 0,
    };
    Ok((Call::new(nr("wait4"), &[pid, 0, options, 0]), Child::Returns))
}

fn execve(
    name: &str,
    path: &Dynamic,
    argv: Option<&Dynamic>,
) -> Result<(Call, Child), ScriptError> {
    let path = args::text(&format!("{name}: path"), path)?;
    let argv = match argv {
        Some(v) => args::texts(&format!("{name}: args"), v)?,
        None => vec![path.clone()],
    };
    let payload = Payload::Exec(Box::new((path, argv, Vec::new())));
    Ok((Call::with(nr("execve"), &[0, 0, 0], payload), Child::Returns))
}

pub(super) fn sigaction(
    control: &Control,
    name: &str,
    sig: &Dynamic,
    action: &Dynamic,
    flags: SaFlags,
    mask: SigSet,
) -> Result<(Call, Child), ScriptError> {
    let number = args::signal_number(&format!("{name}: signal"), sig)?;
    let handler = match args::plain_word(action) {
        Some(word) => word,
        None => handler(control, &plain::start(&format!("{name}: action"), action)?, flags)?,
    };
    let action =
        SigAction { handler, flags: flags | SaFlags::SA_RESTORER, restorer: text_address(0), mask };
    let call =
        Call::with(nr("rt_sigaction"), &[number, 0, 0, SIGSETSIZE], Payload::SigAction(action));
    Ok((call, Child::Returns))
}

/// The address that stands for a handler.
fn handler(control: &Control, start: &Start, flags: SaFlags) -> Result<u64, ScriptError> {
    if !start.args.iter().all(|v| *v == Value::Unit) || start.function.starts_with("anon$") {
        return Err(ScriptError::Usage {
            message: "a signal handler is a function with a name: it is an address, and captures \
                      nothing"
                .into(),
            help: Some("write `fn on_signal(sig) { … }` and pass `on_signal`".into()),
        });
    }
    let index = control
        .function_index(&start.function)
        .ok_or_else(|| ScriptError::usage(format!("there is no function `{}`", start.function)))?;
    let function = &start.function;
    match control.function_params(function).unwrap_or(0) {
        0 | 1 => Ok(text_address(index)),
        2 if flags.contains(SaFlags::SA_SIGINFO) => Ok(text_address(index)),
        2 => Err(ScriptError::Usage {
            message: format!(
                "`{function}` takes two parameters, and a handler gets a siginfo as its second \
                 argument only with SA_SIGINFO"
            ),
            help: Some(format!("`sigaction(sig, {function}, SA_SIGINFO)`")),
        }),
        n => Err(ScriptError::Usage {
            message: format!("`{function}` takes {n} parameters, and a handler gets at most two"),
            help: Some(
                "the signal, and with SA_SIGINFO what it carried; the third argument in C, the \
                 interrupted registers, is not there"
                    .into(),
            ),
        }),
    }
}

/// Asks, and makes a value of the answer.
pub(super) fn ask(
    control: &Control,
    ctx: &Ctx,
    want: Want,
) -> Result<Result<(i64, Out), crate::kernel::error::SysError>, NotRefused> {
    match control.tape().ask(want, Some(origin(control, ctx))) {
        Asked::Answer(Answer::Returned(ret, out)) => Ok(Ok((ret, out))),
        Asked::Answer(Answer::Refused(e)) => Ok(Err(e)),
        Asked::Unanswered => Err(NotRefused::Stop),
        Asked::NotAProgram => Err(NotRefused::NotAProgram(ctx.fn_name().to_string())),
    }
}

pub(super) fn call(control: &Control, ctx: &Ctx, row: &Row, args: &[Dynamic]) -> Raised<Dynamic> {
    let name = ctx.fn_name().to_string();
    let (plain, tries) = match name.strip_prefix("try_") {
        Some(plain) => (plain, true),
        None => (name.as_str(), false),
    };
    check_types(row, plain, args)?;
    let (call, child) = (row.make)(control, plain, args)?;
    match ask(control, ctx, Want::Sys(call, child))? {
        // A call that gives nothing has succeeded with 0.
        Ok((ret, _)) if tries && !row.signature.contains("->") => Ok(ret.into()),
        Ok((ret, out)) => Ok((row.give)(ret, out)),
        Err(e) if tries => Ok(e.errno.to_ret().into()),
        // EINTR is how these return.
        Err(e) if e.errno == Errno::EINTR && matches!(plain, "pause" | "sigsuspend") => {
            Ok(Dynamic::UNIT)
        }
        Err(e) => {
            let args: Vec<&Dynamic> = args.iter().collect();
            Err(ScriptError::refused(&e, shown(&name, &args), control.program_pid()).into())
        }
    }
}

/// Numbers must be numbers: the message names the parameter.
fn check_types(row: &Row, name: &str, args: &[Dynamic]) -> Result<(), ScriptError> {
    for ((param, ty), value) in params(row.signature).zip(args) {
        if matches!(ty, "int" | "Flags" | "Addr") {
            args::word(&format!("{name}: {param}"), value)?;
        }
    }
    Ok(())
}

/// What is said of every `try_` twin.
pub(super) const TWIN: &str = docs![" The same; gives the negated errno when refused."];

/// Names and types of a signature's parameters.
pub(super) fn params(signature: &str) -> impl Iterator<Item = (&str, &str)> {
    let inner = signature.split_once('(').map_or("", |(_, rest)| rest);
    let inner = inner.split_once(')').map_or("", |(inner, _)| inner);
    inner.split(", ").filter_map(|p| p.split_once(": "))
}

/// Registers all of them, each under both names.
pub(super) fn register(book: &mut Book, control: &Control) {
    let areas = [
        NUMBERS,
        OTHERS,
        files::NUMBERS,
        files::OTHERS,
        signals::NUMBERS,
        signals::OTHERS,
        policy::NUMBERS,
        policy::OTHERS,
        resources::NUMBERS,
        resources::OTHERS,
        time::SLEEPS,
        time::ROWS,
        more::OTHERS,
        tracing::ROWS,
        tty::NUMBERS,
        tty::OTHERS,
    ];
    for row in areas.into_iter().flatten() {
        add(book, control, row, row.signature, row.docs);
        let signature = format!("try_{}", row.signature);
        add(book, control, row, &signature, TWIN);
    }
}

fn add(book: &mut Book, control: &Control, row: &'static Row, signature: &str, docs: &str) {
    let spec = Spec { what: What::Function, signature, receiver: "", docs };
    let c = control.clone();
    match params(row.signature).count() {
        0 => book.add(spec, move |ctx: Ctx| call(&c, &ctx, row, &[])),
        1 => book.add(spec, move |ctx: Ctx, a: Dynamic| call(&c, &ctx, row, &[a])),
        2 => book.add(spec, move |ctx: Ctx, a: Dynamic, b: Dynamic| call(&c, &ctx, row, &[a, b])),
        3 => book.add(spec, move |ctx: Ctx, a: Dynamic, b: Dynamic, d: Dynamic| {
            call(&c, &ctx, row, &[a, b, d])
        }),
        4 => book.add(spec, move |ctx: Ctx, a: Dynamic, b: Dynamic, d: Dynamic, e: Dynamic| {
            call(&c, &ctx, row, &[a, b, d, e])
        }),
        _ => book.add(
            spec,
            move |ctx: Ctx, a: Dynamic, b: Dynamic, d: Dynamic, e: Dynamic, f: Dynamic| {
                call(&c, &ctx, row, &[a, b, d, e, f])
            },
        ),
    }
}

/// A handler gets its signal as scripts have it.
pub(super) fn signal(number: &Value) -> Dynamic {
    match number {
        Value::Int(n) => match i32::try_from(*n).ok().and_then(crate::abi::Signal::new) {
            Some(sig) => Dynamic::from(kinds::of_signal(sig)),
            None => (*n).into(),
        },
        _ => Dynamic::UNIT,
    }
}
