//! Real system calls out of [`Call`] values: payloads become structures in
//! memory of ours, what the kernel stores becomes [`Out`].
//!
//! Only calls that are listed here are made. The list is what keeps a script
//! from harming the interpreter that runs it: pointers are ours, or lie in
//! memory of the script.
//!
//! Left out: calls with structures that no function of programs has.

#![allow(unsafe_code, reason = "system calls of the host")]

use libc::c_long;

use super::signals::{self, KernelAction};
use super::{Host, answer, qword, sys};
use crate::abi::structs::{Rusage, WaitStatus};
use crate::abi::{Errno, SigSet, Signal};
use crate::base::arena::Id;
use crate::kernel::syscalls::{Call, Out, Payload, WaitInfo};
use crate::machine::UserOp;
use crate::session::program::{Answer, Child};

const fn nr(number: c_long) -> u32 {
    number as u32
}

/// Calls whose registers are numbers, none of them an address.
const PLAIN: &[c_long] = &[
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getpgrp,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_pause,
    libc::SYS_sched_yield,
    libc::SYS_umask,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
/// Calls on a descriptor and numbers.
const ON_FD: &[c_long] = &[libc::SYS_close, libc::SYS_dup, libc::SYS_lseek];

/// Options of prctl(2) that take numbers only.
const PRCTL: &[i32] = &[
    libc::PR_SET_PDEATHSIG,
    libc::PR_GET_DUMPABLE,
    libc::PR_SET_DUMPABLE,
    libc::PR_GET_KEEPCAPS,
    libc::PR_SET_KEEPCAPS,
    libc::PR_SET_CHILD_SUBREAPER,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_CAPBSET_READ,
    libc::PR_CAPBSET_DROP,
    libc::PR_GET_SECUREBITS,
    libc::PR_SET_SECUREBITS,
    libc::PR_CAP_AMBIENT,
];

/// Bytes one read may ask for.
const MAX_READ: u64 = 1 << 20;

/// Makes the call.
pub(super) fn make(host: &Host, call: &Call, child: Child) -> Answer {
    let args = call.args;
    let plain = || {
        // SAFETY: no register of these calls is an address.
        answer(unsafe { sys::call(call.nr, args) }, Out::None)
    };
    let number = c_long::from(call.nr);
    match number {
        n if PLAIN.contains(&n) => plain(),
        n if ON_FD.contains(&n) => own_fd(args[0]).map_or_else(plain, refused),
        libc::SYS_dup2 | libc::SYS_dup3 => {
            own_fd(args[0]).or(own_fd(args[1])).map_or_else(plain, refused)
        }
        libc::SYS_fcntl => fcntl(args, plain),
        libc::SYS_prctl => prctl(call),
        libc::SYS_fork | libc::SYS_vfork | libc::SYS_clone => fork(host, call, child),
        libc::SYS_wait4 => wait4(args),
        libc::SYS_waitid => waitid(args),
        libc::SYS_getresuid | libc::SYS_getresgid => getres(call.nr, args),
        libc::SYS_pipe2 | libc::SYS_pipe => pipe(args),
        libc::SYS_read => read(host, args),
        libc::SYS_write => write(host, call),
        libc::SYS_open | libc::SYS_unlink | libc::SYS_chdir => path(call),
        libc::SYS_rt_sigaction => sigaction(call),
        libc::SYS_rt_sigprocmask | libc::SYS_rt_sigsuspend => sigmask(call),
        libc::SYS_rt_sigpending => sigpending(args),
        libc::SYS_mmap => mmap(host, call),
        libc::SYS_munmap | libc::SYS_mprotect | libc::SYS_madvise => on_memory(host, call),
        libc::SYS_futex => futex(host, call),
        libc::SYS_set_tid_address => pointer(host, call, 0, 4),
        _ => Host::unsupported(&format!(
            "{} is not made there",
            crate::abi::nr::syscall_name(u64::from(call.nr)).unwrap_or("a call without a name")
        )),
    }
}

fn refused(errno: Errno) -> Answer {
    answer(errno.to_ret(), Out::None)
}

/// Descriptors of ours are not there for a script.
fn own_fd(fd: u64) -> Option<Errno> {
    (fd as i32 >= super::REPORTS).then_some(Errno::EBADF)
}

fn fcntl(args: [u64; 6], plain: impl Fn() -> Answer) -> Answer {
    const COMMANDS: &[i32] = &[
        libc::F_DUPFD,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_SETFL,
        libc::F_GETPIPE_SZ,
        libc::F_SETPIPE_SZ,
        libc::F_GETOWN,
        libc::F_SETOWN,
    ];
    let command = args[1] as i32;
    if !COMMANDS.contains(&command) {
        Host::unsupported(&format!("fcntl command {command}"));
    }
    own_fd(args[0]).map_or_else(plain, refused)
}

fn prctl(call: &Call) -> Answer {
    let (option, mut args) = (call.args[0] as i32, call.args);
    if matches!(option, libc::PR_GET_PDEATHSIG | libc::PR_GET_CHILD_SUBREAPER) {
        let mut value = 0i32;
        if !call.wants_out(1) {
            Host::unsupported("prctl with an address");
        }
        args[1] = (&raw mut value).addr() as u64;
        // SAFETY: these two store an int.
        let ret = unsafe { sys::call(call.nr, args) };
        return answer(ret, Out::Number(value as u64));
    }
    if !PRCTL.contains(&option) {
        Host::unsupported(&format!("prctl option {option}"));
    }
    // SAFETY: the arguments of these options are numbers.
    answer(unsafe { sys::call(call.nr, args) }, Out::None)
}

/// fork, vfork and clone without shared memory.
fn fork(host: &Host, call: &Call, child: Child) -> Answer {
    const POINTERS: i32 = libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_SETTID
        | libc::CLONE_CHILD_CLEARTID
        | libc::CLONE_SETTLS
        | libc::CLONE_PIDFD;
    let mut flags = match c_long::from(call.nr) {
        libc::SYS_fork => libc::SIGCHLD as u64,
        libc::SYS_vfork => (libc::SIGCHLD | libc::CLONE_VFORK | libc::CLONE_VM) as u64,
        _ => call.args[0],
    };
    let has = |flag: i32| flags & flag as u32 as u64 != 0;
    let vfork = has(libc::CLONE_VM) && has(libc::CLONE_VFORK);
    if has(libc::CLONE_VM) && (!vfork || has(libc::CLONE_THREAD) || has(libc::CLONE_SIGHAND)) {
        Host::unsupported("tasks that share memory and run on (CLONE_VM without CLONE_VFORK)");
    }
    if has(POINTERS) || call.args[1..].iter().any(|a| *a != 0) {
        Host::unsupported("clone with addresses");
    }
    let memory = &host.memory;
    let failed = |e: Errno| -> Answer {
        Host::unsupported(&format!("a copy of the variables: {}", e.name()))
    };
    let mut before = false;
    let mut copy = None;
    if vfork {
        flags &= !(libc::CLONE_VM as u64);
        before = match memory.before_vfork() {
            Ok(before) => before,
            Err(what) => Host::unsupported(&what),
        };
    } else {
        copy = match memory.before_fork() {
            Ok(copy) => copy,
            Err(e) => return failed(e),
        };
    }
    // SAFETY: without CLONE_VM the child has a copy of everything, and this
    // process has one thread, so nothing is half done in the copy.
    let ret = unsafe { sys::call(nr(libc::SYS_clone), [flags, 0, 0, 0, 0, 0]) };
    let done = match vfork {
        true => memory.after_vfork(before, ret == 0),
        false => memory.after_fork(copy, ret == 0),
    };
    if let Err(e) = done {
        return failed(e);
    }
    if ret > 0 {
        Host::tell(&serde_json::json!({ "pid": ret }));
    }
    match child {
        Child::Starts(start) if ret == 0 => host.run(&start),
        _ => answer(ret, Out::None),
    }
}

fn usage(r: &libc::rusage) -> Rusage {
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    Rusage {
        ru_utime: ns(r.ru_utime),
        ru_stime: ns(r.ru_stime),
        ru_maxrss: r.ru_maxrss as u64,
        ru_minflt: r.ru_minflt as u64,
        ru_majflt: r.ru_majflt as u64,
        ru_nvcsw: r.ru_nvcsw as u64,
        ru_nivcsw: r.ru_nivcsw as u64,
    }
}

/// What wait4 reports. It does not tell the uid.
fn wait4(mut args: [u64; 6]) -> Answer {
    if args[1] != 0 || args[3] != 0 {
        Host::unsupported("wait4 with addresses");
    }
    let mut status = 0i32;
    // SAFETY: a rusage is numbers; zero is one of them.
    let mut rusage: libc::rusage = unsafe { std::mem::zeroed() };
    args[1] = (&raw mut status).addr() as u64;
    args[3] = (&raw mut rusage).addr() as u64;
    // SAFETY: both pointers are to locals of the kernel's layout.
    let ret = unsafe { sys::call(nr(libc::SYS_wait4), args) };
    if ret <= 0 {
        return answer(ret, Out::None);
    }
    let (si_code, si_status) = match WaitStatus::decode(status) {
        WaitStatus::Exited(code) => (libc::CLD_EXITED, code),
        WaitStatus::Signaled(sig, true) => (libc::CLD_DUMPED, sig),
        WaitStatus::Signaled(sig, false) => (libc::CLD_KILLED, sig),
        WaitStatus::Stopped(sig) => (libc::CLD_STOPPED, sig),
        WaitStatus::Continued => (libc::CLD_CONTINUED, Signal::SIGCONT.number()),
    };
    let (pid, uid) = (ret as i32, u32::MAX);
    waited(
        ret,
        WaitInfo {
            task: Id::from_bits(0),
            global_pid: pid,
            pid,
            status,
            si_code,
            si_status,
            uid,
            rusage: usage(&rusage),
        },
    )
}

fn waited(ret: i64, info: WaitInfo) -> Answer {
    Answer::Returned(ret, Out::Wait(Box::new(info)))
}

fn waitid(mut args: [u64; 6]) -> Answer {
    if args[2] != 0 || args[4] != 0 {
        Host::unsupported("waitid with addresses");
    }
    // SAFETY: both are numbers; zero is one of them.
    let (mut info, mut rusage): (libc::siginfo_t, libc::rusage) = unsafe { std::mem::zeroed() };
    args[2] = (&raw mut info).addr() as u64;
    args[4] = (&raw mut rusage).addr() as u64;
    // SAFETY: both pointers are to locals of the kernel's layout.
    let ret = unsafe { sys::call(nr(libc::SYS_waitid), args) };
    // SAFETY: waitid fills in the child's members, or leaves zeros.
    let (pid, uid, si_status) = unsafe { (info.si_pid(), info.si_uid(), info.si_status()) };
    if ret < 0 || pid == 0 {
        return answer(ret, Out::None);
    }
    let status = match info.si_code {
        libc::CLD_EXITED => (si_status & 0xff) << 8,
        libc::CLD_KILLED => si_status,
        libc::CLD_DUMPED => si_status | 0x80,
        libc::CLD_CONTINUED => 0xffff,
        _ => si_status << 8 | 0x7f,
    };
    waited(
        ret,
        WaitInfo {
            task: Id::from_bits(0),
            global_pid: pid,
            pid,
            status,
            si_code: info.si_code,
            si_status,
            uid,
            rusage: usage(&rusage),
        },
    )
}

fn getres(nr: u32, args: [u64; 6]) -> Answer {
    if args[..3] != [0; 3] {
        Host::unsupported("getresuid with addresses");
    }
    let mut ids = [0u32; 3];
    let at = ids.as_mut_ptr().addr() as u64;
    // SAFETY: the pointers are to three numbers of ours.
    let ret = unsafe { sys::call(nr, [at, at + 4, at + 8, 0, 0, 0]) };
    answer(ret, Out::Ids(ids.to_vec()))
}

fn pipe(args: [u64; 6]) -> Answer {
    if args[0] != 0 {
        Host::unsupported("pipe with an address");
    }
    let mut fds = [0i32; 2];
    let args = [fds.as_mut_ptr().addr() as u64, args[1], 0, 0, 0, 0];
    // SAFETY: the pointer is to two numbers of ours.
    let ret = unsafe { sys::call(nr(libc::SYS_pipe2), args) };
    answer(ret, Out::Fds(fds[0], fds[1]))
}

fn read(host: &Host, args: [u64; 6]) -> Answer {
    if let Some(errno) = own_fd(args[0]) {
        return refused(errno);
    }
    if args[1] != 0 {
        return pointer(host, &Call::new(nr(libc::SYS_read), &args[..3]), 1, args[2]);
    }
    if args[2] > MAX_READ {
        Host::unsupported("a read of more than 1 MiB");
    }
    let mut bytes = vec![0u8; args[2] as usize];
    let at = bytes.as_mut_ptr().addr() as u64;
    // SAFETY: the buffer has as many bytes as may be read.
    let ret = unsafe { sys::call(nr(libc::SYS_read), [args[0], at, args[2], 0, 0, 0]) };
    bytes.truncate(ret.max(0) as usize);
    answer(ret, Out::Bytes(bytes))
}

fn write(host: &Host, call: &Call) -> Answer {
    let args = call.args;
    if let Some(errno) = own_fd(args[0]) {
        return refused(errno);
    }
    let Payload::Bytes(bytes) = &call.payload else { return pointer(host, call, 1, args[2]) };
    let at = bytes.as_ptr().addr() as u64;
    // SAFETY: the buffer has this many bytes.
    answer(unsafe { sys::call(call.nr, [args[0], at, bytes.len() as u64, 0, 0, 0]) }, Out::None)
}

fn path(call: &Call) -> Answer {
    let Payload::Text(path) = &call.payload else { Host::unsupported("a path as an address") };
    let mut path = path.as_bytes().to_vec();
    path.push(0);
    let mut args = call.args;
    args[0] = path.as_ptr().addr() as u64;
    // SAFETY: the path ends with a zero byte.
    answer(unsafe { sys::call(call.nr, args) }, Out::None)
}

fn sigaction(call: &Call) -> Answer {
    let mut args = call.args;
    if args[1] != 0 || args[2] != 0 {
        Host::unsupported("sigaction with addresses");
    }
    let new = match &call.payload {
        Payload::SigAction(action) => match signals::to_kernel(args[0], action) {
            Some(new) => Some(new),
            None => Host::unsupported("a handler that is no function of the script"),
        },
        _ => None,
    };
    let mut old = KernelAction::default();
    args[1] = new.as_ref().map_or(0, |new| (&raw const *new).addr() as u64);
    args[2] = (&raw mut old).addr() as u64;
    // SAFETY: both are to locals of the kernel's layout, or NULL. The handler
    // is ours and runs in windows only.
    let ret = unsafe { sys::call(call.nr, args) };
    answer(ret, Out::SigAction(signals::from_kernel(args[0], &old)))
}

/// rt_sigprocmask and rt_sigsuspend: a set in, the old set out.
fn sigmask(call: &Call) -> Answer {
    let set = match &call.payload {
        Payload::SigSet(set) => Some(set.0),
        _ => None,
    };
    let given = set.as_ref().map_or(0, |set| (&raw const *set).addr() as u64);
    let mut old = 0u64;
    let mut args = call.args;
    if c_long::from(call.nr) == libc::SYS_rt_sigsuspend {
        if args[0] != 0 {
            Host::unsupported("sigsuspend with an address");
        }
        args[0] = given;
    } else {
        if args[1] != 0 || args[2] != 0 {
            Host::unsupported("sigprocmask with addresses");
        }
        (args[1], args[2]) = (given, (&raw mut old).addr() as u64);
    }
    // SAFETY: the pointers are to locals of the size of a signal set, or NULL.
    answer(unsafe { sys::call(call.nr, args) }, Out::SigSet(SigSet(old)))
}

fn sigpending(args: [u64; 6]) -> Answer {
    if args[0] != 0 {
        Host::unsupported("sigpending with an address");
    }
    let mut set = 0u64;
    let at = (&raw mut set).addr() as u64;
    // SAFETY: the pointer is to a local of the size of a signal set.
    let ret = unsafe { sys::call(nr(libc::SYS_rt_sigpending), [at, args[1], 0, 0, 0, 0]) };
    answer(ret, Out::SigSet(SigSet(set)))
}

/// A call with one address, which must be the script's or fault.
fn pointer(host: &Host, call: &Call, at: usize, len: u64) -> Answer {
    if !host.memory.may_touch(call.args[at], len) {
        Host::unsupported(&format!("memory at {:#x}, which is the interpreter's", call.args[at]));
    }
    // SAFETY: what the kernel touches is memory that the script has made, or
    // not there.
    answer(unsafe { sys::call(call.nr, call.args) }, Out::None)
}

fn futex(host: &Host, call: &Call) -> Answer {
    let operation = call.args[1] as i32 & !libc::FUTEX_PRIVATE_FLAG;
    if !matches!(operation, libc::FUTEX_WAIT | libc::FUTEX_WAKE) || call.args[3] != 0 {
        Host::unsupported("a futex operation other than wait and wake without a timeout");
    }
    pointer(host, call, 0, 4)
}

fn mmap(host: &Host, call: &Call) -> Answer {
    let [addr, len, _, flags, ..] = call.args;
    let anonymous = flags as i32 & libc::MAP_ANONYMOUS != 0;
    let fixed = flags as i32 & (libc::MAP_FIXED | libc::MAP_FIXED_NOREPLACE) != 0;
    if !anonymous || fixed || addr != 0 {
        Host::unsupported("mmap of a file or at a fixed address");
    }
    if host.memory.is_borrowed() {
        Host::unsupported("mmap in the child of a vfork");
    }
    // SAFETY: the kernel chooses memory that is free.
    let ret = unsafe { sys::call(call.nr, call.args) };
    if sys::result(ret).is_ok() {
        host.memory.add(ret as u64, len);
    }
    answer(ret, Out::None)
}

/// munmap, mprotect, madvise: only of what the script has mapped itself.
fn on_memory(host: &Host, call: &Call) -> Answer {
    let [addr, len, advice, ..] = call.args;
    let invalid = addr % 4096 != 0 || len == 0;
    if !invalid && !host.memory.mapped(addr, len) && !host.memory.is_free(addr, len) {
        Host::unsupported(&format!(
            "a change of the memory at {addr:#x}, which is not the script's"
        ));
    }
    let madvise = c_long::from(call.nr) == libc::SYS_madvise;
    if madvise && matches!(advice as i32, libc::MADV_HWPOISON | libc::MADV_SOFT_OFFLINE) {
        Host::unsupported("madvise that breaks the host's memory");
    }
    // SAFETY: the range is the script's, or nobody's, or refused.
    let ret = unsafe { sys::call(call.nr, call.args) };
    if ret == 0 && c_long::from(call.nr) == libc::SYS_munmap {
        host.memory.remove(addr, len);
    }
    answer(ret, Out::None)
}

/// A load or a store.
pub(super) fn op(host: &Host, op: UserOp) -> Answer {
    let Some((addr, value)) = qword(&op) else {
        Host::unsupported("an instruction that is neither load nor store of 8 bytes")
    };
    if !host.memory.may_touch(addr, 8) {
        Host::unsupported(&format!("memory at {addr:#x}, which is the interpreter's"));
    }
    let loaded = match value {
        // SAFETY: it is the script's memory, or the access faults.
        None => unsafe { sys::load(addr) },
        Some(value) => {
            // SAFETY: as above.
            unsafe { sys::store(addr, value) };
            0
        }
    };
    Answer::Returned(loaded, Out::None)
}

/// Writes all bytes, without looking at errors: there is nobody to tell.
pub(super) fn write_all(fd: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let args = [fd as u64, bytes.as_ptr().addr() as u64, bytes.len() as u64, 0, 0, 0];
        // SAFETY: the buffer has this many bytes.
        let ret = unsafe { sys::raw(nr(libc::SYS_write), args) };
        let Some(rest) = usize::try_from(ret).ok().filter(|n| *n > 0).and_then(|n| bytes.get(n..))
        else {
            return;
        };
        bytes = rest;
    }
}

/// A word by chance.
pub(super) fn random() -> u64 {
    let mut word = 0u64;
    // SAFETY: the pointer is to 8 bytes.
    unsafe { sys::raw(nr(libc::SYS_getrandom), [(&raw mut word).addr() as u64, 8, 0, 0, 0, 0]) };
    word
}

/// The pid of this process.
pub(super) fn getpid() -> i32 {
    // SAFETY: no argument is used.
    unsafe { sys::raw(nr(libc::SYS_getpid), [0; 6]) as i32 }
}

/// Ends the process without a look at its signals.
pub(super) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: the process ends.
        unsafe { sys::raw(nr(libc::SYS_exit_group), [code as u64, 0, 0, 0, 0, 0]) };
    }
}

/// Ends the process as its main function's return does: signals that wait come
/// first.
pub(super) fn exit_in_window(code: i32) -> ! {
    sys::open_window();
    exit(code)
}

/// Ends the process by SIGABRT, whatever the script has made of it.
pub(super) fn abort() -> ! {
    let default = KernelAction::default();
    let args = [libc::SIGABRT as u64, (&raw const default).addr() as u64, 0, 8, 0, 0];
    // SAFETY: the pointer is to a local of the kernel's layout.
    unsafe { sys::raw(nr(libc::SYS_rt_sigaction), args) };
    sys::unblock(libc::SIGABRT);
    // SAFETY: a signal to ourselves; no register is an address.
    unsafe { sys::call(nr(libc::SYS_kill), [getpid() as u64, libc::SIGABRT as u64, 0, 0, 0, 0]) };
    exit(134)
}
