//! walk, pte, page, maps, frames; and what an access would do.

use crate::report::testing::Lab;
use crate::report::{NoView, frames, maps, page, pte, walk};

#[test]
fn copy_on_write_shows_in_the_walks() {
    let mut lab = Lab::boot();
    let init = lab.init;
    let data = lab.variable(init, "data");
    lab.store(init, data, 10);
    let child = lab.fork(init);
    let (p, c) = (pte(&lab.sys, init, data).unwrap(), pte(&lab.sys, child, data).unwrap());
    assert_eq!(p.pfn, c.pfn);
    assert!(!p.writable && !c.writable && p.present);
    let shared = page(&lab.sys, init, data).unwrap().unwrap();
    assert_eq!((shared.refcount, shared.mapcount), (2, 2));
    let pids: Vec<_> = shared.mappers.iter().flat_map(|m| m.pids.clone()).collect();
    assert_eq!(pids, [1, 3]);
    let pfn = shared.pfn;
    assert_eq!(p.to_string(), format!("{data:#x} -> pfn {pfn:#x} present user accessed dirty nx"));
    assert_eq!(
        shared.to_string(),
        format!(
            "page {pfn:#x}: refcount 2, mapcount 2, ANON|SWAPBACKED|UPTODATE, \
             mapped by 1@{data:#x} 3@{data:#x}"
        )
    );
    let before = walk(&lab.sys, init, data).unwrap().to_string();
    assert!(
        before
            .ends_with("write-protected: a write would fault and copy the page: its refcount is 2")
    );
    lab.store(child, data, 20);
    let (p, c) = (pte(&lab.sys, init, data).unwrap(), pte(&lab.sys, child, data).unwrap());
    assert_ne!(p.pfn, c.pfn);
    assert!(!p.writable && c.writable);
    let after = walk(&lab.sys, init, data).unwrap().to_string();
    assert!(after.ends_with(
        "write-protected: a write would fault once and reuse the page: nobody else has it any more"
    ));
}

#[test]
fn a_walk_is_a_line_a_level() {
    let mut lab = Lab::boot();
    let init = lab.init;
    let x = lab.variable(init, "x");
    lab.store(init, x, 1);
    let w = walk(&lab.sys, init, x).unwrap();
    let levels: Vec<_> = w.lines.iter().map(|l| (l.level, l.index)).collect();
    let index = |shift: u32| (x >> shift) as usize & 511;
    assert_eq!(
        levels,
        [("PGD", index(39)), ("PUD", index(30)), ("PMD", index(21)), ("PTE", index(12))]
    );
    // Each entry names the table of the next line.
    for pair in w.lines.windows(2) {
        assert_eq!(pair[0].entry >> 12 & 0xffff_ffff, u64::from(pair[1].table));
    }
    let text = w.to_string();
    let first = format!("walk of {x:#x} for pid 1 \"init\", CR3 = frame {:#x}\n", w.cr3);
    assert!(text.starts_with(&first), "{text}");
    assert!(text.contains("  P RW US A D SOFT_DIRTY NX\n"), "{text}");
    assert!(text.ends_with("  reads and writes go straight through"), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 100), "{text}");
}

/// What the notes of a walk predict for a read and for a write.
fn notes(lab: &Lab, addr: u64) -> Vec<String> {
    walk(&lab.sys, lab.init, addr).unwrap().notes
}

#[test]
fn predictions_come_true() {
    let mut lab = Lab::boot();
    let init = lab.init;
    let zero = lab.sys.kernel.zero_page.0;
    let x = lab.variable(init, "x");
    assert!(notes(&lab, x)[0].contains("a read would map the shared page of zeroes"));
    lab.load(init, x);
    assert_eq!(pte(&lab.sys, init, x).unwrap().pfn, Some(zero));
    assert!(notes(&lab, x)[1].contains("put a page of its own in the place of the page of zeroes"));
    lab.store(init, x, 1);
    assert_ne!(pte(&lab.sys, init, x).unwrap().pfn, Some(zero));
    assert_eq!(notes(&lab, x), ["reads and writes go straight through"]);
    // The code of the program is read-only.
    let code = lab.sys.mm(lab.sys.task_mm(init).unwrap()).start_code;
    lab.load(init, code);
    assert!(notes(&lab, code)[1].contains("SIGSEGV (SEGV_ACCERR)"));
    assert!(notes(&lab, 0)[0].contains("SIGSEGV (SEGV_MAPERR)"));
    assert!(notes(&lab, 0xffff_8000_0000_0000)[0].contains("not a user address"));
    assert!(notes(&lab, 0x1234_5678_9abc_def0)[0].contains("not canonical"));
    assert!(notes(&lab, 0x7fff_fff0_0000)[0].contains("would grow down"));
}

#[test]
fn a_stale_translation_is_pointed_out() {
    let mut lab = Lab::boot();
    let init = lab.init;
    let x = lab.variable(init, "x");
    lab.store(init, x, 10);
    lab.sys.kernel.bugs.no_tlb_flush = true;
    lab.store(init, x, 11);
    lab.call(init, "mprotect", &[x, 4096, 1]);
    let w = walk(&lab.sys, init, x).unwrap();
    let stale = w.notes.iter().any(|n| n.starts_with("stale: the TLB of CPU 0"));
    assert!(stale, "{w}");
    let t = crate::report::tlb(&lab.sys, 0).unwrap();
    assert!(t.rows.iter().any(|r| r.addr == x && r.stale), "{t}");
}

#[test]
fn maps_are_lines_of_proc() {
    let lab = Lab::boot();
    let m = maps(&lab.sys, lab.init).unwrap();
    let text = m.to_string();
    assert_eq!(text.lines().count(), m.lines.len());
    assert!(text.ends_with("rw-p 00000000 00:00 0                          [stack]"), "{text}");
    let kthreadd = lab.task(2);
    let no_mm = NoView::NoMm { pid: 2, why: "it is a kernel thread" };
    assert_eq!(maps(&lab.sys, kthreadd), Err(no_mm));
}

#[test]
fn every_frame_is_counted_once() {
    let mut lab = Lab::boot();
    let x = lab.variable(lab.init, "x");
    lab.store(lab.init, x, 1);
    let before = frames(&lab.sys);
    lab.fork(lab.init);
    let f = frames(&lab.sys);
    let sum = f.free
        + f.reserved
        + f.page_tables
        + f.kernel_stacks
        + f.anonymous
        + f.page_cache
        + f.other;
    assert_eq!(sum, f.total);
    assert_eq!(f.kernel_stacks, before.kernel_stacks + 4);
    assert_eq!(f.anonymous, before.anonymous, "fork copies no page");
    assert!(f.shared_anonymous > before.shared_anonymous);
    assert!(f.to_string().starts_with("total             65536 frames    262144 kB\n"));
}
