//! Ids, capabilities, limits, prctl.

use super::{fails, failure, holds};

#[test]
fn setuid_by_the_rules() {
    holds(
        "let c = init.fork();
         c.setuid(1000);
         assert(c.getuid() == 1000 && c.cred.euid == 1000 && c.cred.cap_effective.is_empty());
         assert_errno(EPERM, || c.setuid(0));
         let ids = c.getresuid();
         assert(ids.real == 1000 && ids.effective == 1000 && ids.saved == 1000);
         assert_errno(EPERM, || c.kill(init, SIGTERM));
         let d = init.fork();
         d.seteuid(1000);
         assert(d.cred.uid == 0 && d.cred.euid == 1000 && d.cred.cap_permitted.len() > 30);
         d.seteuid(0);
         assert(CAP_KILL in d.cred.cap_effective);
         assert(d.setfsuid(7) == 0 && d.setfsuid(-1) == 7 && d.cred.fsuid == 7);
         d.setgroups([4, 24]);
         assert(d.getgroups() == [4, 24] && d.cred.groups == [4, 24]);
         assert(c.cred.user.processes == 1);",
    );
    let report = failure("let c = init.fork();\nc.setuid(1000);\nc.setuid(0);");
    assert!(report.contains("EPERM: setuid(0) by task 3 was refused"), "{report}");
}

#[test]
fn capabilities() {
    holds(
        "let c = init.fork();
         c.capset(#{effective: [CAP_KILL], permitted: [CAP_KILL, CAP_SETUID]});
         let caps = c.capget();
         assert(caps.effective == capset([CAP_KILL]) && CAP_SETUID in caps.permitted);
         assert_errno(EPERM, || c.capset(#{permitted: [CAP_SYS_ADMIN]}));
         assert_errno(EPERM, || c.setuid(5));
         assert(c.prctl(PR_CAPBSET_READ, CAP_CHOWN) == 1);",
    );
}

#[test]
fn groups_and_sessions() {
    holds(
        "let c = init.fork();
         assert(c.setsid() == c.pid && c.getsid(0) == c.pid && c.signal.leader);
         assert_errno(EPERM, || c.setsid());
         let d = c.fork();
         c.setpgid(d, 0);
         assert(d.getpgrp() == d.pid && d.pgid == d.pid && d.sid == c.pid);
         assert(c.getpgid(d) == d.pid && d.getppid() == c.pid);",
    );
}

#[test]
fn limits_and_settings() {
    holds(
        "let c = init.fork();
         c.setrlimit(RLIMIT_NOFILE, 3);
         assert_errno(EMFILE, || c.open(\"/etc/passwd\"));
         assert(c.getrlimit(RLIMIT_NOFILE).cur == 3);
         assert(c.getrlimit(RLIMIT_STACK).max == RLIM_INFINITY);
         assert(init.prlimit(c, RLIMIT_NOFILE, #{cur: 9, max: 9}).cur == 3);
         assert(c.signal.rlim(RLIMIT_NOFILE).max == 9);
         c.prctl(PR_SET_NAME, \"a name longer than fifteen\");
         assert(c.comm == \"a name longer t\" && c.prctl(PR_GET_NAME) == c.comm);
         c.prctl(PR_SET_PDEATHSIG, SIGHUP);
         assert(c.pdeath_signal == SIGHUP && c.prctl(PR_GET_PDEATHSIG) == SIGHUP);
         c.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
         assert(c.no_new_privs);
         assert(c.getrusage(RUSAGE_SELF).minflt >= 0);
         assert(c.sched_getaffinity(0) == 1);
         assert_errno(EINVAL, || c.sched_setaffinity(0, [5]));",
    );
    assert!(fails("init.setrlimit(RLIMIT_NOFILE, #{soft: 1})").contains("no argument `soft`"));
}
