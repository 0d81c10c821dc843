//! execve as a whole, through the door that programs use.

use crate::abi::structs::CloneArgs;
use crate::abi::{CapSet, CloneFlags, Errno, Signal};
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::fs::FileKind;
use crate::kernel::signal::{SIG_DFL, SIG_IGN};
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::system::System;
use crate::kernel::task::{PF, TaskId, TaskState};
use crate::session::{Done, Trouble};

fn exec_call(path: &str, argv: &[&str], envp: &[&str]) -> Call {
    let list = |l: &[&str]| l.iter().map(ToString::to_string).collect::<Vec<_>>();
    let payload = Payload::Exec(Box::new((path.to_string(), list(argv), list(envp))));
    Call::with(59, &[0, 0, 0], payload)
}

fn exec(s: &mut System, t: TaskId, path: &str) -> Result<Done, Errno> {
    run(s, t, exec_call(path, &[path], &[]))
}

fn run(s: &mut System, t: TaskId, call: Call) -> Result<Done, Errno> {
    let r = s.call(t, call).map_err(|e| match e {
        Trouble::Refused(e) => e.errno,
        other => panic!("{other}"),
    });
    assert_eq!(crate::kernel::check::invariants(s), Ok(()));
    r
}

fn nr(s: &mut System, t: TaskId, nr: u32, args: &[u64]) -> i64 {
    match run(s, t, Call::new(nr, args)) {
        Ok(Done::Returned(v, _)) => v,
        other => panic!("{other:?}"),
    }
}

fn clone(s: &mut System, t: TaskId, flags: CloneFlags, exit_signal: u64) -> TaskId {
    let stack = if flags.contains(CloneFlags::CLONE_VM) { (0x10_0000, 0x1000) } else { (0, 0) };
    let args = CloneArgs {
        flags: flags.bits(),
        exit_signal,
        stack: stack.0,
        stack_size: stack.1,
        ..CloneArgs::default()
    };
    let r = run(s, t, Call::with(435, &[0, 88], Payload::Clone(Box::new(args))));
    assert!(matches!(r, Ok(Done::Returned(..) | Done::Blocked)), "{r:?}");
    s.new_task().unwrap().0
}

const THREAD: CloneFlags = CloneFlags::CLONE_VM
    .union(CloneFlags::CLONE_FS)
    .union(CloneFlags::CLONE_FILES)
    .union(CloneFlags::CLONE_SIGHAND)
    .union(CloneFlags::CLONE_THREAD);

/// init and a child of it, which shares nothing.
fn world() -> (System, TaskId, TaskId) {
    let mut s = boot(&BootConfig::default()).unwrap();
    let init = s.kernel.init_process;
    let child = clone(&mut s, init, CloneFlags::empty(), 17);
    (s, init, child)
}

fn word(s: &mut System, t: TaskId, addr: u64) -> u64 {
    let mut b = [0; 8];
    s.peek(t, addr, &mut b).unwrap();
    u64::from_le_bytes(b)
}

fn text(s: &mut System, t: TaskId, addr: u64) -> String {
    crate::kernel::mm::uaccess::strncpy_from_user(s, t, addr, 4096).unwrap()
}

#[test]
fn the_new_stack_holds_what_the_caller_passed() {
    let (mut s, _, t) = world();
    run(&mut s, t, exec_call("/bin/sh", &["sh", "-c", "x y"], &["A=1", "B=22"])).unwrap();
    let cpu = s.task(t).cpu as usize;
    let regs = s.machine.cpus[cpu].regs;
    let mm = s.task(t).mm.unwrap();
    assert_eq!((regs.ip, regs.ax), (s.mm(mm).start_code, 0));
    assert_eq!(regs.sp % 16, 0);
    let w: Vec<u64> = (0..40).map(|i| word(&mut s, t, regs.sp + 8 * i)).collect();
    assert_eq!(w[0], 3);
    let at = |s: &mut System, i: usize| text(s, t, w[i]);
    assert_eq!([at(&mut s, 1), at(&mut s, 2), at(&mut s, 3)], ["sh", "-c", "x y"]);
    assert_eq!((w[4], at(&mut s, 5), at(&mut s, 6), w[7]), (0, "A=1".into(), "B=22".into(), 0));
    let aux: Vec<(u64, u64)> = w[8..].chunks(2).map(|p| (p[0], p[1])).collect();
    let get = |ty| aux.iter().find(|a| a.0 == ty).map(|a| a.1);
    assert_eq!((get(6), get(9), get(23)), (Some(4096), Some(regs.ip), Some(0)));
    assert_eq!(text(&mut s, t, get(31).unwrap()), "/bin/sh");
    assert_eq!(text(&mut s, t, get(15).unwrap()), "x86_64");
    assert_eq!(word(&mut s, t, regs.ip) as u32, u32::from_le_bytes(*b"\x7fELF"));
    assert_eq!((s.task(t).comm(), &*s.mm(mm).exe_file), ("sh".to_string(), "/bin/sh"));
}

#[test]
fn what_survives_and_what_does_not() {
    let (mut s, _, t) = world();
    let open = |s: &mut System, flags| {
        let call = Call::with(2, &[0, flags, 0], Payload::Text("/etc/passwd".into()));
        match run(s, t, call) {
            Ok(Done::Returned(fd, _)) => fd,
            other => panic!("{other:?}"),
        }
    };
    let kept = open(&mut s, 0);
    let closed = open(&mut s, 0o2000000);
    let sighand = s.task(t).sighand.unwrap();
    s.kernel.sighands[sighand].get_mut(Signal::SIGUSR1).handler = 0x1000;
    s.kernel.sighands[sighand].get_mut(Signal::SIGUSR2).handler = SIG_IGN;
    s.task_mut(t).blocked.add(Signal::SIGHUP);
    s.task_mut(t).pdeath_signal = 15;
    s.task_mut(t).sas_ss_size = 8192;
    assert!(s.task(t).flags.contains(PF::FORKNOEXEC));
    let id = s.task(t).self_exec_id;
    exec(&mut s, t, "/bin/true").unwrap();
    let task = s.task(t);
    let files = &s.kernel.files[task.files.unwrap()].fdt;
    assert!(files[kept as usize].is_some() && files[closed as usize].is_none());
    let sighand = &s.kernel.sighands[task.sighand.unwrap()];
    assert_eq!(sighand.get(Signal::SIGUSR1).handler, SIG_DFL);
    assert_eq!(sighand.get(Signal::SIGUSR2).handler, SIG_IGN);
    assert!(task.blocked.contains(Signal::SIGHUP));
    assert_eq!((task.pdeath_signal, task.sas_ss_size, task.self_exec_id), (15, 0, id + 1));
    assert!(!task.flags.contains(PF::FORKNOEXEC));
    assert!(!s.kernel.fs[task.fs.unwrap()].in_exec);
}

#[test]
fn a_refused_exec_changes_nothing() {
    let (mut s, _, t) = world();
    for (path, errno) in [
        ("/nope", Errno::ENOENT),
        ("/etc/passwd", Errno::EACCES),
        ("/tmp", Errno::EACCES),
        ("", Errno::ENOENT),
    ] {
        let image = |s: &System| {
            let k = &s.kernel;
            (k.mms.len(), k.creds.len(), k.filps.len(), s.machine.mem.free_pages(), k.fs.clone())
        };
        let before = image(&s);
        assert_eq!(exec(&mut s, t, path), Err(errno), "{path}");
        assert_eq!(image(&s), before);
    }
    for step in ["mm_alloc", "prepare_creds", "bprm_execve"] {
        s.kernel.inject.arm(step, Errno::ENOMEM, 0).unwrap();
        let pages = s.machine.mem.free_pages();
        assert_eq!(exec(&mut s, t, "/bin/true"), Err(Errno::ENOMEM), "{step}");
        assert_eq!(s.machine.mem.free_pages(), pages);
        let mm = s.task(t).mm.unwrap();
        assert_eq!(&*s.mm(mm).exe_file, "/sbin/init");
    }
}

#[test]
fn a_vfork_parent_goes_on_at_a_successful_exec_only() {
    let (mut s, init, t) = world();
    let vfork = run(&mut s, t, Call::new(58, &[]));
    assert_eq!(vfork, Ok(Done::Blocked));
    let child = s.new_task().unwrap().0;
    assert_eq!(s.task(t).state_char(), 'D');
    assert_eq!(exec(&mut s, child, "/nope"), Err(Errno::ENOENT));
    assert_eq!(s.task(t).state_char(), 'D');
    assert_eq!(s.task(child).mm, s.task(t).mm);
    exec(&mut s, child, "/bin/true").unwrap();
    assert!(s.take_finished(t).unwrap().unwrap().0 > 0);
    assert_ne!(s.task(child).mm, s.task(t).mm);
    assert_eq!(nr(&mut s, init, 39, &[]), 1);
}

#[test]
fn a_thread_that_execs_becomes_its_process() {
    let (mut s, init, leader) = world();
    let thread = clone(&mut s, leader, THREAD, 0);
    let third = clone(&mut s, leader, THREAD, 0);
    let (pid, tid) = (s.task(leader).pid, s.task(thread).pid);
    assert_ne!(pid, tid);
    let threads = s.kernel.nr_threads;
    assert_eq!(exec(&mut s, thread, "/nope"), Err(Errno::ENOENT));
    assert_eq!(s.kernel.nr_threads, threads);
    let done = exec(&mut s, thread, "/bin/sh").unwrap();
    // The others died while it waited for that, so it has come back.
    assert!(matches!(done, Done::Returned(0, _)), "{done:?}");
    assert!(!s.kernel.tasks.contains(leader) && !s.kernel.tasks.contains(third));
    assert_eq!((s.task(thread).pid, s.task(thread).tgid), (pid, pid));
    assert_eq!(s.kernel.nr_threads, threads - 2);
    assert_eq!(nr(&mut s, thread, 39, &[]), i64::from(pid));
    assert_eq!(nr(&mut s, thread, 186, &[]), i64::from(pid));
    // Its parent saw nothing: no event, and it can be waited for later.
    assert_eq!(nr(&mut s, init, 61, &[u64::MAX, 0, 1, 0]), 0);
    assert_eq!(run(&mut s, thread, Call::new(231, &[5])), Ok(Done::Dead));
    assert_eq!(nr(&mut s, init, 61, &[u64::MAX, 0, 0, 0]), i64::from(pid));
    s.still_sound().unwrap();
}

#[test]
fn a_thread_may_exec_by_a_name_that_ends_with_its_leader() {
    let (mut s, init, leader) = world();
    let thread = clone(&mut s, leader, THREAD, 0);
    clone(&mut s, leader, THREAD, 0);
    let exe = s.mm(s.task(leader).mm.unwrap()).exe_file.clone();
    // While it waits for the others, the leader dies, and has no program then.
    exec(&mut s, thread, "/proc/self/exe").unwrap();
    assert_eq!(s.mm(s.task(thread).mm.unwrap()).exe_file, exe);
    assert_eq!(s.task(thread).comm(), "exe");
    assert_eq!(run(&mut s, thread, Call::new(231, &[5])), Ok(Done::Dead));
    assert!(nr(&mut s, init, 61, &[u64::MAX, 0, 0, 0]) > 0);
}

#[test]
fn a_leader_that_execs_outlives_its_threads() {
    let (mut s, _, leader) = world();
    for _ in 0..3 {
        clone(&mut s, leader, THREAD, 0);
    }
    let done = exec(&mut s, leader, "/bin/true").unwrap();
    // The others died while it waited for that, so it has come back.
    assert!(matches!(done, Done::Returned(0, _)), "{done:?}");
    assert_eq!(s.signal(leader).nr_threads, 1);
    assert_eq!(s.signal(leader).group_exec_task, None);
    assert_eq!(s.task(leader).__state, TaskState::RUNNING);
}

#[test]
fn a_dead_leader_is_replaced_by_the_thread_that_execs() {
    let (mut s, init, leader) = world();
    let thread = clone(&mut s, leader, THREAD, 0);
    let pid = s.task(leader).pid;
    assert_eq!(run(&mut s, leader, Call::new(60, &[3])), Ok(Done::Dead));
    assert_eq!(s.task(leader).state_char(), 'Z');
    exec(&mut s, thread, "/bin/true").unwrap();
    assert_eq!(s.task(thread).pid, pid);
    assert!(!s.kernel.tasks.contains(leader));
    assert_eq!(run(&mut s, thread, Call::new(231, &[9])), Ok(Done::Dead));
    assert_eq!(nr(&mut s, init, 61, &[u64::MAX, 0, 0, 0]), i64::from(pid));
}

#[test]
fn after_exec_a_clone_child_is_an_ordinary_one() {
    let (mut s, init, _) = world();
    let t = clone(&mut s, init, CloneFlags::empty(), 10);
    let pid = s.task(t).pid as u64;
    exec(&mut s, t, "/bin/true").unwrap();
    assert_eq!(s.task(t).exit_signal, 17);
    assert_eq!(run(&mut s, t, Call::new(231, &[0])), Ok(Done::Dead));
    assert_eq!(nr(&mut s, init, 61, &[pid, 0, 0, 0]), pid as i64);
}

fn drop_privileges(s: &mut System, t: TaskId) {
    assert_eq!(nr(s, t, 119, &[1000, 1000, 1000]), 0);
    assert_eq!(nr(s, t, 117, &[1000, 1000, 1000]), 0);
}

#[test]
fn set_user_id_gives_and_sharing_takes_away() {
    let (mut s, _, t) = world();
    drop_privileges(&mut s, t);
    let sharer = clone(&mut s, t, CloneFlags::CLONE_FS, 17);
    exec(&mut s, t, "/bin/su").unwrap();
    let c = s.cred(t);
    assert_eq!((c.uid, c.euid, c.suid), (1000, 1000, 1000), "fs shared with another process");
    assert_eq!(c.cap_permitted, CapSet::EMPTY);
    assert_eq!(run(&mut s, sharer, Call::new(231, &[0])), Ok(Done::Dead));
    s.task_mut(t).pdeath_signal = 9;
    exec(&mut s, t, "/bin/su").unwrap();
    let c = s.cred(t);
    assert_eq!((c.uid, c.euid, c.suid, c.fsuid), (1000, 0, 0, 0));
    assert_eq!((c.cap_effective, s.task(t).pdeath_signal), (CapSet::FULL, 0));
    let mm = s.task(t).mm.unwrap();
    assert_eq!(s.mm(mm).dumpable, 0);
    // AT_SECURE is set.
    let sp = s.mm(mm).start_stack;
    let words: Vec<u64> = (0..40).map(|i| word(&mut s, t, sp + 8 * i)).collect();
    assert!(words.chunks(2).any(|w| w == [23, 1]) || words[1..].chunks(2).any(|w| w == [23, 1]));
}

#[test]
fn shared_tables_are_left_to_the_others() {
    let (mut s, init, _) = world();
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_SIGHAND | CloneFlags::CLONE_FILES;
    let t = clone(&mut s, init, flags, 17);
    let shared = s.task(init).sighand.unwrap();
    s.kernel.sighands[shared].get_mut(Signal::SIGUSR1).handler = 0x1000;
    assert_eq!((s.task(t).files, s.task(t).sighand), (s.task(init).files, Some(shared)));
    exec(&mut s, t, "/bin/true").unwrap();
    assert_ne!(s.task(t).files, s.task(init).files);
    assert_ne!(s.task(t).sighand, Some(shared));
    assert_eq!(s.kernel.sighands[shared].get(Signal::SIGUSR1).handler, 0x1000);
    assert_eq!(s.kernel.sighands[shared].count, 1);
}

#[test]
fn beyond_the_point_of_no_return_failure_kills() {
    let (s, init, t) = world();
    let pid = s.task(t).pid as u64;
    let mm = s.task(t).mm.unwrap();
    // The frames for strings and tables of the stack are there, then none.
    for skip in 0..40 {
        let mut s = s.clone();
        s.kernel.inject.arm("alloc_page", Errno::ENOMEM, skip).unwrap();
        match exec(&mut s, t, "/bin/true") {
            Ok(Done::Returned(..)) => {
                assert!(!s.kernel.inject.armed().is_empty());
                return assert!(skip > 0);
            }
            Ok(Done::Dead) => {
                assert!(skip > 0);
                assert_eq!(nr(&mut s, init, 61, &[pid, 0, 0, 0]), pid as i64);
            }
            Err(errno) => {
                assert!(matches!(errno, Errno::ENOMEM | Errno::E2BIG), "{errno}");
                assert_eq!(s.task(t).mm, Some(mm));
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("exec never got as many frames as it wants");
}

#[test]
fn a_script_runs_its_interpreter() {
    let (mut s, _, t) = world();
    let creat = Call::with(85, &[0, 0o755], Payload::Text("/tmp/hello".into()));
    assert_eq!(run(&mut s, t, creat).map(|_| ()), Ok(()));
    let bytes = Payload::Bytes(Box::from(&b"#!/bin/sh -e\n"[..]));
    run(&mut s, t, Call::with(1, &[3, 0, 0], bytes)).unwrap();
    assert_eq!(exec(&mut s, t, "/tmp/hello"), Err(Errno::ETXTBSY), "it is open for writing");
    nr(&mut s, t, 3, &[3]);
    run(&mut s, t, exec_call("/tmp/hello", &["a0", "a1"], &[])).unwrap();
    let mm = s.task(t).mm.unwrap();
    assert_eq!(s.task(t).comm(), "hello");
    assert_eq!(&*s.mm(mm).exe_file, "/bin/sh");
    let sp = s.mm(mm).start_stack;
    let args: Vec<String> = (1..5)
        .map(|i| {
            let at = word(&mut s, t, sp + 8 * i);
            text(&mut s, t, at)
        })
        .collect();
    assert_eq!(args, ["/bin/sh", "-e", "/tmp/hello", "a1"]);
    // The mappings, and nobody else, hold the program's file.
    let held = s.kernel.filps.iter().filter(|(_, f)| &*f.path == "/bin/sh").collect::<Vec<_>>();
    assert!(held.iter().all(|(_, f)| matches!(f.kind, FileKind::Inode(_)) && f.f_count == 2));
}

#[test]
fn arguments_are_read_from_user_memory() {
    let (mut s, _, t) = world();
    let mm = s.task(t).mm.unwrap();
    let at = s.mm(mm).start_data;
    let put = |s: &mut System, off: u64, bytes: &[u8]| {
        crate::kernel::mm::uaccess::copy_to_user(s, t, at + off, bytes).unwrap();
    };
    put(&mut s, 0, b"/bin/cat\0");
    put(&mut s, 32, b"file\0");
    put(&mut s, 64, &at.to_le_bytes());
    put(&mut s, 72, &(at + 32).to_le_bytes());
    put(&mut s, 80, &0u64.to_le_bytes());
    assert_eq!(run(&mut s, t, Call::new(59, &[at, 8, 0])), Err(Errno::EFAULT));
    assert_eq!(run(&mut s, t, Call::new(59, &[at + 32, 8, 0])), Err(Errno::ENOENT));
    run(&mut s, t, Call::new(59, &[at, at + 64, 0])).unwrap();
    let mm = s.task(t).mm.unwrap();
    let sp = s.mm(mm).start_stack;
    assert_eq!(word(&mut s, t, sp), 2);
    let second = word(&mut s, t, sp + 16);
    assert_eq!(text(&mut s, t, second), "file");
}
