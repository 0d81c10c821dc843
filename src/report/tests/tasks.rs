//! ps, tree, status, cred, signals, fds, diff.

use crate::abi::CloneFlags;
use crate::report::testing::Lab;
use crate::report::{NoView, cred, diff, fds, ps, ps_threads, signals, status, tree};

const THREAD: CloneFlags = CloneFlags::CLONE_VM
    .union(CloneFlags::CLONE_FS)
    .union(CloneFlags::CLONE_FILES)
    .union(CloneFlags::CLONE_SIGHAND)
    .union(CloneFlags::CLONE_THREAD);

/// init with a two-threaded child (3, 4), a zombie (5) and a vfork child (6).
fn family() -> Lab {
    let mut lab = Lab::boot();
    let init = lab.init;
    let child = lab.fork(init);
    lab.clone(child, THREAD);
    let zombie = lab.fork(init);
    lab.exit(zombie, 3);
    lab.clone(init, CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK);
    lab
}

#[test]
fn ps_shows_processes_with_their_states() {
    let lab = family();
    let text = ps(&lab.sys).to_string();
    let rows: Vec<_> = text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(rows[0], ["PID", "TGID", "PPID", "STAT", "UID", "WCHAN", "COMMAND"]);
    assert_eq!(rows[1][5..], ["kernel_clone", "init"]);
    assert_eq!(rows[2][5..], ["kthreadd", "[kthreadd]"]);
    assert_eq!(rows[3], ["3", "3", "1", "Rl", "0", "-", "init"]);
    assert_eq!(rows[4], ["5", "5", "1", "Z", "0", "-", "init", "<defunct>"]);
    assert_eq!(rows[5], ["6", "6", "1", "R", "0", "-", "init"]);
    assert!(rows[1][3].starts_with('D'), "the parent of vfork is in D");
    let threads = ps_threads(&lab.sys);
    let tids: Vec<_> = threads.rows.iter().map(|r| (r.pid, r.tgid)).collect();
    assert_eq!(tids, [(1, 1), (2, 2), (3, 3), (4, 3), (5, 5), (6, 6)]);
}

#[test]
fn the_tree_has_threads_in_braces_and_zombies_with_their_exit_code() {
    let want = "\
swapper/0(0)
├─ init(1)
│  ├─ init(3)
│  │  └─ {init}(4)
│  ├─ init(5) Z exit 3
│  └─ init(6)
└─ kthreadd(2)";
    assert_eq!(tree(&family().sys).to_string(), want);
}

#[test]
fn a_child_of_a_thread_is_told_apart() {
    let mut lab = family();
    let thread = lab.task(4);
    lab.fork(thread);
    let text = tree(&lab.sys).to_string();
    assert!(text.contains("│  │  ├─ {init}(4)\n│  │  └─ init(7) child of thread 4\n"), "{text}");
}

#[test]
fn a_deep_tree_stays_narrow() {
    let mut lab = Lab::boot();
    let mut last = lab.init;
    for _ in 0..60 {
        last = lab.fork(last);
    }
    let t = tree(&lab.sys);
    assert_eq!(t.nodes.len(), 63);
    let text = t.to_string();
    assert!(text.contains("└─ … 37 tasks deeper\n└─ kthreadd(2)"), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 100));
}

#[test]
fn status_is_written_as_linux_writes_it() {
    let lab = family();
    let child = status(&lab.sys, lab.task(3)).unwrap();
    assert_eq!(child.get("State"), Some("R (running)"));
    assert_eq!((child.get("Threads"), child.get("PPid")), (Some("2"), Some("1")));
    let text = child.to_string();
    assert!(
        text.starts_with("Name:\tinit\nUmask:\t0022\nState:\tR (running)\nTgid:\t3\nNgid:\t0\n")
    );
    assert!(
        text.contains(
            "\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nGroups:\t \nNStgid:\t3\n"
        )
    );
    assert!(text.contains("\nVmStk:\t     132 kB\n"), "{text}");
    assert!(text.contains("\nCapPrm:\t000001ffffffffff\n"));
    assert!(text.contains("\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n"));
    let keys = |s: &crate::report::Status| s.lines.iter().map(|l| l.key).collect::<Vec<_>>();
    // A zombie has lost its memory, its umask and its files.
    let zombie = status(&lab.sys, lab.task(5)).unwrap();
    let lost: Vec<_> = keys(&child).into_iter().filter(|k| !keys(&zombie).contains(k)).collect();
    assert_eq!(lost[0], "Umask");
    assert!(lost[1..].iter().all(|k| k.starts_with("Vm") || k.starts_with("Rss")));
    assert_eq!((zombie.get("State"), zombie.get("FDSize")), (Some("Z (zombie)"), Some("0")));
    assert_eq!(status(&lab.sys, lab.task(2)).unwrap().get("Kthread"), Some("1"));
}

#[test]
fn the_lines_of_status_come_in_the_order_of_the_running_kernel() {
    let Ok(host) = std::fs::read_to_string("/proc/self/status") else { return };
    let host: Vec<_> = host.lines().filter_map(|l| l.split(':').next()).collect();
    let lab = Lab::boot();
    let ours = status(&lab.sys, lab.init).unwrap();
    // Kernels before 6.11 have no Kthread line.
    let known = ours.lines.iter().filter(|l| host.contains(&l.key));
    let places: Vec<_> = known.map(|l| host.iter().position(|h| *h == l.key)).collect();
    assert!(places.is_sorted(), "{:?}", ours.lines);
    assert!(places.len() + 1 >= ours.lines.len());
}

#[test]
fn credentials_and_signals_read_as_text() {
    let mut lab = Lab::boot();
    let child = lab.fork(lab.init);
    lab.call(child, "setuid", &[1000]);
    let c = cred(&lab.sys, child).unwrap();
    assert_eq!(c.uids, [1000; 4]);
    assert_eq!(c.sets[..2], [("effective", "none".into()), ("permitted", "none".into())]);
    let text = c.to_string();
    assert!(
        text.contains("\n  uid          real 1000  effective 1000  saved 1000  file system 1000\n")
    );
    assert!(text.ends_with("counted      1 task with real uid 1000"), "{text}");
    lab.block(child, 15);
    lab.call(lab.init, "kill", &[3, 15]);
    let want = "\
signals of init(3)
  pending          none
  shared pending   SIGTERM from 1
  blocked          SIGTERM
  dispositions     all default";
    assert_eq!(signals(&lab.sys, child).unwrap().to_string(), want);
}

#[test]
fn descriptors_lead_to_shared_descriptions() {
    let lab = Lab::boot();
    let f = fds(&lab.sys, lab.init).unwrap();
    assert!(f.rows.iter().all(|r| (r.file, r.f_count) == (f.rows[0].file, 3)));
    let want = "\
files_struct #1 of init(1), used by 1 task
FD  FILE  F_COUNT  F_POS  MODE  LEADS TO           PATH
 0  #0          3      0  rw    inode #16 console  /dev/console
 1  #0          3      0  rw    inode #16 console  /dev/console
 2  #0          3      0  rw    inode #16 console  /dev/console";
    assert_eq!(f.to_string(), want);
}

#[test]
fn a_fork_changes_little_in_the_parent() {
    let mut lab = Lab::boot();
    let before = lab.sys.clone();
    assert_eq!(diff(&before, &lab.sys, lab.init).to_string(), "nothing changed");
    lab.fork(lab.init);
    let d = diff(&before, &lab.sys, lab.init);
    let fields: Vec<_> = d.changes.iter().map(|c| c.field).collect();
    assert!(fields.contains(&"nr_children"), "{d}");
    assert!(!fields.contains(&"mm"), "{d}");
}

#[test]
fn a_reaped_task_has_no_views() {
    let mut lab = family();
    let zombie = lab.task(5);
    let before = lab.sys.clone();
    lab.exit(lab.task(6), 0);
    lab.call(lab.init, "wait4", &[5, 0, 0, 0]);
    assert_eq!(status(&lab.sys, zombie), Err(NoView::Gone));
    assert_eq!(cred(&lab.sys, zombie), Err(NoView::Gone));
    let d = diff(&before, &lab.sys, zombie);
    assert!(d.changes.iter().all(|c| c.after == "-" || c.before == "-"));
}
