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

const REQUEUE: u64 = 3;
const CMP_REQUEUE: u64 = 4;
const WAKE_OP: u64 = 5;
const WAIT_BITSET: u64 = 9;
const WAKE_BITSET: u64 = 10;
const REALTIME: u64 = 256;

/// The answers of a C program on a 6.18 kernel.
#[test]
fn operations_are_refused_as_on_linux() {
    let (mut w, t, _, word) = sharers();
    let other = word + 64;
    let past = || Payload::Timespec(0, 1);
    for (op, val, val2, val3, errno) in [
        (WAIT_BITSET, 5, 0, 0, Errno::EINVAL),
        (WAKE_BITSET, 1, 0, 0, Errno::EINVAL),
        (WAIT | REALTIME, 4, 0, 0, Errno::ENOSYS),
        (WAKE | REALTIME, 1, 0, 0, Errno::ENOSYS),
        (WAIT_BITSET | REALTIME, 4, 0, 1, Errno::EAGAIN),
        (REQUEUE, u64::MAX, 1, 0, Errno::EINVAL),
        (REQUEUE, 1, u64::MAX, 0, Errno::EINVAL),
        (CMP_REQUEUE, 1, 1, 4, Errno::EAGAIN),
        (15, 1, 1, 0, Errno::ENOSYS),
        (2, 1, 1, 0, Errno::ENOSYS),
        (WAKE_OP, 1, 1, 0x7000_0000, Errno::ENOSYS),
        (WAKE_OP, 1, 1, 0x0f00_0000, Errno::ENOSYS),
    ] {
        let args = [word, op, val, val2, other, val3];
        assert_eq!(w.err(t, "futex", &args), errno, "operation {op}, {val3:#x}");
    }
    for op in [WAIT_BITSET, WAIT_BITSET | REALTIME] {
        let timed = w.value(t, "futex", &[word, op, 5, 0, 0, 1], past());
        assert_eq!(timed, Err(Errno::ETIMEDOUT));
    }
}

#[test]
fn sleepers_are_chosen_by_bits_and_move_to_another_word() {
    let (mut w, t) = world();
    let word = w.map(t, 0x1000);
    let other = word + 64;
    w.store(t, word, 5).unwrap();
    let tasks: Vec<TaskId> = (0..4)
        .map(|i| {
            let task = w.clone_with(t, 0x100 | SIGCHLD);
            w.sleeps(task, "futex", &[word, WAIT_BITSET, 5, 0, 0, 1 << i]);
            task
        })
        .collect();
    assert_eq!(w.ok(t, "futex", &[word, WAKE_BITSET, 10, 0, 0, 4]), 1);
    assert_eq!(w.finished(tasks[2]), Ok(0));
    assert_eq!(w.ok(t, "futex", &[word, REQUEUE, 1, 1, other, 0]), 2);
    assert_eq!(w.finished(tasks[0]), Ok(0));
    // The one that moved keeps its bits.
    assert_eq!(w.ok(t, "futex", &[other, WAKE_BITSET, 10, 0, 0, 1]), 0);
    assert_eq!(w.ok(t, "futex", &[other, WAKE_BITSET, 10, 0, 0, 2]), 1);
    assert_eq!(w.finished(tasks[1]), Ok(0));
    // Add 3 to what was 5: one sleeps there still.
    assert_eq!(w.ok(t, "futex", &[other, WAKE_OP, 1, 1, word, 0x1000_3005]), 1);
    assert_eq!(w.load(t, word).unwrap(), 8);
    assert_eq!(w.finished(tasks[3]), Ok(0));
    // OR with 1 << 4 if shifted; -1 is not above 0.
    w.store(t, word, 0).unwrap();
    assert_eq!(w.ok(t, "futex", &[other, WAKE_OP, 1, 1, word, 0xa200_4fff]), 0);
    assert_eq!(w.load(t, word).unwrap(), 16);
}

/// The cases of a C program on a 6.18 kernel: what becomes of two words that a
/// task holds when it ends, the first with a sleeper.
#[test]
fn the_locks_of_the_dead_are_marked() {
    const WAITERS: u64 = 1 << 31;
    const DIED: u64 = 1 << 30;
    for case in 0..5 {
        let (mut w, parent) = world();
        let base = w.ok(parent, "mmap", &[0, 0x1000, 3, 0x21, ANY, 0]) as u64;
        let (head, a, b) = (base, base + 64, base + 96);
        let (word_a, word_b) = (a + 16, b + 16);
        let t = w.fork(parent);
        let me = w.pid(t) as u64;
        let mut put = |at: u64, value: u64| w.store(t, at, value).map(drop).unwrap();
        let (next_a, mut first, mut pending) = match case {
            2 => (8, a, 0),
            3 => (b, head, a),
            4 => (a, a, 0),
            _ => (b, a, 0),
        };
        put(a, next_a);
        put(b, head);
        put(word_a, if case == 3 { 0 } else { me | WAITERS });
        put(word_b, if case == 1 { me + 1 } else { me });
        put(head, std::mem::take(&mut first));
        put(head + 8, 16);
        put(head + 16, std::mem::take(&mut pending));
        assert_eq!(w.err(t, "set_robust_list", &[head, 8]), Errno::EINVAL);
        w.ok(t, "set_robust_list", &[head, 24]);
        let (head_ptr, len_ptr) = (base + 0x200, base + 0x208);
        w.value(t, "get_robust_list", &[0, head_ptr, len_ptr], Payload::Registers).unwrap();
        assert_eq!((w.load(t, head_ptr).unwrap(), w.load(t, len_ptr).unwrap()), (head, 24));
        let sleeper = w.fork(parent);
        let held = w.load(parent, word_a).unwrap() as u32;
        w.sleeps(sleeper, "futex", &[word_a, WAIT, held.into()]);
        if case == 0 {
            execve(&mut w, t, "/bin/true").unwrap();
        } else {
            w.exit_group(t, 0);
        }
        let found = (w.load(parent, word_a).unwrap(), w.load(parent, word_b).unwrap());
        let wanted = match case {
            0 => (WAITERS | DIED, DIED),
            1 => (WAITERS | DIED, me + 1),
            2 | 4 => (WAITERS | DIED, me),
            _ => (0, me),
        };
        assert_eq!(found, wanted, "case {case}");
        assert_eq!(w.finished(sleeper), Ok(0), "case {case}: it was woken");
    }
}
