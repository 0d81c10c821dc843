//! shares and sharing_map.

use crate::abi::CloneFlags;
use crate::report::testing::Lab;
use crate::report::{Kind, NoView, Relation, shares, sharing_map};

#[test]
fn fork_makes_a_process_and_pthread_create_a_thread() {
    let mut lab = Lab::boot();
    let child = lab.fork(lab.init);
    let s = shares(&lab.sys, lab.init, child).unwrap();
    assert_eq!(s.kind, Kind::Process);
    assert!(!s.mm && !s.files && !s.cred && !s.parent);
    assert!(s.nsproxy && s.uts_ns && s.pid_ns && s.user_ns);
    let all = CloneFlags::CLONE_VM
        | CloneFlags::CLONE_FS
        | CloneFlags::CLONE_FILES
        | CloneFlags::CLONE_SIGHAND
        | CloneFlags::CLONE_THREAD
        | CloneFlags::CLONE_SYSVSEM;
    let thread = lab.clone(child, all);
    let s = shares(&lab.sys, child, thread).unwrap();
    assert_eq!(s.kind, Kind::Thread);
    assert!(s.mm && s.fs && s.files && s.sighand && s.signal && s.parent && s.cred && s.sysvsem);
    assert_eq!(s.verdict(), "thread: shares all of mm, fs, files, sighand, signal");
    assert_eq!(shares(&lab.sys, child, child).unwrap().kind, Kind::Same);
}

#[test]
fn the_table_names_objects_counts_and_flags() {
    let mut lab = Lab::boot();
    let child = lab.clone(lab.init, CloneFlags::CLONE_FILES | CloneFlags::CLONE_NEWUTS);
    let s = shares(&lab.sys, lab.init, child).unwrap();
    assert_eq!(s.kind, Kind::Hybrid);
    assert!(s.files && !s.nsproxy && !s.uts_ns && s.ipc_ns);
    let text = s.to_string();
    let line = |field: &str| {
        let l = text.lines().find(|l| l.starts_with(&format!("{field} "))).unwrap();
        l.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("files"), "files #1 count 2 #1 count 2 shared CLONE_FILES");
    assert_eq!(line("mm"), "mm #1 users 1 #2 users 1 separate CLONE_VM");
    assert_eq!(line("io_context"), "io_context - - neither has one CLONE_IO");
    assert_eq!(line("real_parent"), "real_parent pid 0 pid 1 separate CLONE_PARENT, CLONE_THREAD");
    assert!(text.ends_with("\nhybrid: shares files but not mm, fs, sighand, signal"));
}

#[test]
fn the_map_draws_one_arrow_to_each_object() {
    let mut lab = Lab::boot();
    let child = lab.fork(lab.init);
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_SIGHAND | CloneFlags::CLONE_THREAD;
    let thread = lab.clone(child, flags);
    let want = "
 init(3)                                                                   init(4)
┌────────────┐                                                            ┌────────────┐
│ mm         ├──────────────────> mm_struct #2 users 2 <──────────────────┤ mm         │
│ fs         ├─> fs_struct #1 users 1              fs_struct #2 users 1 <─┤ fs         │
│ files      ├─> files_struct #2 count 1        files_struct #3 count 1 <─┤ files      │
│ sighand    ├───────────────> sighand_struct #3 count 2 <────────────────┤ sighand    │
│ signal     ├───────────────> signal_struct #3 threads 2 <───────────────┤ signal     │
│ nsproxy    ├───────────────────> nsproxy #0 count 5 <───────────────────┤ nsproxy    │
│ cred       ├────────────────────> cred #1 usage 4 <─────────────────────┤ cred       │
│ sysvsem    │                                                            │ sysvsem    │
│ io_context │                                                            │ io_context │
└────────────┘                                                            └────────────┘
hybrid: shares mm, sighand, signal but not fs, files";
    let map = sharing_map(&lab.sys, child, thread).unwrap();
    assert_eq!(map.to_string(), want.trim_start_matches('\n'));
}

#[test]
fn a_zombie_has_given_things_up() {
    let mut lab = Lab::boot();
    let zombie = lab.fork(lab.init);
    lab.exit(zombie, 0);
    let s = shares(&lab.sys, lab.init, zombie).unwrap();
    let relation = |f: &str| s.rows.iter().find(|r| r.field == f).unwrap().relation;
    assert_eq!(relation("mm"), Relation::OneOnly);
    assert_eq!(relation("files"), Relation::OneOnly);
    let map = sharing_map(&lab.sys, lab.init, zombie).unwrap().to_string();
    assert!(map.lines().all(|l| l.chars().count() <= 100));
    lab.call(lab.init, "wait4", &[3, 0, 0, 0]);
    assert_eq!(shares(&lab.sys, lab.init, zombie), Err(NoView::Gone));
}
