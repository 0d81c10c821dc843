//! `machine.sysctl(name)`: the kernel's settings by their names in /proc/sys.
//!
//! Left out: settings of what is not modelled; an unknown name is refused
//! with the list of the known ones.

use super::registry::Raised;
use super::world::Machine;
use crate::kernel::sched::FairPolicy;
use crate::kernel::system::System;
use crate::script::errors::ScriptError;
use rhai::INT;

/// A setting by its sysctl name: what it is, as a place in the kernel.
fn sysctl<'s>(sys: &'s mut System, name: &str) -> Option<Setting<'s>> {
    let k = &mut sys.kernel;
    Some(match name.strip_prefix("kernel.").or(name.strip_prefix("vm.")).unwrap_or(name) {
        "pid_max" => Setting::Pid(&mut k.pid_namespaces[k.init_pid_ns].pid_max),
        "threads_max" | "threads-max" => Setting::Word(&mut k.sysctl.threads_max),
        "max_map_count" => Setting::Word(&mut k.sysctl.max_map_count),
        "suid_dumpable" | "fs.suid_dumpable" => Setting::Word(&mut k.sysctl.suid_dumpable),
        "mmap_min_addr" => Setting::Long(&mut k.sysctl.mmap_min_addr),
        // The knob of CFS; EEVDF came without it (6.6).
        "sched_child_runs_first" if k.sched.config.fair == FairPolicy::Cfs => {
            Setting::Word(&mut k.sched.child_runs_first)
        }
        _ => return None,
    })
}

enum Setting<'s> {
    Pid(&'s mut i32),
    Word(&'s mut u32),
    Long(&'s mut u64),
}

const SETTINGS: &[&str] = &[
    "kernel.pid_max",
    "kernel.threads-max",
    "kernel.sched_child_runs_first (of CFS)",
    "vm.max_map_count",
    "vm.mmap_min_addr",
    "fs.suid_dumpable",
];

fn no_setting(name: &str) -> ScriptError {
    ScriptError::Usage {
        message: format!("there is no setting `{name}`"),
        help: Some(format!("the settings are {}", SETTINGS.join(", "))),
    }
}

pub(super) fn get_sysctl(machine: &Machine, name: &str) -> Raised<INT> {
    let value = machine.write(|sys| {
        sysctl(sys, name).map(|s| match s {
            Setting::Pid(v) => INT::from(*v),
            Setting::Word(v) => INT::from(*v),
            Setting::Long(v) => *v as INT,
        })
    });
    Ok(value.ok_or_else(|| no_setting(name))?)
}

/// Linux's bounds: pid_max 301 to 4 Mi, threads-max from 20.
pub(super) fn set_sysctl(machine: &Machine, name: &str, value: INT) -> Raised<()> {
    let range = match name.rsplit('.').next().unwrap_or(name) {
        "pid_max" => 301..=4 << 20,
        "threads_max" | "threads-max" => 20..=0x3fff_ffff,
        "suid_dumpable" => 0..=2,
        "sched_child_runs_first" => 0..=1,
        "mmap_min_addr" => 0..=1 << 40,
        _ => 0..=INT::from(i32::MAX),
    };
    if !range.contains(&value) {
        let message = format!(
            "{name} cannot be {value}: it lies between {} and {}",
            range.start(),
            range.end()
        );
        return Err(ScriptError::usage(message).into());
    }
    let known = machine.write(|sys| {
        sysctl(sys, name).map(|s| match s {
            Setting::Pid(v) => *v = value as i32,
            Setting::Word(v) => *v = value as u32,
            Setting::Long(v) => *v = value as u64,
        })
    });
    Ok(known.ok_or_else(|| no_setting(name))?)
}
