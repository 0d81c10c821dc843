//! How many mappings a page has in parent and child after every order of
//! fork, writes, munmap, madvise, mprotect and exit: what /proc/kpagecount
//! said on Linux.

use super::*;

/// `kind order: step[parent child same]`: -1 where no page is present, -2
/// where there is no child. Kinds: private, shared and private file memory.
/// Steps: fork, a write (capital: by the parent), unmap, DONTNEED, mprotect to
/// read-only and back (p, z), exit and wait (x), nothing (n).
const TABLE: &str = include_str!("counts.txt");
const AT: u64 = 0x4000_0000;

fn page(w: &World, t: TaskId) -> (i64, Option<Pfn>) {
    let mm = w.sys.task(t).mm.unwrap();
    let pfn = lookup(&w.sys, mm, AT).filter(|(_, pte)| pte_present(*pte)).map(|(_, e)| e.pfn());
    (pfn.map_or(-1, |p| i64::from(w.sys.machine.mem.page(p).mapcount)), pfn)
}

fn answer(kind: &str, order: &str) -> String {
    let (mut w, t) = world();
    let fd = match kind {
        "2" => w.value(t, "open", &[0, 0o102, 0o600], Payload::Text("/tmp/f".into())).unwrap(),
        _ => -1,
    } as u64;
    if kind == "2" {
        w.ok(t, "ftruncate", &[fd, 8192]);
    }
    let flags = [0x32, 0x31, 0x12][kind.parse::<usize>().unwrap()];
    w.ok(t, "mmap", &[AT, 8192, 3, flags, fd, 0]);
    w.store(t, AT, 1).unwrap();
    let mut child = None;
    let mut out = format!("{kind} {order}:");
    for step in order.chars() {
        let who = if step.is_uppercase() { t } else { child.unwrap_or(t) };
        match step {
            'f' => child = Some(w.fork(t)),
            'w' | 'W' => _ = w.store(who, AT, 2).unwrap(),
            'u' | 'U' => _ = w.ok(who, "munmap", &[AT, 4096]),
            'd' | 'D' => _ = w.ok(who, "madvise", &[AT, 4096, 4]),
            'p' | 'z' => {
                for prot in [1, 3] {
                    w.ok(who, "mprotect", &[AT, 4096, prot]);
                }
            }
            'x' => {
                w.exit(child.take().unwrap(), 0);
                w.wait4(t, -1, 0).unwrap();
            }
            _ => {}
        }
        let (count, pfn) = page(&w, t);
        let (other, theirs) = child.map_or((-2, None), |c| page(&w, c));
        let same = if pfn.is_some() && pfn == theirs { "same" } else { "-" };
        out.push_str(&format!(" {step}[{count} {other} {same}]"));
    }
    out
}

#[test]
fn pages_are_mapped_as_often_as_in_linux() {
    for line in TABLE.lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        assert_eq!(answer(kind, rest.split_once(':').unwrap().0), line);
    }
}
