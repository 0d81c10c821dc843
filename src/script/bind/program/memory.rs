//! Loads and stores of other sizes, and of text, by programs: each word is an
//! instruction of its own, as in a loop that copies.
//!
//! Linux: none; this is user mode. Left out: blobs, which `read` and `write`
//! move.

use rhai::Dynamic;

use super::asking::{Answered, Asking, Function, library};
use crate::base::VirtAddr;
use crate::machine::{Size, UserOp};
use crate::script::bind::args;
use crate::script::errors::ScriptError;

/// Longest text that one function moves, in bytes.
const MAX_TEXT: u64 = 4096;

fn load(asking: &Asking, a: &[Dynamic], size: Size) -> Answered<Dynamic> {
    let addr = VirtAddr(asking.place("addr", &a[0])?);
    Ok((asking.op(UserOp::Load { addr, size })? as i64).into())
}

fn store(asking: &Asking, a: &[Dynamic], size: Size) -> Answered<Dynamic> {
    let value = args::word("store: value", &a[1])?;
    let addr = VirtAddr(asking.place("addr", &a[0])?);
    asking.op(UserOp::Store { addr, size, value }).map(|_| Dynamic::UNIT)
}

fn length(n: u64) -> Result<u64, ScriptError> {
    match n <= MAX_TEXT {
        true => Ok(n),
        false => Err(ScriptError::Limit {
            message: format!("a text of more than {MAX_TEXT} bytes in a program's memory"),
            help: None,
        }),
    }
}

pub(super) const LIBRARY: &[Function] = library! {
    /// Loads 8 bits from an address or a variable.
    "load8(addr: Addr|string) -> int" => |asking, a| load(asking, a, Size::Byte);
    /// Loads 16 bits.
    "load16(addr: Addr|string) -> int" => |asking, a| load(asking, a, Size::Word);
    /// Loads 32 bits.
    "load32(addr: Addr|string) -> int" => |asking, a| load(asking, a, Size::Dword);
    /// Loads 64 bits.
    "load64(addr: Addr|string) -> int" => |asking, a| load(asking, a, Size::Qword);
    /// Stores 8 bits to an address or a variable; higher ones are dropped.
    "store8(addr: Addr|string, value: int)" => |asking, a| store(asking, a, Size::Byte);
    /// Stores 16 bits.
    "store16(addr: Addr|string, value: int)" => |asking, a| store(asking, a, Size::Word);
    /// Stores 32 bits.
    "store32(addr: Addr|string, value: int)" => |asking, a| store(asking, a, Size::Dword);
    /// Stores 64 bits.
    "store64(addr: Addr|string, value: int)" => |asking, a| store(asking, a, Size::Qword);
    /// Loads text of at most n bytes, up to a NUL.
    "load_str(addr: Addr|string, n: int) -> string" => |asking, a| {
        let n = length(args::word("load_str: n", &a[1])?)?;
        let start = asking.place("addr", &a[0])?;
        let mut bytes = Vec::new();
        for i in 0..n {
            let addr = VirtAddr(start.wrapping_add(i));
            match asking.op(UserOp::Load { addr, size: Size::Byte })? as u8 {
                0 => break,
                byte => bytes.push(byte),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned().into())
    };
    /// Stores text and a NUL.
    "store_str(addr: Addr|string, text: string)" => |asking, a| {
        let text = args::text("store_str: text", &a[1])?;
        length(text.len() as u64)?;
        let start = asking.place("addr", &a[0])?;
        for (i, byte) in text.bytes().chain([0]).enumerate() {
            let addr = VirtAddr(start.wrapping_add(i as u64));
            asking.op(UserOp::Store { addr, size: Size::Byte, value: byte.into() })?;
        }
        Ok(Dynamic::UNIT)
    };
};
