//! TEMPORARY stand-ins for functions of other areas; goes away with them.
//!
//! Linux: none. Left out: everything.
#![allow(dead_code, missing_docs, unused_variables)]

use crate::kernel::error::SysError;
use crate::kernel::pid::{PidId, PidNsId, PidType};
use crate::kernel::system::System;
use crate::kernel::task::{TaskId, TaskList, TaskState};
use crate::kernel::wait_queue::WaitOn;

pub fn try_to_wake_up(sys: &mut System, task: TaskId, mask: TaskState) -> bool {
    false
}
pub fn wake_up(sys: &mut System, on: WaitOn) {}
pub fn wake_up_all(sys: &mut System, on: WaitOn) {}
pub fn kick(sys: &mut System, task: TaskId) {}
pub fn do_group_exit(sys: &mut System, task: TaskId, code: i32) {}
pub fn task_pid_nr_ns(sys: &System, task: TaskId, ty: PidType, ns: Option<PidNsId>) -> i32 {
    0
}
pub fn find_task_by_vpid(sys: &System, current: TaskId, nr: i32) -> Option<TaskId> {
    None
}
pub fn find_pid_ns(sys: &System, nr: i32, ns: PidNsId) -> Option<PidId> {
    None
}
pub fn pid_nr_ns(sys: &System, pid: PidId, ns: PidNsId) -> i32 {
    0
}
pub fn pid_task(sys: &System, pid: PidId, ty: PidType) -> Option<TaskId> {
    None
}
pub fn task_active_pid_ns(sys: &System, task: TaskId) -> PidNsId {
    sys.kernel.init_pid_ns
}
pub fn change_pid(sys: &mut System, task: TaskId, ty: PidType, pid: PidId) {}
pub fn copy_from_user(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    to: &mut [u8],
) -> Result<(), SysError> {
    Ok(())
}
pub fn copy_to_user(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    from: &[u8],
) -> Result<(), SysError> {
    Ok(())
}
pub fn strncpy_from_user(
    sys: &mut System,
    task: TaskId,
    addr: u64,
    max: usize,
) -> Result<String, SysError> {
    Ok(String::new())
}
pub fn fget_pid(sys: &System, task: TaskId, fd: i32) -> Result<(PidId, bool), SysError> {
    Err(SysError::new(crate::abi::Errno::EBADF, "fdget", "not yet"))
}
