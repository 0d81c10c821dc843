//! TEMPORARY stand-ins for functions of other areas; goes away with them.
//!
//! Linux: none. Left out: everything.
#![allow(dead_code, missing_docs, unused_variables)]
use crate::kernel::error::SysError;
use crate::kernel::pid::{PidId, PidNsId};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::WaitOn;
pub fn wake_up(sys: &mut System, on: WaitOn) {}
pub fn wake_up_all(sys: &mut System, on: WaitOn) {}
pub fn get_pid(sys: &mut System, pid: PidId) {}
pub fn put_pid(sys: &mut System, pid: PidId) {}
pub fn task_active_pid_ns(sys: &System, task: TaskId) -> PidNsId {
    sys.kernel.init_pid_ns
}
pub fn find_pid_ns(sys: &System, nr: i32, ns: PidNsId) -> Option<PidId> {
    None
}
pub fn copy_from_user(s: &mut System, t: TaskId, a: u64, to: &mut [u8]) -> Result<(), SysError> {
    Ok(())
}
pub fn copy_to_user(s: &mut System, t: TaskId, a: u64, from: &[u8]) -> Result<(), SysError> {
    Ok(())
}
pub fn strncpy_from_user(s: &mut System, t: TaskId, a: u64, n: usize) -> Result<String, SysError> {
    Ok(String::new())
}
