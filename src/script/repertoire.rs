//! What the functions of a script could do at all, read off the text: which
//! system calls, and whether pids are anything but names to it.
//!
//! Exploring leaves out orders that nobody can tell apart, and who could tell
//! them apart is a question about everything the others may do later. The
//! answer errs to one side: whatever is not known here could do anything.
//!
//! Left out: which of the calls a function could still make from some place on.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, FnPtr, Stmt, StmtBlock};

use crate::session::program::Repertoire;

/// Functions that make system calls, and the numbers of these.
const CALLS: &[(&str, &[u32])] = &[
    ("fork", &[NR_FORK]),
    ("print", &[NR_WRITE]),
    ("printf", &[NR_WRITE]),
    ("fflush", &[NR_WRITE]),
    ("exit", &[NR_EXIT_GROUP, NR_WRITE]),
    ("_exit", &[NR_EXIT_GROUP]),
    ("exit_group", &[NR_EXIT_GROUP]),
    ("wait", &[NR_WAIT4]),
    ("waitpid", &[NR_WAIT4]),
    ("getpid", &[NR_GETPID]),
    ("gettid", &[NR_GETTID]),
    ("getppid", &[NR_GETPPID]),
];
/// Functions that make none.
const NONE: &[&str] = &[
    "define",
    "load",
    "store",
    "addr_of",
    "choose",
    "range",
    "len",
    "push",
    "to_string",
    "abs",
    "min",
    "max",
    "type_of",
];
/// Functions that give a pid.
const PIDS: &[&str] = &["fork", "getpid", "gettid", "getppid"];
/// Functions that give something with a pid in it.
const WAITS: &[&str] = &["wait", "waitpid"];
/// What can be asked of that without telling pids apart.
const HARMLESS: &[&str] = &["exit_status", "status", "signal"];

const NR_WRITE: u32 = 1;
const NR_GETPID: u32 = 39;
const NR_FORK: u32 = 57;
const NR_WAIT4: u32 = 61;
const NR_GETPPID: u32 = 110;
const NR_GETTID: u32 = 186;
const NR_EXIT_GROUP: u32 = 231;

/// The name without `try_`.
fn plain(name: &str) -> &str {
    name.strip_prefix("try_").unwrap_or(name)
}

/// What a function, and all that it calls or names, could do.
pub fn of(ast: &AST, start: &str) -> Repertoire {
    let mut reader = Reader {
        functions: super::vm::bodies(ast),
        open: vec![start.to_string()],
        seen: BTreeSet::new(),
        // Each process ends, and writes what `printf` keeps.
        found: Repertoire {
            calls: Some([NR_EXIT_GROUP, NR_WRITE].into()),
            pids_are_names: true,
            untraced: true,
            threads_unseen: true,
        },
    };
    while let Some(name) = reader.open.pop() {
        if reader.seen.insert(name.clone()) {
            reader.function(&name);
        }
    }
    let threads_unseen = sees_no_threads(ast, start);
    Repertoire { untraced: !names_ptrace(ast), threads_unseen, ..reader.found }
}

/// Functions that neither find a thread by its number nor ask how many there
/// are, beside those of `CALLS` and `NONE`.
const THREADS_UNSEEN: &[&str] = &[
    "clone",
    "vfork",
    "exit_thread",
    "pause",
    "sigaction",
    "sigprocmask",
    "sched_yield",
    "sleep",
    "nanosleep",
    "pipe",
    "read",
    "write",
    "close",
    "dup",
    "dup2",
    "mmap",
    "munmap",
    "mprotect",
    "madvise",
    "futex_wait",
    "futex_wake",
    "fetch_add",
    "xchg",
    "cmpxchg",
    "load_str",
    "store_str",
    "sem_getvalue",
    "pthread_create",
    "pthread_join",
    "pthread_detach",
    "pthread_exit",
    "pthread_self",
    "pthread_mutex_lock",
    "pthread_mutex_trylock",
    "pthread_mutex_unlock",
    "pthread_cond_wait",
    "pthread_cond_timedwait",
    "pthread_cond_signal",
    "pthread_cond_broadcast",
    "sem_init",
    "sem_wait",
    "sem_trywait",
    "sem_post",
    "curry",
    "contains",
    "assert",
];

/// Whether a function, and all that it calls or names, cannot tell when exactly
/// a thread is gone.
fn sees_no_threads(ast: &AST, start: &str) -> bool {
    let functions = super::vm::bodies(ast);
    let blind = |name: &str| {
        let name = plain(name);
        CALLS.iter().any(|(known, _)| *known == name)
            || NONE.contains(&name)
            || THREADS_UNSEEN.contains(&name)
    };
    let mut open = vec![start.to_string()];
    let mut seen = BTreeSet::new();
    let mut sees = false;
    while let Some(name) = open.pop() {
        let Some(bodies) = functions.get(&name) else { return false };
        if !seen.insert(name) {
            continue;
        }
        for stmt in bodies.iter().flatten() {
            stmt.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
                match path.last() {
                    Some(ASTNode::Stmt(Stmt::FnCall(call, _)))
                    | Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => {
                        let name = call.name.as_str();
                        if call.is_qualified() {
                            sees = true;
                        } else if functions.contains_key(name) {
                            open.push(name.to_string());
                        } else {
                            sees |= !call.is_operator_call() && !blind(name);
                        }
                    }
                    Some(ASTNode::Expr(Expr::Variable(parts, _, _))) => {
                        let name = parts.1.as_str();
                        if functions.contains_key(name) {
                            open.push(name.to_string());
                        }
                    }
                    Some(ASTNode::Expr(Expr::DynamicConstant(value, _))) if value.is_fnptr() => {
                        match value.clone().try_cast::<FnPtr>() {
                            Some(f) => open.push(f.fn_name().to_string()),
                            None => sees = true,
                        }
                    }
                    Some(ASTNode::Stmt(Stmt::Import(..)) | ASTNode::Expr(Expr::Custom(..))) => {
                        sees = true;
                    }
                    _ => {}
                }
                !sees
            });
        }
    }
    !sees
}

/// Whether something in a script's text could be ptrace(2).
fn names_ptrace(ast: &AST) -> bool {
    let traces = |name: &str| name.contains("ptrace") || name.contains("syscall");
    let mut found = false;
    ast.walk(&mut |path: &[ASTNode]| {
        found |= match path.last() {
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => traces(&call.name),
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => {
                traces(&call.name)
            }
            // A name that a function is called by.
            Some(ASTNode::Expr(Expr::StringConstant(text, _))) => traces(text),
            Some(ASTNode::Stmt(Stmt::Import(..))) => true,
            _ => false,
        };
        !found
    });
    found
}

struct Reader {
    /// Bodies by name; functions with one name and different parameters are
    /// all read.
    functions: BTreeMap<String, Vec<Vec<Stmt>>>,
    open: Vec<String>,
    seen: BTreeSet<String>,
    found: Repertoire,
}

impl Reader {
    fn anything(&mut self) {
        self.found = Repertoire::default();
    }

    fn function(&mut self, name: &str) {
        let Some(bodies) = self.functions.get(name).cloned() else { return self.anything() };
        for body in &bodies {
            let pids = pid_variables(body);
            for (i, stmt) in body.iter().enumerate() {
                let last = i + 1 == body.len();
                stmt.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
                    self.node(path, last, &pids);
                    true
                });
            }
        }
    }

    /// `last`: the outermost statement is the function's last, whose value it
    /// returns. `pids`: variables that hold a pid.
    fn node(&mut self, path: &[ASTNode], last: bool, pids: &BTreeSet<String>) {
        let Some((node, above)) = path.split_last() else { return };
        match node {
            ASTNode::Stmt(Stmt::FnCall(call, _)) => {
                self.call(call);
                if gives_pid(call) || gives_waited(call) {
                    self.found.pids_are_names &= is_unused(node, above, last);
                }
            }
            ASTNode::Stmt(
                Stmt::TryCatch(..)
                | Stmt::Import(..)
                | Stmt::Export(..)
                | Stmt::Share(..)
                | Stmt::Switch(..),
            ) => self.anything(),
            ASTNode::Stmt(_) => {}
            ASTNode::Expr(Expr::FnCall(call, _)) if !call.is_operator_call() => {
                self.call(call);
                let alone = matches!(above.last(), Some(ASTNode::Stmt(Stmt::Expr(..))));
                if let (true, Some((stmt, above))) = (alone, above.split_last())
                    && (gives_pid(call) || gives_waited(call))
                {
                    self.found.pids_are_names &= is_unused(stmt, above, last);
                } else if gives_pid(call) {
                    let kept = matches!(above.last(), Some(ASTNode::Stmt(Stmt::Var(..))));
                    self.found.pids_are_names &= kept || is_compared_with_0(above);
                } else if gives_waited(call) {
                    self.found.pids_are_names &= asks_harmless(above);
                }
            }
            ASTNode::Expr(Expr::Variable(parts, _, _)) => {
                let name = parts.1.as_str();
                if pids.contains(name) {
                    self.found.pids_are_names &= is_compared_with_0(above);
                }
                if self.functions.contains_key(name) {
                    self.open.push(name.to_string());
                }
            }
            ASTNode::Expr(Expr::MethodCall(..) | Expr::Custom(..) | Expr::ThisPtr(..)) => {
                self.anything();
            }
            ASTNode::Expr(Expr::DynamicConstant(value, _)) if value.is_fnptr() => self.anything(),
            ASTNode::Expr(_) => {}
            _ => self.anything(),
        }
    }

    fn call(&mut self, call: &FnCallExpr) {
        let name = call.name.as_str();
        if call.is_operator_call() {
            return;
        }
        // A module's function.
        if call.is_qualified() {
            return self.anything();
        }
        if self.functions.contains_key(name) {
            return self.open.push(name.to_string());
        }
        let known = CALLS.iter().find(|(n, _)| *n == plain(name));
        match (known, &mut self.found.calls) {
            (Some((_, numbers)), Some(calls)) => calls.extend(*numbers),
            (None, _) if !NONE.contains(&name) => self.anything(),
            _ => {}
        }
    }
}

fn gives_pid(call: &FnCallExpr) -> bool {
    PIDS.contains(&plain(&call.name))
}

fn gives_waited(call: &FnCallExpr) -> bool {
    WAITS.contains(&plain(&call.name))
}

/// Variables that are made of a pid: `let pid = fork()`.
fn pid_variables(body: &[Stmt]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for stmt in body {
        stmt.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
            if let Some(ASTNode::Stmt(Stmt::Var(parts, ..))) = path.last()
                && let Expr::FnCall(call, _) = &parts.1
                && gives_pid(call)
            {
                found.insert(parts.0.name.to_string());
            }
            true
        });
    }
    found
}

/// Whether nobody takes the value of a statement in these.
fn is_unused(node: &ASTNode, above: &[ASTNode], last: bool) -> bool {
    let Some((parent, above)) = above.split_last() else { return !last };
    let ends = |block: &StmtBlock| match (block.statements().last(), node) {
        (Some(end), ASTNode::Stmt(stmt)) => std::ptr::eq(end, *stmt),
        _ => true,
    };
    match parent {
        ASTNode::Stmt(Stmt::For(..) | Stmt::While(..) | Stmt::Do(..)) => true,
        // The value of a block is that of its last statement.
        ASTNode::Stmt(Stmt::If(flow, _)) => {
            !(ends(&flow.body) || ends(&flow.branch)) || is_unused(parent, above, last)
        }
        ASTNode::Stmt(Stmt::Block(block)) => !ends(block) || is_unused(parent, above, last),
        _ => false,
    }
}

/// Whether an operator compares it with 0, which no pid is.
fn is_compared_with_0(above: &[ASTNode]) -> bool {
    let Some(ASTNode::Expr(Expr::FnCall(call, _))) = above.last() else { return false };
    let compares = matches!(&*call.name, "==" | "!=" | ">" | "<" | ">=" | "<=");
    compares
        && call.is_operator_call()
        && call.args.iter().any(|arg| matches!(arg, Expr::IntegerConstant(0, _)))
}

/// Whether something is asked of it that tells no pids apart.
fn asks_harmless(above: &[ASTNode]) -> bool {
    let Some(ASTNode::Expr(Expr::Dot(parts, ..))) = above.last() else { return false };
    matches!(&parts.rhs, Expr::Property(name, _) if HARMLESS.contains(&name.2.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Repertoire {
        let mut engine = rhai::Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        of(&engine.compile(text).unwrap(), "main")
    }

    fn names(text: &str) -> bool {
        read(&format!("fn n() {{ 2 }} fn main() {{ {text} }}")).pids_are_names
    }

    #[test]
    fn a_script_that_traces_is_noticed() {
        let untraced = |text: &str| read(&format!("fn main() {{ {text} }}")).untraced;
        assert!(untraced("kill(1, 9); let f = || 1; f.call();"));
        for text in ["try_ptrace(0);", "if true { syscall(101, []); }", "let f = Fn(\"ptrace\");"] {
            assert!(!untraced(text), "{text}");
        }
        assert!(!read("fn main() { 1 } fn other() { ptrace(0) }").untraced);
    }

    fn known(text: &str) -> bool {
        read(&format!("fn n() {{ 2 }} fn main() {{ {text} }}")).calls.is_some()
    }

    #[test]
    fn what_tells_pids_apart_is_noticed() {
        for text in [
            "for i in 0..n() { fork(); printf(\"a\"); }",
            "if fork() == 0 { print(1); exit(0); } wait(); print(2);",
            "let p = fork(); if p == 0 { print(`child ${1 + 1}`); } else { wait().signal; } ()",
            "getpid(); let w = wait().exit_status; print(w)",
            "while true { try_fork(); }",
            "if n() == 2 { wait(); print(1); exit(0) } print(2);",
            "if n() == 2 { wait() } print(2);",
        ] {
            assert!(names(text), "{text}");
        }
        for text in [
            "fork()",
            "print(fork());",
            "let p = fork(); print(p);",
            "let p = fork(); if p == 3 { }",
            "let p = fork(); let q = p; ()",
            "let p = 1; p = fork(); ()",
            "let w = wait(); print(w.pid);",
            "print(wait());",
            "if true { fork() } else { 0 }",
            "if n() == 2 { print(1); fork() }",
            "print(if n() == 2 { wait() });",
            "let f = || fork(); f.call(); ()",
            "exit(getpid());",
            "return fork();",
        ] {
            assert!(!names(text), "{text}");
        }
        assert!(!read("fn child() { getpid() } fn main() { child(); () }").pids_are_names);
    }

    #[test]
    fn calls_that_are_not_known_could_be_anything() {
        assert!(known("print(1); n(); let a = [1]; a[0] = 2; vars.x = 3; print(vars.x);"));
        for text in [
            "kill(1, 9);",
            "write(1, \"a\");",
            "init.fork();",
            "missing();",
            "let f = || 1; f.call();",
            "try { print(1); } catch { }",
            "clone(0, n);",
            "assert(fork() == 0);",
        ] {
            assert!(!known(text), "{text}");
        }
    }
}
