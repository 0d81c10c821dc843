//! Pipes between tasks, through the door that programs use.

use crate::abi::flags::SaFlags;
use crate::abi::structs::CloneArgs;
use crate::abi::{CloneFlags, Errno, Signal};
use crate::kernel::boot::{BootConfig, boot};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::session::{Done, Trouble};

type Answer = Result<Done, Errno>;

fn call(s: &mut System, t: TaskId, call: Call) -> Answer {
    let answer = s.call(t, call).map_err(|e| match e {
        Trouble::Refused(e) => e.errno,
        other => panic!("{other}"),
    });
    assert_eq!(crate::kernel::check::invariants(s), Ok(()));
    answer
}

fn fork(s: &mut System, t: TaskId) -> TaskId {
    call(s, t, Call::new(57, &[])).unwrap();
    s.new_task().unwrap().0
}

fn thread(s: &mut System, t: TaskId) -> TaskId {
    let flags = CloneFlags::CLONE_VM
        | CloneFlags::CLONE_SIGHAND
        | CloneFlags::CLONE_THREAD
        | CloneFlags::CLONE_FILES;
    let args = CloneArgs {
        flags: flags.bits(),
        stack: 0x10_0000,
        stack_size: 4096,
        ..CloneArgs::default()
    };
    call(s, t, Call::with(435, &[0, 88], Payload::Clone(Box::new(args)))).unwrap();
    s.new_task().unwrap().0
}

fn read(s: &mut System, t: TaskId, fd: i32, n: u64) -> Answer {
    call(s, t, Call::new(0, &[fd as u64, 0, n]))
}

fn write(s: &mut System, t: TaskId, fd: i32, bytes: &[u8]) -> Answer {
    call(s, t, Call::with(1, &[fd as u64, 0, 0], Payload::Bytes(bytes.into())))
}

fn close(s: &mut System, t: TaskId, fd: i32) {
    assert_eq!(call(s, t, Call::new(3, &[fd as u64])), Ok(Done::Returned(0, Out::None)));
}

fn got(bytes: &[u8]) -> (i64, Out) {
    (bytes.len() as i64, Out::Bytes(bytes.to_vec()))
}

/// A child of init with a pipe, and a child of that, which inherits it.
fn pair() -> (System, TaskId, TaskId, i32, i32) {
    let mut s = boot(&BootConfig::default()).unwrap();
    let init = s.kernel.init_process;
    let a = fork(&mut s, init);
    let Ok(Done::Returned(0, Out::Fds(rd, wr))) = call(&mut s, a, Call::new(22, &[0])) else {
        panic!("no pipe")
    };
    let b = fork(&mut s, a);
    (s, a, b, rd, wr)
}

#[test]
fn a_reader_sleeps_until_bytes_come_or_writers_go() {
    let (mut s, a, b, rd, wr) = pair();
    close(&mut s, a, wr);
    assert_eq!(read(&mut s, a, rd, 10), Ok(Done::Blocked));
    assert_eq!(s.task(a).state_char(), 'S');
    assert_eq!(write(&mut s, b, wr, b"hi"), Ok(Done::Returned(2, Out::None)));
    assert_eq!(s.take_finished(a), Some(Ok(got(b"hi"))));
    assert_eq!(read(&mut s, a, rd, 10), Ok(Done::Blocked));
    // The last writer's exit is the end of the file.
    assert_eq!(call(&mut s, b, Call::new(231, &[0])), Ok(Done::Dead));
    assert_eq!(s.take_finished(a), Some(Ok(got(b""))));
    close(&mut s, a, rd);
    assert!(s.kernel.pipes.is_empty());
}

#[test]
fn a_spurious_wake_up_changes_nothing() {
    let (mut s, a, b, rd, wr) = pair();
    assert_eq!(read(&mut s, a, rd, 10), Ok(Done::Blocked));
    let file = s.task(a).resume.as_ref().unwrap().file.unwrap();
    assert_eq!(s.kernel.filps[file].f_count, 3);
    for _ in 0..3 {
        let id = *s.task(a).resume.clone().unwrap();
        crate::kernel::sched::core::wake_up(&mut s, id.wait.on);
        crate::kernel::entry::settle(&mut s);
        assert_eq!(*s.task(a).resume.clone().unwrap(), id);
        assert_eq!(s.kernel.filps[file].f_count, 3);
    }
    write(&mut s, b, wr, b"x").unwrap();
    assert_eq!(s.take_finished(a), Some(Ok(got(b"x"))));
    assert_eq!(s.kernel.filps[file].f_count, 2);
}

#[test]
fn a_big_write_waits_in_pieces() {
    let (mut s, a, b, rd, wr) = pair();
    let data: Vec<u8> = (0..200_000u32).map(|i| (i / 7) as u8).collect();
    assert_eq!(write(&mut s, a, wr, &data), Ok(Done::Blocked));
    let mut all = Vec::new();
    while all.len() < data.len() {
        match read(&mut s, b, rd, 7000) {
            Ok(Done::Returned(_, Out::Bytes(part))) => all.extend(part),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(all, data);
    assert_eq!(s.take_finished(a), Some(Ok((200_000, Out::None))));
}

#[test]
fn a_write_interrupted_half_way_tells_how_far_it_got() {
    let (mut s, a, b, _, wr) = pair();
    let sighand = s.task(a).sighand.unwrap();
    let action = s.kernel.sighands[sighand].get_mut(Signal::SIGUSR1);
    (action.handler, action.restorer) = (0x40_0000, 0x40_0000);
    action.flags = SaFlags::SA_RESTORER;
    let pid = s.task(a).pid as u64;
    assert_eq!(write(&mut s, a, wr, &[1; 100_000]), Ok(Done::Blocked));
    call(&mut s, b, Call::new(62, &[pid, 10])).unwrap();
    assert_eq!(s.take_finished(a), Some(Ok((65_536, Out::None))));
}

#[test]
fn without_readers_the_writer_dies_of_sigpipe() {
    let (mut s, a, b, rd, wr) = pair();
    close(&mut s, a, rd);
    write(&mut s, b, wr, &[1; 65536]).unwrap();
    assert_eq!(write(&mut s, a, wr, b"more"), Ok(Done::Blocked));
    close(&mut s, b, wr);
    close(&mut s, b, rd);
    assert!(s.task(a).is_dead());
    assert_eq!(s.task(a).exit_code, 13);
}

#[test]
fn each_byte_wakes_one_of_many_readers() {
    let (mut s, a, b, rd, wr) = pair();
    let c = fork(&mut s, a);
    assert_eq!(read(&mut s, a, rd, 1), Ok(Done::Blocked));
    assert_eq!(read(&mut s, c, rd, 1), Ok(Done::Blocked));
    write(&mut s, b, wr, b"1").unwrap();
    assert_eq!(s.take_finished(a), Some(Ok(got(b"1"))));
    assert_eq!(s.take_finished(c), None);
    write(&mut s, b, wr, b"2").unwrap();
    assert_eq!(s.take_finished(c), Some(Ok(got(b"2"))));
    // What one leaves behind, the next gets.
    assert_eq!(read(&mut s, a, rd, 1), Ok(Done::Blocked));
    assert_eq!(read(&mut s, c, rd, 1), Ok(Done::Blocked));
    write(&mut s, b, wr, b"34").unwrap();
    assert_eq!(s.take_finished(a), Some(Ok(got(b"3"))));
    assert_eq!(s.take_finished(c), Some(Ok(got(b"4"))));
}

/// Linux keeps the description alive for the sleeping read (`fdget`).
#[test]
fn closing_under_a_sleeping_read_does_not_end_it() {
    let (mut s, a, b, rd, wr) = pair();
    close(&mut s, b, rd);
    let other = thread(&mut s, a);
    assert_eq!(read(&mut s, a, rd, 5), Ok(Done::Blocked));
    close(&mut s, other, rd);
    assert_eq!(write(&mut s, b, wr, b"late"), Ok(Done::Returned(4, Out::None)));
    assert_eq!(s.take_finished(a), Some(Ok(got(b"late"))));
    assert_eq!(read(&mut s, a, rd, 5), Err(Errno::EBADF));
    assert_eq!(s.kernel.pipes.iter().next().unwrap().1.readers, 0);
}

#[test]
fn a_killed_reader_lets_go_of_the_pipe() {
    let (mut s, a, b, rd, wr) = pair();
    close(&mut s, b, rd);
    assert_eq!(read(&mut s, a, rd, 5), Ok(Done::Blocked));
    let pid = s.task(a).pid as u64;
    call(&mut s, b, Call::new(62, &[pid, 9])).unwrap();
    assert!(s.kernel.tasks.get(a).is_none_or(|t| t.is_dead()));
    assert_eq!(s.kernel.pipes.iter().next().unwrap().1.readers, 0);
    close(&mut s, b, wr);
    assert!(s.kernel.pipes.is_empty());
}
