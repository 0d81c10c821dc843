//! Signals, sets of them, siginfo, sigaction and wait statuses as strace writes
//! them.
//!
//! Linux: signal(7), sigaction(2), wait(2). Left out: siginfo of
//! POSIX timers, SIGIO and SIGSYS beyond their code.

use super::ctx::Ctx;
use super::names;
use super::text::{addr, flags, hex};
use crate::abi::signal::{SIGNAL_NAMES, SIGRTMIN, si_code};
use crate::abi::structs::{SigInfo, WaitStatus};
use crate::abi::{SigSet, Signal};

/// User programs' ticks in a second.
const USER_HZ: u64 = 100;

/// A signal's name; a real-time one by its distance from the kernel's first.
pub fn signal(n: i32) -> String {
    match SIGNAL_NAMES.iter().find(|(_, number)| *number == n) {
        Some((name, _)) => (*name).to_string(),
        None if n == SIGRTMIN => "SIGRTMIN".to_string(),
        None if Signal::new(n).is_some() => format!("SIGRT_{}", n - SIGRTMIN),
        None => n.to_string(),
    }
}

/// A set; one with most signals in it as what is missing.
pub fn sigset(set: SigSet) -> String {
    let inverted = set.0.count_ones() >= 64 * 2 / 3;
    let shown = if inverted { SigSet(!set.0) } else { set };
    let words: Vec<_> =
        shown.iter().map(|s| signal(s.number()).trim_start_matches("SIG").to_string()).collect();
    format!("{}[{}]", if inverted { "~" } else { "" }, words.join(" "))
}

/// A set in memory, as many bytes of it as the caller says it has.
pub fn sigset_at(ctx: &Ctx, at: u64, size: u64) -> Option<String> {
    match size {
        8 => ctx.u64(at).map(|bits| sigset(SigSet(bits))),
        _ => None,
    }
}

/// `struct sigaction` of the kernel: handler, flags, restorer, mask.
pub fn sigaction(ctx: &Ctx, at: u64) -> Option<String> {
    let [handler, bits, restorer, mask] = [0, 8, 16, 24].map(|o| ctx.u64(at.wrapping_add(o)));
    let (handler, bits, restorer, mask) = (handler?, bits?, restorer?, mask?);
    let handler = match handler {
        0 => "SIG_DFL".to_string(),
        1 => "SIG_IGN".to_string(),
        h => hex(h),
    };
    let restorer = match bits & SA_RESTORER {
        0 => String::new(),
        _ => format!(", sa_restorer={}", addr(restorer)),
    };
    Some(format!(
        "{{sa_handler={handler}, sa_mask={}, sa_flags={}{restorer}}}",
        sigset(SigSet(mask)),
        flags(names::tasks::SIGACTION, bits, "SA_???")
    ))
}

const SA_RESTORER: u64 = 0x0400_0000;

/// `stack_t`: address, flags, size.
pub fn sigaltstack(ctx: &Ctx, at: u64) -> Option<String> {
    let (sp, how) = (ctx.u64(at)?, ctx.u32(at.wrapping_add(8))?);
    Some(format!(
        "{{ss_sp={}, ss_flags={}, ss_size={}}}",
        addr(sp),
        flags(names::tasks::SIGALTSTACK, u64::from(how), "SS_???"),
        ctx.u64(at.wrapping_add(16))?
    ))
}

fn code_name(sig: Signal, code: i32) -> String {
    let own = match sig {
        Signal::SIGCHLD => names::tasks::CLD_CODE,
        Signal::SIGSEGV => names::tasks::SEGV_CODE,
        Signal::SIGBUS => names::tasks::BUS_CODE,
        Signal::SIGFPE => names::tasks::FPE_CODE,
        Signal::SIGILL => names::tasks::ILL_CODE,
        Signal::SIGTRAP => names::tasks::TRAP_CODE,
        _ => &[],
    };
    let found = names::tasks::SI_CODE.iter().chain(own).find(|(_, n)| *n == i64::from(code));
    found.map_or_else(|| hex(u64::from(code as u32)), |(name, _)| (*name).to_string())
}

fn ticks(n: u64) -> String {
    match n {
        0 => "0".to_string(),
        n => format!("{n} /* {}.{:02} s */", n / USER_HZ, n % USER_HZ),
    }
}

/// What a signal carries.
pub fn siginfo(info: &SigInfo) -> String {
    let (sig, code) = (info.si_signo, info.si_code);
    let mut words = vec![
        format!("si_signo={}", signal(sig.number())),
        format!("si_code={}", code_name(sig, code)),
    ];
    let by_fault = matches!(
        sig,
        Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGFPE | Signal::SIGILL | Signal::SIGTRAP
    );
    let sender = format!("si_pid={}, si_uid={}", info.si_pid, info.si_uid);
    match code {
        si_code::SI_USER | si_code::SI_TKILL => words.push(sender),
        c if c < 0 => {
            words.push(sender);
            let v = info.si_value;
            words.push(format!("si_int={}, si_ptr={}", v as u32 as i32, addr(v)));
        }
        c if sig == Signal::SIGCHLD && c != si_code::SI_KERNEL => {
            let status = match c {
                si_code::CLD_EXITED => info.si_status.to_string(),
                _ => signal(info.si_status),
            };
            words.push(format!("{sender}, si_status={status}"));
            words.push(format!("si_utime={}", ticks(info.si_utime)));
            words.push(format!("si_stime={}", ticks(info.si_stime)));
        }
        _ if by_fault => words.push(format!("si_addr={}", addr(info.si_addr))),
        _ => {}
    }
    format!("{{{}}}", words.join(", "))
}

/// A siginfo in memory; `{}` when there is no signal in it.
pub fn siginfo_at(ctx: &Ctx, at: u64) -> Option<String> {
    let [signo, code, pid, uid, status] = [0, 8, 16, 20, 24].map(|o| ctx.i32(at.wrapping_add(o)));
    let Some(sig) = Signal::new(signo?) else { return Some("{}".to_string()) };
    let child = sig == Signal::SIGCHLD && code? > 0;
    let info = SigInfo {
        si_signo: sig,
        si_code: code?,
        si_pid: pid?,
        si_uid: uid? as u32,
        si_status: status?,
        si_addr: ctx.u64(at.wrapping_add(16))?,
        si_value: ctx.u64(at.wrapping_add(24))?,
        si_utime: if child { ctx.u64(at.wrapping_add(32))? } else { 0 },
        si_stime: if child { ctx.u64(at.wrapping_add(40))? } else { 0 },
    };
    Some(siginfo(&info))
}

/// A wait status, as the macros of wait(2) take it apart.
pub fn wait_status(status: i32) -> String {
    match WaitStatus::decode(status) {
        WaitStatus::Exited(code) => format!("[{{WIFEXITED(s) && WEXITSTATUS(s) == {code}}}]"),
        WaitStatus::Signaled(sig, core) => {
            let core = if core { " && WCOREDUMP(s)" } else { "" };
            format!("[{{WIFSIGNALED(s) && WTERMSIG(s) == {}{core}}}]", signal(sig))
        }
        WaitStatus::Stopped(sig) => {
            format!("[{{WIFSTOPPED(s) && WSTOPSIG(s) == {}}}]", signal(sig))
        }
        WaitStatus::Continued => "[{WIFCONTINUED(s)}]".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_told_the_short_way() {
        let set = |bits| sigset(SigSet(bits));
        assert_eq!([set(0), set(u64::MAX), set(1 << 9 | 1 << 39)], ["[]", "~[]", "[USR1 RT_8]"]);
        assert_eq!(set(!(3 << 31)), "~[RTMIN RT_1]");
        assert_eq!(set(0xffff).matches(' ').count(), 15);
        assert_eq!([signal(32), signal(34), signal(77)], ["SIGRTMIN", "SIGRT_2", "77"]);
    }

    #[test]
    fn a_siginfo_shows_what_its_code_says_it_has() {
        let info = |sig, code| SigInfo { si_pid: 7, si_uid: 1, ..SigInfo::new(sig, code) };
        assert_eq!(
            siginfo(&info(Signal::SIGUSR1, si_code::SI_TKILL)),
            "{si_signo=SIGUSR1, si_code=SI_TKILL, si_pid=7, si_uid=1}"
        );
        assert_eq!(
            siginfo(&SigInfo { si_value: 5, ..info(Signal::SIGUSR1, si_code::SI_QUEUE) }),
            "{si_signo=SIGUSR1, si_code=SI_QUEUE, si_pid=7, si_uid=1, si_int=5, si_ptr=0x5}"
        );
        assert_eq!(
            siginfo(&SigInfo { si_addr: 16, ..info(Signal::SIGSEGV, si_code::SEGV_MAPERR) }),
            "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10}"
        );
        assert_eq!(
            siginfo(&info(Signal::SIGALRM, si_code::SI_KERNEL)),
            "{si_signo=SIGALRM, si_code=SI_KERNEL}"
        );
        let child = SigInfo { si_status: 9, si_utime: 128, ..info(Signal::SIGCHLD, 2) };
        assert_eq!(
            siginfo(&child),
            "{si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=7, si_uid=1, si_status=SIGKILL, \
             si_utime=128 /* 1.28 s */, si_stime=0}"
        );
    }

    #[test]
    fn a_wait_status_is_taken_apart() {
        let all = [0x300, 9, 0x8b, 0x137f, 0xffff].map(wait_status);
        assert_eq!(all[0], "[{WIFEXITED(s) && WEXITSTATUS(s) == 3}]");
        assert_eq!(all[1], "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}]");
        assert_eq!(all[2], "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}]");
        assert_eq!(all[3], "[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}]");
        assert_eq!(all[4], "[{WIFCONTINUED(s)}]");
    }
}
