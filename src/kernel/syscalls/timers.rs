//! System calls: POSIX timers. Handlers decode arguments; the verbs live in
//! `kernel::posix_timers`.
//!
//! Linux: kernel/time/posix-timers.c.
//! Left out: see the notes of the rows.

use super::events::{get_itimerspec, itimerspec_bytes};
use super::structs::{give, take};
use super::table::{Syscall, row};
use super::{Call, Out, Payload};
use crate::kernel::error::SysResult;
use crate::kernel::mm::uaccess::{copy_to_user, put_user_u32};
use crate::kernel::posix_timers::{self, Sigevent};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;

/// Rows of the table.
pub const CALLS: &[Syscall] = &[
    row(
        222,
        "timer_create",
        &["which_clock", "timer_event_spec", "created_timer_id"],
        sys_timer_create,
    )
    .partly("the clocks of alarms are refused (EOPNOTSUPP)"),
    row(
        223,
        "timer_settime",
        &["timer_id", "flags", "new_setting", "old_setting"],
        sys_timer_settime,
    ),
    row(224, "timer_gettime", &["timer_id", "setting"], sys_timer_gettime),
    row(225, "timer_getoverrun", &["timer_id"], |sys, t, call| {
        Ok(posix_timers::timer_getoverrun(sys, t, call.args[0] as i32)?.into())
    }),
    row(226, "timer_delete", &["timer_id"], |sys, t, call| {
        posix_timers::do_timer_delete(sys, t, call.args[0] as i32)?;
        Ok(0)
    }),
];

/// Bytes of `struct sigevent`.
const SIGEVENT_SIZE: usize = 64;

fn sys_timer_create(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [clock, event, id_at, ..] = call.args;
    let event = match (&call.payload, event) {
        (Payload::Bytes(_), _) | (_, 1..) => {
            let b: [u8; SIGEVENT_SIZE] = take(sys, t, call, 1)?;
            let int = |at: usize| u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]);
            let value = u64::from(int(0)) | u64::from(int(4)) << 32;
            let (signo, notify, tid) = (int(8) as i32, int(12), int(16) as i32);
            Some(Sigevent { value, signo, notify, tid })
        }
        (_, 0) => None,
    };
    let id = posix_timers::do_timer_create(sys, t, clock as i32, event)?;
    if !call.wants_out(2)
        && let Err(e) = put_user_u32(sys, t, id_at, id as u32)
    {
        posix_timers::do_timer_delete(sys, t, id)?;
        return Err(e.into());
    }
    sys.set_out(t, Out::Number(id as u64));
    Ok(0)
}

fn sys_timer_settime(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let [id, flags, new, old, ..] = call.args;
    let payload = matches!(call.payload, Payload::Bytes(_));
    if new == 0 && !payload {
        let why = "there is no new setting";
        let e = crate::abi::Errno::EINVAL;
        return Ok(crate::kernel::error::refuse(e, "timer_settime", why)?);
    }
    let spec = get_itimerspec(sys, t, call, 2, "timer_settime")?;
    let was = posix_timers::do_timer_settime(sys, t, id as i32, flags as u32, spec)?;
    if old != 0 {
        copy_to_user(sys, t, old, &itimerspec_bytes(was))?;
    }
    Ok(0)
}

fn sys_timer_gettime(sys: &mut System, t: TaskId, call: &Call) -> SysResult {
    let now = posix_timers::do_timer_gettime(sys, t, call.args[0] as i32)?;
    give(sys, t, call, 1, &itimerspec_bytes(now))?;
    Ok(0)
}
