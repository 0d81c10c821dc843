//! Credentials, namespaces, files.

use super::*;
use crate::abi::{Cap, CapSet};
use crate::kernel::cred::{Cred, UserStruct};
use crate::kernel::fs::inode::{Inode, InodeKind};
use crate::kernel::fs::pipe::PipeBuffer;
use crate::kernel::nsproxy::{NsKind, Nsproxy};

fn cred(s: &mut Scene) -> &mut Cred {
    let id = s.sys.task(s.user).cred;
    &mut s.sys.kernel.creds[id]
}

fn user(s: &mut Scene) -> &mut UserStruct {
    let id = s.sys.cred(s.user).user;
    &mut s.sys.kernel.users[id]
}

fn nsproxy(s: &mut Scene) -> &mut Nsproxy {
    let id = s.sys.task(s.nested).nsproxy.expect("it lives");
    &mut s.sys.kernel.nsproxies[id]
}

fn root(s: &mut Scene) -> &mut Inode {
    &mut s.sys.kernel.inodes[s.sys.kernel.root_inode]
}

#[test]
fn credentials() {
    each(&[
        ("borrowed credentials", |s| s.task(s.child).cred = s.sys.kernel.init_cred),
        ("usage is 77", |s| cred(s).usage = 77),
        ("user names", |s| cred(s).user = gone()),
        ("user.uid is", |s| cred(s).uid = 7),
        ("user_ns names", |s| cred(s).user_ns = gone()),
        ("a subset of cap_permitted", |s| cred(s).cap_effective = CapSet::FULL),
        ("permitted and inheritable", |s| cred(s).cap_ambient.add(Cap::CAP_KILL)),
        (": count is 77", |s| user(s).count = 77),
        ("processes is 77", |s| user(s).processes = 77),
        ("sigpending is 77", |s| user(s).sigpending = 77),
        ("entry in uidhash is None", |s| {
            s.sys.kernel.uidhash.remove(&1000);
        }),
        ("entries of uidhash is", |s| {
            let id = s.sys.kernel.uidhash[&1000];
            s.sys.kernel.uidhash.insert(7, id);
        }),
    ]);
}

#[test]
fn namespaces() {
    each(&[
        ("counted are 1 (tasks whose nsproxy it is)", |s| nsproxy(s).count = 77),
        ("namespace names", |s| nsproxy(s).uts_ns = gone()),
        ("kind of a namespace is Uts", |s| nsproxy(s).ipc_ns = nsproxy(s).uts_ns),
        ("pid_ns_for_children names", |s| nsproxy(s).pid_ns_for_children = gone()),
        ("(fields of nsproxies and open files)", |s| {
            let id = nsproxy(s).uts_ns;
            s.sys.kernel.namespaces[id].count = 77;
        }),
        ("user_ns names", |s| {
            let id = nsproxy(s).uts_ns;
            assert_eq!(s.sys.kernel.namespaces[id].kind, NsKind::Uts);
            s.sys.kernel.namespaces[id].user_ns = gone();
        }),
        ("namespace names", |s| {
            let id = s.pid(s.nested);
            s.sys.kernel.pids[id].numbers[1].ns = gone();
        }),
        ("parent names", |s| {
            let id = nsproxy(s).pid_ns_for_children;
            s.sys.kernel.pid_namespaces[id].parent = Some(gone());
        }),
        ("user_ns names", |s| {
            let id = nsproxy(s).pid_ns_for_children;
            s.sys.kernel.pid_namespaces[id].user_ns = gone();
        }),
        ("(nsproxies, pids made in it, namespaces below it, open files)", |s| {
            let id = nsproxy(s).pid_ns_for_children;
            s.sys.kernel.pid_namespaces[id].count = 77;
        }),
        ("user namespace", |s| {
            let id = s.sys.cred(s.nested).user_ns;
            s.sys.kernel.user_namespaces[id].parent = Some(gone());
        }),
        ("(credentials, namespaces it owns, namespaces below it, open files)", |s| {
            let id = s.sys.cred(s.nested).user_ns;
            s.sys.kernel.user_namespaces[id].count = 77;
        }),
    ]);
}

#[test]
fn tables_and_descriptions() {
    each(&[
        ("users is 77", |s| {
            let id = s.sys.task(s.child).fs.expect("it lives");
            s.sys.kernel.fs[id].users = 77;
        }),
        ("in_exec is true", |s| {
            let id = s.sys.task(s.child).fs.expect("it lives");
            s.sys.kernel.fs[id].in_exec = true;
        }),
        ("(tasks whose files it is)", |s| {
            let id = s.sys.task(s.child).files.expect("it lives");
            s.sys.kernel.files[id].count = 77;
        }),
        ("fdt names", |s| {
            let id = s.sys.task(s.child).files.expect("it lives");
            s.sys.kernel.files[id].fdt[3].as_mut().expect("it is open").file = gone();
        }),
        ("resume.file names", |s| {
            s.task(s.reader).resume.as_mut().expect("it sleeps").file = Some(gone());
        }),
        ("vm_file names", |s| {
            let at = s.shared;
            s.area(at).vm_file = Some(gone());
        }),
        ("f_count is 77", |s| {
            let id = s.file(3);
            s.sys.kernel.filps[id].f_count = 77;
        }),
        ("kind names", |s| {
            let id = s.file(3);
            s.sys.kernel.filps[id].kind = FileKind::PipeRead(gone());
        }),
    ]);
}

#[test]
fn pipes_and_inodes() {
    each(&[
        ("readers is 77", |s| {
            let id = s.pipe(3);
            s.sys.kernel.pipes[id].readers = 77;
        }),
        ("writers is 77", |s| {
            let id = s.pipe(3);
            s.sys.kernel.pipes[id].writers = 77;
        }),
        ("is leaked: both ends are closed", |s| {
            s.sys.kernel.pipes.insert(Default::default());
        }),
        ("bytes is 6", |s| {
            let id = s.pipe(3);
            s.sys.kernel.pipes[id].buf.push_back(1);
        }),
        ("as many as it has", |s| {
            let id = s.pipe(3);
            let slot = PipeBuffer { offset: 0, len: 1 };
            s.sys.kernel.pipes[id].bufs.extend(std::iter::repeat_n(slot, 16));
        }),
        ("a part of one page, not empty", |s| {
            let id = s.pipe(3);
            s.sys.kernel.pipes[id].bufs[0].offset = 4095;
        }),
        ("entry names", |s| {
            let InodeKind::Dir(names) = &mut root(s).kind else { panic!("a directory") };
            names.insert("nothing".into(), gone());
        }),
        ("i_count is 77", |s| root(s).i_count = 77),
        ("i_nlink is 77", |s| root(s).i_nlink = 77),
    ]);
}

#[test]
fn terminals() {
    each(&[
        ("count is 77", |s| s.tty().count = 77),
        ("kref is 77", |s| s.tty().kref = 77),
        ("canon is 3", |s| s.tty().disc_data.canon = 3),
        ("4096 received and 8192 waiting at most", |s| {
            s.tty().disc_data.flip.extend([0; 9000]);
        }),
        ("session of its terminal", |s| s.tty().session = Some(s.pid(s.child))),
        ("session, pgrp names", |s| s.tty().pgrp = Some(gone())),
        ("tty names", |s| s.sys.signal_mut(s.leader).tty = Some(gone())),
        ("tty_old_pgrp names", |s| s.sys.signal_mut(s.leader).tty_old_pgrp = Some(gone())),
    ]);
}
