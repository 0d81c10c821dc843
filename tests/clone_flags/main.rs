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

mod host;
#[path = "../kit/mod.rs"]
mod kit;
mod request;
mod rules;

use forkyard::abi::structs::CloneArgs;
use forkyard::kernel::TaskId;
use forkyard::kernel::syscalls::{Call, Payload};
use forkyard::session::{Done, Trouble};
use host::Host;
use kit::World;
use request::{Door, Request, flag, questions};
use rules::{Caller, RULES, Rules};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// SIGCHLD, the exit signal of fork.
const SIGCHLD: u64 = 17;

/// The user that asks without privilege: nobody.
const NOBODY: &str = "65534";

/// Asking everything takes under a second here; a slow host may take longer.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// What was answered: `Ok`, or the name of the errno.
type Answer = Result<(), String>;

/// Anything that can be asked for a clone, from a fresh machine each time: the
/// caller is an ordinary single-threaded process, a child of init.
trait Model {
    /// `legacy`: clone(2), `flags` with the exit signal in its low byte and
    /// `exit_signal` without meaning. Otherwise clone3(2).
    fn try_clone(&mut self, legacy: bool, flags: u64, exit_signal: u64) -> Answer;
}

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
