//! `exec`: a program of machine code, from a file in the script's folder or in the
//! machine's tree; its standard streams; `hex`, bytes as people write them.
//!
//! Left out: terminals; a program sees pipes.

use std::rc::Rc;

use rhai::{Array, Blob, Dynamic, ImmutableString, Map, NativeCallContext};

use super::state::Program;
use crate::abi::Errno;
use crate::kernel::fs::rootfs;
use crate::kernel::pid::{PidType, task_pid_nr_ns};
use crate::script::bind::args::{self, Named};
use crate::script::bind::registry::{Book, Raised, functions};
use crate::script::bind::task::Task;
use crate::script::bind::world::Machine;
use crate::script::errors::ScriptError;
use crate::script::modules::{LoadError, inside};
use crate::session::Trouble;
use crate::session::spawn::Command;

type Ctx<'a> = NativeCallContext<'a>;

/// What a program gets to read without a script that says so.
const PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin";
/// Most input that waits for a program, in bytes.
const MOST_INPUT: usize = 16 << 20;

/// Copies a file of the script's folder into the machine; gives its path there.
fn bring(machine: &Machine, name: &str) -> Result<String, ScriptError> {
    let error = |why: String, help: &str| ScriptError::Usage {
        message: format!("exec: cannot read `{name}`: {why}"),
        help: Some(help.to_string()),
    };
    const WHERE: &str =
        "programs lie in the script's own folder, or in the machine's tree: `exec(\"/bin/x\")`";
    let file = inside(name).map_err(|why| error(why.into(), WHERE))?;
    let bytes = machine.control()?.loader().load_file(&file).map_err(|e| {
        let help = match e {
            LoadError::NotFound if name.contains('/') => WHERE,
            LoadError::NotFound => {
                "it would lie beside the script; what `machine.add_file` has made is executed by its whole path"
            }
            _ => WHERE,
        };
        error(e.to_string(), help)
    })?;
    let path = format!("/{file}");
    machine
        .write(|sys| {
            match rootfs::add_etc(sys) {
                Err(e) if e.errno != Errno::EEXIST => return Err(Trouble::from(e)),
                _ => {}
            }
            sys.install_file(&path, &bytes, 0o755)
        })
        .map_err(|e| error(format!("it does not fit into the machine: {e}"), "boot(#{ram: …})"))?;
    Ok(path)
}

fn exec(ctx: &Ctx, machine: &Machine, command: Command, shown: &str) -> Raised<Task> {
    machine.check_task_limit()?;
    machine.mark_origin(ctx);
    let (before, calls, _) = machine.state();
    let go = || -> Result<Task, ScriptError> {
        let path = match command.path.starts_with('/') {
            true => command.path.clone(),
            false => bring(machine, &command.path)?,
        };
        let command = Command { path, ..command.clone() };
        let init = machine.init();
        let spawned = machine.write(|sys| sys.spawn(&command)).map_err(|e| match e {
            Trouble::Refused(e) => ScriptError::refused(&e, shown, init.pid()),
            e => crate::script::bind::trouble::error(ctx, &init, || shown.to_string(), e),
        })?;
        machine.code(|code| {
            code.programs.push(Program {
                root: spawned.task,
                pid: spawned.pid,
                streams: spawned.streams,
                out: Rc::default(),
                err: Rc::default(),
                input: Rc::default(),
                closing: false,
            });
        });
        Ok(machine.handle(spawned.task))
    };
    let made = go();
    if made.is_err() && machine.read(|sys| sys.kernel.oops.is_none()) {
        // A program that does not start leaves nothing behind.
        machine.write(|sys| *sys = before);
        machine.calls(|c| c.go_back_to(calls));
    }
    Ok(made?)
}

fn command(path: &str, args: &[String], envp: Option<Vec<String>>) -> Command {
    let argv = std::iter::once(path.to_string()).chain(args.iter().cloned()).collect();
    Command { path: path.into(), argv, envp: envp.unwrap_or_else(|| vec![PATH.into()]) }
}

fn by_path(ctx: &Ctx, m: &Machine, path: &Dynamic, rest: Option<&Dynamic>) -> Raised<Task> {
    if let Some(map) = path.read_lock::<Map>() {
        return by_map(ctx, m, &map);
    }
    let path = args::text("exec: path", path)?;
    let rest = rest.map_or(Ok(Vec::new()), |v| args::texts("exec: args", v))?;
    exec(ctx, m, command(&path, &rest, None), &format!("exec({path:?})"))
}

fn by_map(ctx: &Ctx, m: &Machine, map: &Map) -> Raised<Task> {
    let mut named = Named::new("exec", map);
    let path = match named.get("path") {
        Some(path) => args::text("exec path", path)?,
        None => return Err(ScriptError::usage("exec: the map has no path").into()),
    };
    let argv = named.get("argv").map(|v| args::texts("exec argv", v)).transpose()?;
    let envp = named.get("env").map(|v| args::texts("exec env", v)).transpose()?;
    named.finish()?;
    let mut command = command(&path, &[], envp);
    if let Some(argv) = argv {
        command.argv = argv;
    }
    exec(ctx, m, command, &format!("exec({path:?})"))
}

/// Does something with the program that a task belongs to.
fn program<R>(
    t: &Task,
    what: &str,
    f: impl FnOnce(&mut Program) -> Result<R, ScriptError>,
) -> Raised<R> {
    let machine = t.machine();
    let sid = machine.read(|sys| {
        sys.kernel.tasks.get(t.id()).map(|_| task_pid_nr_ns(sys, t.id(), PidType::Sid, None))
    });
    let pid = t.pid();
    let found = machine.code(|code| {
        let mine = |p: &&mut Program| p.root == t.id() || Some(p.pid) == sid;
        code.programs.iter_mut().find(mine).map(f)
    });
    match found {
        Some(result) => Ok(result?),
        None => Err(ScriptError::Usage {
            message: format!("task {pid} has no {what} of its own: `exec` did not start it"),
            help: Some("a task that a script makes has init's console".into()),
        }
        .into()),
    }
}

fn pump(t: &Task) {
    let machine = t.machine();
    machine.code(|code| machine.write(|sys| code.pump(sys)));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes from pairs of hexadecimal digits; `;` begins a comment.
fn hex(text: &str) -> Result<Blob, ScriptError> {
    let mut bytes = Blob::new();
    for line in text.lines() {
        let code = line.split(';').next().unwrap_or("");
        for word in code.split_whitespace() {
            if !word.is_ascii() || word.len() % 2 != 0 {
                return Err(wrong_hex(word));
            }
            for at in (0..word.len()).step_by(2) {
                let pair = &word[at..at + 2];
                let ok = pair.chars().all(|c| c.is_ascii_hexdigit());
                let byte = u8::from_str_radix(pair, 16).ok().filter(|_| ok);
                bytes.push(byte.ok_or_else(|| wrong_hex(word))?);
            }
        }
    }
    Ok(bytes)
}

fn wrong_hex(word: &str) -> ScriptError {
    ScriptError::Usage {
        message: format!("hex: {word:?} is not made of pairs of hexadecimal digits"),
        help: Some("as in `hex(\"0f 05 ; syscall\")`".into()),
    }
}

/// Registers the functions.
pub(super) fn register(book: &mut Book, main: &Machine) {
    let (one, two) = (main.clone(), main.clone());
    functions! { book;
        /// Starts a program: a static x86_64 ELF file in the script's own folder, or
        /// by its whole path one in the machine's tree (`machine.add_file`). Its task
        /// stands at the first instruction. Also #{path, argv, env}.
        "exec(path: string|map) -> Task" => move |ctx: Ctx, path: Dynamic| {
            by_path(&ctx, &one, &path, None)
        };
        /// The same with arguments: `exec("hello", ["world"])`.
        "exec(path: string, args: array) -> Task" => move |ctx: Ctx, path: Dynamic, a: Dynamic| {
            by_path(&ctx, &two, &path, Some(&a))
        };
        /// Starts a program on a machine.
        "exec(m: Machine, path: string|map) -> Task" => |ctx: Ctx, m: &mut Machine, path: Dynamic| {
            by_path(&ctx, m, &path, None)
        };
        /// The same with arguments.
        "exec(m: Machine, path: string, args: array) -> Task" =>
            |ctx: Ctx, m: &mut Machine, path: Dynamic, a: Dynamic| by_path(&ctx, m, &path, Some(&a));
        /// Bytes from pairs of hexadecimal digits; `;` begins a comment:
        /// `hex("0f 05 ; syscall")`.
        "hex(text: string) -> blob" => |text: ImmutableString| -> Raised<Blob> { Ok(hex(&text)?) };
    }
    streams(book);
}

fn streams(book: &mut Book) {
    functions! { book;
        /// What the program of a task has written to standard output so far.
        "stdout(t: Task) -> string" => |t: &mut Task| -> Raised<String> {
            pump(t);
            program(t, "standard output", |p| Ok(text(&p.out)))
        };
        /// What the program of a task has written to standard error so far.
        "stderr(t: Task) -> string" => |t: &mut Task| -> Raised<String> {
            pump(t);
            program(t, "standard error", |p| Ok(text(&p.err)))
        };
        /// Gives text or bytes to a program's standard input.
        "stdin(t: Task, text: string|blob)" => |t: &mut Task, what: Dynamic| -> Raised<()> {
            let bytes = args::bytes("stdin: text", &what)?;
            program(t, "standard input", |p| {
                if p.input.len() + bytes.len() > MOST_INPUT {
                    let message = format!("{MOST_INPUT} bytes that wait to be read");
                    return Err(ScriptError::Limit { message, help: None });
                }
                Rc::make_mut(&mut p.input).extend(&bytes);
                Ok(())
            })?;
            pump(t);
            Ok(())
        };
        /// Ends a program's standard input: who reads all of it gets 0.
        "close_stdin(t: Task)" => |t: &mut Task| -> Raised<()> {
            program(t, "standard input", |p| {
                p.closing = true;
                Ok(())
            })?;
            pump(t);
            Ok(())
        };
        /// What programs have called and which signals they took, as strace(1) writes
        /// it: all lines so far, of all programs of the machine.
        "strace(t: Task) -> array" => |t: &mut Task| -> Array {
            t.machine().code(|code| code.lines.iter().map(|l| Dynamic::from(l.clone())).collect())
        };
    }
}
