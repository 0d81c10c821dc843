//! /proc as an independent parser reads it: every file of every task, in many
//! states, and the numbers in it agree with the kernel's own.

mod kit;

use forkyard::abi::Errno;
use forkyard::kernel::TaskId;
use forkyard::kernel::syscalls::{Out, Payload};
use kit::World;
use procfs_core::process::{Limits, MMPermissions, MMapPath, MemoryMaps, Stat, StatM, Status};
use procfs_core::{FromBufReadSI, FromRead, KernelStats, LoadAverage, Meminfo, Uptime};

const O_RDONLY: u64 = 0;
const O_WRONLY: u64 = 1;

fn open(w: &mut World, t: TaskId, path: &str, flags: u64) -> Result<u64, Errno> {
    w.value(t, "open", &[0, flags, 0], Payload::Text(path.into())).map(|fd| fd as u64)
}

/// Reads a file in small pieces, as a careless program would.
fn read(w: &mut World, t: TaskId, path: &str) -> Result<Vec<u8>, Errno> {
    let fd = open(w, t, path, O_RDONLY)?;
    let mut all = Vec::new();
    loop {
        let n = w.call(t, "read", &[fd, 0, 1000])?;
        let Out::Bytes(bytes) = &w.out else { panic!("{path}: {:?}", w.out) };
        all.extend_from_slice(bytes);
        if n == 0 {
            break;
        }
    }
    w.ok(t, "close", &[fd]);
    Ok(all)
}

fn text(w: &mut World, t: TaskId, path: &str) -> String {
    let bytes = read(w, t, path).unwrap_or_else(|e| panic!("{path}: {e:?}"));
    String::from_utf8(bytes).expect("text")
}

fn write(w: &mut World, t: TaskId, path: &str, what: &str) -> Result<i64, Errno> {
    let fd = open(w, t, path, O_WRONLY)?;
    let n = w.value(t, "write", &[fd, 0, 0], Payload::Bytes(what.as_bytes().into()));
    w.ok(t, "close", &[fd]);
    n
}

/// Parses all files of a task and compares what they say.
fn check_task(w: &mut World, reader: TaskId, t: TaskId) {
    let (pid, dead) = (w.pid(t), w.sys.task(t).is_dead());
    let path = |name: &str| format!("/proc/{pid}/{name}");
    let stat_text = text(w, reader, &path("stat"));
    assert_eq!(stat_text.split_ascii_whitespace().count(), 52, "{stat_text}");
    let stat = Stat::from_read(stat_text.as_bytes()).expect("stat");
    let status = Status::from_read(text(w, reader, &path("status")).as_bytes()).expect("status");
    assert_eq!((stat.pid, status.pid, status.tgid), (pid, pid, w.tgid(t)));
    assert_eq!((stat.ppid, &stat.comm), (status.ppid, &status.name));
    assert_eq!(stat.state, w.sys.task(t).state_char());
    assert!(status.state.starts_with(stat.state));
    assert!(stat.state().is_ok(), "{:?}", stat.state);
    assert_eq!(stat.num_threads as u64, status.threads);
    assert_eq!(stat.pgrp, status.nspgid.as_ref().expect("one")[0]);
    assert_eq!(stat.session, status.nssid.as_ref().expect("one")[0]);
    assert_eq!(stat.exit_signal, Some(w.sys.task(t).exit_signal));
    assert_eq!(stat.flags, w.sys.task(t).flags.bits());
    let statm = StatM::from_read(text(w, reader, &path("statm")).as_bytes()).expect("statm");
    assert_eq!((stat.vsize / 4096, stat.rss), (statm.size, statm.resident));
    assert_eq!(status.vmsize.unwrap_or(0) / 4, statm.size);
    Limits::from_read(text(w, reader, &path("limits")).as_bytes()).expect("limits");
    assert_eq!(text(w, reader, &path("comm")), format!("{}\n", stat.comm));
    let maps = MemoryMaps::from_read(text(w, reader, &path("maps")).as_bytes()).expect("maps");
    let smaps_text = text(w, reader, &path("smaps"));
    let smaps = MemoryMaps::from_read(smaps_text.as_bytes()).expect("smaps");
    assert_eq!(maps.len(), smaps.len());
    let sum: u64 = maps.iter().map(|m| m.address.1 - m.address.0).sum();
    if dead || w.sys.task(t).mm.is_none() {
        assert_eq!((sum, status.vmsize), (0, None));
        assert!(read(w, reader, &path("cmdline")).unwrap().is_empty());
        return;
    }
    assert_eq!(sum, stat.vsize);
    let resident: u64 = smaps.iter().map(|m| m.extension.map["Rss"]).sum();
    assert_eq!(resident / 1024, status.vmrss.expect("it has memory"));
    let anonymous: u64 = smaps.iter().map(|m| m.extension.map["Anonymous"]).sum();
    assert_eq!(anonymous / 1024, status.rssanon.expect("it has memory"));
    assert!(maps.iter().any(|m| m.pathname == MMapPath::Stack));
    for m in &smaps {
        let (map, size) = (&m.extension.map, m.address.1 - m.address.0);
        assert_eq!(map["Size"], size);
        let parts = ["Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty"];
        assert_eq!(parts.iter().map(|p| map[*p]).sum::<u64>(), map["Rss"]);
        assert!(map["Pss"] <= map["Rss"] && map["Rss"] <= size);
        assert!(
            m.perms.contains(MMPermissions::PRIVATE) || m.perms.contains(MMPermissions::SHARED)
        );
        pagemap(w, reader, pid, m.address.0, size / 4096, map["Rss"]);
    }
    assert!(read(w, reader, &path("environ")).is_ok());
}

/// The pages that pagemap shows in an area are those that are resident, and
/// the page of zeros.
fn pagemap(w: &mut World, reader: TaskId, pid: i32, start: u64, pages: u64, rss: u64) {
    let fd = open(w, reader, &format!("/proc/{pid}/pagemap"), O_RDONLY).unwrap();
    w.ok(reader, "pread64", &[fd, 0, pages * 8, start / 4096 * 8]);
    let Out::Bytes(bytes) = &w.out else { panic!("{:?}", w.out) };
    let entries: Vec<u64> =
        bytes.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
    assert_eq!(entries.len() as u64, pages);
    let present = entries.iter().filter(|e| **e >> 63 == 1);
    let zero = w.sys.kernel.zero_page.addr().0 >> 12;
    let counted = present.clone().filter(|e| *e & ((1 << 55) - 1) != zero).count() as u64;
    assert_eq!(counted * 4096, rss);
    w.ok(reader, "close", &[fd]);
}

#[test]
fn every_file_of_every_task_is_read_by_others() {
    let mut w = World::new(2);
    let init = w.init;
    let sleeper = w.fork(init);
    w.sleeps(sleeper, "pause", &[]);
    let stopped = w.fork(init);
    w.kill(init, i64::from(w.pid(stopped)), 19).unwrap();
    let zombie = w.fork(init);
    w.exit_group(zombie, 3);
    let busy = w.fork(init);
    let area = w.map(busy, 0x8000);
    w.store(busy, area, 1).unwrap();
    w.store(busy, area + 0x3000, 2).unwrap();
    let twin = w.fork(busy);
    w.store(twin, area, 3).unwrap();
    let thread = w.thread(busy);
    let tasks: Vec<TaskId> = w.sys.kernel.tasks.iter().map(|(t, _)| t).collect();
    let mut seen = Vec::new();
    for t in tasks {
        if w.pid(t) != 0 && w.sys.task(t).thread_pid.is_some() {
            check_task(&mut w, init, t);
            seen.push(w.sys.task(t).state_char());
        }
    }
    for state in ['S', 'T', 'Z', 'R'] {
        assert!(seen.contains(&state), "no task is {state}: {seen:?}");
    }
    let children = text(&mut w, init, "/proc/1/task/1/children");
    assert_eq!(children.split_ascii_whitespace().count(), 4);
    let (own, tid) = (w.pid(busy), w.pid(thread));
    let of_thread = text(&mut w, init, &format!("/proc/{own}/task/{tid}/stat"));
    assert_eq!(Stat::from_read(of_thread.as_bytes()).unwrap().pid, tid);
    let late = w.pid(twin);
    let fd = open(&mut w, init, &format!("/proc/{late}/stat"), O_RDONLY).unwrap();
    w.kill(init, i64::from(late), 9).unwrap();
    w.wait4(busy, -1, 0).unwrap();
    assert_eq!(w.err(init, "read", &[fd, 0, 100]), Errno::ESRCH);
    assert_eq!(open(&mut w, init, &format!("/proc/{late}/stat"), O_RDONLY), Err(Errno::ENOENT));
}

#[test]
fn the_machine_as_a_whole() {
    let mut w = World::new(2);
    let init = w.init;
    w.fork(init);
    let mem = Meminfo::from_read(text(&mut w, init, "/proc/meminfo").as_bytes()).unwrap();
    assert_eq!(mem.mem_total, u64::from(w.sys.machine.mem.total_pages()) * 4096);
    assert!(mem.mem_free < mem.mem_total && mem.page_tables.unwrap() > 0);
    assert!(mem.anon_pages.unwrap() >= 4096 && mem.kernel_stack.unwrap() >= 3 * 16384);
    let load = LoadAverage::from_read(text(&mut w, init, "/proc/loadavg").as_bytes()).unwrap();
    assert_eq!((load.max, load.latest_pid), (3, 3));
    Uptime::from_read(text(&mut w, init, "/proc/uptime").as_bytes()).unwrap();
    let stat = text(&mut w, init, "/proc/stat");
    let stat = KernelStats::from_buf_read(stat.as_bytes(), &Info).unwrap();
    assert_eq!((stat.cpu_time.len(), stat.procs_blocked), (2, Some(0)));
    assert_eq!(text(&mut w, init, "/proc/sys/kernel/ostype"), "Linux\n");
}

/// What the parser would ask the host.
struct Info;

impl procfs_core::SystemInfoInterface for Info {
    fn boot_time_secs(&self) -> procfs_core::ProcResult<u64> {
        Ok(0)
    }
    fn ticks_per_second(&self) -> u64 {
        100
    }
    fn page_size(&self) -> u64 {
        4096
    }
    fn is_little_endian(&self) -> bool {
        true
    }
}

#[test]
fn settings_are_written() {
    let mut w = World::new(1);
    let init = w.init;
    assert_eq!(text(&mut w, init, "/proc/sys/kernel/pid_max"), "32768\n");
    assert_eq!(write(&mut w, init, "/proc/sys/kernel/pid_max", "300\n"), Err(Errno::EINVAL));
    assert_eq!(write(&mut w, init, "/proc/sys/kernel/pid_max", "301\n"), Ok(4));
    assert_eq!(text(&mut w, init, "/proc/sys/kernel/pid_max"), "301\n");
    let user = user(&mut w);
    w.ok(user, "prctl", &[PR_SET_DUMPABLE, 1, 0, 0, 0]);
    assert_eq!(write(&mut w, user, "/proc/sys/kernel/pid_max", "400\n"), Err(Errno::EACCES));
    assert_eq!(write(&mut w, user, "/proc/self/comm", "a longer name than that\n"), Ok(24));
    let pid = w.pid(user);
    assert_eq!(text(&mut w, init, &format!("/proc/{pid}/comm")), "a longer name t\n");
    assert_eq!(write(&mut w, user, "/proc/self/oom_score_adj", "500"), Ok(3));
    assert_eq!(write(&mut w, user, "/proc/self/oom_score_adj", "100"), Ok(3));
    assert_eq!(write(&mut w, user, "/proc/self/oom_score_adj", "-1"), Err(Errno::EACCES));
    assert_eq!(write(&mut w, user, "/proc/self/oom_score_adj", "1001"), Err(Errno::EINVAL));
    // Files of another: what all may read, and what its own may.
    assert!(read(&mut w, user, "/proc/1/status").is_ok());
    assert_eq!(read(&mut w, user, "/proc/1/maps"), Err(Errno::EACCES));
    assert_eq!(read(&mut w, user, "/proc/1/environ"), Err(Errno::EACCES));
    let stat = text(&mut w, user, "/proc/1/stat");
    let stat = Stat::from_read(stat.as_bytes()).unwrap();
    assert_eq!((stat.startcode, stat.startstack), (1, 0), "addresses are hidden");
    assert_eq!(read(&mut w, user, "/proc/nothing"), Err(Errno::ENOENT));
    assert_eq!(read(&mut w, user, "/proc/1/exe"), Err(Errno::EACCES));
    assert_eq!(read(&mut w, user, "/proc/self/status/x"), Err(Errno::ENOTDIR));
    assert_eq!(text(&mut w, user, "/tmp/../proc/self/comm"), "a longer name t\n");
}

const PR_SET_DUMPABLE: u64 = 4;

/// A process of uid and gid 1000.
fn user(w: &mut World) -> TaskId {
    let user = w.fork(w.init);
    w.ok(user, "setresgid", &[1000, 1000, 1000]);
    w.ok(user, "setresuid", &[1000, 1000, 1000]);
    user
}

/// The answers of a C program on a 6.18 kernel, run by uid 1000.
#[test]
fn a_map_is_written_once_and_only_with_ones_own_ids() {
    const NEWUSER: u64 = 0x1000_0000;
    let mut w = World::new(1);
    let init = w.init;
    let user = user(&mut w);
    // Who has changed its ids cannot be dumped: its files are root's.
    assert_eq!(write(&mut w, user, "/proc/self/uid_map", "0 1000 1"), Err(Errno::EACCES));
    w.ok(user, "prctl", &[PR_SET_DUMPABLE, 1, 0, 0, 0]);
    assert_eq!(write(&mut w, user, "/proc/self/uid_map", "0 1000 1"), Err(Errno::EPERM));
    w.ok(user, "unshare", &[NEWUSER]);
    assert_eq!(w.ok(user, "getuid", &[]), 65534);
    for wrong in ["", "0 1000", "0 1000 0", "0 x 1", "4294967295 1000 1", "0 1000 1\n0 1000 1"] {
        assert_eq!(
            write(&mut w, user, "/proc/self/uid_map", wrong),
            Err(Errno::EINVAL),
            "{wrong:?}"
        );
    }
    for denied in ["0 0 1", "0 1001 1", "0 1000 2", "0 1000 1\n1 1001 1"] {
        assert_eq!(
            write(&mut w, user, "/proc/self/uid_map", denied),
            Err(Errno::EPERM),
            "{denied:?}"
        );
    }
    assert_eq!(write(&mut w, user, "/proc/self/uid_map", "0 1000 1\n"), Ok(9));
    assert_eq!(w.ok(user, "getuid", &[]), 0);
    assert_eq!(text(&mut w, user, "/proc/self/uid_map"), "         0       1000          1\n");
    assert_eq!(write(&mut w, user, "/proc/self/uid_map", "0 1000 1\n"), Err(Errno::EPERM));
    assert_eq!(write(&mut w, user, "/proc/self/gid_map", "0 1000 1\n"), Err(Errno::EPERM));
    assert_eq!(write(&mut w, user, "/proc/self/setgroups", "deny"), Ok(4));
    assert_eq!(write(&mut w, user, "/proc/self/setgroups", "allow"), Err(Errno::EPERM));
    assert_eq!(write(&mut w, user, "/proc/self/gid_map", "0 1000 1\n"), Ok(9));
    assert_eq!(w.err(user, "setgroups", &[0, 0]), Errno::EPERM);
    let pid = w.pid(user);
    assert_eq!(
        text(&mut w, init, &format!("/proc/{pid}/gid_map")),
        "         0       1000          1\n"
    );
}
