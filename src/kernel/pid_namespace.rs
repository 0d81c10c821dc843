//! The end of a pid namespace: when its init dies, all in it die.
//!
//! Linux: kernel/pid_namespace.c (zap_pid_ns_processes).
//! Left out: reboot(2) inside a namespace.

use crate::abi::Signal;
use crate::abi::structs::SigInfo;
use crate::kernel::exit;
use crate::kernel::list;
use crate::kernel::pid::{PidNsId, PidType};
use crate::kernel::sched::core as sched;
use crate::kernel::signal::SIG_IGN;
use crate::kernel::signal::kill::{KillInfo, do_send_sig_info};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState};

/// Kills every process of `ns` but its init, and sees to it that they are
/// reaped. No pid is made in `ns` any more.
///
/// Linux's init sleeps here until the last of them is gone. Here the others
/// are run to their deaths at once; each child is reaped as it dies because
/// init ignores SIGCHLD from here on, as in Linux.
pub fn zap_pid_ns_processes(sys: &mut System, init: TaskId, ns: PidNsId) {
    sys.kernel.pid_namespaces[ns].adding = false;
    if let Some(sighand) = sys.task(init).sighand {
        sys.kernel.sighands[sighand].get_mut(Signal::SIGCHLD).handler = SIG_IGN;
    }
    let members: Vec<_> = sys.kernel.pid_namespaces[ns].idr.iter().flatten().copied().collect();
    for pid in members {
        let Some(p) = sys.kernel.pids.get(pid).and_then(|p| p.tasks[PidType::Pid as usize].first)
        else {
            continue;
        };
        if !exit::same_thread_group(sys, p, init) {
            let info = KillInfo::Given(SigInfo::kernel(Signal::SIGKILL));
            // It may be dead already.
            let _ = do_send_sig_info(sys, init, Signal::SIGKILL, info, p, PidType::Tgid);
            crate::kernel::entry::run_to_death(sys, p);
        }
    }
    // They ran; now init goes on with its own exit.
    let cpu = sys.task(init).cpu;
    sched::context_switch(sys, cpu, init);
    // Zombies that were there before nobody will wait for.
    let zombies: Vec<_> = list::iter(&sys.kernel.tasks, sys.task(init).children, TaskList::Sibling)
        .filter(|c| sys.task(*c).exit_state == TaskState::EXIT_ZOMBIE)
        .collect();
    for z in zombies {
        sys.task_mut(z).exit_state = TaskState::EXIT_DEAD;
        exit::release_task(sys, z);
    }
}
