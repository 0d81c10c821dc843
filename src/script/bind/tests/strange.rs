//! Values that make no sense: clear errors, never a panic.

use super::{fails, run_within};
use crate::script::limits::Limits;

/// Every method of Task that takes arguments, with strange ones in each place.
#[test]
fn no_argument_makes_the_program_panic() {
    let strange = [
        "-1",
        "0",
        "9223372036854775807",
        "-9223372036854775807 - 1",
        "1.5",
        "\"text\"",
        "\"\"",
        "()",
        "[]",
        "#{}",
        "true",
        "'c'",
        "init",
        "SIGKILL",
        "addr(-1)",
        "addr(0xffff888000000000)",
        "|| 1",
        "blob(3)",
        "[[1]]",
        "machine",
        "EPERM",
        "init.mm",
    ];
    let calls = [
        "setuid(X)",
        "setreuid(X, X)",
        "setresgid(X, X, X)",
        "setgroups(X)",
        "setgroups([X])",
        "getpgid(X)",
        "setpgid(X, X)",
        "prctl(X)",
        "prctl(X, X, X, X, X)",
        "prctl(PR_SET_NAME, X)",
        "capget(X)",
        "capset(#{effective: X})",
        "getrlimit(X)",
        "setrlimit(X, X)",
        "prlimit(X, X, X)",
        "getrusage(X)",
        "sched_setaffinity(X, X)",
        "arch_prctl(X, X)",
        "clone(X)",
        "clone(X, X)",
        "clone(#{flags: X, stack: X, stack_size: X, set_tid: X})",
        "clone(#{flags: CLONE_VM, exit_signal: X, tls: X, cgroup: X})",
        "clone(X, X, X, X, X)",
        "waitpid(X)",
        "waitpid(X, X)",
        "waitid(X, X, X)",
        "execve(X)",
        "execve(\"/bin/true\", X)",
        "execve(\"/bin/sh\", [X], [X])",
        "set_tid_address(X)",
        "futex_wait(X, X)",
        "futex_wake(X, X)",
        "syscall(X)",
        "syscall(X, X)",
        "syscall(X, X, X, X)",
        "kill(X, 0)",
        "kill(1, X)",
        "tgkill(X, X, 0)",
        "sigqueue(X, 0, X)",
        "sigaction(X)",
        "sigaction(X, X)",
        "sigaction(SIGUSR1, #{handler: X, flags: X, mask: X})",
        "sigprocmask(X, X)",
        "sigaltstack(X, X)",
        "pidfd_send_signal(X, X)",
        "sigwaitinfo(X)",
        "mmap(X)",
        "mmap(#{addr: X, len: X, prot: X, flags: X, fd: X, offset: X})",
        "mmap(X, X, X, X, X, X)",
        "munmap(X, X)",
        "mprotect(X, X, X)",
        "brk(X)",
        "sbrk(X)",
        "madvise(X, X, X)",
        "mlock(X, X)",
        "mlockall(X)",
        "msync(X, X, X)",
        "mincore(X, X)",
        "open(X)",
        "open(X, X, X)",
        "read(X, X)",
        "write(1, X)",
        "write(X, \"a\")",
        "pread(X, X, X)",
        "lseek(X, X, X)",
        "pipe2(X)",
        "dup(X)",
        "dup2(X, X)",
        "dup3(X, X, X)",
        "close(X)",
        "close_range(X, X, X)",
        "fcntl(X, X, X)",
        "chdir(X)",
        "chroot(X)",
        "mkdir(X, X)",
        "umask(X)",
        "chmod(X, X)",
        "chown(X, X, X)",
        "fchown(X, X, X)",
        "ftruncate(X, X)",
        "truncate(X, X)",
        "pidfd_open(X, X)",
        "load(X)",
        "load8(X)",
        "load_str(X, X)",
        "load_blob(X, X)",
        "store(X, X)",
        "store_blob(X, X)",
        "define(X, X)",
        "define(\"v\", X)",
        "addr_of(X)",
        "divide(X, X)",
        "exec_at(X)",
        "pte(X)",
        "page(X)",
        "walk(X)",
        "maps().at(X)",
        "signal.rlim(X)",
        "sighand.action(X)",
        "files.fd(X)",
        "stack.word(X)",
    ];
    for call in calls {
        // Each call by a fresh child, each time on the state before.
        let mut script =
            String::from("sysctl(\"kernel.threads-max\", 40); let start = snapshot();\n");
        for value in strange {
            let call = call.replace('X', value);
            script += &format!(
                "restore(start); try {{ init.fork().{call}; }} catch (e) {{ e.to_string(); }}\n"
            );
        }
        script += "restore(start); assert(invariants() == []);";
        if let (_, Err(failure)) = run_within(Limits::default(), &script) {
            panic!("{call}\n{}", super::report(&failure));
        }
    }
}

#[test]
fn wrong_types_are_named() {
    for (code, message) in [
        ("init.setuid(\"root\")", "setuid: uid must be a number, not a string"),
        ("init.setuid(1.5)", "setuid: uid must be a number, not a fractional number"),
        ("init.setuid(())", "setuid: uid must be a number, not nothing: `()`"),
        ("init.kill(\"x\", 9)", "kill: pid must be a pid or a task, not a string"),
        ("init.kill(1, \"SIGFOO\")", "there is no signal called \"SIGFOO\""),
        ("init.open(3)", "open: path must be a string, not a number"),
        ("init.load(\"data\")", "load: addr must be an address, not a string"),
        ("init.store(0, [])", "store: value must be a number, not an array"),
        ("init.setgroups(4)", "setgroups: groups must be an array of ids, not a number"),
        ("init.sigaction(0)", "EINVAL: sigaction(0) by task 1 was refused"),
        ("init.sigprocmask(0, PROT_READ)", "sigprocmask: set must be a signal"),
        ("let c = init.fork(); init.waitpid(c.pause())", "waitpid: pid must be a pid or a task"),
        ("task(2).getpid()", "task 2 (kthreadd) is a kernel thread and cannot getpid"),
        ("signal(65)", "there is no signal 65 (1 to 64)"),
        ("CLONE_VM + 1", "CLONE_VM is a set of bits: combine with `|`, not with `+`"),
        ("CLONE_VM | PROT_READ", "CLONE_VM and PROT_READ do not belong together"),
        ("init.load_blob(0, 1 << 40)", "limit reached: load_blob moves at most"),
    ] {
        let said = fails(code);
        assert!(said.starts_with(message), "{code}: {said}");
    }
}

#[test]
fn a_killed_init_is_a_panic_of_the_simulated_kernel() {
    let message = fails("init.exit(0)");
    assert!(message.contains("Attempted to kill init!"), "{message}");
    let message = fails("try { init.exit(0) } catch {} init.fork()");
    assert!(message.contains("Attempted to kill init!"), "nothing goes on after it: {message}");
}
