//! uname, sysinfo, personality, membarrier, the clocks that are only read.

use super::raw;
use crate::abi::Errno;
use crate::kernel::exec_domain::ADDR_NO_RANDOMIZE;

fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|b| *b == 0).expect("a NUL");
    std::str::from_utf8(&bytes[..end]).expect("text")
}

#[test]
fn uname_tells_the_names_of_the_uts_namespace() {
    let mut r = raw();
    let at = r.at;
    assert_eq!(r.sys("uname", &[at]), Ok(0));
    let image: [u8; 390] = r.get(0);
    let fields: Vec<&str> = image.chunks(65).map(text).collect();
    let version = "#1 SMP PREEMPT_DYNAMIC";
    assert_eq!(fields, ["Linux", "(none)", "6.18.0", version, "x86_64", "(none)"]);
    assert_eq!(r.sys("uname", &[0]), Err(Errno::EFAULT));

    // A child with a namespace of its own changes its copy.
    let child = r.w.fork(r.t);
    let name = r.put(512, b"box\0x");
    assert_eq!(r.by(child, "unshare", &[0x0400_0000]), Ok(0));
    let init = std::mem::replace(&mut r.t, child);
    r.put(512, b"box\0x");
    assert_eq!(r.sys("sethostname", &[name, 5]), Ok(0));
    assert_eq!(r.sys("setdomainname", &[name, 2]), Ok(0));
    r.ok("uname", &[at]);
    assert_eq!((text(&r.get::<65>(65)), text(&r.get::<65>(325))), ("box", "bo"));
    r.t = init;
    r.ok("uname", &[at]);
    assert_eq!(text(&r.get::<65>(65)), "(none)");
}

#[test]
fn who_may_name_the_machine() {
    let mut r = raw();
    let name = r.put(0, b"x");
    assert_eq!(r.sys("sethostname", &[name, 65]), Err(Errno::EINVAL));
    assert_eq!(r.sys("sethostname", &[name, u64::MAX]), Err(Errno::EINVAL));
    assert_eq!(r.sys("sethostname", &[0, 3]), Err(Errno::EFAULT));
    r.ok("setuid", &[1000]);
    assert_eq!(r.sys("sethostname", &[name, 65]), Err(Errno::EPERM));
    assert_eq!(r.sys("setdomainname", &[name, 1]), Err(Errno::EPERM));
}

#[test]
fn sysinfo_counts_memory_in_bytes() {
    let mut r = raw();
    let at = r.at;
    r.put(0, &[0]);
    r.ok("sysinfo", &[at]);
    let mem = &r.w.sys.machine.mem;
    let (total, free) = (u64::from(mem.total_pages()) * 4096, u64::from(mem.free_pages()) * 4096);
    assert_eq!((r.word(32) as u64, r.word(40) as u64), (total, free));
    let threads = r.w.sys.kernel.nr_threads;
    assert_eq!((u64::from(r.get::<1>(80)[0]), r.int(104)), (u64::from(threads), 1));
}

#[test]
fn a_personality_survives_fork_and_exec_but_not_more_rights() {
    let mut r = raw();
    let flag = u64::from(ADDR_NO_RANDOMIZE);
    assert_eq!(r.ok("personality", &[0xffff_ffff]), 0);
    assert_eq!(r.ok("personality", &[flag]), 0);
    assert_eq!(r.sys("personality", &[8]), Err(Errno::EINVAL));
    let child = r.w.fork(r.t);
    assert_eq!(r.by(child, "personality", &[0xffff_ffff]), Ok(flag as i64));
    assert_eq!(r.by(child, "personality", &[0]), Ok(flag as i64));
    assert_eq!(r.ok("personality", &[0xffff_ffff]), flag as i64);
}

#[test]
fn membarrier_asks_for_registration_first() {
    let mut r = raw();
    let known = r.ok("membarrier", &[0, 0, 0]);
    assert_eq!(known, 1 | 2 | 4 | 8 | 16 | 32 | 64 | 512);
    assert_eq!(r.sys("membarrier", &[8, 0, 0]), Err(Errno::EPERM));
    assert_eq!(r.ok("membarrier", &[64, 0, 0]), 0);
    assert_eq!(r.ok("membarrier", &[512, 0, 0]), 80);
    assert_eq!(r.sys("membarrier", &[8, 0, 0]), Err(Errno::EPERM));
    assert_eq!(r.ok("membarrier", &[16, 0, 0]), 0);
    let child = r.w.fork(r.t);
    assert_eq!(r.by(child, "membarrier", &[8, 0, 0]), Ok(0));
    for (cmd, flags) in [(3, 0), (1, 1), (8, 1), (1 << 20, 0), (128, 0)] {
        assert_eq!(r.sys("membarrier", &[cmd, flags, 0]), Err(Errno::EINVAL));
    }
}

#[test]
fn clocks_tell_what_has_been_run() {
    let mut r = raw();
    let at = r.at;
    // clock(3), and the same by the process's number: ~pid << 3 | 2.
    let pid = r.ok("getpid", &[]);
    let by_pid = (!pid << 3 | 2) as u64;
    r.ok("clock_gettime", &[2, at]);
    let before = r.word(8);
    r.ok("clock_gettime", &[by_pid, at + 16]);
    assert!(r.word(24) > before);
    assert_eq!(r.sys("clock_gettime", &[(!9999i64 << 3 | 2) as u64, at]), Err(Errno::EINVAL));
    for clock in [0, 1, 2, 3, 4, 5, 6, 7, 11, by_pid] {
        r.put_words(0, &[9, 9]);
        assert_eq!(r.sys("clock_getres", &[clock, at]), Ok(0));
        assert_eq!((r.word(0), r.word(8)), (0, 1));
        assert_eq!(r.sys("clock_getres", &[clock, 0]), Ok(0));
    }
    assert_eq!(r.sys("clock_getres", &[12, at]), Err(Errno::EINVAL));
    let now = r.ok("time", &[at]);
    assert_eq!(now, r.word(0));
    assert_eq!(r.ok("time", &[0]), now);
}

#[test]
fn nobody_sets_the_clock() {
    let mut r = raw();
    let at = r.put_words(0, &[1, 0]);
    assert_eq!(r.sys("clock_settime", &[0, at]), Err(Errno::ENOSYS));
    assert_eq!(r.sys("clock_settime", &[1, at]), Err(Errno::EINVAL));
    assert_eq!(r.sys("clock_settime", &[0, 0]), Err(Errno::EFAULT));
    assert_eq!(r.sys("clock_settime", &[-2i64 as u64, at]), Err(Errno::EPERM));
    let bad = r.put_words(16, &[1, 1_000_000_000]);
    assert_eq!(r.sys("clock_settime", &[0, bad]), Err(Errno::EINVAL));
    assert_eq!(r.sys("settimeofday", &[bad, 0]), Err(Errno::EINVAL));
    r.ok("setuid", &[1000]);
    for (call, args) in [("clock_settime", [0, at]), ("settimeofday", [at, 0])] {
        assert_eq!(r.sys(call, &args), Err(Errno::EPERM));
    }
    assert_eq!(r.sys("settimeofday", &[0, 0]), Err(Errno::EPERM));
}

#[test]
fn getcpu_stores_where_it_is_asked_to() {
    let mut r = raw();
    let at = r.put(0, &[0xff; 8]);
    assert_eq!(r.sys("getcpu", &[at, at + 4, 0]), Ok(0));
    assert_eq!((r.int(0), r.int(4)), (r.w.sys.task(r.t).cpu as i32, 0));
    assert_eq!(r.sys("getcpu", &[0, 0, 0]), Ok(0));
}

#[test]
fn kcmp_tells_what_is_shared() {
    let mut r = raw();
    let (thread, child) = (r.w.thread(r.t), r.w.fork(r.t));
    let [own, tid, pid] = [r.t, thread, child].map(|t| r.w.pid(t));
    let fd = r.ok("eventfd", &[0]) as u64;
    for kind in 1..=4 {
        assert_eq!(r.ok("kcmp", &[own, tid, kind, 0, 0]), 0);
        assert_ne!(r.ok("kcmp", &[own, pid, kind, 0, 0]), 0);
    }
    let dup = r.ok("dup", &[fd]) as u64;
    assert_eq!(r.ok("kcmp", &[own, own, 0, fd, dup]), 0);
    assert_eq!(r.sys("kcmp", &[own, own, 0, fd, 99]), Err(Errno::EBADF));
    assert_eq!(r.sys("kcmp", &[own, own, 8, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(r.sys("kcmp", &[own, 9999, 1, 0, 0]), Err(Errno::ESRCH));
    r.by(child, "setuid", &[1000]).unwrap();
    assert_eq!(r.by(child, "kcmp", &[own, pid, 1, 0, 0]), Err(Errno::EPERM));
}
