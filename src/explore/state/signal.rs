//! Signals: what is pending, what they do, what a thread group shares.
//!
//! Left out: CPU times in siginfo; see `state`.

use super::{Canon, Object, lives_in};
use crate::kernel::itimer::RealTimer;
use crate::kernel::posix_cpu_timers::CpuClock;
use crate::kernel::posix_timers::{Notify, PosixTimer, PosixTimers, Status};
use crate::kernel::signal::{SigAction, SigPending, SigQueue, SighandStruct, SignalStruct};

impl Canon<'_> {
    pub(super) fn pending(&mut self, pending: &SigPending) {
        let SigPending { signal, list } = pending;
        self.put((signal, list.len()));
        for SigQueue { info, user: _, timer } in list {
            self.put(timer);
            let mut info = *info;
            (info.si_utime, info.si_stime) = (0, 0);
            self.print(&info);
        }
    }
}

impl Canon<'_> {
    fn posix_timer(&mut self, nr: i32, timer: &PosixTimer) {
        let PosixTimer {
            base,
            cpu,
            notify,
            value,
            status,
            expires,
            interval,
            overrun,
            overrun_last,
            signal_seq,
            sigqueue_seq,
            ignored,
            user: _,
        } = timer;
        self.put((nr, base, value, status, interval, overrun, overrun_last, ignored));
        self.put(signal_seq == sigqueue_seq);
        if let Some(CpuClock { task, thread, which }) = cpu {
            self.id(*task);
            self.put((thread, which));
        }
        match notify {
            Notify::None => self.put(0),
            Notify::Process(sig) => self.put((1, sig)),
            Notify::Thread(sig, task) => {
                self.put((2, sig));
                self.id(*task);
            }
        }
        if cpu.is_some() {
            // Of a clock of its own, which goes with what tasks have run.
            return self.put(expires);
        }
        self.time(*expires);
        if *status != Status::Armed {
            let now = self.sys.machine.clock.now();
            self.put(now.saturating_sub(*expires) * u64::from(*interval > 0));
        }
    }
}

impl Object for SighandStruct {
    lives_in!(sighands);

    fn describe(&self, c: &mut Canon<'_>) {
        c.queue(&self.signalfd_wqh);
        for (n, action) in self.actions().iter().enumerate() {
            if *action == SigAction::default() {
                continue;
            }
            c.put((n, action.handler, action.flags.bits(), action.restorer, action.mask));
        }
    }
}

impl Object for SignalStruct {
    lives_in!(signals);

    fn describe(&self, c: &mut Canon<'_>) {
        let SignalStruct {
            live,
            thread_head,
            wait_chldexit,
            curr_target,
            shared_pending,
            group_exit_code,
            group_exec_task,
            notify_count,
            group_stop_count,
            flags,
            is_child_subreaper,
            has_child_subreaper,
            pids,
            leader,
            tty,
            tty_old_pgrp,
            rlim,
            real_timer,
            cpu_timers,
            posix_timers,
            oom_score_adj,
            oom_score_adj_min,
            // Counts of holders; times.
            sigcnt: _,
            nr_threads: _,
            dead_threads: _,
            children_usage: _,
            // A debugger is never there when outcomes are searched.
            watched: _,
        } = self;
        c.put((live, group_exit_code, notify_count, group_stop_count, flags.bits()));
        c.put((is_child_subreaper, has_child_subreaper, leader));
        // What the process has run is no part of a state, so neither is how far
        // they are.
        for timer in [cpu_timers.virt, cpu_timers.prof] {
            c.put((timer.expires != 0, timer.interval));
        }
        let PosixTimers { timers, next_id } = posix_timers;
        c.put(next_id);
        for (nr, timer) in timers {
            c.posix_timer(*nr, timer);
        }
        let RealTimer { expires, interval } = real_timer;
        c.opt_time(*expires);
        c.put(interval);
        c.put((oom_score_adj, oom_score_adj_min));
        c.opt(thread_head.first);
        c.queue(wait_chldexit);
        c.opt(*curr_target);
        c.pending(shared_pending);
        c.opt(*group_exec_task);
        c.opt(*tty);
        c.opt(*tty_old_pgrp);
        for pid in pids {
            c.opt(*pid);
        }
        for limit in rlim {
            c.put((limit.cur, limit.max));
        }
    }
}
