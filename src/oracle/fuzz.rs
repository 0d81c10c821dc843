//! Random programs whose outcome does not depend on the schedule, so that one
//! run on each kernel is enough: whoever forks sleeps until the child is dead.
//!
//! ```text
//! print(try_setpgid(0, 0));            every call says what it gave
//! c = fork();
//! if c == 0 { …; exit(3) }
//! try_waitid(P_PID, c, WEXITED | WNOWAIT);
//! print(try_waitpid(-1, WNOHANG));
//! ```
//!
//! A program that differs is shrunk: steps are left out for as long as it
//! still differs.
//!
//! No call names an orphan: when process 1 reaps it is a matter of time there.
//!
//! Left out: stops (the host's process 1 is not the global init, which counts
//! for orphaned process groups), memory, files, namespaces, signals to several.

use std::fmt::Write;

use crate::base::Rng;

/// A step of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A call whose result is printed.
    Call(String),
    /// A child that does this and ends with a code; its parent sleeps until
    /// then.
    Fork(Vec<Step>, u8),
}

/// Most processes of a program.
const MOST_FORKS: u32 = 6;
/// Deepest nesting of children.
const DEEPEST: u32 = 3;

const SIGNALS: &[&str] =
    &["SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGTERM", "SIGCONT", "SIGURG", "SIGALRM", "SIGHUP", "34"];

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.below(from.len() as u64) as usize]
}

fn call(rng: &mut Rng) -> String {
    let id = |rng: &mut Rng| pick(rng, &["-1", "0", "1000", "1001", "65535"]);
    let who = |rng: &mut Rng| pick(rng, &["0", "c", "getpid()", "getppid()", "-2", "1"]);
    let set = |rng: &mut Rng| match rng.below(3) {
        0 => "[]".to_string(),
        1 => format!("[{}]", pick(rng, SIGNALS)),
        _ => format!("[{}, {}]", pick(rng, SIGNALS), pick(rng, SIGNALS)),
    };
    match rng.below(20) {
        0 => pick(rng, &["getpid()", "getppid()", "getpgrp()", "try_getsid(0)"]).into(),
        1 => format!("try_getpgid({})", who(rng)),
        2 => format!("try_setpgid({}, {})", who(rng), who(rng)),
        3 => "try_setsid()".into(),
        4 => format!("try_setuid({})", id(rng)),
        5 => format!("try_setresuid({}, {}, {})", id(rng), id(rng), id(rng)),
        6 => format!("try_setregid({}, {})", id(rng), id(rng)),
        7 => pick(rng, &["getresuid()", "getresgid()"]).into(),
        8 | 9 => format!("try_kill(getpid(), {})", pick(rng, SIGNALS)),
        10 => {
            let harmless = ["0", "SIGURG", "SIGCONT", "65", "-1"];
            format!("try_kill({}, {})", who(rng), pick(rng, &harmless))
        }
        11 | 12 => {
            let how = pick(rng, &["SIG_BLOCK", "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK"]);
            format!("try_sigprocmask({how}, {})", set(rng))
        }
        13 => "try_sigpending()".into(),
        14 | 15 => {
            let action = pick(rng, &["SIG_IGN", "SIG_DFL", "on_signal", "on_signal"]);
            format!("try_sigaction({}, {action})", pick(rng, SIGNALS))
        }
        16 => {
            let option = [
                "PR_SET_CHILD_SUBREAPER, 1",
                "PR_SET_CHILD_SUBREAPER, 0",
                "PR_SET_KEEPCAPS, 1",
                "PR_GET_KEEPCAPS, 0",
                "PR_SET_NO_NEW_PRIVS, 1",
                "PR_GET_NO_NEW_PRIVS, 0",
                "PR_SET_DUMPABLE, 0",
                "PR_GET_DUMPABLE, 0",
                "PR_SET_PDEATHSIG, 65",
                "PR_SET_KEEPCAPS, 2",
                "PR_GET_SECUREBITS, 0",
            ];
            format!("try_prctl({})", pick(rng, &option))
        }
        17 | 18 => {
            let pid = pick(rng, &["-1", "0", "c", "-c", "getpid()"]);
            let options = pick(rng, &["WNOHANG", "WNOHANG | WUNTRACED", "WNOHANG | WCONTINUED"]);
            format!("try_waitpid({pid}, {options})")
        }
        _ => {
            let options = pick(rng, &["WEXITED", "WEXITED | WNOWAIT", "WSTOPPED", "0"]);
            format!(
                "try_waitid({}, c, {options} | WNOHANG)",
                pick(rng, &["P_ALL", "P_PID", "P_PGID"])
            )
        }
    }
}

/// A random process.
pub fn steps(rng: &mut Rng) -> Vec<Step> {
    nested(rng, 0, &mut 0)
}

fn nested(rng: &mut Rng, depth: u32, forks: &mut u32) -> Vec<Step> {
    let n = 2 + rng.below(8);
    let mut steps = Vec::new();
    for _ in 0..n {
        if depth < DEEPEST && *forks < MOST_FORKS && rng.below(4) == 0 {
            *forks += 1;
            let child = nested(rng, depth + 1, forks);
            steps.push(Step::Fork(child, rng.below(256) as u8));
        } else {
            steps.push(Step::Call(call(rng)));
        }
    }
    steps
}

/// The program as a script.
pub fn script(steps: &[Step]) -> String {
    let mut text =
        "fn on_signal(sig) { print(`handler ${sig}`); }\nfn main() {\n    let c = 999;\n"
            .to_string();
    write(&mut text, steps, 1, &mut 0);
    text + "}\n"
}

fn write(text: &mut String, steps: &[Step], depth: usize, number: &mut u32) {
    let pad = "    ".repeat(depth);
    for step in steps {
        *number += 1;
        match step {
            Step::Call(call) => {
                let _ = writeln!(text, "{pad}print(`#{number}: ${{{call}}}`);");
            }
            Step::Fork(child, code) => {
                let _ = writeln!(text, "{pad}c = fork();\n{pad}if c == 0 {{\n{pad}    c = 999;");
                write(text, child, depth + 1, number);
                let _ = writeln!(text, "{pad}    exit({code});\n{pad}}}");
                let _ = writeln!(text, "{pad}try_waitid(P_PID, c, WEXITED | WNOWAIT);");
            }
        }
    }
}

/// Programs that are one step shorter, the boldest cuts first.
fn shorter(steps: &[Step]) -> Vec<Vec<Step>> {
    let mut all = Vec::new();
    for i in 0..steps.len() {
        let mut without = steps.to_vec();
        without.remove(i);
        all.push(without);
    }
    for (i, step) in steps.iter().enumerate() {
        let Step::Fork(child, code) = step else { continue };
        for child in shorter(child) {
            let mut with = steps.to_vec();
            with[i] = Step::Fork(child, *code);
            all.push(with);
        }
    }
    all
}

/// Leaves out steps for as long as `differs` says that the rest still differs.
///
/// # Errors
/// That `differs` could not say.
pub fn shrink<E>(
    mut steps: Vec<Step>,
    mut differs: impl FnMut(&[Step]) -> Result<bool, E>,
) -> Result<Vec<Step>, E> {
    'again: loop {
        for candidate in shorter(&steps) {
            if differs(&candidate)? {
                steps = candidate;
                continue 'again;
            }
        }
        return Ok(steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_program() {
        let text = |seed| script(&steps(&mut Rng::new(seed)));
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn shrinking_keeps_what_matters() {
        let call = |text: &str| Step::Call(text.into());
        let program = vec![
            call("a"),
            Step::Fork(vec![call("b"), call("bad"), Step::Fork(vec![call("c")], 1)], 2),
            call("d"),
        ];
        let bad = |steps: &[Step]| Ok::<_, ()>(script(steps).contains("bad"));
        let small = shrink(program, bad);
        assert_eq!(small, Ok(vec![Step::Fork(vec![call("bad")], 2)]));
    }
}
