//! Facts that fit nowhere else: single calls with odd arguments.

use super::*;

#[test]
fn sched_affinity_takes_a_pointer_and_a_length() {
    let (mut w, t) = world();
    let at = w.map(t, 0x1000);
    w.store(t, at, 1).unwrap();
    assert_eq!(w.ok(t, "sched_setaffinity", &[0, 8, at]), 0);
    assert_eq!(w.ok(t, "sched_setaffinity", &[0, 1, at]), 0);
    // A mask of no bytes names no processor.
    assert_eq!(w.err(t, "sched_setaffinity", &[0, 0, at]), Errno::EINVAL);
    // The mask is read before the task is looked for.
    assert_eq!(w.err(t, "sched_setaffinity", &[99_999, 8, 8]), Errno::EFAULT);
    assert_eq!(w.err(t, "sched_setaffinity", &[99_999, 8, at]), Errno::ESRCH);
    for len in [0, 1, 4, 7, 12] {
        assert_eq!(w.err(t, "sched_getaffinity", &[99_999, len, at]), Errno::EINVAL);
    }
    assert_eq!(w.err(t, "sched_getaffinity", &[99_999, 8, at]), Errno::ESRCH);
    assert_eq!(w.ok(t, "sched_getaffinity", &[0, 8, at]), 8);
    assert_eq!(w.load(t, at).unwrap(), 1);
}

#[test]
fn a_long_name_is_cut() {
    let (mut w, t) = world();
    let at = w.map(t, 0x1000);
    for i in 0..4 {
        w.store(t, at + 8 * i, u64::from_le_bytes(*b"abcdefgh")).unwrap();
    }
    assert_eq!(w.ok(t, "prctl", &[15, at, 0, 0, 0]), 0);
    assert_eq!(&*w.sys.task(t).comm(), "abcdefghabcdefg");
}

#[test]
fn no_filter_is_installed() {
    let (mut w, t) = world();
    assert_eq!(w.ok(t, "prctl", &[21, 0, 0, 0, 0]), 0);
}

#[test]
fn secure_bits_need_privilege_even_to_stay() {
    let (mut w, t) = world();
    become_user(&mut w, t, 1000);
    assert_eq!(w.err(t, "prctl", &[28, 0, 0, 0, 0]), Errno::EPERM);
    // Those of Linux 6.14 (SECBIT_EXEC_*) do not.
    assert_eq!(w.ok(t, "prctl", &[28, 0x100, 0, 0, 0]), 0);
}

#[test]
fn mincore_stores_what_it_saw_before_a_hole() {
    let (mut w, t) = world();
    let at = w.map(t, 0x3000);
    let vec = w.map(t, 0x1000);
    w.ok(t, "munmap", &[at + 0x2000, 0x1000]);
    w.store(t, at + 0x1000, 1).unwrap();
    w.store(t, vec, 0x0505_0505).unwrap();
    assert_eq!(w.err(t, "mincore", &[at, 0x3000, vec]), Errno::ENOMEM);
    assert_eq!(w.load(t, vec).unwrap(), 0x0505_0100);
}

#[test]
fn a_robust_list_has_one_size() {
    let (mut w, t) = world();
    assert_eq!(w.err(t, "set_robust_list", &[0x1000, 23]), Errno::EINVAL);
    assert_eq!(w.ok(t, "set_robust_list", &[0, 24]), 0);
}
