//! Partial-order reduction: orders that nobody can tell apart are not tried.
//!
//! In a state, a step may be taken alone (the others wait, no outcome is lost)
//! when it makes no difference whether it comes before or after anything that
//! the others do until it is made: a *persistent set* of one step. A step is
//! taken for such a one only if
//!
//! 1. it always succeeds, sleeps for nobody and wakes nobody;
//! 2. what it answers cannot be changed by anybody, not even by a handler of
//!    its own process or by its death;
//! 3. what it changes can be seen by its own program only.
//!
//! getpid(2) and gettid(2) are so: a signal may arrive before or after, but its
//! handler sees nothing of the answer, and who is killed in between has no use
//! for it. A load or store is so while the process is the only one with its
//! memory, has one thread and no handler, and the word lies in private memory
//! that is there already, so that it cannot fault. (Neither holds where somebody
//! might trace another, see and change all of that.) What is decided by `choose`
//! is known to nobody else either, so its ways can be gone at once.
//!
//! Some calls are so because of what the others can do at all
//! ([`Repertoire`]): where nobody looks at pids, two fork(2) can be exchanged,
//! because the systems differ in the names of processes only; where nobody
//! waits, asks for parents or handles signals, so can the ends of processes.
//! Outcomes show neither.
//!
//! Who was woken goes on in a step of its own. Where its call has been decided by
//! whoever woke it (a futex, the end of a vfork child), nobody can tell when. Nor
//! can they tell when a thread is dead whose memory is given up already, unless
//! somebody may look for threads.
//!
//! Each of these makes the program's tape longer, so there is no way around in
//! a circle on which the others would be forgotten.
//!
//! Left out: sleep sets. With equal states merged they save steps but no
//! states. Left out too: pairs of system calls that touch different objects.

use crate::base::PAGE_MASK;
use crate::kernel::futex;
use crate::kernel::mm::VmFlags;
use crate::kernel::mm::pgtable::{lookup, pte_present};
use crate::kernel::task::TaskId;
use crate::kernel::wait_queue::WaitOn;
use crate::machine::UserOp;
use crate::session::program::{Child, Programs, Repertoire, TEXT, Want};

/// Whether it is only a part of the step that it begins. A locked instruction
/// ends a step as a system call does: threads speak to each other by both.
pub fn is_part(want: &Want, memory: bool) -> bool {
    match want {
        Want::Symbol(_) | Want::Op(UserOp::FsBase) => true,
        Want::Op(UserOp::Atomic { .. }) => false,
        Want::Op(_) | Want::Define(..) => !memory,
        _ => false,
    }
}

/// A program whose next step makes no difference to any other, if there is
/// one. `memory`: loads and stores are steps.
pub fn nobody_minds(
    programs: &Programs,
    wants: &[(TaskId, &Want)],
    memory: bool,
    repertoire: &Repertoire,
) -> Option<TaskId> {
    let alone = |(task, want): &&(TaskId, &Want)| match want {
        Want::Choose(_) => true,
        Want::Sys(call, child) => match call.nr {
            NR_GETPID | NR_GETTID => repertoire.untraced,
            NR_FORK => *child == Child::Returns && forks_alone(programs, repertoire),
            NR_EXIT_GROUP => ends_alone(programs, *task, repertoire),
            _ => false,
        },
        Want::Return(_) => ends_alone(programs, *task, repertoire),
        Want::GoOn => goes_on_alone(programs, *task, repertoire),
        // As a part of the system call that follows it is no step.
        Want::Op(op) => memory && repertoire.untraced && is_private(programs, *task, op),
        _ => false,
    };
    wants.iter().find(alone).map(|(task, _)| *task)
}

/// Whether all that programs can do is among these.
fn do_only(repertoire: &Repertoire, these: &[u32]) -> bool {
    repertoire.calls.as_ref().is_some_and(|calls| calls.iter().all(|nr| these.contains(nr)))
}

/// Whether fork(2) commutes with all that others can do. It takes a pid, so
/// nobody may look at the numbers; it does not fail while there is plenty; and
/// nobody else's calls look at the caller's children.
fn forks_alone(programs: &Programs, repertoire: &Repertoire) -> bool {
    let sys = &programs.system;
    let calls = [NR_WRITE, NR_FORK, NR_WAIT4, NR_EXIT_GROUP, NR_GETPID, NR_GETTID, NR_GETPPID];
    let plenty = sys.kernel.tasks.len() < PLENTY
        && sys.machine.mem.free_pages() > sys.machine.mem.total_pages() / 2;
    plenty && repertoire.pids_are_names && do_only(repertoire, &calls)
}

/// Whether a process's end commutes with all that others can do: nobody waits,
/// nobody asks for parents, nobody reads what the dead had open.
fn ends_alone(programs: &Programs, task: TaskId, repertoire: &Repertoire) -> bool {
    let sys = &programs.system;
    let signal = sys.task(task).signal;
    let one = signal.is_some_and(|s| sys.kernel.signals[s].nr_threads == 1);
    one && do_only(repertoire, &[NR_WRITE, NR_FORK, NR_EXIT_GROUP, NR_GETPID, NR_GETTID])
}

/// Whether nobody can tell when a task goes on that was woken, as long as it does
/// not matter what it finds then: the answer of its call is settled, and leaving
/// it changes nothing that others see. A signal that comes first is taken on the
/// way out; one that comes later, right after it: that is the same state.
fn goes_on_alone(programs: &Programs, task: TaskId, repertoire: &Repertoire) -> bool {
    let sys = &programs.system;
    let t = sys.task(task);
    if t.exiting.is_some() {
        return dies_alone(programs, task, repertoire);
    }
    let Some(resume) = &t.resume else { return false };
    let plain = repertoire.untraced
        && !t.sigpending
        && resume.leaving.is_none()
        && resume.wait.deadline.is_none();
    plain
        && match resume.wait.on {
            WaitOn::Futex(_) => resume.note == futex::WOKEN,
            WaitOn::Vfork(c) => sys.kernel.completions.get(c).is_some_and(|c| c.done > 0),
            WaitOn::Child(_) => reaps_alone(programs, task, repertoire),
            _ => false,
        }
}

/// Whether nobody can tell when the rest of a thread's exit comes: its process
/// lives on, and nobody makes a call that finds threads by number, or asks how
/// many there are.
fn dies_alone(programs: &Programs, task: TaskId, repertoire: &Repertoire) -> bool {
    let sys = &programs.system;
    let t = sys.task(task);
    let lives = t.signal.is_some_and(|s| sys.kernel.signals[s].live > 0);
    let plenty = sys.kernel.tasks.len() < PLENTY;
    let follows = !t.is_group_leader() && !sys.task(t.group_leader).is_dead();
    plenty && lives && follows && repertoire.untraced && repertoire.threads_unseen
}

/// Whether wait4(2) of a task has one child to take, which no other one can
/// join, and nobody can tell a zombie from a reaped one.
fn reaps_alone(programs: &Programs, task: TaskId, repertoire: &Repertoire) -> bool {
    let sys = &programs.system;
    let t = sys.task(task);
    let one = t.signal.is_some_and(|s| sys.kernel.signals[s].nr_threads == 1);
    let calls = [NR_WRITE, NR_FORK, NR_WAIT4, NR_EXIT_GROUP, NR_GETPID, NR_GETTID, NR_GETPPID];
    one && t.nr_children == 1 && repertoire.pids_are_names && do_only(repertoire, &calls)
}

/// So many tasks are far from every limit.
const PLENTY: usize = 500;

/// Whether an access goes to memory that nobody else sees, and cannot fault.
fn is_private(programs: &Programs, task: TaskId, op: &UserOp) -> bool {
    let sys = &programs.system;
    let t = sys.task(task);
    let (Some(mm), Some(signal), Some(sighand)) = (t.mm, t.signal, t.sighand) else { return false };
    let (addr, bytes, writes) = match op {
        UserOp::Load { addr, size } => (addr.0, size.bytes() as u64, false),
        UserOp::Store { addr, size, .. } => (addr.0, size.bytes() as u64, true),
        _ => return false,
    };
    let m = sys.mm(mm);
    let one = m.mm_users == 1 && sys.kernel.signals[signal].nr_threads == 1;
    let actions = sys.kernel.sighands[sighand].actions();
    if !one || actions.iter().any(|a| a.handler >= TEXT) {
        return false;
    }
    let Some(vma) = m.mmap.range(..=addr).next_back().map(|(_, vma)| vma) else { return false };
    let needs = if writes { VmFlags::WRITE } else { VmFlags::READ };
    let inside = addr.checked_add(bytes).is_some_and(|end| end <= vma.vm_end);
    let one_page = (addr & PAGE_MASK) == ((addr + bytes - 1) & PAGE_MASK);
    inside
        && one_page
        && vma.vm_flags.contains(needs)
        && !vma.vm_flags.contains(VmFlags::SHARED)
        && lookup(sys, mm, addr).is_some_and(|(_, pte)| pte_present(pte))
}

const NR_WRITE: u32 = 1;
const NR_GETPID: u32 = 39;
const NR_FORK: u32 = 57;
const NR_WAIT4: u32 = 61;
const NR_GETPPID: u32 = 110;
const NR_GETTID: u32 = 186;
const NR_EXIT_GROUP: u32 = 231;
