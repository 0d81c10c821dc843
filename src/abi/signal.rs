//! Signal numbers, sets of them, and what each does by default.
//!
//! Linux: include/uapi/asm-generic/signal.h, include/linux/signal.h
//! (`sig_kernel_only`, `sig_kernel_coredump`, …), signal(7).
//! Left out: the numbers of other architectures.

use std::fmt;

/// Number of signals; valid numbers are 1 to `_NSIG`.
pub const _NSIG: i32 = 64;
/// The first real-time signal of the kernel (glibc keeps two for itself).
pub const SIGRTMIN: i32 = 32;
/// The last real-time signal.
pub const SIGRTMAX: i32 = 64;

macro_rules! signals {
    ($($name:ident = $num:literal;)*) => {
        /// A valid signal number, 1 to 64.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct Signal(u8);

        #[allow(missing_docs, reason = "signal(7) describes each")]
        impl Signal { $(pub const $name: Signal = Signal($num);)* }

        /// Names of the standard signals, ascending by number.
        pub const SIGNAL_NAMES: &[(&str, i32)] = &[$((stringify!($name), $num)),*];
    };
}

signals! {
    SIGHUP = 1; SIGINT = 2; SIGQUIT = 3; SIGILL = 4; SIGTRAP = 5; SIGABRT = 6;
    SIGBUS = 7; SIGFPE = 8; SIGKILL = 9; SIGUSR1 = 10; SIGSEGV = 11; SIGUSR2 = 12;
    SIGPIPE = 13; SIGALRM = 14; SIGTERM = 15; SIGSTKFLT = 16; SIGCHLD = 17;
    SIGCONT = 18; SIGSTOP = 19; SIGTSTP = 20; SIGTTIN = 21; SIGTTOU = 22;
    SIGURG = 23; SIGXCPU = 24; SIGXFSZ = 25; SIGVTALRM = 26; SIGPROF = 27;
    SIGWINCH = 28; SIGIO = 29; SIGPWR = 30; SIGSYS = 31;
}

/// What a signal does when its disposition is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultAction {
    /// Nothing.
    Ignore,
    /// The process dies.
    Terminate,
    /// The process dies and leaves a core dump.
    Core,
    /// The process stops.
    Stop,
    /// The process goes on if it is stopped; otherwise nothing.
    Continue,
}

impl Signal {
    /// The signal with number `n`, if 1 ≤ n ≤ 64 (Linux's `valid_signal`
    /// also admits 0, which stands for "no signal").
    pub fn new(n: i32) -> Option<Signal> {
        (1..=_NSIG).contains(&n).then_some(Signal(n as u8))
    }

    /// The number.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// The name: `SIGTERM`, or `SIGRTMIN+3`.
    pub fn name(self) -> String {
        match SIGNAL_NAMES.iter().find(|(_, n)| *n == self.number()) {
            Some((name, _)) => (*name).to_string(),
            None if self.number() == SIGRTMIN => "SIGRTMIN".to_string(),
            None => format!("SIGRTMIN+{}", self.number() - SIGRTMIN),
        }
    }

    /// The signal called `name` (`"SIGTERM"`).
    pub fn from_name(name: &str) -> Option<Signal> {
        SIGNAL_NAMES.iter().find(|(s, _)| *s == name).and_then(|(_, n)| Signal::new(*n))
    }

    /// The action when the disposition is `SIG_DFL`. Source: signal(7).
    pub fn default_action(self) -> DefaultAction {
        use DefaultAction::*;
        match self {
            Signal::SIGCHLD | Signal::SIGURG | Signal::SIGWINCH => Ignore,
            Signal::SIGCONT => Continue,
            Signal::SIGSTOP | Signal::SIGTSTP | Signal::SIGTTIN | Signal::SIGTTOU => Stop,
            Signal::SIGQUIT
            | Signal::SIGILL
            | Signal::SIGTRAP
            | Signal::SIGABRT
            | Signal::SIGFPE
            | Signal::SIGSEGV
            | Signal::SIGBUS
            | Signal::SIGSYS
            | Signal::SIGXCPU
            | Signal::SIGXFSZ => Core,
            _ => Terminate,
        }
    }

    /// SIGKILL and SIGSTOP: cannot be caught, blocked or ignored
    /// (`sig_kernel_only`).
    pub fn is_kernel_only(self) -> bool {
        self == Signal::SIGKILL || self == Signal::SIGSTOP
    }

    /// Signals that an instruction of the task itself causes; these are
    /// taken before others (`SYNCHRONOUS_MASK`).
    pub fn is_synchronous(self) -> bool {
        SigSet::SYNCHRONOUS.contains(self)
    }

    /// A real-time signal: each sending is queued.
    pub fn is_realtime(self) -> bool {
        self.number() >= SIGRTMIN
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A set of signals; bit n-1 is signal n, as in the kernel's `sigset_t`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// Every signal.
    pub const ALL: SigSet = SigSet(u64::MAX);
    /// SEGV, BUS, ILL, TRAP, FPE, SYS.
    pub const SYNCHRONOUS: SigSet = SigSet(1 << 10 | 1 << 6 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 30);
    /// STOP, TSTP, TTIN, TTOU (`SIG_KERNEL_STOP_MASK`).
    pub const STOP: SigSet = SigSet(1 << 18 | 1 << 19 | 1 << 20 | 1 << 21);

    /// The set of one signal.
    pub fn of(sig: Signal) -> SigSet {
        SigSet(1 << (sig.number() - 1))
    }
    /// Whether `sig` is a member.
    pub fn contains(self, sig: Signal) -> bool {
        self.0 & SigSet::of(sig).0 != 0
    }
    /// Adds `sig`.
    pub fn add(&mut self, sig: Signal) {
        self.0 |= SigSet::of(sig).0;
    }
    /// Removes `sig`.
    pub fn del(&mut self, sig: Signal) {
        self.0 &= !SigSet::of(sig).0;
    }
    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// Members of both.
    pub fn and(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }
    /// Members of either.
    pub fn or(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }
    /// Members of `self` that are not in `other`.
    pub fn minus(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }
    /// Members, ascending.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        (1..=_NSIG).filter_map(Signal::new).filter(move |s| self.contains(*s))
    }
}

impl fmt::Debug for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Signal::name).collect();
        write!(f, "{{{}}}", names.join(", "))
    }
}

/// `si_code` values. Source: sigaction(2), include/uapi/asm-generic/siginfo.h.
#[allow(missing_docs, reason = "sigaction(2) describes each")]
pub mod si_code {
    pub const SI_USER: i32 = 0;
    pub const SI_KERNEL: i32 = 0x80;
    pub const SI_QUEUE: i32 = -1;
    pub const SI_TIMER: i32 = -2;
    pub const SI_TKILL: i32 = -6;
    pub const CLD_EXITED: i32 = 1;
    pub const CLD_KILLED: i32 = 2;
    pub const CLD_DUMPED: i32 = 3;
    pub const CLD_TRAPPED: i32 = 4;
    pub const CLD_STOPPED: i32 = 5;
    pub const CLD_CONTINUED: i32 = 6;
    pub const SEGV_MAPERR: i32 = 1;
    pub const SEGV_ACCERR: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
    pub const BUS_ADRERR: i32 = 2;
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_FLTDIV: i32 = 3;
    pub const FPE_FLTOVF: i32 = 4;
    pub const FPE_FLTUND: i32 = 5;
    pub const FPE_FLTRES: i32 = 6;
    pub const FPE_FLTINV: i32 = 7;
    pub const ILL_ILLOPN: i32 = 2;
    pub const TRAP_BRKPT: i32 = 1;
    pub const TRAP_TRACE: i32 = 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_hold_what_their_names_say() {
        let names = |s: SigSet| s.iter().map(Signal::name).collect::<Vec<_>>();
        assert_eq!(
            names(SigSet::SYNCHRONOUS),
            ["SIGILL", "SIGTRAP", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS"]
        );
        assert_eq!(names(SigSet::STOP), ["SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"]);
        assert_eq!(Signal::new(35).unwrap().name(), "SIGRTMIN+3");
        assert_eq!(Signal::new(0), None);
        assert_eq!(Signal::new(65), None);
    }
}
