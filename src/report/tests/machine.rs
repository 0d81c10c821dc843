//! regs, stack, cpu, tlb, trace.

use crate::report::testing::Lab;
use crate::report::{NoView, cpu, regs, stack, tlb, trace};
use crate::trace::Filter;

#[test]
fn fork_returns_twice_because_of_one_word() {
    let mut lab = Lab::boot();
    let child = lab.fork(lab.init);
    let p = regs(&lab.sys, lab.init).unwrap();
    let c = regs(&lab.sys, child).unwrap();
    assert_eq!((p.get("ax"), c.get("ax")), (Some(3), Some(0)));
    assert_eq!((p.get("ip"), p.get("sp")), (c.get("ip"), c.get("sp")));
    assert!(p.to_string().starts_with("registers of pid 1: in CPU 0, user mode\n"));
    assert!(c.to_string().starts_with("registers of pid 3: in pt_regs on the kernel stack, 0x"));
    assert!(c.to_string().contains("(ring 3)"));
}

#[test]
fn a_kernel_stack_has_pt_regs_on_top_and_magic_below() {
    let mut lab = Lab::boot();
    let child = lab.fork(lab.init);
    let s = stack(&lab.sys, child).unwrap();
    assert!(s.intact);
    assert_eq!((s.top - s.base, s.words.len()), (16384, 21));
    assert_eq!(s.words[0].0, "ss");
    assert_eq!(s.words[0].1, s.top - 8);
    let ax = s.words.iter().find(|w| w.0 == "ax").unwrap();
    assert_eq!(ax.2, 0);
    let text = s.to_string();
    assert!(text.contains(&format!("  {:#018x}  ax       0x0\n", ax.1)), "{text}");
    assert!(text.ends_with(&format!("  {:#018x}  0x57ac6e9d STACK_END_MAGIC", s.base)), "{text}");
    lab.exit(child, 0);
    let e = stack(&lab.sys, child).unwrap_err();
    assert!(e.to_string().starts_with("task 3 has no kernel stack: it is dead"), "{e}");
}

#[test]
fn a_processor_shows_whose_tables_it_uses() {
    let mut lab = Lab::boot();
    let x = lab.variable(lab.init, "x");
    lab.store(lab.init, x, 1);
    let c = cpu(&lab.sys, 0).unwrap();
    assert_eq!((c.current.0, c.ring), (1, 3));
    assert!(c.cr3_of.ends_with("of pid 1"), "{}", c.cr3_of);
    let text = c.to_string();
    assert!(text.starts_with("CPU 0 runs init(1) in ring 3\n"), "{text}");
    assert!(text.contains("PE MP ET NE WP AM PG"), "{text}");
    assert_eq!(cpu(&lab.sys, 9), Err(NoView::NoCpu { cpu: 9, cpus: 1 }));
    let t = tlb(&lab.sys, 0).unwrap();
    let row = t.rows.iter().find(|r| r.addr == x).unwrap();
    assert_eq!((row.rights.as_str(), row.stale), ("wu-d-", false));
}

#[test]
fn a_write_fault_is_traced_down_to_the_copy() {
    let mut lab = Lab::boot();
    let x = lab.variable(lab.init, "x");
    lab.store(lab.init, x, 1);
    let child = lab.fork(lab.init);
    lab.sys.log.set_filter(Filter::All);
    lab.sys.op(child, crate::machine::UserOp::Exec { addr: crate::base::VirtAddr(0) }).unwrap_err();
    lab.sys.log.drain();
    let child = lab.fork(lab.init);
    lab.sys.log.drain();
    lab.store(child, x, 2);
    let text = trace(&lab.sys.log.drain(), |_| String::new()).to_string();
    let tail = "\
    4 | exc_page_fault() {
    4 |   handle_mm_fault() {
    4 |     do_wp_page() {
    4 |       wp_page_copy();
    4 |     }
    4 |   }
    4 | }";
    assert!(text.ends_with(tail), "{text}");
    assert!(text.contains("user write"), "{text}");
}

#[test]
fn a_fork_is_traced_in_the_order_of_copy_process() {
    let mut lab = Lab::boot();
    lab.sys.log.set_filter(Filter::All);
    lab.fork(lab.init);
    let t = trace(&lab.sys.log.drain(), |_| String::new());
    let names: Vec<_> = t
        .lines
        .iter()
        .filter(|l| l.depth == 3)
        .map(|l| l.text.trim_end_matches([';', '{', ' ', '(', ')']))
        .filter(|n| *n != "}")
        .collect();
    let steps =
        ["dup_task_struct", "copy_creds", "copy_files", "copy_mm", "copy_thread", "alloc_pid"];
    let places: Vec<_> = steps.iter().map(|s| names.iter().position(|n| n == s)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{t}");
    assert!(t.to_string().ends_with("| } = 3"), "{t}");
}
