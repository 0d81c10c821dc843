//! The scheduler's entity, and the kernel stack.
//!
//! Left out: run queues, of which a director has none; registers (`views`).

use std::fmt;

use rhai::Dynamic;

use crate::kernel::mm::vmalloc::stack_read;
use crate::kernel::task::{KernelStack, STACK_END_MAGIC, THREAD_SIZE};
use crate::machine::ptregs::PT_REGS_SIZE;
use crate::report::stack;
use crate::script::bind::registry::{Book, Raised, functions, getters};
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
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.machine().read(|sys| stack(sys, self.0.id())) {
            Ok(view) => view.fmt(f),
            Err(_) => f.write_str("kernel stack (freed)"),
        }
    }
}

/// Registers the types.
pub(super) fn register(book: &mut Book) {
    book.prints::<SchedEntity>("SchedEntity");
    getters! { book, SchedEntity;
        /// Weighted run time, ns.
        "vruntime: int" => |s: &mut SchedEntity| s.0.vruntime;
        /// EEVDF: virtual time by which it should have had its slice, ns.
        "deadline: int" => |s: &mut SchedEntity| s.0.deadline;
        /// EEVDF: what it was owed when it left the queue last, ns.
        "vlag: int" => |s: &mut SchedEntity| s.0.vlag;
        /// EEVDF: what it asks for at a time, ns.
        "slice: int" => |s: &mut SchedEntity| s.0.slice as i64;
        /// Whether it is on the queue, or runs from it.
        "on_rq: bool" => |s: &mut SchedEntity| s.0.on_rq;
        /// Run time, ns.
        "sum_exec_runtime: int" => |s: &mut SchedEntity| s.0.sum_exec_runtime as i64;
        /// Virtual time at which it last began to run, ns.
        "exec_start: int" => |s: &mut SchedEntity| s.0.exec_start as i64;
        /// Weight by nice value; 1024 is nice 0.
        "load_weight: int" => |s: &mut SchedEntity| s.0.load_weight as i64;
        /// Moves between processors.
        "nr_migrations: int" => |s: &mut SchedEntity| s.0.nr_migrations as i64;
    }
    book.prints::<Stack>("Stack");
    getters! { book, Stack;
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
    functions! { book;
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
}
