//! Boot: from a static init_task to swapper, init and kthreadd.
//!
//! Task 0 is not made by anyone: it is data that is there before the kernel
//! runs. It makes task 1, which executes /sbin/init, and task 2, the parent of
//! kernel threads; then it becomes the idle task of processor 0. Each further
//! processor gets an idle task of its own, copied from it.
//!
//! Linux: init/main.c (start_kernel, rest_init, kernel_init), kernel/smpboot.c
//! (idle_threads_init).
//! Left out: everything that finds or starts hardware.

use crate::abi::CloneFlags;
use crate::kernel::error::Stop;
use crate::kernel::fork::{KernelCloneArgs, copy_process};
use crate::kernel::fs;
use crate::kernel::init_task::static_system;
use crate::kernel::sched::core::{self as sched, percpu_base, text};
use crate::kernel::sched::fair::Enqueue;
use crate::kernel::sched::{SchedClass, SchedConfig};
use crate::kernel::signal::{self, SignalFlags};
use crate::kernel::system::System;
use crate::kernel::task::{PF, STACK_END_MAGIC, TaskId, TaskState};
use crate::kernel::{entry, mm};
use crate::machine::MachineConfig;

/// What kind of system to boot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BootConfig {
    /// The hardware.
    pub machine: MachineConfig,
    /// Seed of everything random.
    pub seed: u64,
    /// The scheduler.
    pub sched: SchedConfig,
}

/// Why a system did not come up: the machine is too small for the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the machine does not boot: {0}")]
pub struct BootError(pub String);

/// Boots: afterwards init (pid 1) is in user mode and everything sleeps.
///
/// Errors: too little memory.
pub fn boot(config: &BootConfig) -> Result<System, BootError> {
    let mut sys = static_system(config);
    let fail =
        |what: &str| BootError(format!("{what} ({} bytes of RAM)", config.machine.ram_bytes));
    if !mm::init::mm_core_init(&mut sys) {
        return Err(fail("no memory for the kernel's own page tables"));
    }
    init_processors(&mut sys);
    let swapper = sys.kernel.init_task;
    give_stack(&mut sys, swapper).map_err(|e| fail(&e))?;
    fs::rootfs::init_rootfs(&mut sys);
    for cpu in 1..config.machine.cpus.max(1) {
        let args = KernelCloneArgs { idle: Some(cpu), ..KernelCloneArgs::default() };
        let (idle, _) =
            copy_process(&mut sys, swapper, &args, false).map_err(|e| fail(&e.to_string()))?;
        become_idle(&mut sys, idle, cpu);
    }
    rest_init(&mut sys).map_err(|e| fail(&e))?;
    become_idle(&mut sys, swapper, 0);
    if let Some(oops) = sys.kernel.oops.take() {
        return Err(fail(&oops.to_string()));
    }
    Ok(sys)
}

/// Makes init and kthreadd.
fn rest_init(sys: &mut System) -> Result<(), String> {
    let swapper = sys.kernel.init_task;
    let kernel_thread = KernelCloneArgs {
        flags: CloneFlags::CLONE_VM | CloneFlags::CLONE_UNTRACED | CloneFlags::CLONE_FS,
        kthread: true,
        ..KernelCloneArgs::default()
    };
    // user_mode_thread: a task that will exec, so no PF_KTHREAD.
    let user = KernelCloneArgs { kthread: false, exit_signal: 17, ..kernel_thread.clone() };
    let (init, _) = copy_process(sys, swapper, &user, false).map_err(|e| e.to_string())?;
    let kthreadd_args = KernelCloneArgs {
        flags: kernel_thread.flags | CloneFlags::CLONE_FILES,
        exit_signal: 17,
        ..kernel_thread
    };
    let (kthreadd, _) =
        copy_process(sys, swapper, &kthreadd_args, false).map_err(|e| e.to_string())?;
    sys.task_mut(kthreadd).set_comm("kthreadd");
    sys.task_mut(kthreadd).thread.ret_from_fork = false;
    signal::action::ignore_signals(sys, kthreadd);
    // It sleeps until someone wants a kernel thread.
    sys.task_mut(kthreadd).__state = TaskState::INTERRUPTIBLE;
    sys.kernel.init_process = init;
    kernel_init(sys, init)
}

/// Task 1 in the kernel: opens the console three times and executes init.
fn kernel_init(sys: &mut System, init: TaskId) -> Result<(), String> {
    sys.task_mut(init).__state = TaskState::RUNNING;
    sched::activate_task(sys, init, Enqueue::New);
    sys.task_mut(init).thread.ret_from_fork = false;
    sys.signal_mut(init).flags |= SignalFlags::UNKILLABLE;
    let cpu = sys.task(init).cpu;
    sched::context_switch(sys, cpu, init);
    fs::open::console_on_rootfs(sys, init).map_err(|e| e.to_string())?;
    let argv = vec!["/sbin/init".to_string()];
    let envp = vec!["HOME=/".to_string(), "TERM=linux".to_string()];
    match fs::exec::do_execveat(sys, init, None, ("/sbin/init", &argv, &envp)) {
        Err(Stop::NoReturn) => {}
        other => return Err(format!("/sbin/init does not start: {other:?}")),
    }
    // Every init does this first: until then it is in session 0 like kthreadd.
    crate::kernel::sys::setsid(sys, init).map_err(|e| e.to_string())?;
    sys.task_mut(init).orig_ax = -1;
    entry::write_pt_regs(sys, init);
    entry::exit_to_user_regs(sys, init);
    Ok(())
}

fn init_processors(sys: &mut System) {
    for cpu in &mut sys.machine.cpus {
        cpu.msrs.lstar = text::ENTRY_SYSCALL_64;
        cpu.msrs.gs_base = percpu_base(cpu.id);
    }
    let pgd = sys.mm(sys.kernel.init_mm).pgd;
    for cpu in &mut sys.machine.cpus {
        cpu.load_cr3(pgd);
    }
}

fn give_stack(sys: &mut System, task: TaskId) -> Result<(), String> {
    let stack = mm::vmalloc::alloc_thread_stack(sys).map_err(|e| e.to_string())?;
    mm::vmalloc::stack_write(sys, &stack, 0, STACK_END_MAGIC);
    sys.task_mut(task).stack = Some(stack);
    Ok(())
}

/// The task is what `cpu` runs when nothing else can.
fn become_idle(sys: &mut System, task: TaskId, cpu: u32) {
    let init_mm = sys.kernel.init_mm;
    let t = sys.task_mut(task);
    t.set_comm(&format!("swapper/{cpu}"));
    t.flags |= PF::IDLE;
    t.sched_class = SchedClass::Idle;
    t.cpu = cpu;
    t.thread.ret_from_fork = false;
    t.__state = TaskState::RUNNING;
    let running = sys.kernel.per_cpu[cpu as usize].current_task;
    sys.kernel.per_cpu[cpu as usize].idle = task;
    if cpu > 0 {
        // The boot placeholder was task 0; this processor really runs its own.
        sys.kernel.per_cpu[cpu as usize].current_task = task;
        let t = sys.task_mut(task);
        t.on_cpu = true;
        if t.active_mm.is_none() {
            t.active_mm = Some(init_mm);
            mm::lifetime::mmgrab(sys, init_mm);
        }
    } else {
        sys.task_mut(task).on_cpu = running == task;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Signal;
    use crate::kernel::signal::SIG_IGN;
    use crate::kernel::syscalls::Call;
    use crate::session::Done;

    #[test]
    fn boots_forks_and_reaps() {
        let mut sys = boot(&BootConfig::default()).unwrap();
        let init = sys.kernel.init_process;
        assert_eq!(sys.task(init).pid, 1);
        let before = sys.machine.mem.free_pages();
        for _ in 0..3 {
            assert_eq!(
                sys.call(init, Call::new(57, &[])).map(|d| matches!(d, Done::Returned(..))),
                Ok(true)
            );
            let child = sys.kernel.new_task.unwrap().0;
            assert_eq!(sys.task(child).tgid, sys.task(child).pid);
            assert_eq!(sys.call(child, Call::new(231, &[3])), Ok(Done::Dead));
            let w = sys.call(init, Call::new(61, &[u64::MAX, 0, 0, 0])).unwrap();
            let Done::Returned(pid, crate::kernel::syscalls::Out::Wait(info)) = w else {
                panic!("{w:?}")
            };
            assert!(pid > 2);
            assert_eq!(info.status, 0x300);
        }
        let kthreadd = sys.task(sys.kernel.init_task).children.last.unwrap();
        assert_eq!(sys.task(kthreadd).comm(), "kthreadd");
        let actions = &sys.kernel.sighands[sys.task(kthreadd).sighand.unwrap()];
        assert_eq!(actions.get(Signal::SIGKILL).handler, SIG_IGN);
        assert_eq!(actions.get(Signal::SIGCHLD).handler, SIG_IGN);
        sys.still_sound().unwrap();
        assert!(
            before - sys.machine.mem.free_pages() < 16,
            "{} {}",
            before,
            sys.machine.mem.free_pages()
        );
    }
}
