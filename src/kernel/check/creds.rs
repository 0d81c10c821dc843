//! Credentials and the users they are counted for.
//!
//! Linux: kernel/cred.c, kernel/user.c. Left out: ucounts.

use super::tally::Tally;
use super::{Findings, Named, is_hashed};
use crate::kernel::signal::SigPending;
use crate::kernel::system::System;

pub(super) fn check(sys: &System, f: &mut Findings) {
    let k = &sys.kernel;
    let mut creds = Tally::new();
    let mut users = Tally::new();
    let mut processes = Tally::new();
    let mut queued = Tally::new();
    for (id, t) in k.tasks.iter() {
        creds.add(&k.creds, t.cred);
        creds.add(&k.creds, t.real_cred);
        if let Some(cred) = t.ptracer_cred {
            creds.add(&k.creds, cred);
        }
        f.same(
            format_args!("{}", Named(id, t)),
            "cred",
            t.cred,
            t.real_cred,
            "nothing here acts with borrowed credentials",
        );
        if is_hashed(sys, id, t)
            && let Some(c) = k.creds.get(t.real_cred)
        {
            processes.add(&k.users, c.user);
        }
        pending(sys, format_args!("{}", Named(id, t)), &t.pending, &mut queued, f);
    }
    for (id, s) in k.signals.iter() {
        let me = format_args!("signal_struct {id:?}");
        pending(sys, me, &s.shared_pending, &mut queued, f);
        for (nr, timer) in &s.posix_timers.timers {
            let known = queued.add(&k.users, timer.user);
            f.exists(known, me, "user of timer", format_args!("{nr}"));
        }
    }
    for (id, c) in k.creds.iter() {
        let me = format_args!("cred {id:?} (uid {})", c.uid);
        let fixed = u32::from(id == k.init_cred);
        let holders =
            "cred, real_cred and ptracer_cred of tasks, and the static reference of init_cred";
        f.count(me, "usage", c.usage, creds.of(id) + fixed, holders);
        let known = users.add(&k.users, c.user);
        f.exists(known, me, "user", format_args!("{:?}", c.user));
        if let Some(u) = k.users.get(c.user) {
            f.same(me, "user.uid", u.uid, c.uid, "the real uid");
        }
        let ns = k.user_namespaces.contains(c.user_ns);
        f.exists(ns, me, "user_ns", format_args!("{:?}", c.user_ns));
        let subset = c.cap_effective.is_subset(c.cap_permitted);
        let caps = format_args!("{:?}", c.cap_effective);
        f.rule(subset, me, "cap_effective", caps, "a subset of cap_permitted");
        let ambient = c.cap_ambient.is_subset(c.cap_permitted.and(c.cap_inheritable));
        let caps = format_args!("{:?}", c.cap_ambient);
        f.rule(ambient, me, "cap_ambient", caps, "permitted and inheritable");
    }
    for (id, u) in k.users.iter() {
        let me = format_args!("user_struct {id:?} (uid {})", u.uid);
        let holders = users.of(id) + queued.of(id);
        f.count(me, "count", u.count, holders, "credentials and queued signals");
        f.count(me, "processes", u.processes, processes.of(id), "tasks not yet released");
        f.count(me, "sigpending", u.sigpending, queued.of(id), "signals queued for it, and timers");
        f.same(me, "entry in uidhash", k.uidhash.get(&u.uid), Some(&id), "it exists");
    }
    f.count(
        format_args!("the kernel"),
        "entries of uidhash",
        k.uidhash.len() as i64,
        k.users.len() as i64,
        "user_structs",
    );
}

/// Queued signals are in the set, and standard ones are queued once.
fn pending(
    sys: &System,
    me: std::fmt::Arguments<'_>,
    p: &SigPending,
    queued: &mut Tally<crate::kernel::cred::UserStruct>,
    f: &mut Findings,
) {
    for (i, q) in p.list.iter().enumerate() {
        let known = q.user.is_none_or(|user| queued.add(&sys.kernel.users, user));
        f.exists(known, me, "pending: user", format_args!("{:?}", q.user));
        let owner = q.user.is_some() != q.timer.is_some();
        f.rule(owner, me, "pending.list", format_args!("{q:?}"), "counted for a user or a timer");
        let sig = q.info.si_signo;
        let bit = p.signal.contains(sig);
        f.rule(bit, me, "pending.signal", format_args!("{:?}", p.signal), "with all queued ones");
        // A timer's is queued beside those that others have sent.
        let again = p.list[..i].iter().any(|o| o.info.si_signo == sig && o.timer == q.timer);
        let once = sig.is_realtime() || !again;
        f.rule(once, me, "pending.list", format_args!("{sig:?} twice"), "a standard signal once");
    }
}
