//! `t.xmm(0)`, `t.fpu()`: the SSE and x87 registers of a task.
//!
//! Left out: changing them.

use std::fmt;

use rhai::{Array, Blob, Dynamic, INT};

use crate::machine::fpu::{F80, FpuState};
use crate::script::bind::registry::{Book, Raised, functions, getters};
use crate::script::bind::task::Task;
use crate::script::errors::ScriptError;
use crate::script::value::Addr;

/// An SSE register.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Xmm(u128);

impl fmt::Display for Xmm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#034x}", self.0)
    }
}

impl Xmm {
    /// Its parts, lowest first.
    fn parts<const N: usize>(self) -> impl Iterator<Item = [u8; N]> {
        let bytes = self.0.to_le_bytes();
        (0..16 / N).map(move |i| std::array::from_fn(|k| bytes[i * N + k]))
    }
}

/// All of them.
#[derive(Clone)]
struct Fpu(Box<FpuState>);

/// Bias of the exponent of an 80-bit number, and bits behind its point.
const BIAS: i32 = 16383;
const FRACTION: i32 = 63;

/// The number that comes nearest.
fn float(value: F80) -> f64 {
    let sign = if value.sign_exp & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exp = i32::from(value.sign_exp & 0x7fff);
    match (exp, value.mantissa << 1) {
        (0x7fff, 0) => sign * f64::INFINITY,
        (0x7fff, _) => f64::NAN,
        // In two parts: the power alone may be too small for a double.
        _ => {
            let power = exp - BIAS - FRACTION;
            sign * value.mantissa as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2)
        }
    }
}

impl Fpu {
    /// ST(i), if it is in use.
    fn st(&self, i: u8) -> Option<F80> {
        let x87 = &self.0.x87;
        let physical = x87.physical(i);
        (x87.in_use >> physical & 1 != 0).then(|| x87.regs[physical])
    }
}

impl fmt::Display for Fpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FpuState { xmm, mxcsr, x87 } = &*self.0;
        write!(f, "mxcsr {mxcsr:#x}  fcw {:#x}  fsw {:#x}", x87.control, x87.status)?;
        for i in 0..8 {
            if let Some(value) = self.st(i) {
                write!(f, "\n  st({i})  {:?}", float(value))?;
            }
        }
        for (i, value) in xmm.iter().enumerate().filter(|(_, v)| **v != 0) {
            write!(f, "\n  xmm{i:<3} {}", Xmm(*value))?;
        }
        Ok(())
    }
}

fn state(t: &Task) -> Result<Box<FpuState>, ScriptError> {
    t.read(|_, task| task.fpu.as_ref().map_or_else(Box::default, |fpu| Box::new(**fpu)))
}

/// Registers the functions.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// The register XMMn of a task.
        "xmm(t: Task, n: int) -> Xmm" => |t: &mut Task, n: INT| -> Raised<Xmm> {
            let all = state(t)?.xmm;
            let found = usize::try_from(n).ok().and_then(|n| all.get(n));
            let none = || ScriptError::usage(format!("xmm: the registers are 0 to 15, not {n}"));
            Ok(Xmm(*found.ok_or_else(none)?))
        };
        /// The x87 and SSE registers of a task; those that are not 0 print.
        "fpu(t: Task) -> Fpu" => |t: &mut Task| -> Raised<Fpu> { Ok(Fpu(state(t)?)) };
        /// Whether two registers hold the same.
        "==(a: Xmm, b: Xmm) -> bool" => |a: Xmm, b: Xmm| a == b;
        /// Whether two registers hold something different.
        "!=(a: Xmm, b: Xmm) -> bool" => |a: Xmm, b: Xmm| a != b;
    }
    book.prints::<Xmm>("Xmm");
    getters! { book, Xmm;
        /// Its 16 bytes.
        "bytes: blob" => |x: &mut Xmm| -> Blob { x.0.to_le_bytes().to_vec() };
        /// Two integers, the lower one first.
        "i64: array" => |x: &mut Xmm| -> Array {
            x.parts().map(|b| i64::from_le_bytes(b).into()).collect()
        };
        /// Four integers.
        "i32: array" => |x: &mut Xmm| -> Array {
            x.parts().map(|b| i64::from(i32::from_le_bytes(b)).into()).collect()
        };
        /// Two doubles.
        "f64: array" => |x: &mut Xmm| -> Array {
            x.parts().map(|b| f64::from_le_bytes(b).into()).collect()
        };
        /// Four floats.
        "f32: array" => |x: &mut Xmm| -> Array {
            x.parts().map(|b| f64::from(f32::from_le_bytes(b)).into()).collect()
        };
    }
    book.prints::<Fpu>("Fpu");
    getters! { book, Fpu;
        /// SSE control and status.
        "mxcsr: Addr" => |f: &mut Fpu| Addr(f.0.mxcsr.into());
        /// The x87 control word.
        "fcw: Addr" => |f: &mut Fpu| Addr(f.0.x87.control.into());
        /// The x87 status word.
        "fsw: Addr" => |f: &mut Fpu| Addr(f.0.x87.status.into());
        /// ST(0), ST(1)… as far as they are in use, as doubles.
        "st: array" => |f: &mut Fpu| -> Array {
            (0..8).map_while(|i| f.st(i)).map(|v| Dynamic::from(float(v))).collect()
        };
    }
}
