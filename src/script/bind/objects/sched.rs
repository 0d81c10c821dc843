//! Plain values out of a task: the scheduler's entity, registers, the kernel
//! stack.
//!
//! Left out: run queues; a director has none.

use std::fmt;

use rhai::{Dynamic, Engine};

use crate::kernel::entry::PT_REGS_OFFSET;
use crate::kernel::mm::vmalloc::stack_read;
use crate::kernel::task::{KernelStack, STACK_END_MAGIC, THREAD_SIZE};
use crate::machine::Regs;
use crate::machine::ptregs::{PT_REGS_SIZE, PT_REGS_WORDS, from_words};
use crate::script::bind::registry::{Raised, functions, getters, printed};
use crate::script::bind::task::Task;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;

/// `struct sched_entity` as it was when asked for.
#[derive(Debug, Clone)]
pub(in super::super) struct SchedEntity(pub crate::kernel::sched::SchedEntity);

impl fmt::Display for SchedEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let se = &self.0;
        write!(
            f,
            "vruntime {} ns, ran {} ns, weight {}",
            se.vruntime, se.sum_exec_runtime, se.load_weight
        )
    }
}

/// Registers as they were when asked for.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct RegsValue {
    /// The registers.
    pub regs: Regs,
    /// pt_regs.orig_ax; `None` outside a pt_regs.
    pub orig_ax: Option<i64>,
}

impl fmt::Display for RegsValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.regs;
        let rows = [
            [("ax", r.ax), ("bx", r.bx), ("cx", r.cx), ("dx", r.dx)],
            [("si", r.si), ("di", r.di), ("bp", r.bp), ("sp", r.sp)],
            [("r8", r.r8), ("r9", r.r9), ("r10", r.r10), ("r11", r.r11)],
            [("r12", r.r12), ("r13", r.r13), ("r14", r.r14), ("r15", r.r15)],
            [("ip", r.ip), ("flags", r.flags), ("cs", r.cs), ("ss", r.ss)],
        ];
        for (i, row) in rows.iter().enumerate() {
            let cells: Vec<String> =
                row.iter().map(|(name, value)| format!("{name:>5} {value:#018x}")).collect();
            write!(f, "{}{}", if i > 0 { "\n" } else { "" }, cells.join("  "))?;
        }
        match self.orig_ax {
            Some(n) => write!(f, "\norig_ax {n}"),
            None => Ok(()),
        }
    }
}

/// A kernel stack, by its task.
#[derive(Clone)]
pub(in super::super) struct Stack(Task);

impl Stack {
    /// The stack of a task.
    pub(in super::super) fn new(task: &Task) -> Stack {
        Stack(task.clone())
    }

    fn get(&self) -> Raised<KernelStack> {
        let stack = self.0.field(|_, t| t.stack)?;
        let pid = self.0.pid();
        stack.ok_or_else(|| {
            ScriptError::usage(format!("task {pid} has no kernel stack any more")).into()
        })
    }

    /// The word at an offset from its lowest address.
    fn word(&self, offset: u64) -> Raised<u64> {
        let stack = self.get()?;
        Ok(self.0.machine().read(|sys| stack_read(sys, &stack, offset)))
    }

    /// What lies at its top: the registers saved at the last entry.
    fn pt_regs(&self) -> Raised<RegsValue> {
        let stack = self.get()?;
        let words: [u64; PT_REGS_WORDS] = self.0.machine().read(|sys| {
            std::array::from_fn(|i| stack_read(sys, &stack, PT_REGS_OFFSET + 8 * i as u64))
        });
        let (regs, orig_ax) = from_words(&words);
        Ok(RegsValue { regs, orig_ax: Some(orig_ax as i64) })
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Ok(s) => write!(f, "kernel stack {}-{:#x}", s.base, s.base.0 + THREAD_SIZE),
            Err(_) => write!(f, "kernel stack (freed)"),
        }
    }
}

/// Registers the types.
pub(super) fn register(engine: &mut Engine) {
    printed!(engine, SchedEntity, "SchedEntity");
    getters! { engine, SchedEntity;
        /// Weighted run time, ns.
        "vruntime: int" => |s: &mut SchedEntity| s.0.vruntime as i64;
        /// Run time, ns.
        "sum_exec_runtime: int" => |s: &mut SchedEntity| s.0.sum_exec_runtime as i64;
        /// Virtual time at which it last began to run, ns.
        "exec_start: int" => |s: &mut SchedEntity| s.0.exec_start as i64;
        /// Weight by nice value; 1024 is nice 0.
        "load_weight: int" => |s: &mut SchedEntity| s.0.load_weight as i64;
        /// Moves between processors.
        "nr_migrations: int" => |s: &mut SchedEntity| s.0.nr_migrations as i64;
    }
    printed!(engine, Stack, "Stack");
    getters! { engine, Stack;
        /// Lowest address; a guard page lies below it.
        "base: Addr" => |s: &mut Stack| -> Raised<Addr> { Ok(Addr(s.get()?.base.0)) };
        /// Size in bytes.
        "size: int" => |_: &mut Stack| THREAD_SIZE as i64;
        /// The word at its lowest address: STACK_END_MAGIC unless it overflowed.
        "magic: Addr" => |s: &mut Stack| -> Raised<Addr> { Ok(Addr(s.word(0)?)) };
        /// Whether the magic word is intact.
        "intact: bool" => |s: &mut Stack| -> Raised<bool> { Ok(s.word(0)? == STACK_END_MAGIC) };
        /// Kernel stack pointer while switched out.
        "sp: Addr" => |s: &mut Stack| s.0.field(|_, t| Addr(t.thread.sp));
        /// Value of the stack protector.
        "canary: Addr" => |s: &mut Stack| s.0.field(|_, t| Addr(t.stack_canary));
        /// Where pt_regs lies.
        "pt_regs: Addr" => |s: &mut Stack| -> Raised<Addr> {
            Ok(Addr(s.get()?.base.0 + THREAD_SIZE - PT_REGS_SIZE))
        };
        /// The frames behind it, lowest address first.
        "pages: array" => |s: &mut Stack| -> Raised<rhai::Array> {
            Ok(s.get()?.pages.iter().map(|p| Dynamic::from(Addr(p.0.into()))).collect())
        };
    }
    functions! { engine;
        /// The word at an offset in bytes from the stack's lowest address.
        "word(s: Stack, offset: int) -> Addr" => |s: &mut Stack, offset: i64| -> Raised<Addr> {
            match u64::try_from(offset) {
                Ok(at) if at <= THREAD_SIZE - 8 && at % 8 == 0 => Ok(Addr(s.word(at)?)),
                _ => Err(ScriptError::usage(format!(
                    "offset {offset} is not a multiple of 8 within {THREAD_SIZE} bytes"
                )).into()),
            }
        };
    }
    getters! { engine, Task;
        /// pt_regs: the registers saved on the kernel stack at the last entry.
        /// `child.regs.ax == 0` is why fork returns 0 in the child.
        "regs: Regs" => |t: &mut Task| Stack::new(t).pt_regs();
    }
    registers(engine);
}

fn registers(engine: &mut Engine) {
    type R = RegsValue;
    printed!(engine, RegsValue, "Regs");
    getters! { engine, Regs;
        /// RAX: the result of a system call.
        "ax: int" => |r: &mut R| r.regs.ax as i64;
        /// The number of the system call being served; -1 for an exception.
        "orig_ax: int" => |r: &mut R| r.orig_ax.unwrap_or(-1);
        /// RBX.
        "bx: int" => |r: &mut R| r.regs.bx as i64;
        /// RCX: the return address of SYSCALL.
        "cx: Addr" => |r: &mut R| Addr(r.regs.cx);
        /// RDX: third argument.
        "dx: int" => |r: &mut R| r.regs.dx as i64;
        /// RSI: second argument.
        "si: int" => |r: &mut R| r.regs.si as i64;
        /// RDI: first argument.
        "di: int" => |r: &mut R| r.regs.di as i64;
        /// RBP.
        "bp: Addr" => |r: &mut R| Addr(r.regs.bp);
        /// RSP.
        "sp: Addr" => |r: &mut R| Addr(r.regs.sp);
        /// R8: fifth argument.
        "r8: int" => |r: &mut R| r.regs.r8 as i64;
        /// R9: sixth argument.
        "r9: int" => |r: &mut R| r.regs.r9 as i64;
        /// R10: fourth argument.
        "r10: int" => |r: &mut R| r.regs.r10 as i64;
        /// R11: RFLAGS saved by SYSCALL.
        "r11: Addr" => |r: &mut R| Addr(r.regs.r11);
        /// R12.
        "r12: int" => |r: &mut R| r.regs.r12 as i64;
        /// R13.
        "r13: int" => |r: &mut R| r.regs.r13 as i64;
        /// R14.
        "r14: int" => |r: &mut R| r.regs.r14 as i64;
        /// R15.
        "r15: int" => |r: &mut R| r.regs.r15 as i64;
        /// RIP.
        "ip: Addr" => |r: &mut R| Addr(r.regs.ip);
        /// RFLAGS.
        "flags: Addr" => |r: &mut R| Addr(r.regs.flags);
        /// CS; its low two bits are the ring.
        "cs: Addr" => |r: &mut R| Addr(r.regs.cs);
        /// SS.
        "ss: Addr" => |r: &mut R| Addr(r.regs.ss);
    }
}
