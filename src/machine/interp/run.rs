//! The interpreter's loop: blocks of decoded instructions until something
//! needs the kernel.
//!
//! ```text
//!        +--> block at ip known? --no--> decode it
//!        |        |
//!        |    each instruction: handler -> Next     the following one
//!        +------------------------------- Jump     another block
//!                                         Again    the same once more
//!                                         Trap     Exit, with ip at it
//! ```
//!
//! Linux: none. Source: Intel SDM vol. 1, section 3.5; vol. 3, section 7.5
//! (instructions restart after faults). Left out: interrupts within a run; the
//! caller's budget is when the next one comes.

use super::code::{BLOCK_MAX, Code, Crossing};
use super::core::{Core, Stopped};
use super::decode::{Decoded, Ends, INSN_MAX, decode};
use super::insn::{Flow, Insn, PAGE, Trap};
use super::{Exit, Parts, Run};
use crate::base::cow::{self, Arc};
use crate::machine::Machine;
use crate::machine::exception::Exception;
use crate::machine::regs::Rflags;
use std::collections::BTreeSet;

const PAGE_MASK: u64 = !0xfff;

impl Machine {
    /// Executes user instructions on a processor, at most `budget` of them.
    /// Stops before an instruction at one of `breakpoints`, unless it is the first.
    pub fn run(&mut self, cpu: usize, budget: u64, breakpoints: &BTreeSet<u64>) -> Run {
        let mut parts = self.accel.0.take().unwrap_or_default();
        let c = &mut self.cpus[cpu];
        let mut fpu = c.fpu.take().unwrap_or_else(|| Arc::new(Default::default()));
        let Parts { fast, soft, code, frames } = &mut *parts;
        fast.begin();
        soft.begin();
        code.begin(frames);
        let tsc = c.tsc;
        let mut core = Core::new(
            c,
            &mut self.mem,
            cow::make_mut(&mut fpu),
            fast,
            soft,
            std::mem::take(frames),
        );
        // A trap after each instruction.
        core.single = core.flags.system & Rflags::TF.bits() != 0;
        let most = if core.single { budget.min(1) } else { budget };
        let mut looped =
            Loop { code, left: most, most, tsc, breakpoints, first: true, alone: false };
        let mut exit = looped.run(&mut core);
        let retired = looped.most - looped.left;
        if core.single && exit == Exit::Budget && retired > 0 {
            exit = Exit::Exception(Exception::Debug);
        }
        core.assert_zero();
        core.store_regs();
        *frames = std::mem::take(&mut core.code);
        c.tsc = tsc.wrapping_add(retired);
        c.fpu = Some(fpu);
        self.accel.0 = Some(parts);
        Run { exit, retired }
    }
}

struct Loop<'a> {
    code: &'a mut Code,
    left: u64,
    /// What `left` was at the beginning, less what single steps took away.
    most: u64,
    /// The time-stamp counter then.
    tsc: u64,
    breakpoints: &'a BTreeSet<u64>,
    first: bool,
    /// The next instruction is executed without being kept: it writes to a page
    /// with code, which may be its own.
    alone: bool,
}

impl Loop<'_> {
    fn run(&mut self, core: &mut Core<'_>) -> Exit {
        let breaks = !self.breakpoints.is_empty();
        loop {
            if self.left == 0 {
                return Exit::Budget;
            }
            core.tsc = self.tsc.wrapping_add(self.most - self.left);
            if std::mem::take(&mut self.alone) {
                match self.one(core) {
                    Ok(()) => continue,
                    Err(Trap) => match self.trap(core) {
                        Some(exit) => return exit,
                        None => continue,
                    },
                }
            }
            let number = match self.code.known(core.ip) {
                Some(n) => n,
                None => match self.find(core) {
                    Ok(n) => n,
                    Err(Trap) => return Self::exit(core),
                },
            };
            let page = core.ip & PAGE_MASK;
            core.r[usize::from(PAGE)] = page;
            let insns = &self.code.block(number).insns[..];
            if breaks || insns.len() as u64 > self.left {
                match self.some(core, number, page, breaks) {
                    Ok(true) => continue,
                    Ok(false) => return Exit::Breakpoint,
                    Err(Trap) => match self.trap(core) {
                        Some(exit) => return exit,
                        None => continue,
                    },
                }
            }
            let (mut done, result) = straight(core, insns);
            match result {
                Ok(Flow::Next) => core.ip = end_of(page, &insns[insns.len() - 1]),
                Ok(Flow::Jump) => done += 1,
                Ok(Flow::Again) => {
                    core.ip = page + u64::from(insns[done].at);
                    done += 1;
                }
                Err(Trap) => {
                    core.stopped(&insns[done]);
                    core.ip = page + u64::from(insns[done].at);
                    self.left -= done as u64;
                    match self.trap(core) {
                        Some(exit) => return exit,
                        None => continue,
                    }
                }
            }
            self.left -= done as u64;
            self.first = false;
        }
    }

    /// Executes a block one by one, within the budget and up to a breakpoint.
    /// `false`: there is one.
    fn some(
        &mut self,
        core: &mut Core<'_>,
        number: u32,
        page: u64,
        breaks: bool,
    ) -> Result<bool, Trap> {
        for insn in &self.code.block(number).insns {
            core.ip = page + u64::from(insn.at);
            if self.left == 0 {
                return Ok(true);
            }
            if breaks && !self.first && self.breakpoints.contains(&core.ip) {
                return Ok(false);
            }
            let flow = (insn.run)(core, insn).inspect_err(|_| core.stopped(insn))?;
            self.first = false;
            self.left -= 1;
            match flow {
                Flow::Next => core.ip = end_of(page, insn),
                Flow::Jump => return Ok(true),
                Flow::Again => {
                    core.ip = page + u64::from(insn.at);
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    /// Executes the instruction at `core.ip` and keeps nothing of it.
    fn one(&mut self, core: &mut Core<'_>) -> Result<(), Trap> {
        let (ip, page) = (core.ip, core.ip & PAGE_MASK);
        core.r[usize::from(PAGE)] = page;
        let mut bytes = [0; INSN_MAX];
        let here = INSN_MAX.min(0x1000 - (ip - page) as usize);
        let place = core.fetch(ip)?;
        core.phys().read(place, &mut bytes[..here]);
        let mut decoded = decode(&bytes[..here], (ip - page) as u16);
        if let Decoded::NeedsMore = decoded {
            let next = core.fetch(page.wrapping_add(0x1000))?;
            core.phys().read(next, &mut bytes[here..]);
            decoded = decode(&bytes, (ip - page) as u16);
        }
        let Decoded::Insn(insn, _) = decoded else { return core.raise(Exception::InvalidOpcode) };
        match (insn.run)(core, &insn).inspect_err(|_| core.stopped(&insn))? {
            Flow::Next => core.ip = end_of(page, &insn),
            Flow::Jump | Flow::Again => {}
        }
        self.left -= 1;
        self.first = false;
        Ok(())
    }

    /// The instruction at `core.ip` was not executed. `None`: try again.
    fn trap(&mut self, core: &mut Core<'_>) -> Option<Exit> {
        match core.trap {
            Stopped::WritesCode { pfn } => {
                self.code.forget(pfn, &mut core.code);
                self.alone = true;
                return None;
            }
            Stopped::Steps(len) => {
                core.ip = core.ip.wrapping_add(u64::from(len));
                self.left = self.left.saturating_sub(1);
                self.first = false;
                if self.left > 0 {
                    core.single = true;
                    self.most -= self.left - 1;
                    self.left = 1;
                }
                return None;
            }
            Stopped::Trapped(_, len) => {
                core.ip = core.ip.wrapping_add(u64::from(len));
                self.left = self.left.saturating_sub(1);
            }
            _ => {}
        }
        Some(Self::exit(core))
    }

    fn exit(core: &Core<'_>) -> Exit {
        match core.trap {
            Stopped::Exception(e) | Stopped::Trapped(e, _) => Exit::Exception(e),
            Stopped::NonCanonical => Exit::Exception(Exception::GP),
            Stopped::Syscall => Exit::Syscall,
            Stopped::Unsupported | Stopped::WritesCode { .. } | Stopped::Steps(_) => {
                Exit::Unsupported
            }
        }
    }

    /// The block at `core.ip`, decoded if need be.
    fn find(&mut self, core: &mut Core<'_>) -> Result<u32, Trap> {
        if self.code.is_full() {
            self.code.begin(&mut core.code);
        }
        let ip = core.ip;
        let place = core.fetch(ip)?;
        let (pfn, at) = (place.pfn(), (ip & 0xfff) as u16);
        let (page, new) = self.code.page(pfn, core.frame(pfn), &mut core.code);
        let known = page.start(at);
        let crossing = page.crossing.clone().filter(|c| c.at == at);
        if new {
            core.protect(pfn);
        }
        if let Some(n) = known {
            self.code.remember(ip, pfn, n);
            return Ok(n);
        }
        let mut bytes = vec![0; 0x1000 - usize::from(at)];
        core.phys().read(place, &mut bytes);
        let mut insns: Vec<Insn> = Vec::new();
        let mut from = 0;
        while from < bytes.len() && insns.len() < BLOCK_MAX {
            match decode(&bytes[from..], at + from as u16) {
                Decoded::Insn(insn, ends) => {
                    if ends == Ends::Around && !insns.is_empty() {
                        break;
                    }
                    // Of an invalid one the length is not known.
                    from += usize::from(insn.len);
                    insns.push(insn);
                    if ends != Ends::No {
                        break;
                    }
                }
                Decoded::NeedsMore => break,
            }
        }
        if !insns.is_empty() {
            let n = self.code.add(insns);
            self.code.set_start(pfn, at, n);
            self.code.remember(ip, pfn, n);
            return Ok(n);
        }
        // It crosses into the next page, which is looked up each time.
        let next_va = (ip & PAGE_MASK).wrapping_add(0x1000);
        let next = core.fetch(next_va)?;
        let now = core.frame(next.pfn());
        let (_, new) = self.code.page(next.pfn(), now.clone(), &mut core.code);
        if new {
            core.protect(next.pfn());
        }
        if let Some(c) = crossing.filter(|c| c.next.is_shared_with(&now)) {
            return Ok(c.block);
        }
        let mut tail = [0; INSN_MAX];
        core.phys().read(next, &mut tail);
        bytes.extend_from_slice(&tail);
        let Decoded::Insn(insn, _) = decode(&bytes, at) else {
            return core.raise(Exception::InvalidOpcode);
        };
        let block = self.code.add(vec![insn]);
        self.code.set_crossing(pfn, Crossing { at, next: now, block });
        Ok(block)
    }
}

/// Executes instructions as long as each goes on to the next. Gives how many
/// did, and what the one after them did (of the last: if all went on).
///
/// Sixteen calls stand one after the other in a function of its own: there is no
/// jump between two instructions, and the host's processor predicts where each
/// of the calls goes much better than where one of them goes.
#[inline(never)]
fn straight(core: &mut Core<'_>, insns: &[Insn]) -> (usize, Result<Flow, Trap>) {
    let mut done = 0;
    let mut rest = insns;
    loop {
        macro_rules! step {
            ($($n:literal)*) => {$(
                let Some(insn) = rest.get($n) else { break };
                let result = (insn.run)(core, insn);
                if result != Ok(Flow::Next) {
                    return (done + $n, result);
                }
            )*};
        }
        step!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        done += 16;
        rest = &rest[16..];
    }
    (insns.len(), Ok(Flow::Next))
}

fn end_of(page: u64, insn: &Insn) -> u64 {
    page.wrapping_add(insn.end())
}

#[cfg(test)]
mod tests {
    use super::super::Exit;
    use super::super::testing::{Bench, CODE, DATA, STACK};
    use super::*;
    use crate::base::VirtAddr;
    use crate::machine::{Ring, Size};

    /// mov ecx,10; xor eax,eax; l: add eax,ecx; dec ecx; jnz l; mov [600000h],rax; syscall
    const SUM: &[u8] = &[
        0xb9, 10, 0, 0, 0, 0x31, 0xc0, 0x01, 0xc8, 0xff, 0xc9, 0x75, 0xfa, 0x48, 0x89, 0x04, 0x25,
        0, 0, 0x60, 0, 0x0f, 0x05,
    ];

    #[test]
    fn a_loop_runs_to_its_system_call() {
        let mut b = Bench::new(SUM);
        let run = b.run(1000);
        assert_eq!((run.exit, run.retired), (Exit::Syscall, 2 + 30 + 1));
        assert_eq!((b.regs().ax, b.peek(DATA), b.regs().ip), (55, 55, CODE + 21));
    }

    #[test]
    fn one_by_one_is_the_same() {
        let (mut a, mut b) = (Bench::new(SUM), Bench::new(SUM));
        for n in 1..34 {
            assert_eq!(a.run(1), Run { exit: Exit::Budget, retired: 1 });
            let mut c = Bench::new(SUM);
            assert_eq!(c.run(n).retired, n);
            assert_eq!(a.space.m.cpus[0].regs, c.space.m.cpus[0].regs);
        }
        b.run(33);
        assert_eq!(a.space.m.cpus[0].regs, b.space.m.cpus[0].regs);
        b.regs().flags |= Rflags::TF.bits();
        b.regs().ip = CODE;
        assert_eq!(b.run(5), Run { exit: Exit::Exception(Exception::Debug), retired: 1 });
    }

    #[test]
    fn the_time_stamp_counts_instructions_however_they_are_run() {
        // nop ; rdtsc ; mov [600000h],rax ; nop ; rdtscp ; syscall
        let code = [
            0x90, 0x0f, 0x31, 0x48, 0x89, 0x04, 0x25, 0, 0, 0x60, 0, 0x90, 0x0f, 0x01, 0xf9, 0x0f,
            0x05,
        ];
        for step in [1, 2, 3, 100] {
            let mut b = Bench::new(&code);
            b.space.m.cpus[0].tsc = 1000;
            while b.run(step).exit == Exit::Budget {}
            assert_eq!((b.peek(DATA), b.regs().ax), (1001, 1004), "{step} at once");
        }
    }

    #[test]
    fn stops_at_breakpoints_but_not_at_the_first_instruction() {
        let mut b = Bench::new(SUM);
        let at = BTreeSet::from([CODE, CODE + 7]);
        let mut stops = 0;
        while b.space.m.run(0, 100, &at).exit == Exit::Breakpoint {
            assert_eq!(b.regs().ip, CODE + 7);
            stops += 1;
        }
        assert_eq!(stops, 10);
    }

    #[test]
    fn code_that_changes_itself_is_decoded_again() {
        // mov byte [rip+1],7 ; mov eax,1 (the immediate is changed) ; syscall
        let code = [0xc6, 0x05, 1, 0, 0, 0, 7, 0xb8, 1, 0, 0, 0, 0x0f, 0x05];
        let mut b = Bench::new(&code);
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(b.regs().ax, 7);
        // And by somebody else.
        b.space.m.store(0, VirtAddr(CODE + 8), Size::Byte, 9, Ring::User).unwrap();
        b.regs().ip = CODE + 7;
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(b.regs().ax, 9);
    }

    #[test]
    fn an_instruction_may_cross_pages() {
        let mut b = Bench::new(&[]);
        let m = &mut b.space.m;
        let code = [0xb8, 1, 2, 3, 4, 0x0f, 0x05];
        m.store_bytes(0, VirtAddr(CODE + 0xffe), &code, Ring::User).unwrap();
        for _ in 0..2 {
            b.regs().ip = CODE + 0xffe;
            assert_eq!(b.go(), Exit::Syscall);
            assert_eq!(b.regs().ax, 0x0403_0201);
        }
        b.space.m.store(0, VirtAddr(CODE + 0x1001), Size::Byte, 9, Ring::User).unwrap();
        b.regs().ip = CODE + 0xffe;
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(b.regs().ax, 0x0409_0201);
    }

    #[test]
    fn a_copy_runs_the_same_and_shares_nothing() {
        let mut b = Bench::new(SUM);
        b.run(5);
        let mut copy = b.space.m.clone();
        assert_eq!(b.go(), Exit::Syscall);
        assert_eq!(copy.load(0, VirtAddr(DATA), Size::Qword, Ring::User), Ok(0));
        let run = copy.run(0, 1000, &BTreeSet::new());
        assert_eq!((run.exit, run.retired), (Exit::Syscall, 28));
        assert!(copy.cpus[0].regs == *b.regs() && b.peek(DATA) == 55);
    }

    #[test]
    fn faults_leave_everything_as_it_was() {
        // push rax with RSP at the bottom of the stack
        let mut b = Bench::new(&[0x50]);
        b.regs().sp = STACK - 0x2000;
        let before = *b.regs();
        assert!(
            matches!(b.go(), Exit::Exception(Exception::PageFault { addr, .. }) if addr.0 == STACK - 0x2008)
        );
        assert_eq!(*b.regs(), before);
    }
}
