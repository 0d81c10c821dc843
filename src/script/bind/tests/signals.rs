//! Sending, catching, blocking and awaiting signals.

use super::{fails, holds};

#[test]
fn default_actions() {
    holds(
        "let c = init.fork();
         init.kill(c, SIGTERM);
         let w = init.wait();
         assert(w.signaled && w.signal == SIGTERM && !w.core && w.exit_status == ());
         let c = init.fork();
         init.kill(c, SIGSTOP);
         assert(c.state == \"T\");
         assert(init.waitpid(c, WUNTRACED).stopped);
         init.kill(c, SIGCONT);
         assert(init.waitpid(c, WCONTINUED).continued && c.state == \"R\");
         c.setrlimit(RLIMIT_CORE, RLIM_INFINITY);
         c.raise(SIGABRT);
         let w = init.wait();
         assert(w.core && WTERMSIG(w) == SIGABRT && w.si_code == \"CLD_DUMPED\");",
    );
    let stopped = "let c = init.fork(); init.kill(c, SIGSTOP); c.getpid()";
    assert_eq!(fails(stopped), "task 3 is stopped (T) and cannot getpid now");
}

#[test]
fn a_handler_runs_and_returns() {
    holds(
        "let c = init.fork();
         let handler = c.mm.start_code + 0x100;
         assert(c.sigaction(SIGUSR1).handler == SIG_DFL);
         c.sigaction(SIGUSR1, #{handler: handler, mask: [SIGUSR2]});
         let before = c.regs;
         init.kill(c, SIGUSR1);
         assert(c.regs.ip == handler && c.regs.di == SIGUSR1);
         assert(c.blocked == sigset([SIGUSR1, SIGUSR2]));
         assert(c.last_siginfo.code == \"SI_USER\" && c.last_siginfo.pid == 1);
         c.sigreturn();
         assert(c.regs.ip == before.ip && c.regs.sp == before.sp && c.blocked.is_empty());
         c.signal(SIGUSR1, SIG_IGN);
         init.kill(c, SIGUSR1);
         assert(c.pending.is_empty() && c.sighand.action(SIGUSR1).handler == SIG_IGN);
         init.kill(c, SIGKILL); init.wait();",
    );
    let closure = "init.signal(SIGUSR1, || print(1))";
    assert_eq!(fails(closure), "a handler is an address in the task's memory, not a function");
}

#[test]
fn blocked_signals_stay_pending() {
    holds(
        "let c = init.fork();
         assert(c.sigprocmask(SIG_BLOCK, [SIGINT, SIGTERM]).is_empty());
         init.kill(c, SIGINT);
         init.tkill(c, SIGTERM);
         assert(SIGINT in c.shared_pending && SIGTERM in c.pending && c.sigpending().len() == 2);
         assert(c.sigwaitinfo(SIGINT).signo == SIGINT);
         init.sigqueue(c, SIGINT, 42);
         let info = c.sigwaitinfo([SIGINT]);
         assert(info.value == 42 && info.code == \"SI_QUEUE\");
         c.sigprocmask(SIG_UNBLOCK, SIGTERM);
         assert(c.zombie);
         init.wait();",
    );
}

#[test]
fn a_sleeping_call_is_interrupted() {
    holds(
        "let c = init.fork();
         c.sigaction(SIGUSR1, c.mm.start_code + 0x100);
         let p = c.pause();
         assert(!p.done && c.state == \"S\");
         init.kill(c, SIGUSR1);
         c.sigreturn();
         assert(p.done);
         assert_errno(EINTR, || p.value);
         init.kill(c, SIGKILL); init.wait();",
    );
}

#[test]
fn faults_name_signal_code_and_address() {
    holds(
        "fn fault_of(f) { try { f.call(); } catch (e) { return e; } }
         let c = init.fork();
         let e = fault_of(|| c.store(0x10, 1));
         assert(e.kind == \"fault\" && e.signal == SIGSEGV && e.code == \"SEGV_MAPERR\");
         assert(e.addr == 0x10 && e.killed && e.call == \"store(16, 1)\" && e.task == c.pid);
         assert(init.wait().signal == SIGSEGV);
         let c = init.fork();
         let e = fault_of(|| c.store(c.mm.start_code, 1));
         assert(e.code == \"SEGV_ACCERR\");
         assert(!init.wait().core);
         let c = init.fork();
         c.sigaction(SIGFPE, c.mm.start_code + 0x100);
         let e = fault_of(|| c.divide(1, 0));
         assert(!e.killed && e.signal == SIGFPE && c.regs.ip == c.mm.start_code + 0x100);
         init.kill(c, SIGKILL); init.wait();
         for f in [|c| c.hlt(), |c| c.cli(), |c| c.ud2(), |c| c.int3(), |c| c.exec_at(0)] {
             let c = init.fork();
             assert(fault_of(|| f.call(c)).killed);
             init.wait();
         }",
    );
}
