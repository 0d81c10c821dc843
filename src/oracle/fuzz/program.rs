//! A random program as data, and as the text of a script.
//!
//! Left out: what makes a program interesting; `generate` does.

use std::fmt::Write;

/// How a call is written down, and what is printed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `print(try_name(…))`.
    Try,
    /// `print(name(…))`: it cannot be refused, or has no `try_`.
    Plain,
    /// `variable = try_name(…)`; an address is not printed, only that it is
    /// one.
    Let(&'static str),
    /// `name(…)`, of which nothing is printed.
    Silent,
    /// `print(helper(try_name(…)))`.
    Via(&'static str),
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// How it is written.
    pub form: Form,
    /// The function.
    pub name: &'static str,
    /// Its arguments, as text.
    pub args: Vec<String>,
}

/// How a child is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Make {
    /// fork(2).
    Fork,
    /// vfork(2).
    Vfork,
    /// clone(2) with flags.
    Clone(String),
    /// clone3(2) with named arguments.
    Clone3(String),
}

/// How a child ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// exit(3).
    Exit(u8),
    /// _exit(2).
    ExitGroup(u8),
    /// exit(2): the thread only.
    ExitThread(u8),
    /// A signal to itself, then exit.
    Signal(&'static str),
    /// execve(2) of the image, which looks around.
    Exec(&'static str),
}

/// What the maker of a child does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Sleeps until it is dead.
    Dead,
    /// Sleeps until it is dead or stopped.
    Stopped,
    /// Sleeps until the kernel has cleared its tid: for threads.
    Futex,
    /// Traces it until it is dead.
    Traced(Trace),
    /// Goes on at once.
    No,
}

/// How a child is traced by its maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// Who begins, and how.
    pub how: How,
    /// `PTRACE_O_*`.
    pub options: &'static str,
    /// What becomes of its signals, in turn: -1 is to pass them.
    pub passes: &'static str,
}

/// How tracing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The child asks for it, and stops.
    TraceMe,
    /// The child stops, and is attached to.
    Attach,
    /// The child stops, and is seized.
    Seize,
}

/// A child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// How it is made.
    pub make: Make,
    /// What it does.
    pub body: Vec<Step>,
    /// How it ends.
    pub end: End,
    /// Whether its maker waits.
    pub wait: Wait,
}

/// A step of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A call.
    Call(Call),
    /// A child.
    Child(Box<Child>),
}

/// A program: what its first process does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// Its steps.
    pub steps: Vec<Step>,
}

/// Functions that programs use, each with its name; only those that are used
/// are written down.
const PRELUDE: &[(&str, &str)] = &[
    ("on_signal", "fn on_signal(sig) { print(`handler ${sig}`); }"),
    ("on_mask", "fn on_mask(sig) { print(`handler ${sig} pending ${sigpending()}`); }"),
    (
        "on_raise",
        "fn on_raise(sig) { print(`in ${sig}`); if sig != SIGUSR2 { try_kill(getpid(), SIGUSR2); } print(`out ${sig}`); }",
    ),
    ("on_info", "fn on_info(sig, i) { print(`handler ${sig} with ${info(i)}`); }"),
    (
        "on_infos",
        "fn on_infos(sig, i) { print(`in ${info(i)}`); try_sigqueue(getpid(), 35, 7); print(`out ${info(i)}`); }",
    ),
    ("on_child", "fn on_child(sig) { print(`handler ${sig} ${try_waitpid(-1, WNOHANG)}`); }"),
    ("on_exit", "fn on_exit(sig) { print(`handler ${sig} exits`); _exit(7); }"),
    // Without a race: the signal is blocked until somebody waits for it.
    (
        "ring",
        "fn ring(was) {\n    \
         if type_of(was) != \"map\" { return was; }\n    \
         let left = getitimer(ITIMER_REAL);\n    \
         sigprocmask(SIG_BLOCK, [SIGALRM]);\n    \
         let got = info(try_sigtimedwait([SIGALRM], 500_000_000));\n    \
         `${was.value > 0} ${was.interval} ${left.interval} ${got} ${getitimer(ITIMER_REAL).value > 0}`\n}",
    ),
    (
        "rings",
        "fn rings(was) {\n    \
         if type_of(was) != \"map\" { return was; }\n    \
         sigprocmask(SIG_BLOCK, [SIGALRM]);\n    \
         `${was.value > 0} ${try_sigsuspend([])} ${getitimer(ITIMER_REAL).value > 0}`\n}",
    ),
    (
        "left",
        "fn left(t) { if type_of(t) == \"map\" { `${t.value > 0} ${t.interval}` } else { t } }",
    ),
    ("many", "fn many(b) { if type_of(b) == \"blob\" { b.len() } else { b } }"),
    ("say", "fn say(x) { if type_of(x) == \"Addr\" { \"address\" } else { x } }"),
    ("two", "fn two(p) { if type_of(p) == \"array\" { p } else { [p, p] } }"),
    (
        "info",
        "fn info(i) { if type_of(i) != \"Siginfo\" { return i; } \
         `${i.signo} ${i.code} ${i.pid} ${i.uid} ${i.status} ${i.value}` }",
    ),
    (
        "seen",
        "fn seen(w) { if type_of(w) != \"Waited\" { return w; } `${w.pid} ${w.status} ${w.si_code} ${w.si_status} ${w.uid}` }",
    ),
    (
        "modes",
        "fn modes(change) { #{c_iflag: ICRNL | IXON, c_oflag: OPOST | ONLCR, c_cflag: 0o277, c_line: 0, \
         c_lflag: (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN) ^ change, \
         c_cc: #{VINTR: 3, VQUIT: 28, VERASE: 127, VKILL: 21, VEOF: 4, VMIN: 1, VSTART: 17, VSTOP: 19, \
         VSUSP: 26, VREPRINT: 18, VDISCARD: 15, VWERASE: 23, VLNEXT: 22}} }",
    ),
    ("alt", "fn alt(a) { if type_of(a) == \"map\" { `${a.flags} ${a.size}` } else { a } }"),
    (
        "watch",
        "fn watch(c, options, passes) {\n    \
         for i in 0..24 {\n        \
         let w = try_waitpid(c, __WALL);\n        \
         if type_of(w) != \"Waited\" { print(`watch ${w}`); return; }\n        \
         let event = w.status >> 16;\n        \
         let about = if w.stopped { `${info(try_ptrace(PTRACE_GETSIGINFO, c))} ${try_ptrace(PTRACE_GETEVENTMSG, c)}` } else { \"\" };\n        \
         print(`watch ${w.status} ${about}`);\n        \
         if !w.stopped { return; }\n        \
         if i == 0 {\n            \
         print(`options ${try_ptrace(PTRACE_SETOPTIONS, c, 0, options)}`);\n            \
         try_kill(c, SIGCONT);\n        \
         }\n        \
         if event in 1..4 {\n            \
         let g = try_ptrace(PTRACE_GETEVENTMSG, c);\n            \
         print(`born ${try_waitpid(g, __WALL)} ${try_ptrace(PTRACE_DETACH, g)}`);\n        \
         }\n        \
         let pass = passes[i % passes.len()];\n        \
         if pass == -1 { pass = if event == 0 { w.signal } else { 0 }; }\n        \
         print(`go ${try_ptrace(PTRACE_CONT, c, 0, pass)}`);\n    \
         }\n    \
         try_ptrace(PTRACE_KILL, c);\n    \
         print(`killed ${try_waitid(P_PID, c, WEXITED | WNOWAIT | __WALL)}`);\n}",
    ),
    (
        "image",
        "fn image(argv) {\n    print(`image ${argv} ${getpid()} ${getppid()} ${getpgrp()} ${try_getsid(0)}`);\n    \
         print(`${getresuid()} ${getresgid()} pending ${sigpending()} mask ${sigprocmask(SIG_BLOCK, [])}`);\n    \
         print(`${prctl(PR_GET_DUMPABLE, 0)} ${prctl(PR_GET_KEEPCAPS, 0)} ${prctl(PR_GET_SECUREBITS, 0)} \
         ${prctl(PR_GET_NO_NEW_PRIVS, 0)}`);\n    \
         for fd in 3..8 { print(`fd ${fd} ${try_fcntl(fd, F_GETFD)}`); }\n    11\n}",
    ),
];

/// A program's text, and the name of each numbered call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The script.
    pub script: String,
    /// The function of call number i + 1; "" where a number is no call.
    pub names: Vec<&'static str>,
}

impl Program {
    /// The program as a script.
    pub fn text(&self) -> Text {
        let mut out = Text::default();
        let mut body = String::new();
        write(&mut body, &mut out.names, &self.steps, 1);
        // A name, and not a part of another.
        let uses = |text: &str, name: &str| {
            text.contains(&format!("{name}("))
                || text.contains(&format!(" {name}"))
                || text.contains(&format!("/{name}\""))
        };
        // What is used may use others.
        let used = || PRELUDE.iter().filter(|(name, _)| uses(&body, name));
        for (name, text) in PRELUDE {
            if uses(&body, name) || used().any(|(by, inside)| by != name && uses(inside, name)) {
                out.script += text;
                out.script.push('\n');
            }
        }
        out.script += "fn main() {\n    let c = 999;\n";
        for (variable, value) in VARIABLES {
            if body.contains(variable) {
                let _ = writeln!(out.script, "    let {variable} = {value};");
            }
        }
        for n in 0..out.names.len() {
            let name = format!("\"t{}\"", n + 1);
            if body.contains(&name) {
                let _ = writeln!(out.script, "    define({name}, 1);");
            }
        }
        for name in ["\"pf\"", "\"v\""] {
            if body.contains(name) || name == "\"v\"" && body.contains("vars.v") {
                let _ = writeln!(out.script, "    define({name}, 77);");
            }
        }
        out.script += &body;
        out.script += "}\n";
        out
    }

    /// Number of steps in all processes.
    pub fn len(&self) -> usize {
        count(&self.steps)
    }

    /// Whether it does nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

fn count(steps: &[Step]) -> usize {
    let of = |step: &Step| match step {
        Step::Call(_) => 1,
        Step::Child(child) => 1 + count(&child.body),
    };
    steps.iter().map(of).sum()
}

/// Variables of a program, and what they begin with: addresses of mappings,
/// descriptors, pipes, a pidfd, a terminal's two sides.
pub const VARIABLES: &[(&str, &str)] = &[
    ("m0", "0"),
    ("m1", "0"),
    ("m2", "0"),
    ("f0", "-1"),
    ("f1", "-1"),
    ("p0", "[-1, -1]"),
    ("pf0", "-1"),
    ("y0", "-1"),
    ("y1", "-1"),
];

fn write(text: &mut String, names: &mut Vec<&'static str>, steps: &[Step], depth: usize) {
    let pad = "    ".repeat(depth);
    for step in steps {
        match step {
            Step::Call(call) => {
                names.push(call.name);
                let n = names.len();
                let args = call.args.join(", ");
                let name = call.name;
                let _ = match call.form {
                    Form::Try => writeln!(text, "{pad}print(`#{n}: ${{try_{name}({args})}}`);"),
                    Form::Plain => writeln!(text, "{pad}print(`#{n}: ${{{name}({args})}}`);"),
                    // An index of a number would be one of its bits.
                    Form::Let("p0") => writeln!(
                        text,
                        "{pad}p0 = two(try_{name}({args}));\n{pad}print(`#{n}: ${{p0}}`);"
                    ),
                    Form::Let(variable) => writeln!(
                        text,
                        "{pad}{variable} = try_{name}({args});\n{pad}print(`#{n}: ${{say({variable})}}`);"
                    ),
                    Form::Silent => writeln!(text, "{pad}{name}({args});"),
                    Form::Via(helper) => {
                        writeln!(text, "{pad}print(`#{n}: ${{{helper}(try_{name}({args}))}}`);")
                    }
                };
            }
            Step::Child(child) => write_child(text, names, child, depth),
        }
    }
}

fn write_child(text: &mut String, names: &mut Vec<&'static str>, child: &Child, depth: usize) {
    let pad = "    ".repeat(depth);
    let (call, name) = match &child.make {
        Make::Fork => ("try_fork()".to_string(), "fork"),
        Make::Vfork => ("try_vfork()".to_string(), "vfork"),
        Make::Clone(flags) => (format!("try_clone({flags})"), "clone"),
        Make::Clone3(fields) => (format!("try_clone3(#{{{fields}}})"), "clone3"),
    };
    names.push(name);
    let n = names.len();
    // Clone3's fields may name the word of this very child.
    let call = call.replace("THIS", &format!("t{n}"));
    if child.wait == Wait::Futex {
        let _ = writeln!(text, "{pad}store(addr_of(\"t{n}\"), 1);");
    }
    let _ = writeln!(text, "{pad}c = {call};\n{pad}if c == 0 {{\n{pad}    c = 999;");
    if let Wait::Traced(trace) = child.wait {
        if trace.how == How::TraceMe {
            let _ = writeln!(text, "{pad}    print(`me ${{try_ptrace(PTRACE_TRACEME)}}`);");
        }
        let _ = writeln!(text, "{pad}    kill(getpid(), SIGSTOP);");
    }
    write(text, names, &child.body, depth + 1);
    let end = match &child.end {
        End::Exit(code) => format!("exit({code})"),
        End::ExitGroup(code) => format!("_exit({code})"),
        End::ExitThread(code) => format!("exit_thread({code})"),
        End::Signal(sig) => format!("kill(getpid(), {sig}); _exit(99)"),
        End::Exec(args) => format!("try_execve(\"/bin/image\", {args}); _exit(98)"),
    };
    let _ = writeln!(text, "{pad}    {end};\n{pad}}}");
    let _ = writeln!(text, "{pad}if c < 0 {{ print(`#{n}: ${{c}}`); }}");
    let _ = match child.wait {
        Wait::Dead => {
            writeln!(text, "{pad}if c > 0 {{ try_waitid(P_PID, c, WEXITED | WNOWAIT | __WALL); }}")
        }
        Wait::Stopped => writeln!(
            text,
            "{pad}if c > 0 {{ try_waitid(P_PID, c, WEXITED | WSTOPPED | WNOWAIT | __WALL); }}"
        ),
        Wait::Futex => {
            writeln!(text, "{pad}if c > 0 {{ try_futex_wait(addr_of(\"t{n}\"), 1); }}")
        }
        Wait::Traced(Trace { how, options, passes }) => {
            let begin = match how {
                How::TraceMe => "",
                How::Attach => "print(`attach ${try_ptrace(PTRACE_ATTACH, c)}`);",
                How::Seize => "print(`seize ${try_ptrace(PTRACE_SEIZE, c, 0, 0)}`);",
            };
            let stopped = match how {
                How::TraceMe => "",
                _ => "try_waitid(P_PID, c, WEXITED | WSTOPPED | WNOWAIT | __WALL);",
            };
            writeln!(text, "{pad}if c > 0 {{ {stopped} {begin} watch(c, {options}, {passes}); }}")
        }
        Wait::No => Ok(()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_used_is_written() {
        let call = |form, name| {
            Step::Call(Call { form, name, args: vec!["SIGUSR1".into(), "on_signal".into()] })
        };
        let program = Program { steps: vec![call(Form::Try, "sigaction")] };
        let text = program.text();
        assert!(text.script.starts_with("fn on_signal(sig)"));
        assert!(!text.script.contains("on_exit"));
        assert!(text.script.contains("print(`#1: ${try_sigaction(SIGUSR1, on_signal)}`);"));
        assert_eq!(text.names, ["sigaction"]);
    }
}
