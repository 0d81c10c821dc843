//! Tasks, their sleeping calls, and the order of their lists.
//!
//! Left out: times, scheduler accounting, processor state; see `state`.

use super::{Canon, Object, lives_in};
use crate::kernel::fs::select::PollWqueues;
use crate::kernel::kthread::{At, Kthread};
use crate::kernel::nanosleep::RestartBlock;
use crate::kernel::pid::PidId;
use crate::kernel::ptrace::{Trap, TrapAt};
use crate::kernel::signal::SigTimedWait;
use crate::kernel::syscalls::{Call, Payload};
use crate::kernel::task::{Interrupted, Leaving, Resume, TaskList, TaskStruct};
use crate::kernel::wait_queue::{Completion, Wait, WaitOn, WaitQueueHead};

impl Object for Completion {
    lives_in!(completions);

    fn describe(&self, c: &mut Canon<'_>) {
        let Completion { owner, done, wait } = self;
        c.put((owner, done));
        c.queue(wait);
    }
}

impl Object for WaitQueueHead {
    lives_in!(wait_queues);

    fn describe(&self, c: &mut Canon<'_>) {
        c.queue(self);
    }
}

impl Canon<'_> {
    fn kthread(&mut self, kthread: Option<&Kthread>) {
        self.put(kthread.is_some());
        let Some(Kthread { flags, at, result }) = kthread else { return };
        self.put((flags, result, std::mem::discriminant(at)));
        if let At::Completion(id, state) = at {
            self.id(*id);
            self.put(state.bits());
        }
    }

    fn call(&mut self, call: &Call) {
        let Call { nr, args, payload, serial: _, restarts: _ } = call;
        self.put((nr, args));
        if *payload != Payload::None {
            self.print(payload);
        }
    }

    fn wait(&mut self, wait: &Wait) {
        let Wait { on, state, exclusive, deadline } = wait;
        self.put((state.bits(), exclusive));
        self.opt_time(*deadline);
        self.put(std::mem::discriminant(on));
        match *on {
            WaitOn::Child(signal) | WaitOn::Dethread(signal) => self.id(signal),
            WaitOn::Vfork(completion) => self.id(completion),
            WaitOn::PipeRead(pipe) | WaitOn::PipeWrite(pipe) => self.id(pipe),
            WaitOn::TtyRead(tty) | WaitOn::TtyWrite(tty) => self.id(tty),
            WaitOn::FileLock(inode) => self.id(inode),
            WaitOn::Anon(id) => self.id(id),
            WaitOn::Signalfd(sighand) => self.id(sighand),
            WaitOn::PidExit(pid) => self.id(pid),
            // The queues of futexes say who sleeps on which.
            WaitOn::Futex(_) | WaitOn::Poll | WaitOn::Signal | WaitOn::Timeout | WaitOn::Tracer => {
            }
        }
    }

    fn poll(&mut self, poll: Option<&PollWqueues>) {
        self.put(poll.is_some());
        let Some(PollWqueues { fds, table, end }) = poll else { return };
        self.put(fds);
        self.opt_time(*end);
        self.put(table.len());
        // The file says which queue it is.
        for (_, file) in table {
            self.id(*file);
        }
    }

    fn restart(&mut self, block: &RestartBlock) {
        self.put(std::mem::discriminant(block));
        match block.clone() {
            RestartBlock::None => {}
            RestartBlock::Nanosleep { expires, rmtp } => {
                self.time(expires);
                self.put(rmtp);
            }
            RestartBlock::Futex { addr, scope, expected, expires, bitset } => {
                self.time(expires);
                self.put((addr, scope, expected, bitset));
            }
            RestartBlock::Poll { ufds, end } => {
                self.put(ufds);
                self.opt_time(end);
            }
        }
    }

    fn trap(&mut self, trap: Option<&Trap>) {
        self.put(trap.is_some());
        let Some(Trap { at, info }) = trap else { return };
        self.put(std::mem::discriminant(at));
        self.print(info);
        match *at {
            TrapAt::Signal(ty) => self.put(ty as u32),
            TrapAt::Clone(nr, vfork) => {
                self.put(nr);
                self.opt(vfork);
            }
            TrapAt::VforkDone(nr) => self.put(nr),
            TrapAt::Exit(code) => self.put(code),
            TrapAt::Jobctl | TrapAt::SyscallEntry | TrapAt::SyscallExit | TrapAt::Exec => {}
        }
    }

    fn resume(&mut self, resume: &Resume) {
        let Resume { call, wait, origin: _, note, file, poll, leaving } = resume;
        self.call(call);
        self.wait(wait);
        match call.nr {
            // They keep the name of the pid that they wait for.
            NR_WAIT4 | NR_WAITID => self.opt(note.checked_sub(1).map(PidId::from_bits)),
            _ => self.put(*note),
        }
        self.opt(*file);
        self.poll(poll.as_deref());
        self.put(leaving.is_some());
        if let Some(leaving) = leaving {
            let Leaving { outcome, way } = &**leaving;
            self.print(&(outcome, way));
        }
    }
}

impl Object for TaskStruct {
    lives_in!(tasks);

    fn describe(&self, c: &mut Canon<'_>) {
        let TaskStruct {
            __state,
            flags,
            ptrace,
            ptraced,
            ptracer_cred,
            ptrace_message,
            syscall_trace,
            trap,
            prio,
            static_prio,
            normal_prio,
            rt_priority,
            policy,
            sched_class,
            se,
            dl,
            sched_reset_on_fork,
            cpus_mask,
            mm,
            exit_state,
            exit_code,
            exiting,
            exit_signal,
            pdeath_signal,
            jobctl,
            no_new_privs,
            pid,
            tgid,
            real_parent,
            parent,
            children,
            notable_children,
            group_leader,
            links,
            cgroup,
            thread_pid,
            vfork_done,
            set_child_tid,
            clear_child_tid,
            robust_list,
            real_cred,
            cred,
            comm,
            fs,
            files,
            nsproxy,
            signal,
            sighand,
            blocked,
            saved_sigmask,
            restart_block,
            sigtimedwait,
            kthread,
            pending,
            sigpending,
            sas_ss_sp,
            sas_ss_size,
            sas_ss_flags,
            parent_exec_id,
            self_exec_id,
            sysvsem,
            io_context,
            personality,
            timer_slack_ns,
            default_timer_slack_ns,
            orig_ax,
            work,
            resume,
            interrupted,
            finished,
            // Follow from lists and from the holders.
            usage: _,
            nr_children: _,
            nr_clone_children: _,
            sibling_seq: _,
            next_child_seq: _,
            // Where it runs, and what that has cost.
            stack: _,
            on_cpu: _,
            cpu: _,
            on_rq: _,
            throttled: _,
            stepped: _,
            rt: _,
            active_mm: _,
            need_resched: _,
            stack_canary: _,
            utime: _,
            stime: _,
            nvcsw: _,
            nivcsw: _,
            start_time: _,
            start_boottime: _,
            min_flt: _,
            maj_flt: _,
            thread: _,
            last_siginfo: _,
            // Machine code is not explored.
            code: _,
            fpu: _,
            // Of a program, instruction and stack pointer count: `key`.
            regs: _,
        } = self;
        c.put((__state.bits(), flags.bits(), ptrace.bits(), prio, static_prio, normal_prio));
        c.put((rt_priority, policy, sched_reset_on_fork, cpus_mask, no_new_privs));
        c.put((sched_class, se.custom_slice.then_some(se.slice), work));
        c.put(dl.as_ref().map(|dl| (dl.dl_runtime, dl.dl_deadline, dl.dl_period)));
        c.put((ptrace_message, syscall_trace));
        c.put(exiting);
        c.put((exit_state.bits(), exit_code, exit_signal, pdeath_signal, jobctl, pid, tgid));
        c.put((set_child_tid, clear_child_tid, robust_list, comm, blocked, saved_sigmask));
        c.put((sigpending, sas_ss_sp, sas_ss_size, sas_ss_flags, parent_exec_id, self_exec_id));
        c.put((sysvsem, io_context, personality, timer_slack_ns, default_timer_slack_ns));
        // In user mode it says how the kernel was entered last.
        c.put(resume.as_ref().map(|_| orig_ax));
        c.opt(*mm);
        c.id(*real_parent);
        c.id(*parent);
        // init waits for whoever of its children has died, whatever their order.
        let init = c.sys.kernel.init_process;
        if c.sys.task(init).pid != *pid {
            c.opt(children.first);
        }
        c.put(notable_children.len());
        for child in notable_children.values() {
            c.id(*child);
        }
        c.opt(ptraced.first);
        c.opt(*ptracer_cred);
        c.trap(trap.as_deref());
        c.id(*group_leader);
        for (list, link) in links.iter().enumerate() {
            if list != TaskList::Sibling as usize || *real_parent != init {
                c.opt(link.next);
            }
        }
        c.opt(*thread_pid);
        c.id(*cgroup);
        c.opt(*vfork_done);
        c.id(*real_cred);
        c.id(*cred);
        c.opt(*fs);
        c.opt(*files);
        c.opt(*nsproxy);
        c.opt(*signal);
        c.opt(*sighand);
        c.restart(restart_block);
        c.put(sigtimedwait.is_some());
        if let Some(SigTimedWait { real_blocked, set, deadline }) = sigtimedwait.as_deref() {
            c.put((real_blocked, set));
            c.opt_time(*deadline);
        }
        c.kthread(kthread.as_deref());
        c.pending(pending);
        c.put(resume.is_some());
        if let Some(resume) = resume {
            c.resume(resume);
        }
        c.put(interrupted.len());
        for Interrupted { call, at } in interrupted {
            c.call(call);
            c.put(at);
        }
        c.put(finished.len());
        for (_, outcome) in finished {
            c.print(outcome);
        }
    }
}

const NR_WAIT4: u32 = 61;
const NR_WAITID: u32 = 247;
