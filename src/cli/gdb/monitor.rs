//! `monitor`: what this machine shows and no other one does.
//!
//! Linux: none. Left out: everything that changes something.

use super::target::Program;
use crate::report;
use crate::session::debug::registers;

const HELP: &str = "\
monitor ps           all processes of the machine
monitor threads      all threads
monitor tree         who made whom
monitor maps         areas of the process's memory
monitor walk ADDR    the walk through its page tables, entry by entry
monitor page ADDR    the frame behind an address, and who shares it
monitor status       /proc/PID/status
monitor time         virtual time, and instructions since the start
";

/// An address: with 0x, or a register's name with $.
fn address(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The answer to a command.
pub fn command(p: &Program<'_>, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(task) = p.in_general() else { return "the process has ended\n".to_string() };
    let view = |shown: Result<String, report::NoView>| match shown {
        Ok(text) => text,
        Err(e) => e.to_string(),
    };
    let text = match words[..] {
        ["ps"] => report::ps(p.sys).to_string(),
        ["threads"] => report::ps_threads(p.sys).to_string(),
        ["tree"] => report::tree(p.sys).to_string(),
        ["maps"] => view(report::maps(p.sys, task).map(|v| v.to_string())),
        ["status"] => view(report::status(p.sys, task).map(|v| v.to_string())),
        ["walk", at] | ["page", at] => {
            let ip = registers::read(p.sys, task).regs;
            let at = match at {
                "$pc" | "$rip" => Some(ip.ip),
                "$sp" | "$rsp" => Some(ip.sp),
                other => address(other),
            };
            match (at, words[0]) {
                (None, _) => "an address is a number, 0x... or decimal".to_string(),
                (Some(at), "walk") => view(report::walk(p.sys, task, at).map(|v| v.to_string())),
                (Some(at), _) => view(report::page(p.sys, task, at).map(|v| {
                    v.map_or("nothing is mapped there".to_string(), |v| v.to_string())
                })),
            }
        }
        ["time"] => {
            let place = p.debugger.place();
            format!("{} ns, {} instructions", p.sys.machine.clock.now(), place.retired)
        }
        _ => HELP.to_string(),
    };
    if text.ends_with('\n') { text } else { text + "\n" }
}
