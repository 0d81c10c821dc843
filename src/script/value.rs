//! Values that plain numbers would hide: addresses print as hex, flags by
//! their names. `0xffff888000000000` as an `i64` would be a negative decimal.
//!
//! Left out: the tables of flags, which belong to `abi`; a [`FlagKind`] refers
//! to one.

use std::fmt;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use super::errors::ScriptError;

/// An address, virtual or physical, or a mask applied to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr(pub u64);

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A part of a flag word that holds a number: the exit signal in the low byte
/// of clone flags.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The bits of the field.
    pub mask: u64,
    /// Names of its values, already shifted into place.
    pub values: &'static [(&'static str, u64)],
}

/// A family of flags or of numbered constants.
#[derive(Debug, PartialEq, Eq)]
pub struct FlagKind {
    /// What they are called in messages: "clone flags".
    pub name: &'static str,
    /// The flags, or for [`Style::Value`], the numbers.
    pub table: &'static [(&'static str, u64)],
    /// Fields that hold a number within a flag word.
    pub fields: &'static [Field],
    /// Whether values are sets of bits or numbers.
    pub style: Style,
    /// Names of other kinds that may be or-ed into this one.
    pub accepts: &'static [&'static str],
}

/// Whether values of a kind are sets of bits or numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Bits that can be combined: `CLONE_VM|CLONE_FS`.
    Bits,
    /// Numbers with names: `SIGTERM`, `SCHED_FIFO`.
    Value,
}

/// A flag word or named number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// The value.
    pub bits: u64,
    /// What its bits mean.
    pub kind: &'static FlagKind,
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = self.kind.table.iter().find(|(_, bits)| *bits == self.bits) {
            return f.write_str(name);
        }
        if self.bits == 0 || self.kind.style == Style::Value {
            return write!(f, "{}", self.bits);
        }
        let mut rest = self.bits;
        let mut names: Vec<String> = Vec::new();
        let mut table: Vec<_> = self.kind.table.iter().collect();
        // A name for several bits wins over the names of its parts.
        table.sort_by_key(|(_, bits)| std::cmp::Reverse(bits.count_ones()));
        let mut found = Vec::new();
        for (name, bits) in table {
            if *bits != 0 && rest & bits == *bits {
                rest &= !bits;
                found.push((*bits, *name));
            }
        }
        found.sort();
        names.extend(found.iter().map(|(_, name)| (*name).to_string()));
        for field in self.kind.fields {
            let value = self.bits & field.mask;
            if let Some((name, _)) = field.values.iter().find(|(_, v)| value != 0 && *v == value) {
                rest &= !field.mask;
                names.push((*name).to_string());
            }
        }
        if rest != 0 {
            names.push(format!("{rest:#x}"));
        }
        f.write_str(&names.join("|"))
    }
}

impl Flags {
    fn with(self, bits: u64) -> Flags {
        Flags { bits, ..self }
    }

    /// The kind of a combination, or an error that names both.
    fn combine(self, other: Flags) -> Result<&'static FlagKind, ScriptError> {
        let takes = |a: &FlagKind, b: &FlagKind| a == b || a.accepts.contains(&b.name);
        if takes(self.kind, other.kind) {
            Ok(self.kind)
        } else if takes(other.kind, self.kind) {
            Ok(other.kind)
        } else {
            Err(ScriptError::Usage {
                message: format!(
                    "{self} and {other} do not belong together: {} and {}",
                    self.kind.name, other.kind.name
                ),
                help: Some("`x.to_int()` gives the plain number".into()),
            })
        }
    }
}

type Raised<T> = Result<T, Box<EvalAltResult>>;

/// Registers the types and their operators.
pub fn register(engine: &mut Engine) {
    register_addr(engine);
    register_flags(engine);
    engine.register_fn("hex", |n: i64| format!("{n:#x}"));
}

fn register_addr(engine: &mut Engine) {
    engine.register_type_with_name::<Addr>("Addr");
    engine.register_fn("to_string", |a: &mut Addr| a.to_string());
    engine.register_fn("to_debug", |a: &mut Addr| a.to_string());
    engine.register_fn("hex", |a: Addr| a.to_string());
    engine.register_fn("addr", |n: i64| Addr(n as u64));
    engine.register_fn("addr", |a: Addr| a);
    engine.register_fn("to_int", |a: Addr| a.0 as i64);
    engine.register_get("page", |a: &mut Addr| Addr(a.0 & crate::base::PAGE_MASK));
    engine.register_get("offset", |a: &mut Addr| (a.0 & !crate::base::PAGE_MASK) as i64);
    engine.register_fn("-", |a: Addr, b: Addr| a.0.wrapping_sub(b.0) as i64);
    engine.register_fn("-", |a: Addr, n: i64| Addr(a.0.wrapping_sub(n as u64)));
    engine.register_fn("%", |a: Addr, n: i64| -> Raised<i64> {
        let rest = u64::try_from(n).ok().and_then(|n| a.0.checked_rem(n));
        rest.map(|r| r as i64).ok_or_else(|| ScriptError::usage("modulo by zero").into())
    });
    engine.register_fn("<<", |a: Addr, n: i64| Addr(shift(n).map_or(0, |n| a.0 << n)));
    engine.register_fn(">>", |a: Addr, n: i64| Addr(shift(n).map_or(0, |n| a.0 >> n)));
    engine.register_fn("+", |a: Addr, s: ImmutableString| format!("{a}{s}"));
    engine.register_fn("+", |s: ImmutableString, a: Addr| format!("{s}{a}"));
    macro_rules! both_ways {
        ($($op:literal $f:expr),* $(,)?) => {$(
            engine.register_fn($op, |a: Addr, b: i64| $f(a.0, b as u64));
            engine.register_fn($op, |a: i64, b: Addr| $f(a as u64, b.0));
        )*};
    }
    macro_rules! alike {
        ($($op:literal $f:expr),* $(,)?) => {$(
            engine.register_fn($op, |a: Addr, b: Addr| $f(a.0, b.0));
            both_ways!($op $f);
        )*};
    }
    both_ways!("+" |a: u64, b| Addr(a.wrapping_add(b)));
    alike! {
        "&" |a: u64, b| Addr(a & b), "|" |a: u64, b| Addr(a | b), "^" |a: u64, b| Addr(a ^ b),
        "==" |a: u64, b: u64| a == b, "!=" |a: u64, b: u64| a != b,
        "<" |a: u64, b: u64| a < b, "<=" |a: u64, b: u64| a <= b,
        ">" |a: u64, b: u64| a > b, ">=" |a: u64, b: u64| a >= b,
    }
}

fn shift(n: i64) -> Option<u32> {
    u32::try_from(n).ok().filter(|n| *n < 64)
}

fn register_flags(engine: &mut Engine) {
    engine.register_type_with_name::<Flags>("Flags");
    engine.register_fn("to_string", |f: &mut Flags| f.to_string());
    engine.register_fn("to_debug", |f: &mut Flags| f.to_string());
    engine.register_fn("to_int", |f: Flags| f.bits as i64);
    engine.register_fn("hex", |f: Flags| format!("{:#x}", f.bits));
    engine.register_get("bits", |f: &mut Flags| f.bits as i64);
    engine.register_get("kind", |f: &mut Flags| f.kind.name);
    engine.register_fn("contains", |a: &mut Flags, b: Flags| a.bits & b.bits == b.bits);
    engine.register_fn("contains", |a: &mut Flags, b: i64| a.bits & b as u64 == b as u64);
    engine.register_fn("!", |a: Flags| a.with(!a.bits));
    engine.register_fn("-", |a: Flags, b: Flags| a.with(a.bits & !b.bits));
    engine.register_fn("-", |a: Flags, b: i64| a.with(a.bits & !(b as u64)));
    engine.register_fn("+", |a: Flags, s: ImmutableString| format!("{a}{s}"));
    engine.register_fn("+", |s: ImmutableString, a: Flags| format!("{s}{a}"));
    macro_rules! combining {
        ($($op:literal $f:expr),* $(,)?) => {$(
            engine.register_fn($op, |a: Flags, b: Flags| -> Raised<Flags> {
                Ok(Flags { bits: $f(a.bits, b.bits), kind: a.combine(b)? })
            });
            engine.register_fn($op, |a: Flags, b: i64| a.with($f(a.bits, b as u64)));
            engine.register_fn($op, |a: i64, b: Flags| b.with($f(a as u64, b.bits)));
        )*};
    }
    macro_rules! comparing {
        ($($op:literal $f:expr),* $(,)?) => {$(
            engine.register_fn($op, |a: Flags, b: Flags| -> Raised<bool> {
                a.combine(b)?;
                Ok($f(a.bits, b.bits))
            });
            engine.register_fn($op, |a: Flags, b: i64| $f(a.bits, b as u64));
            engine.register_fn($op, |a: i64, b: Flags| $f(a as u64, b.bits));
        )*};
    }
    combining!("|" |a: u64, b| a | b, "&" |a: u64, b| a & b, "^" |a: u64, b| a ^ b);
    comparing!("==" |a: u64, b: u64| a == b, "!=" |a: u64, b: u64| a != b);
}

/// Longest value shown in a message, in characters.
const SHOWN_CHARS: usize = 120;

/// A value as it is shown in messages: as `debug` prints it, in one line, cut
/// when long.
pub fn show(engine: &Engine, value: &Dynamic) -> String {
    let text = debug(engine, value).replace('\n', "\\n");
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((i, _)) => format!("{}…", &text[..i]),
        None => text,
    }
}

/// A value as the prompt answers with it: the same, but a view of several
/// lines is shown whole.
pub fn show_answer(engine: &Engine, value: &Dynamic) -> String {
    let text = debug(engine, value);
    let holds_others = value.is_array() || value.is_map();
    if text.contains('\n') && !holds_others && !value.is_string() {
        return text;
    }
    show(engine, value)
}

fn debug(engine: &Engine, value: &Dynamic) -> String {
    let mut value = value.flatten_clone();
    let global = engine.new_global_runtime_state();
    let ctx = rhai::NativeCallContext::new_with_all_fields(
        engine,
        "to_debug",
        None,
        &global,
        rhai::Position::NONE,
    );
    let result = ctx.call_native_fn_raw("to_debug", true, &mut [&mut value]);
    let text = result.ok().and_then(|text| text.into_immutable_string().ok());
    text.map_or_else(|| value.to_string(), |text| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::control::{Buffer, Control};
    use crate::script::engine::{build, plain};

    static SIGNALS: FlagKind = FlagKind {
        name: "signals",
        table: &[("SIGKILL", 9), ("SIGCHLD", 17)],
        fields: &[],
        style: Style::Value,
        accepts: &[],
    };
    static CLONE: FlagKind = FlagKind {
        name: "clone flags",
        table: &[("CLONE_VM", 0x100), ("CLONE_FS", 0x200), ("CLONE_BOTH", 0x300)],
        fields: &[Field { mask: 0xff, values: SIGNALS.table }],
        style: Style::Bits,
        accepts: &["signals"],
    };
    static PROT: FlagKind = FlagKind {
        name: "page protection",
        table: &[("PROT_READ", 1)],
        fields: &[],
        style: Style::Bits,
        accepts: &[],
    };

    fn eval(code: &str) -> String {
        let control = Control::new(Default::default(), Default::default(), Box::new(Buffer::new()));
        let engine = build(&control);
        for kind in [&SIGNALS, &CLONE, &PROT] {
            for (name, bits) in kind.table {
                control.define(*name, Dynamic::from(Flags { bits: *bits, kind }));
            }
        }
        match engine.eval::<Dynamic>(code) {
            Ok(value) => show(&engine, &value),
            Err(e) => match *e {
                EvalAltResult::ErrorRuntime(value, _) => format!("! {}", show(&engine, &value)),
                e => format!("! {e}"),
            },
        }
    }

    #[test]
    fn addresses_are_hex_and_compute() {
        for (code, result) in [
            ("addr(0xffff888000000000)", "0xffff888000000000"),
            ("addr(0xffff888000000000) + 0x10", "0xffff888000000010"),
            ("16 + addr(1)", "0x11"),
            ("addr(0x2000) - addr(0x1000)", "4096"),
            ("addr(0x2345).page", "0x2000"),
            ("addr(0x2345).offset", "837"),
            ("addr(0x2345) & 0xfff", "0x345"),
            ("addr(0xffff888000000000) > addr(1)", "true"),
            ("addr(0x1000) == 4096 && 4096 == addr(0x1000)", "true"),
            ("let a = addr(1); a += 2; a", "0x3"),
            ("addr(1) << 64", "0x0"),
            ("addr(7) % 0", "! modulo by zero"),
            ("`at ${addr(255)}` + addr(1)", "\"at 0xff0x1\""),
            ("[addr(1)]", "[0x1]"),
        ] {
            assert_eq!(eval(code), result, "{code}");
        }
    }

    #[test]
    fn flags_print_their_names_and_do_not_mix() {
        for (code, result) in [
            ("CLONE_VM", "CLONE_VM"),
            ("CLONE_VM | SIGCHLD", "CLONE_VM|SIGCHLD"),
            ("SIGCHLD | CLONE_FS", "CLONE_FS|SIGCHLD"),
            ("CLONE_VM | CLONE_FS", "CLONE_BOTH"),
            ("CLONE_VM | 0x40000000", "CLONE_VM|0x40000000"),
            ("CLONE_VM & CLONE_FS", "0"),
            ("CLONE_BOTH - CLONE_FS", "CLONE_VM"),
            ("CLONE_BOTH & !CLONE_FS", "CLONE_VM"),
            ("CLONE_BOTH.contains(CLONE_FS)", "true"),
            ("CLONE_FS in CLONE_VM", "false"),
            ("SIGCHLD == 17 && 17 == SIGCHLD", "true"),
            ("SIGKILL", "SIGKILL"),
            ("CLONE_VM.to_int()", "256"),
            ("let f = CLONE_VM; f |= CLONE_FS; f", "CLONE_BOTH"),
            (
                "PROT_READ | CLONE_VM",
                "! PROT_READ and CLONE_VM do not belong together: page protection and clone flags",
            ),
        ] {
            assert_eq!(eval(code), result, "{code}");
        }
    }

    #[test]
    fn long_values_are_cut() {
        let engine = plain();
        let long = Dynamic::from("漢".repeat(500));
        assert_eq!(show(&engine, &long).chars().count(), SHOWN_CHARS + 1);
        assert_eq!(show(&engine, &Dynamic::from("a\nb")), "\"a\\nb\"");
    }
}
