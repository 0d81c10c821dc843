//! Facts on futex words: who meets whom, and which addresses are refused.

use super::*;

const WAIT: u64 = 0;
const WAKE: u64 = 1;
const PRIVATE: u64 = 128;

/// An address space of two tasks with a word that holds 5.
fn sharers() -> (World, TaskId, TaskId, u64) {
    let (mut w, t) = world();
    let word = w.map(t, 0x1000);
    w.store(t, word, 5).unwrap();
    let sharer = w.clone_with(t, 0x100 | SIGCHLD);
    (w, t, sharer, word)
}

#[test]
fn private_and_shared_calls_do_not_meet() {
    let (mut w, t, sharer, word) = sharers();
    for (sleep, other) in [(PRIVATE, 0), (0, PRIVATE)] {
        w.sleeps(sharer, "futex", &[word, WAIT | sleep, 5]);
        assert_eq!(w.ok(t, "futex", &[word, WAKE | other, 10]), 0);
        assert_eq!(w.ok(t, "futex", &[word, WAKE | sleep, 10]), 1);
        assert_eq!(w.finished(sharer), Ok(0));
    }
}

#[test]
fn the_tid_word_wakes_only_those_who_share() {
    for (scope, woken) in [(0, true), (PRIVATE, false)] {
        let (mut w, t) = world();
        let word = w.map(t, 0x1000);
        w.store(t, word, 5).unwrap();
        // CLONE_VM | CLONE_CHILD_CLEARTID
        w.ok(t, "clone", &[0x20_0100 | SIGCHLD, 0, 0, word, 0]);
        let child = w.sys.new_task().unwrap().0;
        w.sleeps(t, "futex", &[word, WAIT | scope, 5]);
        w.exit(child, 0);
        assert_eq!(w.state(t), if woken { 'R' } else { 'S' });
    }
}

#[test]
fn a_word_in_shared_memory_is_found_from_any_process() {
    let (mut w, t) = world();
    let word = w.ok(t, "mmap", &[0, 0x1000, 3, 0x21, ANY, 0]) as u64;
    let child = w.fork(t);
    w.sleeps(child, "futex", &[word, WAIT, 0]);
    assert_eq!(w.ok(t, "futex", &[word, WAKE | PRIVATE, 1]), 0);
    assert_eq!(w.ok(t, "futex", &[word, WAKE, 1]), 1);
    assert_eq!(w.finished(child), Ok(0));
    // A private call names an mm, and the two have one each.
    w.sleeps(child, "futex", &[word, WAIT | PRIVATE, 0]);
    assert_eq!(w.ok(t, "futex", &[word, WAKE, 1]), 0);
    assert_eq!(w.ok(t, "futex", &[word, WAKE | PRIVATE, 1]), 0);
}

#[test]
fn wake_wakes_one_even_for_zero_and_less() {
    let (mut w, t, sharer, word) = sharers();
    for n in [0, u64::MAX] {
        w.sleeps(sharer, "futex", &[word, WAIT | PRIVATE, 5]);
        assert_eq!(w.ok(t, "futex", &[word, WAKE | PRIVATE, n]), 1);
        assert_eq!(w.finished(sharer), Ok(0));
    }
}

#[test]
fn wake_checks_the_address() {
    let (mut w, t) = world();
    let word = w.map(t, 0x1000);
    w.ok(t, "mprotect", &[word, 0x1000, 1]);
    // Anonymous memory that can only be read: nobody could change the word.
    assert_eq!(w.err(t, "futex", &[word, WAKE, 1]), Errno::EFAULT);
    assert_eq!(w.ok(t, "futex", &[word, WAKE | PRIVATE, 1]), 0);
    // Nothing is mapped here; only the shared call looks.
    assert_eq!(w.err(t, "futex", &[8, WAKE, 1]), Errno::EFAULT);
    assert_eq!(w.ok(t, "futex", &[8, WAKE | PRIVATE, 1]), 0);
    assert_eq!(w.err(t, "futex", &[word + 1, WAKE | PRIVATE, 1]), Errno::EINVAL);
    assert_eq!(w.err(t, "futex", &[1 << 47, WAKE | PRIVATE, 1]), Errno::EFAULT);
}

#[test]
fn a_word_in_a_file_is_the_same_in_every_page_and_mapping() {
    let (mut w, t) = world();
    let file = w.value(t, "open", &[0, 0o102, 0o600], Payload::Text("/tmp/f".into())).unwrap();
    let file = file as u64;
    w.ok(t, "ftruncate", &[file, 0x2000]);
    // A shared mapping of both pages, and of the second page alone: shared,
    // private and writable, private and read-only.
    let both = w.ok(t, "mmap", &[0, 0x2000, 3, 1, file, 0]) as u64;
    let [shared, private, read_only] = [(3, 1), (3, 2), (1, 2)]
        .map(|(prot, how)| w.ok(t, "mmap", &[0, 0x1000, prot, how, file, 0x1000]) as u64);
    let child = w.fork(t);
    w.sleeps(child, "futex", &[both + 0x1000, WAIT, 0]);
    // Another page now, at the same place of the same file.
    w.ok(t, "ftruncate", &[file, 0]);
    w.ok(t, "ftruncate", &[file, 0x2000]);
    assert_eq!(w.ok(t, "futex", &[both, WAKE, 9]), 0);
    assert_eq!(w.ok(t, "futex", &[shared, WAKE, 9]), 1);
    w.sleeps(child, "futex", &[both + 0x1000, WAIT, 0]);
    // A writable private mapping gets its own copy, by mm and address.
    assert_eq!(w.ok(t, "futex", &[private, WAKE, 9]), 0);
    assert_eq!(w.ok(t, "futex", &[read_only, WAKE, 9]), 1);
}
