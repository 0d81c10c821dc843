//! System calls of Linux that are not modelled: each is a row of the table
//! that says so, with the reason. The handler of all of them is
//! [`sys_ni_syscall`].
//!
//! Two kinds: what Linux 6.18 has and this kernel has not, and numbers that
//! Linux keeps for calls it never had or has dropped; those answer ENOSYS there
//! too.
//!
//! Linux: kernel/sys_ni.c, arch/x86/entry/syscalls/syscall_64.tbl.
//! Left out: everything below.

use super::Call;
use super::table::{Support, Syscall};
use crate::abi::Errno;
use crate::abi::nr::syscall_name;
use crate::kernel::error::{SysError, SysResult};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Calls that are not modelled for one reason.
pub struct Group {
    /// What they are about, as a heading.
    pub subject: &'static str,
    /// Why there are none, as a sentence without its end.
    pub why: &'static str,
    /// Number and name.
    pub calls: &'static [(u32, &'static str)],
}

const fn group(
    subject: &'static str,
    why: &'static str,
    calls: &'static [(u32, &'static str)],
) -> Group {
    Group { subject, why, calls }
}

/// The heading of calls that Linux has not either.
pub const GONE: &str = "Numbers without a call in Linux 6.18";

/// All of them, subject by subject.
pub const GROUPS: &[Group] = &[
    group(
        "Clocks",
        "time is virtual and runs at its own rate: nothing adjusts it",
        &[(159, "adjtimex"), (305, "clock_adjtime")],
    ),
    group(
        "Filters and sandboxes",
        "no filter runs at the door of the kernel, and no security module is loaded",
        &[
            (317, "seccomp"),
            (444, "landlock_create_ruleset"),
            (445, "landlock_add_rule"),
            (446, "landlock_restrict_self"),
            (459, "lsm_get_self_attr"),
            (460, "lsm_set_self_attr"),
            (461, "lsm_list_modules"),
        ],
    ),
    group(
        "Keys",
        "tasks have no keyrings",
        &[(248, "add_key"), (249, "request_key"), (250, "keyctl")],
    ),
    group(
        "System V and POSIX communication",
        "an ipc namespace is empty: there are no semaphore sets, message queues and shared \
         segments; processes share pipes, files, mappings and futexes",
        &[
            (29, "shmget"),
            (30, "shmat"),
            (31, "shmctl"),
            (64, "semget"),
            (65, "semop"),
            (66, "semctl"),
            (67, "shmdt"),
            (68, "msgget"),
            (69, "msgsnd"),
            (70, "msgrcv"),
            (71, "msgctl"),
            (220, "semtimedop"),
            (240, "mq_open"),
            (241, "mq_unlink"),
            (242, "mq_timedsend"),
            (243, "mq_timedreceive"),
            (244, "mq_notify"),
            (245, "mq_getsetattr"),
        ],
    ),
    group(
        "Other processes' memory",
        "there is no reclaim that advice could steer",
        &[(440, "process_madvise"), (448, "process_mrelease")],
    ),
    group(
        "Per-task state of the C library and the processor",
        "a task registers no rseq area, and has no segments of its own, I/O ports, protection keys or \
         shadow stacks",
        &[
            (154, "modify_ldt"),
            (172, "iopl"),
            (173, "ioperm"),
            (329, "pkey_mprotect"),
            (330, "pkey_alloc"),
            (331, "pkey_free"),
            (334, "rseq"),
            (335, "uretprobe"),
            (336, "uprobe"),
            (453, "map_shadow_stack"),
        ],
    ),
    group("Accounting", "nothing is written when a process ends", &[(163, "acct")]),
    group(
        "Further futex calls",
        "futex(2) has the same operations for one word; nothing waits for several",
        &[(449, "futex_waitv"), (454, "futex_wake"), (455, "futex_wait"), (456, "futex_requeue")],
    ),
    group(
        "Memory policy",
        "memory is one node, so there is no choice among nodes",
        &[
            (237, "mbind"),
            (238, "set_mempolicy"),
            (239, "get_mempolicy"),
            (256, "migrate_pages"),
            (279, "move_pages"),
            (450, "set_mempolicy_home_node"),
        ],
    ),
    group(
        "Further memory calls",
        "page faults go to the kernel only, mlock(2) locks, and a mapping of a file in /tmp is \
         shared memory",
        &[
            (216, "remap_file_pages"),
            (323, "userfaultfd"),
            (325, "mlock2"),
            (447, "memfd_secret"),
            (462, "mseal"),
        ],
    ),
    group(
        "Tracing the kernel",
        "scripts trace it: `trace(|| …)`",
        &[(298, "perf_event_open"), (321, "bpf"), (103, "syslog")],
    ),
    group(
        "Asynchronous input and output",
        "a call that must wait makes its task wait",
        &[
            (206, "io_setup"),
            (207, "io_destroy"),
            (208, "io_getevents"),
            (209, "io_submit"),
            (210, "io_cancel"),
            (333, "io_pgetevents"),
            (425, "io_uring_setup"),
            (426, "io_uring_enter"),
            (427, "io_uring_register"),
        ],
    ),
    group(
        "Input and output in other forms",
        "read, write and their kin move bytes between buffers and one file",
        &[(275, "splice"), (276, "tee"), (278, "vmsplice")],
    ),
    group(
        "Disks",
        "files are in memory only: there is nothing to write them back to, and no space to ask for",
        &[
            (136, "ustat"),
            (139, "sysfs"),
            (167, "swapon"),
            (168, "swapoff"),
            (179, "quotactl"),
            (251, "ioprio_set"),
            (252, "ioprio_get"),
            (443, "quotactl_fd"),
            (451, "cachestat"),
        ],
    ),
    group(
        "Names and attributes of files",
        "an inode has no extended attributes and no handle; the older calls say so",
        &[
            (303, "name_to_handle_at"),
            (304, "open_by_handle_at"),
            (463, "setxattrat"),
            (464, "getxattrat"),
            (465, "listxattrat"),
            (466, "removexattrat"),
            (468, "file_getattr"),
            (469, "file_setattr"),
        ],
    ),
    group(
        "Watching files",
        "nothing is told when a file changes",
        &[
            (253, "inotify_init"),
            (254, "inotify_add_watch"),
            (255, "inotify_rm_watch"),
            (294, "inotify_init1"),
            (300, "fanotify_init"),
            (301, "fanotify_mark"),
        ],
    ),
    group(
        "Mounts",
        "there is one tree of files; a mount namespace isolates nothing here",
        &[
            (155, "pivot_root"),
            (165, "mount"),
            (166, "umount2"),
            (428, "open_tree"),
            (429, "move_mount"),
            (430, "fsopen"),
            (431, "fsconfig"),
            (432, "fsmount"),
            (433, "fspick"),
            (442, "mount_setattr"),
            (457, "statmount"),
            (458, "listmount"),
            (467, "open_tree_attr"),
        ],
    ),
    group(
        "The whole machine",
        "a machine is booted and ended by its script, and its kernel has no modules",
        &[
            (169, "reboot"),
            (175, "init_module"),
            (176, "delete_module"),
            (246, "kexec_load"),
            (313, "finit_module"),
            (320, "kexec_file_load"),
        ],
    ),
    group(
        "Sockets",
        "there is no network: processes talk through pipes",
        &[
            (41, "socket"),
            (42, "connect"),
            (43, "accept"),
            (44, "sendto"),
            (45, "recvfrom"),
            (46, "sendmsg"),
            (47, "recvmsg"),
            (48, "shutdown"),
            (49, "bind"),
            (50, "listen"),
            (51, "getsockname"),
            (52, "getpeername"),
            (53, "socketpair"),
            (54, "setsockopt"),
            (55, "getsockopt"),
            (288, "accept4"),
            (299, "recvmmsg"),
            (307, "sendmmsg"),
        ],
    ),
    group(
        GONE,
        "Linux 6.18 on x86_64 keeps the number and has no such call: ENOSYS there too",
        &[
            (134, "uselib"),
            (156, "_sysctl"),
            (174, "create_module"),
            (177, "get_kernel_syms"),
            (178, "query_module"),
            (180, "nfsservctl"),
            (181, "getpmsg"),
            (182, "putpmsg"),
            (183, "afs_syscall"),
            (184, "tuxcall"),
            (185, "security"),
            (205, "set_thread_area"),
            (211, "get_thread_area"),
            (212, "lookup_dcookie"),
            (214, "epoll_ctl_old"),
            (215, "epoll_wait_old"),
            (236, "vserver"),
        ],
    ),
];

const COUNT: usize = {
    let (mut n, mut g) = (0, 0);
    while g < GROUPS.len() {
        n += GROUPS[g].calls.len();
        g += 1;
    }
    n
};

/// A row for each of them.
pub static CALLS: [Syscall; COUNT] = {
    let empty = Syscall {
        nr: 0,
        name: "",
        args: &[],
        handler: sys_ni_syscall,
        support: Support::Refused,
        note: "",
    };
    let mut rows = [empty; COUNT];
    let (mut n, mut g) = (0, 0);
    while g < GROUPS.len() {
        let mut i = 0;
        while i < GROUPS[g].calls.len() {
            let (nr, name) = GROUPS[g].calls[i];
            rows[n] = Syscall { nr, name, note: GROUPS[g].why, ..empty };
            n += 1;
            i += 1;
        }
        g += 1;
    }
    rows
};

/// Whether a row is a number that Linux has no call for either.
pub fn is_gone(row: &Syscall) -> bool {
    GROUPS.iter().any(|g| g.subject == GONE && g.calls.iter().any(|(nr, _)| *nr == row.nr))
}

/// Refuses a call by its name.
///
/// # Errors
/// ENOSYS, always.
pub fn sys_ni_syscall(_: &mut System, _: TaskId, call: &Call) -> SysResult {
    Err(SysError::with(Errno::ENOSYS, "sys_ni_syscall", why(call.nr)).into())
}

/// Why a call number is refused, as a sentence.
fn why(nr: u32) -> String {
    match (CALLS.iter().find(|row| row.nr == nr), syscall_name(u64::from(nr))) {
        (Some(row), _) if is_gone(row) => format!("{}: {}", row.name, row.note),
        (Some(row), _) => {
            format!(
                "{} is a system call of Linux that this kernel does not model: {}",
                row.name, row.note
            )
        }
        (None, Some(name)) => {
            format!("{name} is a system call of Linux that this kernel does not model")
        }
        (None, None) => format!("there is no system call with number {nr}"),
    }
}
