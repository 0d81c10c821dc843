//! The same tests on the emulated processor.

use crate::state::{CODE, CODE_SIZE, DATA, DATA_SIZE, FX, GS_BASE, Outcome, State, WRITABLE};
use forkyard::base::cow::Arc;
use forkyard::base::{Pfn, PhysAddr, VirtAddr};
use forkyard::machine::{
    Exception, Exit, FpuState, Level, Machine, MachineConfig, PageFlags, PagingLevels, Pte,
    PteFlags, Regs, entry_addr,
};
use std::collections::BTreeSet;

/// Instructions (and parts of string instructions) that a test may take.
const BUDGET: u64 = 100_000;

/// A machine with code and data where the host has them.
pub struct Emulated {
    machine: Machine,
    cr3: Pfn,
    data: Vec<u8>,
    pages: Vec<Pfn>,
}

/// Registers by their encoding.
fn by_encoding(r: &mut Regs) -> [&mut u64; 16] {
    let Regs { ax, bx, cx, dx, si, di, bp, sp, r8, r9, r10, r11, r12, r13, r14, r15, .. } = r;
    [ax, cx, dx, bx, sp, bp, si, di, r8, r9, r10, r11, r12, r13, r14, r15]
}

impl Emulated {
    pub fn new(code: &[u8], data: &[u8]) -> Emulated {
        let mut machine = Machine::new(MachineConfig { ram_bytes: 4 << 20, ..Default::default() });
        let cr3 = machine.mem.alloc_page(PageFlags::PGTABLE).expect("4 MiB");
        machine.cpus[0].load_cr3(cr3);
        machine.cpus[0].msrs.gs_base = GS_BASE;
        let mut e = Emulated { machine, cr3, data: data.to_vec(), pages: Vec::new() };
        let user = PteFlags::P | PteFlags::US;
        for at in (0..CODE_SIZE).step_by(0x1000) {
            e.map(CODE + at as u64, user, &code[at..at + 0x1000]);
        }
        for at in (0..DATA_SIZE).step_by(0x1000) {
            let rw = if at < WRITABLE { PteFlags::RW } else { PteFlags::empty() };
            let page = e.map(DATA + at as u64, user | PteFlags::NX | rw, &data[at..at + 0x1000]);
            e.pages.push(page);
        }
        e
    }

    fn map(&mut self, va: u64, flags: PteFlags, bytes: &[u8]) -> Pfn {
        let mem = &mut self.machine.mem;
        let levels = PagingLevels::Four;
        let page = mem.alloc_page(PageFlags::ANON).expect("4 MiB");
        mem.write(page.addr(), bytes);
        let mut table = self.cr3;
        for &level in levels.levels() {
            let at = entry_addr(table, levels.table_index(level, VirtAddr(va)));
            if level == Level::Pte {
                mem.write_u64(at, Pte::new(page, flags).0);
                break;
            }
            let mut entry = Pte(mem.read_u64(at));
            if !entry.is_present() {
                let new = mem.alloc_page(PageFlags::PGTABLE).expect("4 MiB");
                entry = Pte::new(new, PteFlags::P | PteFlags::RW | PteFlags::US);
                mem.write_u64(at, entry.0);
            }
            table = entry.pfn();
        }
        page
    }

    /// Executes the test at `ip`.
    ///
    /// # Errors
    /// What else than an exception ended it.
    pub fn run(&mut self, ip: u64, state: &State) -> Result<Outcome, String> {
        let cpu = &mut self.machine.cpus[0];
        cpu.regs = Regs::user(ip, 0);
        for (to, from) in by_encoding(&mut cpu.regs).into_iter().zip(state.gpr) {
            *to = from;
        }
        cpu.regs.flags |= state.flags;
        cpu.msrs.gs_base = GS_BASE;
        cpu.selectors = Default::default();
        let mut image = [0; 512];
        image[..FX].copy_from_slice(&state.fx);
        let fpu = FpuState::from_fxsave(&image).map_err(|_| "bad MXCSR")?;
        cpu.fpu = Some(Arc::new(fpu));
        let run = self.machine.run(0, BUDGET, &BTreeSet::new());
        let Exit::Exception(e) = run.exit else { return Err(format!("{:?}", run.exit)) };
        let cpu = &mut self.machine.cpus[0];
        let mut out = Outcome {
            gpr: by_encoding(&mut cpu.regs).map(|r| *r),
            ip: cpu.regs.ip,
            flags: cpu.regs.flags,
            vector: u64::from(e.vector()),
            error: u64::from(e.error_code().unwrap_or(0)),
            cr2: if let Exception::PageFault { addr, .. } = e { addr.0 } else { 0 },
            fx: [0; FX],
            dirty: 0,
            memory: [0; WRITABLE],
        };
        let fpu = cpu.fpu.as_deref().copied().unwrap_or_default();
        out.fx.copy_from_slice(&fpu.to_fxsave()[..FX]);
        for (n, page) in self.pages.iter().take(WRITABLE / 0x1000).enumerate() {
            self.machine.mem.read(page.addr(), &mut out.memory[n * 0x1000..][..0x1000]);
        }
        if out.memory[..] != self.data[..WRITABLE] {
            out.dirty = 1;
            for (n, page) in self.pages.iter().take(WRITABLE / 0x1000).enumerate() {
                let at = PhysAddr(page.addr().0);
                self.machine.mem.write(at, &self.data[n * 0x1000..][..0x1000]);
            }
        }
        Ok(out)
    }
}
