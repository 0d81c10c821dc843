//! Which clone flag sets does Linux accept? The running kernel is asked, by
//! `tests/host/clone_probe.c`, about every flag alone, every pair and thousands
//! of triples, in both system calls, as root and as nobody.
//!
//! Two things are held against its answers: [`Rules`], the checks of Linux 6.18
//! in their order as an executable table (`tests/host/README.md` has the same in
//! words), and every other [`Model`] of clone. The table needs no host, so a
//! model can be compared with it where the kernel cannot be asked.
//!
//! Skipped, with the reason, on a host that would refuse for reasons of its own;
//! with `CI=true` a skip on Linux is a failure.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod kit;

use forkyard::abi::structs::CloneArgs;
use forkyard::kernel::TaskId;
use forkyard::kernel::syscalls::{Call, Payload};
use forkyard::session::{Done, Trouble};
use kit::World;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The clone flags by their Linux names, as in `include/uapi/linux/sched.h`.
mod flag {
    pub const CSIGNAL: u64 = 0xff;
    pub const NEWTIME: u64 = 0x80;
    pub const VM: u64 = 0x100;
    pub const FS: u64 = 0x200;
    pub const FILES: u64 = 0x400;
    pub const SIGHAND: u64 = 0x800;
    pub const PIDFD: u64 = 0x1000;
    pub const PTRACE: u64 = 0x2000;
    pub const VFORK: u64 = 0x4000;
    pub const PARENT: u64 = 0x8000;
    pub const THREAD: u64 = 0x1_0000;
    pub const NEWNS: u64 = 0x2_0000;
    pub const SYSVSEM: u64 = 0x4_0000;
    pub const SETTLS: u64 = 0x8_0000;
    pub const PARENT_SETTID: u64 = 0x10_0000;
    pub const CHILD_CLEARTID: u64 = 0x20_0000;
    pub const DETACHED: u64 = 0x40_0000;
    pub const UNTRACED: u64 = 0x80_0000;
    pub const CHILD_SETTID: u64 = 0x100_0000;
    pub const NEWCGROUP: u64 = 0x200_0000;
    pub const NEWUTS: u64 = 0x400_0000;
    pub const NEWIPC: u64 = 0x800_0000;
    pub const NEWUSER: u64 = 0x1000_0000;
    pub const NEWPID: u64 = 0x2000_0000;
    pub const NEWNET: u64 = 0x4000_0000;
    pub const IO: u64 = 0x8000_0000;
    pub const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    pub const INTO_CGROUP: u64 = 0x2_0000_0000;

    /// Every bit that 6.18 gives a meaning in clone3.
    pub const KNOWN: u64 = 0x3_ffff_ffff;

    /// For messages; bits without a name print as hexadecimal.
    pub const NAMES: [(u64, &str); 26] = [
        (VM, "VM"),
        (FS, "FS"),
        (FILES, "FILES"),
        (SIGHAND, "SIGHAND"),
        (PIDFD, "PIDFD"),
        (PTRACE, "PTRACE"),
        (VFORK, "VFORK"),
        (PARENT, "PARENT"),
        (THREAD, "THREAD"),
        (NEWNS, "NEWNS"),
        (SYSVSEM, "SYSVSEM"),
        (SETTLS, "SETTLS"),
        (PARENT_SETTID, "PARENT_SETTID"),
        (CHILD_CLEARTID, "CHILD_CLEARTID"),
        (DETACHED, "DETACHED"),
        (UNTRACED, "UNTRACED"),
        (CHILD_SETTID, "CHILD_SETTID"),
        (NEWCGROUP, "NEWCGROUP"),
        (NEWUTS, "NEWUTS"),
        (NEWIPC, "NEWIPC"),
        (NEWUSER, "NEWUSER"),
        (NEWPID, "NEWPID"),
        (NEWNET, "NEWNET"),
        (IO, "IO"),
        (CLEAR_SIGHAND, "CLEAR_SIGHAND"),
        (INTO_CGROUP, "INTO_CGROUP"),
    ];
}

/// SIGCHLD, the exit signal of fork.
const SIGCHLD: u64 = 17;

/// The highest signal number (`_NSIG`).
const NSIG: u64 = 64;

/// The seed of the random triples; fixed, so that a failure is repeatable.
const TRIPLES_SEED: u64 = 0x6f72_6163_6c65;

/// How many random triples are asked, both system calls together.
const TRIPLES: usize = 5_000;

/// The user that asks without privilege: nobody.
const NOBODY: &str = "65534";

/// Asking everything takes under a second here; a slow host may take longer.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Which system call is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Door {
    /// clone(2): the exit signal is the low byte of the flags.
    Legacy,
    /// clone3(2): the exit signal is a field of its own.
    Clone3,
}

/// One question. Every pointer, stack and TLS base it needs is valid; the
/// cgroup descriptor is not open, and clone(2) has one argument for both
/// `parent_tid` and `pidfd`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Request {
    door: Door,
    /// The flag word as passed, for [`Door::Legacy`] with the exit signal.
    flags: u64,
    /// Passed to clone3; 0 and unused for [`Door::Legacy`].
    exit_signal: u64,
}

impl Request {
    fn legacy(flags: u64) -> Self {
        Self { door: Door::Legacy, flags, exit_signal: 0 }
    }

    fn clone3(flags: u64, exit_signal: u64) -> Self {
        Self { door: Door::Clone3, flags, exit_signal }
    }

    /// All of `flags` are set.
    fn all(&self, flags: u64) -> bool {
        self.named() & flags == flags
    }

    /// At least one of `flags` is set.
    fn any(&self, flags: u64) -> bool {
        self.named() & flags != 0
    }

    /// The flags without the exit signal, which shares its bits with NEWTIME.
    fn named(&self) -> u64 {
        match self.door {
            Door::Legacy => self.flags & 0xffff_ffff & !flag::CSIGNAL,
            Door::Clone3 => self.flags,
        }
    }

    /// The line that `clone_probe` reads.
    fn line(&self) -> String {
        match self.door {
            Door::Legacy => format!("legacy {:x}\n", self.flags),
            Door::Clone3 => format!("clone3 {:x} {}\n", self.flags, self.exit_signal),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, signal) = match self.door {
            Door::Legacy => ("clone", self.flags & flag::CSIGNAL),
            Door::Clone3 => ("clone3", self.exit_signal),
        };
        let mut rest = self.named();
        let mut names = Vec::new();
        for (bit, name) in flag::NAMES {
            if rest & bit != 0 {
                names.push(name.to_string());
                rest &= !bit;
            }
        }
        if rest != 0 || names.is_empty() {
            names.push(format!("{rest:#x}"));
        }
        write!(f, "{call}({}, exit_signal {signal})", names.join("|"))
    }
}

/// What was answered: `Ok`, or the name of the errno.
type Answer = Result<(), String>;

/// Anything that can be asked for a clone, from a fresh machine each time: the
/// caller is an ordinary single-threaded process, a child of init.
trait Model {
    /// `legacy`: clone(2), `flags` with the exit signal in its low byte and
    /// `exit_signal` without meaning. Otherwise clone3(2).
    fn try_clone(&mut self, legacy: bool, flags: u64, exit_signal: u64) -> Answer;
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    /// User 0 with CAP_SYS_ADMIN.
    Root,
    /// An ordinary user without capabilities.
    Nobody,
}

/// One check of the kernel.
struct Rule {
    /// Where it is, and what it refuses.
    name: &'static str,
    errno: &'static str,
    refuses: fn(&Request, Caller) -> bool,
}

/// Namespaces for which `copy_namespaces` wants CAP_SYS_ADMIN.
const NAMESPACES: u64 =
    flag::NEWNS | flag::NEWCGROUP | flag::NEWUTS | flag::NEWIPC | flag::NEWPID | flag::NEWNET;

/// The checks of Linux 6.18, first refusal wins. Only checks that flags alone
/// can trip: see the README for those that need a bad pointer, a limit or a
/// special caller.
static RULES: [Rule; 15] = [
    Rule {
        name: "copy_clone_args_from_user: exit_signal is 0 or a signal",
        errno: "EINVAL",
        refuses: |r, _| r.door == Door::Clone3 && r.exit_signal > NSIG,
    },
    Rule {
        name: "clone3_args_valid: flags above INTO_CGROUP mean nothing",
        errno: "EINVAL",
        refuses: |r, _| r.door == Door::Clone3 && r.flags & !flag::KNOWN != 0,
    },
    Rule {
        name: "clone3_args_valid: DETACHED and the old signal byte are free, but for NEWTIME",
        errno: "EINVAL",
        refuses: |r, _| {
            r.door == Door::Clone3 && r.any(flag::DETACHED | flag::CSIGNAL & !flag::NEWTIME)
        },
    },
    Rule {
        name: "clone3_args_valid: shared handlers cannot be cleared",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::SIGHAND | flag::CLEAR_SIGHAND),
    },
    Rule {
        name: "clone3_args_valid: THREAD and PARENT have no exit signal of their own",
        errno: "EINVAL",
        refuses: |r, _| {
            r.door == Door::Clone3 && r.any(flag::THREAD | flag::PARENT) && r.exit_signal != 0
        },
    },
    Rule {
        name: "kernel_clone: pidfd and parent_tid must not be one pointer (always so in clone)",
        errno: "EINVAL",
        refuses: |r, _| r.door == Door::Legacy && r.all(flag::PIDFD | flag::PARENT_SETTID),
    },
    Rule {
        name: "copy_process: NEWNS with a shared root and working directory",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::NEWNS | flag::FS),
    },
    Rule {
        name: "copy_process: NEWUSER with a shared root and working directory",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::NEWUSER | flag::FS),
    },
    Rule {
        name: "copy_process: THREAD without SIGHAND",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::THREAD) && !r.all(flag::SIGHAND),
    },
    Rule {
        name: "copy_process: SIGHAND without VM",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::SIGHAND) && !r.all(flag::VM),
    },
    Rule {
        name: "copy_process: a thread stays in its process's user and pid namespace",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::THREAD) && r.any(flag::NEWUSER | flag::NEWPID),
    },
    Rule {
        name: "copy_process: PIDFD with DETACHED",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::PIDFD | flag::DETACHED),
    },
    Rule {
        name: "copy_namespaces: CAP_SYS_ADMIN in the child's user namespace, which NEWUSER grants",
        errno: "EPERM",
        refuses: |r, who| {
            let time = r.door == Door::Clone3 && r.any(flag::NEWTIME);
            who == Caller::Nobody && !r.all(flag::NEWUSER) && (r.any(NAMESPACES) || time)
        },
    },
    Rule {
        name: "copy_namespaces: NEWIPC while sharing semaphore undo lists",
        errno: "EINVAL",
        refuses: |r, _| r.all(flag::NEWIPC | flag::SYSVSEM),
    },
    Rule {
        name: "cgroup_css_set_fork: the cgroup descriptor is not open",
        errno: "EBADF",
        refuses: |r, _| r.all(flag::INTO_CGROUP),
    },
];

/// [`RULES`] as a model.
struct Rules(Caller);

impl Rules {
    /// The check that refuses `request`, if one does.
    fn refusal(&self, request: &Request) -> Option<&'static Rule> {
        RULES.iter().find(|rule| (rule.refuses)(request, self.0))
    }
}

impl Model for Rules {
    fn try_clone(&mut self, legacy: bool, flags: u64, exit_signal: u64) -> Answer {
        let request =
            if legacy { Request::legacy(flags) } else { Request::clone3(flags, exit_signal) };
        self.refusal(&request).map_or(Ok(()), |rule| Err(rule.errno.to_string()))
    }
}

// ---- the questions ---------------------------------------------------------

/// splitmix64: enough to choose triples, and the same everywhere.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// All single bits and all pairs below `bits`.
fn singles_and_pairs(bits: u32) -> impl Iterator<Item = u64> {
    (0..bits).flat_map(move |a| (0..=a).map(move |b| 1 << a | 1 << b))
}

/// Every question. Each flag set of clone3 is asked with exit signal SIGCHLD
/// and 0 (THREAD and PARENT refuse the first), each of clone with SIGCHLD added
/// and without. Signal numbers are asked whole, for a process and for a thread.
fn questions() -> Vec<Request> {
    let mut all = vec![Request::legacy(0), Request::clone3(0, 0), Request::clone3(0, SIGCHLD)];
    for flags in singles_and_pairs(u64::BITS) {
        all.extend([Request::clone3(flags, SIGCHLD), Request::clone3(flags, 0)]);
    }
    for flags in singles_and_pairs(u32::BITS) {
        all.extend([Request::legacy(flags | SIGCHLD), Request::legacy(flags)]);
    }

    // Bits that mean nothing hide the others: no triples with them, and few
    // with the signal byte.
    let known = flag::KNOWN.count_ones();
    let mut state = TRIPLES_SEED;
    for _ in 0..TRIPLES {
        let mut bit = || 1 << (7 + next_random(&mut state) % u64::from(known - 7));
        let flags: u64 = bit() | bit() | bit();
        let word = next_random(&mut state);
        let exit_signal = if word & 1 == 0 { 0 } else { SIGCHLD };
        all.push(if word & 2 == 0 || flags > u64::from(u32::MAX) {
            Request::clone3(flags, exit_signal)
        } else {
            Request::legacy(flags & !flag::CSIGNAL | exit_signal)
        });
    }

    // Threads are random only rarely: all sets of one and two flags over the
    // least that makes a thread.
    let thread = flag::VM | flag::SIGHAND | flag::THREAD;
    for flags in singles_and_pairs(known) {
        all.push(Request::clone3(thread | flags, 0));
        all.push(Request::legacy((thread | flags) & 0xffff_ff00));
    }

    for signal in 0..=flag::CSIGNAL {
        for flags in [0, flag::PARENT, flag::VM | flag::VFORK, thread] {
            all.push(Request::legacy(flags | signal));
            all.push(Request::clone3(flags, signal));
        }
    }
    for signal in [0x100, 0x111, 0x8000_0000, 0x1_0000_0011, u64::MAX] {
        all.push(Request::clone3(0, signal));
    }

    all.sort();
    all.dedup();
    all
}

// ---- the host --------------------------------------------------------------

/// A host whose kernel has been found fit to be asked.
struct Host {
    probe: PathBuf,
    /// Major and minor version.
    release: (u32, u32),
}

impl Host {
    /// Finds out whether this host can be asked, and compiles the probe.
    ///
    /// Everything that makes a kernel refuse for reasons outside the rule table
    /// is looked for here, and only here; the README lists the reasons.
    fn find() -> Result<Self, String> {
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("not an x86_64 Linux".into());
        }
        let status = fs::read_to_string("/proc/self/status").map_err(|e| e.to_string())?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).unwrap_or_default().to_string()
        };
        if field("Uid:").split_whitespace().any(|id| id != "0") {
            return Err("not root".into());
        }
        let effective = u64::from_str_radix(&field("CapEff:"), 16).unwrap_or(0);
        const SETGID_SETUID_ADMIN: u64 = 1 << 6 | 1 << 7 | 1 << 21;
        if effective & SETGID_SETUID_ADMIN != SETGID_SETUID_ADMIN {
            return Err("root without CAP_SETGID, CAP_SETUID and CAP_SYS_ADMIN".into());
        }
        if !matches!(field("Seccomp:").as_str(), "" | "0") {
            return Err("a seccomp filter may answer for the kernel".into());
        }
        let identity = |path: &str| {
            use std::os::unix::fs::MetadataExt as _;
            fs::metadata(path).map(|m| (m.dev(), m.ino()))
        };
        // Not readable where init has capabilities that we lack: then hope.
        if let (Ok(ours), Ok(inits)) = (identity("/"), identity("/proc/1/root/"))
            && ours != inits
        {
            return Err("in a chroot NEWUSER is EPERM".into());
        }
        for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
            let path = format!("/proc/sys/user/max_{kind}_namespaces");
            let limit = fs::read_to_string(&path).unwrap_or_default();
            // Namespaces die in the background: many may be half dead.
            if limit.trim().parse::<u64>().unwrap_or(0) < 4096 {
                return Err(format!("{path} is too low, or no such namespaces"));
            }
        }
        for path in ["unprivileged_userns_clone", "apparmor_restrict_unprivileged_userns"] {
            let wanted = if path.starts_with("app") { "0" } else { "1" };
            match fs::read_to_string(format!("/proc/sys/kernel/{path}")) {
                Ok(value) if value.trim() != wanted => {
                    return Err(format!("kernel.{path} denies NEWUSER to users"));
                }
                _ => {}
            }
        }
        let release =
            fs::read_to_string("/proc/sys/kernel/osrelease").map_err(|e| e.to_string())?;
        let mut numbers = release.split(['.', '-']).map_while(|part| part.parse().ok());
        let release = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if release < (6, 0) {
            return Err(format!("Linux {}.{}: the rules are those of 6.x", release.0, release.1));
        }
        Ok(Self { probe: compile_probe()?, release })
    }

    /// The host, or the reason there is none, found once for all tests.
    ///
    /// # Panics
    ///
    /// Where there is none, on Linux, with `CI=true`: a test that never runs
    /// tests nothing.
    fn get() -> Option<&'static Self> {
        static HOST: OnceLock<Result<Host, String>> = OnceLock::new();
        match HOST.get_or_init(Self::find) {
            Ok(host) => Some(host),
            Err(why) => {
                let ci = std::env::var("CI").is_ok_and(|value| value == "true");
                assert!(!(ci && cfg!(target_os = "linux")), "the kernel cannot be asked: {why}");
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    /// Later kernels may give meaning to bits that have none in 6.18.
    fn may_be_asked(&self, request: &Request) -> bool {
        self.release <= (6, 18) || request.flags & !flag::KNOWN == 0
    }

    /// What the kernel answers to each of `requests`.
    fn ask(&self, requests: &[Request], options: &[&str]) -> Vec<Answer> {
        let mut probe = Command::new(&self.probe)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("clone_probe starts");
        // The probe reads everything before it answers anything.
        let lines: String = requests.iter().map(Request::line).collect();
        let mut stdin = probe.stdin.take().expect("piped");
        stdin.write_all(lines.as_bytes()).expect("clone_probe reads");
        drop(stdin);
        let output = probe.wait_with_output().expect("clone_probe ends");
        assert!(output.status.success(), "clone_probe: {}", output.status);

        let answers: Vec<Answer> = String::from_utf8(output.stdout)
            .expect("errno names")
            .lines()
            .map(|line| if line == "ok" { Ok(()) } else { Err(line.to_string()) })
            .collect();
        assert_eq!(answers.len(), requests.len(), "one answer a request");
        answers
    }

    /// The expected table: every question with the kernel's answer.
    fn table(&self, who: Caller) -> Vec<(Request, Answer)> {
        let mut requests = questions();
        requests.retain(|request| self.may_be_asked(request));
        let options: &[&str] = match who {
            Caller::Root => &[],
            Caller::Nobody => &["--uid", NOBODY],
        };
        let answers = self.ask(&requests, options);
        requests.into_iter().zip(answers).collect()
    }
}

/// Compiles `clone_probe.c` with the system's compiler.
fn compile_probe() -> Result<PathBuf, String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host/clone_probe.c");
    let probe = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("clone_probe");
    let output = Command::new("cc")
        .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(&probe)
        .arg(source)
        .output()
        .map_err(|e| format!("no C compiler: {e}"))?;
    // A compiler that is there must accept our program.
    assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    Ok(probe)
}

// ---- the comparison --------------------------------------------------------

/// Asks `model` every question of `table`.
///
/// # Panics
///
/// Where it answers other than the table, naming the first twenty questions
/// and, for each, the check of Linux that decides it.
fn compare(what: &str, model: &mut dyn Model, table: &[(Request, Answer)], who: Caller) {
    let mut wrong = Vec::new();
    for (request, expected) in table {
        let legacy = request.door == Door::Legacy;
        let answer = model.try_clone(legacy, request.flags, request.exit_signal);
        if answer != *expected {
            let rule = Rules(who).refusal(request).map_or("nothing", |rule| rule.name);
            wrong.push(format!(
                "{request} as {who:?}: {what} says {answer:?}, Linux {expected:?}\n    \
                 rule table: {rule}"
            ));
        }
    }
    let shown = wrong.len().min(20);
    assert!(
        wrong.is_empty(),
        "{} of {} answers differ:\n{}",
        wrong.len(),
        table.len(),
        wrong[..shown].join("\n")
    );
}

// ---- our kernel ------------------------------------------------------------

/// The kernel of `src/kernel` as a model: every question is asked of a system
/// of its own, as the probe asks it: by a child of init that fork made.
struct Forkyard {
    base: World,
    caller: TaskId,
    /// Memory of the caller for everything that needs an address.
    scratch: u64,
}

impl Forkyard {
    fn new(who: Caller) -> Self {
        let mut base = World::new(1);
        let init = base.init;
        let caller = base.fork(init);
        let scratch = base.map(caller, 0x1000);
        base.store(caller, scratch, 0).unwrap();
        if who == Caller::Nobody {
            let id = NOBODY.parse().unwrap();
            base.ok(caller, "setgroups", &[0, 0]);
            base.ok(caller, "setresgid", &[id; 3]);
            base.ok(caller, "setresuid", &[id; 3]);
        }
        Self { base, caller, scratch }
    }
}

impl Model for Forkyard {
    fn try_clone(&mut self, legacy: bool, flags: u64, exit_signal: u64) -> Answer {
        let mut w = self.base.clone();
        let at = self.scratch;
        let call = if legacy {
            // flags, stack, parent_tid and pidfd, child_tid, tls
            Call::new(56, &[flags, 0, at, at + 8, at + 64])
        } else {
            let args = CloneArgs {
                flags,
                exit_signal,
                pidfd: at + 16,
                parent_tid: at,
                child_tid: at + 8,
                tls: at + 64,
                cgroup: 1000,
                ..CloneArgs::default()
            };
            Call::with(435, &[0, 88], Payload::Clone(Box::new(args)))
        };
        let done = w.sys.call(self.caller, call);
        w.check(&format!("clone of {flags:#x}"));
        match done {
            // A vfork sleeps until its child is done.
            Ok(Done::Returned(1.., _) | Done::Blocked) => Ok(()),
            Err(Trouble::Refused(e)) => Err(e.errno.name().to_string()),
            other => panic!("{flags:#x}: {other:?}"),
        }
    }
}

#[test]
fn our_kernel_is_what_the_rule_table_says() {
    for who in [Caller::Root, Caller::Nobody] {
        let ask = |r: Request| {
            let legacy = r.door == Door::Legacy;
            (r, Rules(who).try_clone(legacy, r.flags, r.exit_signal))
        };
        let table: Vec<_> = questions().into_iter().map(ask).collect();
        compare("our kernel", &mut Forkyard::new(who), &table, who);
    }
}

#[test]
fn our_kernel_is_what_the_kernel_does() {
    let Some(host) = Host::get() else { return };
    for who in [Caller::Root, Caller::Nobody] {
        compare("our kernel", &mut Forkyard::new(who), &host.table(who), who);
    }
}

#[test]
fn the_rule_table_is_what_the_kernel_does() {
    let Some(host) = Host::get() else { return };
    for who in [Caller::Root, Caller::Nobody] {
        let start = Instant::now();
        let table = host.table(who);
        let took = start.elapsed();
        assert!(took < TIME_LIMIT, "asking took {took:?}");
        compare("the rule table", &mut Rules(who), &table, who);
    }
}

/// A rule that never decides is a rule nobody has tested.
#[test]
fn every_rule_refuses_something_and_something_is_allowed() {
    let mut decided = BTreeMap::new();
    for who in [Caller::Root, Caller::Nobody] {
        for request in questions() {
            let rule = Rules(who).refusal(&request).map_or("allowed", |rule| rule.name);
            *decided.entry(rule).or_insert(0_usize) += 1;
        }
    }
    for rule in &RULES {
        assert!(decided.contains_key(rule.name), "never decides: {}", rule.name);
    }
    assert!(decided["allowed"] > 1_000);
}

/// Facts worth a name, each with the answer for root and for nobody.
#[test]
fn known_facts() {
    use flag::*;
    let Some(host) = Host::get() else { return };
    let thread = VM | SIGHAND | THREAD;
    let facts = [
        ("fork", Request::legacy(SIGCHLD), "ok", "ok"),
        ("vfork", Request::legacy(VFORK | VM | SIGCHLD), "ok", "ok"),
        ("a thread", Request::clone3(thread, 0), "ok", "ok"),
        ("THREAD without SIGHAND", Request::legacy(VM | THREAD), "EINVAL", "EINVAL"),
        ("SIGHAND without VM", Request::legacy(SIGHAND | SIGCHLD), "EINVAL", "EINVAL"),
        ("EINVAL comes before EPERM", Request::legacy(NEWNS | FS), "EINVAL", "EINVAL"),
        ("EPERM comes before EINVAL", Request::legacy(NEWIPC | SYSVSEM), "EINVAL", "EPERM"),
        ("EPERM comes before EBADF", Request::clone3(NEWUTS | INTO_CGROUP, 0), "EBADF", "EPERM"),
        ("NEWUSER grants the others", Request::legacy(NEWUSER | NEWUTS), "ok", "ok"),
        ("a thread with a time namespace", Request::clone3(thread | NEWTIME, 0), "ok", "EPERM"),
        ("a thread with a mount namespace", Request::clone3(thread | NEWNS, 0), "ok", "EPERM"),
        ("NEWPID with PARENT", Request::legacy(NEWPID | PARENT), "ok", "EPERM"),
        ("NEWUSER with PARENT", Request::legacy(NEWUSER | PARENT), "ok", "ok"),
        ("NEWUSER with VM", Request::legacy(NEWUSER | VM), "ok", "ok"),
        ("a pidfd for a thread", Request::clone3(thread | PIDFD, 0), "ok", "ok"),
        ("clone ignores DETACHED", Request::legacy(DETACHED), "ok", "ok"),
        ("but not with PIDFD", Request::legacy(DETACHED | PIDFD), "EINVAL", "EINVAL"),
        ("clone3 refuses DETACHED", Request::clone3(DETACHED, 0), "EINVAL", "EINVAL"),
        ("clone takes any exit signal", Request::legacy(255), "ok", "ok"),
        ("a thread in clone has one, unused", Request::legacy(thread | SIGCHLD), "ok", "ok"),
        ("a thread in clone3 has none", Request::clone3(thread, SIGCHLD), "EINVAL", "EINVAL"),
        ("clone3 takes signals up to 64", Request::clone3(0, 64), "ok", "ok"),
        ("clone3 does not take 65", Request::clone3(0, 65), "EINVAL", "EINVAL"),
        ("SIGKILL at exit is allowed", Request::clone3(0, 9), "ok", "ok"),
        ("0x80 is NEWTIME in clone3", Request::clone3(NEWTIME, 0), "ok", "EPERM"),
        ("and a signal in clone", Request::legacy(NEWTIME), "ok", "ok"),
        ("clone drops the upper half", Request::legacy(1 << 35 | SIGCHLD), "ok", "ok"),
    ];
    let requests = facts.map(|(_, request, ..)| request);
    let root = host.ask(&requests, &[]);
    let nobody = host.ask(&requests, &["--uid", NOBODY]);
    for ((what, request, as_root, as_nobody), (root, nobody)) in
        facts.iter().zip(root.iter().zip(&nobody))
    {
        let text = |answer: &Answer| answer.clone().err().unwrap_or_else(|| "ok".into());
        assert_eq!(text(root), *as_root, "{what}: {request} as root");
        assert_eq!(text(nobody), *as_nobody, "{what}: {request} as nobody");
    }
}

/// The init of a pid namespace cannot be killed from inside, so nothing may
/// become its sibling; the rest of its answers are everybody's.
#[test]
fn an_init_refuses_parent() {
    let Some(host) = Host::get() else { return };
    let requests = [
        Request::legacy(SIGCHLD),
        Request::legacy(flag::PARENT | SIGCHLD),
        Request::clone3(flag::PARENT, 0),
        Request::clone3(flag::VM | flag::SIGHAND | flag::THREAD, 0),
    ];
    let einval = || Err("EINVAL".to_string());
    assert_eq!(host.ask(&requests, &["--init"]), [Ok(()), einval(), einval(), Ok(())]);
    let base = World::new(1);
    let (caller, scratch) = (base.init, 0);
    let mut ours = Forkyard { base, caller, scratch };
    let answers = requests.map(|r| ours.try_clone(r.door == Door::Legacy, r.flags, r.exit_signal));
    assert_eq!(answers, [Ok(()), einval(), einval(), Ok(())]);
}
