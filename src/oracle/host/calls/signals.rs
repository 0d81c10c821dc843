//! Signals: dispositions, masks, waiting for them, sending them with values.
//!
//! A handler's address is an entry of the stub that knows its function's number
//! (`stub`), so the kernel keeps for us which function is whose handler.
//!
//! Left out: dispositions as structures in memory.

use super::results::Kind;
use super::{Draft, No, no, nr, range};
use crate::abi::flags::SaFlags;
use crate::abi::structs::SigInfo;
use crate::kernel::signal::SigAction;
use crate::kernel::syscalls::Payload;
use crate::oracle::host::stub;
use crate::session::program::TEXT;

/// sizeof(struct sigaction) as the kernel has it.
pub(super) const ACTION: u64 = 32;
/// sizeof(siginfo_t).
pub(in crate::oracle::host) const SIGINFO: u64 = 128;

/// Makes the calls on signals ready.
pub(super) fn prepare(d: &mut Draft) -> Result<bool, No> {
    let call = d.call;
    match nr(d) {
        libc::SYS_rt_sigaction => sigaction(d)?,
        libc::SYS_rt_sigprocmask => {
            match &call.payload {
                Payload::SigSet(set) => d.input(1, &set.0.to_le_bytes()),
                _ => d.theirs(1, 8)?,
            }
            d.result(2, 8, Kind::SigSet)?;
        }
        libc::SYS_rt_sigsuspend => match &call.payload {
            Payload::SigSet(set) => d.input(0, &set.0.to_le_bytes()),
            _ => d.theirs(0, 8)?,
        },
        libc::SYS_rt_sigpending => d.result(0, 8, Kind::SigSet)?,
        libc::SYS_rt_sigqueueinfo => info(d, 2)?,
        libc::SYS_rt_tgsigqueueinfo => info(d, 3)?,
        libc::SYS_pidfd_send_signal => {
            super::own_fd(call.args[0])?;
            info(d, 2)?;
        }
        libc::SYS_sigaltstack => {
            match &call.payload {
                Payload::AltStack(sp, flags, size) => {
                    range(*sp, *size)?;
                    d.input(0, &[*sp, u64::from(*flags), *size].map(u64::to_le_bytes).concat());
                }
                _ if call.args[0] != 0 => return no("sigaltstack with an address"),
                _ => {}
            }
            d.result(1, 24, Kind::AltStack)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn sigaction(d: &mut Draft) -> Result<(), No> {
    if d.call.args[1] != 0 || d.call.args[2] != 0 {
        return no("sigaction with addresses");
    }
    if let Payload::SigAction(action) = &d.call.payload {
        let Some(bytes) = to_kernel(action) else {
            return no("a handler that is no function of the script");
        };
        d.input(1, &bytes);
    }
    if d.call.wants_out(2) {
        d.output(2, ACTION);
        d.order.kind = Kind::SigAction;
    }
    Ok(())
}

fn to_kernel(action: &SigAction) -> Option<Vec<u8>> {
    let handler = match action.handler {
        plain @ (0 | 1) => plain,
        addr => {
            let index = u32::try_from(addr.checked_sub(TEXT)? / 0x1000).ok()?;
            (index < stub::MOST_FUNCTIONS).then(|| stub::handler(index))?
        }
    };
    let flags = action.flags.bits() | SaFlags::SA_RESTORER.bits();
    // Nothing returns through the restorer; the kernel insists on one.
    Some([handler, flags, stub::handler(0), action.mask.0].map(u64::to_le_bytes).concat())
}

/// SIG_DFL as a structure.
pub(in crate::oracle::host) fn default_action() -> Vec<u8> {
    vec![0; ACTION as usize]
}

fn info(d: &mut Draft, i: usize) -> Result<(), No> {
    match &d.call.payload {
        Payload::SigInfo(info) => {
            let signo = d.call.args[i - 1];
            let bytes = siginfo(info, signo as i32);
            d.input(i, &bytes);
            Ok(())
        }
        _ => d.theirs(i, SIGINFO),
    }
}

/// As sigqueue(3) fills it in.
fn siginfo(info: &SigInfo, signo: i32) -> Vec<u8> {
    let mut words =
        [signo, 0, info.si_code, 0, info.si_pid, info.si_uid as i32].map(i32::to_le_bytes).concat();
    words.extend(info.si_value.to_le_bytes());
    words.resize(SIGINFO as usize, 0);
    words
}
