//! Terminals: ioctl(2) and what libc makes of it. Numbers and attributes are
//! passed by value; the pointers of C are made of them here.
//!
//! Left out: requests that the kernel does not model.

use rhai::{Dynamic, Map, NativeCallContext};

use super::args::{self, Named};
use super::door::{self, Convert, NOTHING, nr};
use super::kinds;
use super::registry::{Book, Raised, functions};
use super::task::Task;
use crate::abi::tty::{
    self as abi, CC_NAMES, InputModes, LocalModes, NCCS, OutputModes, TERMIOS_SIZE, Termios,
};
use crate::kernel::syscalls::{Call, Out, Payload};
use crate::script::errors::ScriptError;
use crate::script::value::{Addr, FlagKind, Flags};

type Ctx<'a> = NativeCallContext<'a>;

fn flags(bits: u32, kind: &'static FlagKind) -> Dynamic {
    Dynamic::from(Flags { bits: bits.into(), kind })
}

/// A `struct termios` as a map.
fn termios(t: &Termios) -> Dynamic {
    let mut map = Map::new();
    map.insert("c_iflag".into(), flags(t.c_iflag.bits(), &kinds::C_IFLAG));
    map.insert("c_oflag".into(), flags(t.c_oflag.bits(), &kinds::C_OFLAG));
    map.insert("c_cflag".into(), i64::from(t.c_cflag).into());
    map.insert("c_lflag".into(), flags(t.c_lflag.bits(), &kinds::C_LFLAG));
    map.insert("c_line".into(), i64::from(t.c_line).into());
    let cc = CC_NAMES
        .iter()
        .map(|(name, at)| ((*name).into(), Dynamic::from(i64::from(t.c_cc[*at as usize]))));
    map.insert("c_cc".into(), cc.collect::<Map>().into());
    map.into()
}

/// A map as a `struct termios`; all of it must be there.
fn termios_payload(name: &str, value: &Dynamic) -> Result<Payload, ScriptError> {
    let missing = || ScriptError::Usage {
        message: format!("{name} takes the attributes that tcgetattr gives, changed or not"),
        help: Some(
            "let attr = tcgetattr(fd); attr.c_lflag -= ECHO; tcsetattr(fd, TCSANOW, attr)".into(),
        ),
    };
    let Some(map) = value.read_lock::<Map>() else { return Err(missing()) };
    for key in ["c_iflag", "c_oflag", "c_cflag", "c_lflag", "c_line", "c_cc"] {
        if !map.contains_key(key) {
            return Err(missing());
        }
    }
    let mut named = Named::new("tcsetattr", &map);
    let mut word = |key: &'static str| named.word(key, 0).map(|w| w as u32);
    let mut t = Termios {
        c_iflag: InputModes::from_bits_retain(word("c_iflag")?),
        c_oflag: OutputModes::from_bits_retain(word("c_oflag")?),
        c_cflag: word("c_cflag")?,
        c_lflag: LocalModes::from_bits_retain(word("c_lflag")?),
        c_line: word("c_line")? as u8,
        c_cc: [0; NCCS],
    };
    if let Some(cc) = named.get("c_cc") {
        let Some(cc) = cc.read_lock::<Map>() else { return Err(missing()) };
        let mut chars = Named::new("tcsetattr: c_cc", &cc);
        for (key, at) in CC_NAMES {
            let byte = chars.word(key, 0)?;
            t.c_cc[*at as usize] = u8::try_from(byte).map_err(|_| {
                ScriptError::usage(format!("{name}: c_cc.{key} is a byte, 0 to 255"))
            })?;
        }
        chars.finish()?;
    }
    named.finish()?;
    Ok(Payload::Bytes(t.to_bytes().into()))
}

/// ioctl(2) with its third argument by value, where it has one.
pub(super) fn request(
    name: &str,
    fd: &Dynamic,
    request: &Dynamic,
    arg: Option<&Dynamic>,
) -> Result<Call, ScriptError> {
    let fd = args::word(&format!("{name}: fd"), fd)?;
    let code = args::word(&format!("{name}: request"), request)?;
    let mut words = [fd, code, 0];
    let Some(arg) = arg else { return Ok(Call::new(nr("ioctl"), &words)) };
    if arg.is_map() {
        let payload = termios_payload(name, arg)?;
        return Ok(Call::with(nr("ioctl"), &words, payload));
    }
    let value = args::word(&format!("{name}: arg"), arg)?;
    let by_pointer = matches!(code as u32, abi::TIOCSPGRP | abi::TIOCSPTLCK | abi::FIONBIO);
    if by_pointer && !arg.is::<Addr>() {
        let payload = Payload::Bytes((value as u32).to_le_bytes().into());
        return Ok(Call::with(nr("ioctl"), &words, payload));
    }
    words[2] = value;
    Ok(Call::new(nr("ioctl"), &words))
}

/// What a request gives: a number, attributes, or RAX.
pub(super) fn given(ret: i64, out: &Out) -> Dynamic {
    match out {
        Out::Number(n) => (*n as i64).into(),
        Out::Bytes(bytes) => match <&[u8; TERMIOS_SIZE]>::try_from(bytes.as_slice()) {
            Ok(bytes) => termios(&Termios::from_bytes(bytes)),
            Err(_) => ret.into(),
        },
        _ => ret.into(),
    }
}

/// The name of a slave.
pub(super) fn slave_name(ret: i64, out: &Out) -> Dynamic {
    match out {
        Out::Number(n) => format!("/dev/pts/{n}").into(),
        _ => ret.into(),
    }
}

/// TCSETS, TCSETSW or TCSETSF for tcsetattr's TCSANOW, TCSADRAIN, TCSAFLUSH.
pub(super) fn setting(name: &str, when: &Dynamic) -> Result<u32, ScriptError> {
    match args::word(&format!("{name}: when"), when)? {
        0 => Ok(abi::TCSETS),
        1 => Ok(abi::TCSETSW),
        2 => Ok(abi::TCSETSF),
        other => Err(ScriptError::usage(format!(
            "{name}: when is TCSANOW, TCSADRAIN or TCSAFLUSH, not {other}"
        ))),
    }
}

/// A request by its number.
pub(super) fn code(request: u32) -> Dynamic {
    i64::from(request).into()
}

const GIVEN: Convert = |_, ret, out| given(ret, &out);

fn ioctl(
    ctx: &Ctx,
    t: &Task,
    fd: &Dynamic,
    what: &Dynamic,
    arg: Option<&Dynamic>,
) -> Raised<Dynamic> {
    let call = request(ctx.fn_name(), fd, what, arg)?;
    let shown: Vec<&Dynamic> = [fd, what].into_iter().chain(arg).collect();
    door::call(ctx, t, &shown, call, GIVEN)
}

/// Registers the calls.
pub(super) fn register(book: &mut Book) {
    functions! { book;
        /// Asks a device (ioctl(2)): TIOCGPGRP, TIOCNOTTY… Gives what it is told.
        "ioctl(t: Task, fd: int, request: Flags) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, what: Dynamic| ioctl(&ctx, t, &fd, &what, None);
        /// Asks with an argument, by value: TIOCSCTTY, TIOCSPGRP, TCSETS…
        "ioctl(t: Task, fd: int, request: Flags, arg: int|map) -> int" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, what: Dynamic, arg: Dynamic| {
                ioctl(&ctx, t, &fd, &what, Some(&arg))
            };
        /// The foreground process group of the controlling terminal
        /// (tcgetpgrp(3)).
        "tcgetpgrp(t: Task, fd: int) -> int" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            let call = request("tcgetpgrp", &fd, &code(abi::TIOCGPGRP), None)?;
            door::call(&ctx, t, &[&fd], call, GIVEN)
        };
        /// Puts a process group in the foreground (tcsetpgrp(3)). From the
        /// background it is SIGTTOU for the caller's group.
        "tcsetpgrp(t: Task, fd: int, pgrp: int|Task)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, pgrp: Dynamic| -> Raised<Dynamic> {
                let number = args::pid("tcsetpgrp: pgrp", t, &pgrp)? as i64;
                let call = request("tcsetpgrp", &fd, &code(abi::TIOCSPGRP), Some(&number.into()))?;
                door::call(&ctx, t, &[&fd, &pgrp], call, NOTHING)
            };
        /// The session whose controlling terminal it is (tcgetsid(3)).
        "tcgetsid(t: Task, fd: int) -> int" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            let call = request("tcgetsid", &fd, &code(abi::TIOCGSID), None)?;
            door::call(&ctx, t, &[&fd], call, GIVEN)
        };
        /// A terminal's attributes (tcgetattr(3)): #{c_iflag, c_oflag, c_cflag,
        /// c_lflag, c_line, c_cc}.
        "tcgetattr(t: Task, fd: int) -> map" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            let call = request("tcgetattr", &fd, &code(abi::TCGETS), None)?;
            door::call(&ctx, t, &[&fd], call, GIVEN)
        };
        /// Sets them (tcsetattr(3)): TCSANOW, TCSADRAIN, or TCSAFLUSH, which throws
        /// away what was typed and not read.
        "tcsetattr(t: Task, fd: int, when: Flags, attr: map)" =>
            |ctx: Ctx, t: &mut Task, fd: Dynamic, when: Dynamic, attr: Dynamic| -> Raised<Dynamic> {
                let what = code(setting("tcsetattr", &when)?);
                let call = request("tcsetattr", &fd, &what, Some(&attr))?;
                door::call(&ctx, t, &[&fd, &when, &attr], call, NOTHING)
            };
        /// Lets the slave of a master be opened (unlockpt(3)).
        "unlockpt(t: Task, fd: int)" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            let call = request("unlockpt", &fd, &code(abi::TIOCSPTLCK), Some(&0_i64.into()))?;
            door::call(&ctx, t, &[&fd], call, NOTHING)
        };
        /// The name of a master's slave (ptsname(3)).
        "ptsname(t: Task, fd: int) -> string" => |ctx: Ctx, t: &mut Task, fd: Dynamic| {
            let call = request("ptsname", &fd, &code(abi::TIOCGPTN), None)?;
            door::call(&ctx, t, &[&fd], call, |_, ret, out| slave_name(ret, &out))
        };
        /// Hangs the controlling terminal up (vhangup(2)).
        "vhangup(t: Task)" => |ctx: Ctx, t: &mut Task| {
            door::numbers(&ctx, t, nr("vhangup"), &[], NOTHING)
        };
    }
}
