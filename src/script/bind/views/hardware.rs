//! `machine.cpu(i)`, its registers and TLB; `t.regs`.
//!
//! Left out: changing what is not a general register.

use rhai::{Array, Dynamic, INT};

use super::{array, no_view, of_task};
use crate::kernel::entry::can_act;
use crate::machine::Regs;
use crate::report::cpu::{CpuView, TlbRow, TlbView};
use crate::report::regs::RegsView;
use crate::report::{cpu, regs, tlb};
use crate::script::bind::args;
use crate::script::bind::registry::{Book, Raised, functions, getters, member};
use crate::script::bind::task::Task;
use crate::script::bind::trouble;
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;
use crate::session::debug::registers;

/// A processor's number.
fn number(n: INT) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A processor as it was when asked for, with its machine.
#[derive(Clone)]
struct CpuHandle {
    machine: Machine,
    view: CpuView,
}

impl std::fmt::Display for CpuHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view.fmt(f)
    }
}

/// Registers the views.
pub(super) fn register(book: &mut Book) {
    processors(book);
    tlbs(book);
    user_registers(book);
}

fn processors(book: &mut Book) {
    functions! { book;
        /// A processor: its registers, whose tables it uses, its TLB.
        "cpu(m: Machine, n: int) -> Cpu" => |m: &mut Machine, n: INT| -> Raised<CpuHandle> {
            if n < 0 {
                return Err(ScriptError::usage(format!("there is no CPU {n}")).into());
            }
            let view = m.read(|sys| cpu(sys, number(n))).map_err(|e| no_view(&e))?;
            Ok(CpuHandle { machine: m.clone(), view })
        };
    }
    book.prints::<CpuHandle>("Cpu");
    getters! { book, Cpu;
        /// Its number.
        "id: int" => |c: &mut CpuHandle| INT::from(c.view.cpu);
        /// The task it runs.
        "current: Task" => |c: &mut CpuHandle| -> Task {
            let n = c.view.cpu as usize;
            let id = c.machine.read(|sys| sys.kernel.per_cpu[n].current_task);
            c.machine.handle(id)
        };
        /// 0 in the kernel, 3 in user mode.
        "ring: int" => |c: &mut CpuHandle| INT::from(c.view.ring);
        /// Instruction pointer.
        "ip: Addr" => |c: &mut CpuHandle| Addr(c.view.ip);
        /// Stack pointer.
        "sp: Addr" => |c: &mut CpuHandle| Addr(c.view.sp);
        /// The kernel stack that an exception switches to.
        "rsp0: Addr" => |c: &mut CpuHandle| Addr(c.view.rsp0);
        /// CR0.
        "cr0: Addr" => |c: &mut CpuHandle| Addr(c.view.cr0.0);
        /// CR2: the address of the last page fault.
        "cr2: Addr" => |c: &mut CpuHandle| Addr(c.view.cr2);
        /// CR3: physical address of the top page table.
        "cr3: Addr" => |c: &mut CpuHandle| Addr(c.view.cr3);
        /// CR4.
        "cr4: Addr" => |c: &mut CpuHandle| Addr(c.view.cr4.0);
        /// The EFER register.
        "efer: Addr" => |c: &mut CpuHandle| Addr(c.view.efer.0);
        /// Where SYSCALL goes.
        "lstar: Addr" => |c: &mut CpuHandle| Addr(c.view.lstar);
        /// FS base.
        "fs_base: Addr" => |c: &mut CpuHandle| Addr(c.view.fs_base);
        /// GS base.
        "gs_base: Addr" => |c: &mut CpuHandle| Addr(c.view.gs_base);
        /// Cached translations.
        "tlb: Tlb" => |c: &mut CpuHandle| -> Raised<TlbView> {
            Ok(c.machine.read(|sys| tlb(sys, c.view.cpu)).map_err(|e| no_view(&e))?)
        };
    }
}

fn tlbs(book: &mut Book) {
    book.prints::<TlbView>("Tlb");
    book.iterates::<TlbView>(|t| array(t.rows.clone()));
    functions! { book;
        /// The number of cached translations.
        "len(t: Tlb) -> int" => |t: &mut TlbView| t.rows.len() as INT;
        /// The cached translation of an address, or ().
        "lookup(t: Tlb, addr: Addr) -> TlbEntry" =>
            |t: &mut TlbView, addr: Dynamic| -> Raised<Dynamic> {
                let at = crate::script::bind::args::word("lookup: addr", &addr)?;
                let page = at & crate::base::PAGE_MASK;
                let found = t.rows.iter().find(|r| r.addr & crate::base::PAGE_MASK == page);
                Ok(found.map_or(Dynamic::UNIT, |r| Dynamic::from(r.clone())))
            };
    }
    getters! { book, Tlb;
        /// The entries.
        "rows: array" => |t: &mut TlbView| array(t.rows.clone());
        /// Entries that no longer agree with the page tables.
        "stale: array" => |t: &mut TlbView| array(t.rows.iter().filter(|r| r.stale).cloned());
        /// Translations served from it.
        "hits: int" => |t: &mut TlbView| t.hits as INT;
        /// Translations that walked the tables.
        "misses: int" => |t: &mut TlbView| t.misses as INT;
        /// Whole flushes.
        "flushes: int" => |t: &mut TlbView| t.flushes as INT;
        /// Single pages flushed.
        "page_flushes: int" => |t: &mut TlbView| t.page_flushes as INT;
    }
    book.shows::<TlbRow>("TlbEntry", |r| {
        let stale = if r.stale { " stale" } else { "" };
        format!("{:#x} -> pfn {:#x} {}{stale}", r.addr, r.pfn, r.rights)
    });
    getters! { book, TlbEntry;
        /// The page.
        "addr: Addr" => |r: &mut TlbRow| Addr(r.addr);
        /// The frame.
        "pfn: Addr" => |r: &mut TlbRow| Addr(r.pfn.into());
        /// Rights: w write, u user, x execute, d dirty, g global.
        "rights: string" => |r: &mut TlbRow| r.rights.clone();
        /// Whether the page tables say something else by now.
        "stale: bool" => |r: &mut TlbRow| r.stale;
    }
}

/// General registers that hold numbers; the others hold addresses.
const NUMBERS: [&str; 11] = ["ax", "bx", "dx", "si", "di", "r8", "r9", "r10", "r12", "r13", "r14"];

/// The registers of a task as they were when asked for. A change goes to the task.
#[derive(Clone)]
struct RegsHandle {
    task: Task,
    view: RegsView,
}

impl std::fmt::Display for RegsHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view.fmt(f)
    }
}

fn user_registers(book: &mut Book) {
    book.prints::<RegsHandle>("Regs");
    getters! { book, Task;
        /// Its user-mode registers: in the processor while it runs there, else
        /// in pt_regs on its kernel stack. `child.regs.ax == 0` is why fork
        /// returns 0 in the child. A program's can be changed: `t.regs.rdi = 3`.
        "regs: Regs" => |t: &mut Task| -> Raised<RegsHandle> {
            Ok(RegsHandle { view: of_task(t, regs)?, task: t.clone() })
        };
    }
    getters! { book, Regs;
        /// Where they were found.
        "place: string" => |r: &mut RegsHandle| r.view.place.clone();
        /// The number of the system call being served; -1 outside of one.
        "orig_ax: int" => |r: &mut RegsHandle| r.view.orig_ax;
        /// FS base: the thread pointer.
        "fs_base: Addr" => |r: &mut RegsHandle| Addr(r.view.fs_base);
        /// GS base of user mode.
        "gs_base: Addr" => |r: &mut RegsHandle| Addr(r.view.gs_base);
        /// The names of the general registers.
        "names: array" => |r: &mut RegsHandle| -> Array {
            r.view.regs.iter().map(|(name, _)| (*name).into()).collect()
        };
    }
    macro_rules! each {
        ($($name:literal $($manual:literal)*;)*) => {$(
            one!($name, $name, concat!(" The register ", $name, "."));
            $(one!($manual, $name, concat!(" The register ", $name, " by its name in the manuals."));)*
        )*};
    }
    macro_rules! one {
        ($shown:literal, $name:literal, $doc:expr) => {
            member!(
                book,
                Getter,
                "Regs",
                concat!($shown, ": int"),
                [$doc],
                |r: &mut RegsHandle| register_value(&r.view, $name)
            );
            member!(
                book,
                Setter,
                "Regs",
                concat!($shown, ": int"),
                [$doc],
                |r: &mut RegsHandle, value: Dynamic| set_register(r, $name, &value)
            );
        };
    }
    each! { "ax" "rax"; "bx" "rbx"; "cx" "rcx"; "dx" "rdx"; "si" "rsi"; "di" "rdi"; "bp" "rbp";
    "sp" "rsp"; "r8"; "r9"; "r10"; "r11"; "r12"; "r13"; "r14"; "r15"; "ip" "rip";
    "flags" "rflags" "eflags"; "cs"; "ss"; }
}

fn register_value(regs: &RegsView, name: &str) -> Dynamic {
    match regs.get(name) {
        Some(value) if NUMBERS.contains(&name) => (value as INT).into(),
        Some(value) => Dynamic::from(Addr(value)),
        None => Dynamic::UNIT,
    }
}

/// Where a general register is.
fn place_of<'r>(regs: &'r mut Regs, name: &str) -> Option<&'r mut u64> {
    Some(match name {
        "ax" => &mut regs.ax,
        "bx" => &mut regs.bx,
        "cx" => &mut regs.cx,
        "dx" => &mut regs.dx,
        "si" => &mut regs.si,
        "di" => &mut regs.di,
        "bp" => &mut regs.bp,
        "sp" => &mut regs.sp,
        "r8" => &mut regs.r8,
        "r9" => &mut regs.r9,
        "r10" => &mut regs.r10,
        "r11" => &mut regs.r11,
        "r12" => &mut regs.r12,
        "r13" => &mut regs.r13,
        "r14" => &mut regs.r14,
        "r15" => &mut regs.r15,
        "ip" => &mut regs.ip,
        "flags" => &mut regs.flags,
        _ => return None,
    })
}

/// Changes a register of a task that is in user mode.
fn set_register(r: &mut RegsHandle, name: &str, value: &Dynamic) -> Raised<()> {
    let value = args::word(&format!("the register {name}"), value)?;
    let task = r.task.clone();
    if !task.exists() {
        return Err(task.no_longer().into());
    }
    let able = task.machine().read(|sys| can_act(sys, task.id()));
    able.map_err(|why| trouble::cannot_act(&task, "have its registers changed", why))?;
    let written = task.machine().write(|sys| {
        let mut all = registers::read(sys, task.id());
        let Some(place) = place_of(&mut all.regs, name) else {
            let message = format!("{name} holds a selector, which cannot be changed");
            return Err(ScriptError::usage(message));
        };
        *place = value;
        registers::write(sys, task.id(), &all).map_err(|e| ScriptError::usage(e.why.to_string()))
    });
    written?;
    r.view = of_task(&task, regs)?;
    Ok(())
}
