//! What a task does in user mode, one instruction at a time: load, store,
//! divide, execute. Everything goes through its page tables and may fault.
//!
//! Left out: `read` and `write`; those are system calls.

use rhai::{Blob, Dynamic, INT, ImmutableString, NativeCallContext};

use super::door;
use super::registry::{Book, Raised, functions};
use super::task::Task;
use super::vars::Vars;
use super::{args, vars};
use crate::base::VirtAddr;
use crate::machine::{Size, UserOp};
use crate::script::errors::ScriptError;
use crate::script::value::Addr;

type Ctx<'a> = NativeCallContext<'a>;

/// Longest block that one load or store moves, in bytes.
const MAX_BLOCK: u64 = 1 << 20;

/// An address argument.
fn address(ctx: &Ctx, value: &Dynamic) -> Result<VirtAddr, ScriptError> {
    let name = ctx.fn_name();
    if value.is_string() {
        return Err(ScriptError::Usage {
            message: format!("{name}: addr must be an address, not a string"),
            help: Some("`t.addr_of(\"name\")` gives the address of a variable".into()),
        });
    }
    args::word(&format!("{name}: addr"), value).map(VirtAddr)
}

/// Loads a word of a size.
pub(super) fn load(ctx: &Ctx, t: &Task, addr: &Dynamic, size: Size) -> Result<u64, ScriptError> {
    let op = UserOp::Load { addr: address(ctx, addr)?, size };
    door::op(ctx, t, &[addr], op)
}

/// Stores a word of a size.
pub(super) fn store(
    ctx: &Ctx,
    t: &Task,
    addr: &Dynamic,
    value: &Dynamic,
    size: Size,
) -> Result<(), ScriptError> {
    let word = args::word(&format!("{}: value", ctx.fn_name()), value)?;
    let op = UserOp::Store { addr: address(ctx, addr)?, size, value: word };
    door::op(ctx, t, &[addr, value], op).map(|_| ())
}

/// Executes RET: takes the return address off the stack and goes there.
pub(super) fn ret(ctx: &Ctx, t: &Task) -> Result<(), ScriptError> {
    let sp = t.machine().read(|sys| crate::report::regs(sys, t.id()).ok()?.get("sp"));
    let at = VirtAddr(sp.unwrap_or(0));
    let to = door::op(ctx, t, &[], UserOp::Load { addr: at, size: Size::Qword })?;
    t.machine().write(|sys| {
        // Having executed the load, it is on its processor, in user mode.
        let cpu = sys.kernel.tasks.get(t.id()).map_or(0, |t| t.cpu as usize);
        if let Some(cpu) = sys.machine.cpus.get_mut(cpu) {
            cpu.regs.ip = to;
            cpu.regs.sp = at.0.wrapping_add(8);
        }
    });
    Ok(())
}

/// The largest step from `at` that stays aligned and within `left` bytes.
fn step(at: u64, left: u64) -> Size {
    if at.is_multiple_of(8) && left >= 8 { Size::Qword } else { Size::Byte }
}

/// Loads a block as a copy loop would.
pub(super) fn load_block(
    ctx: &Ctx,
    t: &Task,
    addr: &Dynamic,
    len: u64,
) -> Result<Vec<u8>, ScriptError> {
    check_len(ctx, len)?;
    let start = address(ctx, addr)?.0;
    let mut bytes = Vec::with_capacity(len as usize);
    while (bytes.len() as u64) < len {
        let at = start.wrapping_add(bytes.len() as u64);
        let size = step(at, len - bytes.len() as u64);
        let word = door::op(ctx, t, &[addr], UserOp::Load { addr: VirtAddr(at), size })?;
        bytes.extend_from_slice(&word.to_le_bytes()[..size.bytes()]);
    }
    Ok(bytes)
}

/// Stores a block as a copy loop would. A fault leaves what came before it.
pub(super) fn store_block(
    ctx: &Ctx,
    t: &Task,
    addr: &Dynamic,
    bytes: &[u8],
) -> Result<(), ScriptError> {
    check_len(ctx, bytes.len() as u64)?;
    let start = address(ctx, addr)?.0;
    let mut done = 0;
    while done < bytes.len() {
        let at = start.wrapping_add(done as u64);
        let size = step(at, (bytes.len() - done) as u64);
        let mut word = [0; 8];
        word[..size.bytes()].copy_from_slice(&bytes[done..done + size.bytes()]);
        let value = u64::from_le_bytes(word);
        door::op(ctx, t, &[addr], UserOp::Store { addr: VirtAddr(at), size, value })?;
        done += size.bytes();
    }
    Ok(())
}

fn check_len(ctx: &Ctx, len: u64) -> Result<(), ScriptError> {
    if len <= MAX_BLOCK {
        return Ok(());
    }
    Err(ScriptError::Limit {
        message: format!("{} moves at most {MAX_BLOCK} bytes at once", ctx.fn_name()),
        help: None,
    })
}

/// A length argument.
fn length(ctx: &Ctx, value: &Dynamic) -> Result<u64, ScriptError> {
    args::word(&format!("{}: length", ctx.fn_name()), value)
}

/// Registers the functions.
pub(super) fn register(book: &mut Book) {
    words(book);
    blocks(book);
    variables(book);
    instructions(book);
}

fn words(book: &mut Book) {
    functions! { book;
        /// Loads the 64-bit word at an address, as user mode would.
        "load(t: Task, addr: Addr) -> int" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<INT> {
            Ok(load(&ctx, t, &a, Size::Qword)? as i64)
        };
        /// Loads 8 bits.
        "load8(t: Task, addr: Addr) -> int" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<INT> {
            Ok(load(&ctx, t, &a, Size::Byte)? as i64)
        };
        /// Loads 16 bits.
        "load16(t: Task, addr: Addr) -> int" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<INT> {
            Ok(load(&ctx, t, &a, Size::Word)? as i64)
        };
        /// Loads 32 bits.
        "load32(t: Task, addr: Addr) -> int" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<INT> {
            Ok(load(&ctx, t, &a, Size::Dword)? as i64)
        };
        /// Loads 64 bits.
        "load64(t: Task, addr: Addr) -> int" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<INT> {
            Ok(load(&ctx, t, &a, Size::Qword)? as i64)
        };
        /// Stores a 64-bit word, a string or a blob at an address, as user mode
        /// would. The first write to a page shared since fork copies it.
        "store(t: Task, addr: Addr, value: int|string|blob)" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, v: Dynamic| -> Raised<()> {
                if v.is_string() || v.is_blob() {
                    let bytes = args::bytes("store: value", &v)?;
                    return Ok(store_block(&ctx, t, &a, &bytes)?);
                }
                Ok(store(&ctx, t, &a, &v, Size::Qword)?)
            };
        /// Stores 8 bits; higher ones are dropped.
        "store8(t: Task, addr: Addr, value: int)" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, v: Dynamic| -> Raised<()> {
                Ok(store(&ctx, t, &a, &v, Size::Byte)?)
            };
        /// Stores 16 bits.
        "store16(t: Task, addr: Addr, value: int)" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, v: Dynamic| -> Raised<()> {
                Ok(store(&ctx, t, &a, &v, Size::Word)?)
            };
        /// Stores 32 bits.
        "store32(t: Task, addr: Addr, value: int)" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, v: Dynamic| -> Raised<()> {
                Ok(store(&ctx, t, &a, &v, Size::Dword)?)
            };
        /// Stores 64 bits.
        "store64(t: Task, addr: Addr, value: int)" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, v: Dynamic| -> Raised<()> {
                Ok(store(&ctx, t, &a, &v, Size::Qword)?)
            };
    }
}

fn blocks(book: &mut Book) {
    functions! { book;
        /// Loads a string of at most n bytes, up to a NUL.
        "load_str(t: Task, addr: Addr, n: int) -> string" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, n: Dynamic| -> Raised<String> {
                let len = length(&ctx, &n)?;
                check_len(&ctx, len)?;
                let start = address(&ctx, &a)?.0;
                let mut bytes = Vec::new();
                while (bytes.len() as u64) < len {
                    let at = VirtAddr(start.wrapping_add(bytes.len() as u64));
                    let op = UserOp::Load { addr: at, size: Size::Byte };
                    match door::op(&ctx, t, &[&a, &n], op)? as u8 {
                        0 => break,
                        byte => bytes.push(byte),
                    }
                }
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            };
        /// Loads n bytes.
        "load_blob(t: Task, addr: Addr, n: int) -> blob" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, n: Dynamic| -> Raised<Blob> {
                let len = length(&ctx, &n)?;
                Ok(load_block(&ctx, t, &a, len)?)
            };
        /// Stores a string and a NUL.
        "store_str(t: Task, addr: Addr, text: string)" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, s: ImmutableString| -> Raised<()> {
                let mut bytes = s.as_bytes().to_vec();
                bytes.push(0);
                Ok(store_block(&ctx, t, &a, &bytes)?)
            };
        /// Stores bytes.
        "store_blob(t: Task, addr: Addr, bytes: blob)" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, v: Dynamic| -> Raised<()> {
                let bytes = args::bytes("store_blob: bytes", &v)?;
                Ok(store_block(&ctx, t, &a, &bytes)?)
            };
    }
}

fn variables(book: &mut Book) {
    functions! { book;
        /// Puts a variable into the data segment and stores its value; gives
        /// its address. Then `t.vars.name` reads and writes it.
        "define(t: Task, name: string, value: int|string|blob) -> Addr" =>
            |ctx: Ctx, t: &mut Task, name: ImmutableString, v: Dynamic| -> Raised<Addr> {
                Ok(vars::define(&ctx, t, &name, &v, vars::Place::Packed)?)
            };
        /// The same with the variable on a page of its own.
        "define_page(t: Task, name: string, value: int|string|blob) -> Addr" =>
            |ctx: Ctx, t: &mut Task, name: ImmutableString, v: Dynamic| -> Raised<Addr> {
                Ok(vars::define(&ctx, t, &name, &v, vars::Place::OwnPage)?)
            };
        /// The address of a variable.
        "addr_of(t: Task, name: string) -> Addr" =>
            |t: &mut Task, name: ImmutableString| -> Raised<Addr> {
                Ok(Addr(Vars::new(t).find(&name)?.addr))
            };
    }
}

fn instructions(book: &mut Book) {
    functions! { book;
        /// Divides, as the IDIV instruction does: by zero is SIGFPE.
        "divide(t: Task, a: int, b: int) -> int" =>
            |ctx: Ctx, t: &mut Task, a: Dynamic, b: Dynamic| -> Raised<INT> {
                let word = |what, v| args::word(what, v).map(|w| w as i64);
                let op = UserOp::Divide { a: word("divide: a", &a)?, b: word("divide: b", &b)? };
                Ok(door::op(&ctx, t, &[&a, &b], op)? as i64)
            };
        /// Fetches an instruction from an address: whether code there could run.
        "exec_at(t: Task, addr: Addr)" => |ctx: Ctx, t: &mut Task, a: Dynamic| -> Raised<()> {
            let op = UserOp::Exec { addr: address(&ctx, &a)? };
            door::op(&ctx, t, &[&a], op)?;
            Ok(())
        };
        /// Executes HLT, which only the kernel may.
        "hlt(t: Task)" => |ctx: Ctx, t: &mut Task| -> Raised<()> {
            door::op(&ctx, t, &[], UserOp::Hlt)?;
            Ok(())
        };
        /// Executes a privileged instruction (CLI).
        "cli(t: Task)" => |ctx: Ctx, t: &mut Task| -> Raised<()> {
            door::op(&ctx, t, &[], UserOp::Privileged)?;
            Ok(())
        };
        /// Executes UD2, an instruction that is none: SIGILL.
        "ud2(t: Task)" => |ctx: Ctx, t: &mut Task| -> Raised<()> {
            door::op(&ctx, t, &[], UserOp::Ud2)?;
            Ok(())
        };
        /// Executes INT3, a breakpoint: SIGTRAP.
        "int3(t: Task)" => |ctx: Ctx, t: &mut Task| -> Raised<()> {
            door::op(&ctx, t, &[], UserOp::Int3)?;
            Ok(())
        };
    }
}
