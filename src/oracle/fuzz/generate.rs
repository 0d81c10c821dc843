//! Making a random program: what it is about, who forks whom, who waits.
//!
//! A program has one to three subjects, so that its calls meet each other. One
//! in twelve is wild: nobody waits for some of its children. The others leave
//! the schedule little to decide.
//!
//! Left out: the calls themselves; `calls` has them.

use super::calls::{self, Around, THEMES, Theme};
use super::features::{Feature, Features};
use super::program::{Call, Child, End, Form, How, Make, Program, Step, Trace, Wait};
use crate::base::Rng;

/// Most children of a program.
const MOST_CHILDREN: u64 = 5;
/// Deepest nesting of children.
const DEEPEST: u32 = 3;

/// The program of a seed.
pub fn generate(seed: u64, features: Features) -> Program {
    let mut rng = Rng::new(seed);
    let mut themes: Vec<Theme> = Vec::new();
    for _ in 0..1 + rng.below(3) {
        themes.push(THEMES[rng.below(THEMES.len() as u64) as usize]);
    }
    if !features.has(Feature::Terminals) {
        themes.retain(|theme| *theme != Theme::Terminals);
        if themes.is_empty() {
            themes.push(Theme::Processes);
        }
    }
    let wild = rng.below(12) == 0;
    let mut maker = Maker { rng, features, themes, wild, children: 0 };
    let mut process = Process {
        depth: 0,
        pages: [0; 3],
        thread: false,
        vfork: false,
        inside: false,
        traced: false,
    };
    let mut steps = match maker.themes.contains(&Theme::Terminals) {
        true => calls::terminals::begin(&mut maker.around(&process)),
        false => Vec::new(),
    };
    steps.extend(maker.steps(&mut process));
    if maker.rng.below(10) == 0 {
        let code = maker.rng.below(256).to_string();
        steps.push(Step::Call(Call { form: Form::Silent, name: "_exit", args: vec![code] }));
    }
    Program { steps }
}

struct Maker {
    rng: Rng,
    features: Features,
    themes: Vec<Theme>,
    wild: bool,
    children: u64,
}

/// What is known of the process whose steps are made.
struct Process {
    depth: u32,
    pages: [u64; 3],
    thread: bool,
    vfork: bool,
    /// Inside a pid namespace of its own.
    inside: bool,
    /// Traced: two who watch each other leave too much to the schedule.
    traced: bool,
}

impl Maker {
    fn below(&mut self, n: u64) -> u64 {
        self.rng.below(n)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.rng.below(from.len() as u64) as usize]
    }

    fn has(&self, feature: Feature) -> bool {
        self.features.has(feature)
    }

    fn theme(&mut self) -> Theme {
        if self.below(6) == 0 {
            // Memory comes in programs about it only: without anything mapped
            // most of its calls say nothing.
            let others = [Theme::Processes, Theme::Waits, Theme::Signals, Theme::Kills];
            return others[self.below(4) as usize];
        }
        self.themes[self.rng.below(self.themes.len() as u64) as usize]
    }

    fn around(&mut self, process: &Process) -> Around<'_> {
        Around {
            rng: &mut self.rng,
            features: self.features,
            pages: process.pages,
            may_die: process.depth > 0,
            traced: process.traced,
        }
    }

    fn steps(&mut self, process: &mut Process) -> Vec<Step> {
        let most = if self.wild { 5 } else { 9 };
        let n = 1 + self.below(most);
        let mut steps = Vec::new();
        for _ in 0..n {
            let room = process.depth < DEEPEST && self.children < MOST_CHILDREN;
            if room && self.below(4) == 0 {
                self.children += 1;
                self.child(process, &mut steps);
            } else {
                steps.push(Step::Call(self.call(process)));
            }
        }
        steps
    }

    fn call(&mut self, process: &mut Process) -> Call {
        loop {
            let theme = self.theme();
            // Memory of a vfork child is its parent's: no mappings there.
            if theme == Theme::Memory && process.vfork {
                continue;
            }
            let mut around = self.around(process);
            let call = calls::on(theme, &mut around);
            process.pages = around.pages;
            return call;
        }
    }

    /// A child, and what its maker does about it.
    fn child(&mut self, process: &Process, steps: &mut Vec<Step>) {
        let make = self.make(process);
        let thread =
            matches!(&make, Make::Clone3(fields) if fields.contains("CLONE_THREAD | CLONE_CHILD"));
        let vfork = matches!(&make, Make::Vfork)
            || matches!(&make, Make::Clone(flags) if flags.contains("CLONE_VFORK"));
        let wait = match self.below(8) {
            _ if thread => Wait::Futex,
            _ if self.traces(process, &make, vfork) => self.trace(),
            _ if self.wild && self.below(2) == 0 => Wait::No,
            0 | 1 if !vfork => Wait::Stopped,
            // A terminal may stop it.
            _ if !vfork && self.themes.contains(&Theme::Terminals) => Wait::Stopped,
            _ => Wait::Dead,
        };
        let mut inner = Process {
            depth: process.depth + 1,
            pages: process.pages,
            thread,
            vfork: vfork || process.vfork,
            inside: process.inside
                || matches!(&make, Make::Clone(flags) if flags.contains("NEWPID")),
            traced: process.traced || matches!(wait, Wait::Traced(_)),
        };
        let mut body = self.steps(&mut inner);
        if wait == Wait::Stopped {
            let at = self.below(body.len() as u64 + 1) as usize;
            let sig = self.pick(&["SIGSTOP", "SIGSTOP", "SIGTSTP", "SIGTTIN"]);
            let stop =
                Call { form: Form::Try, name: "kill", args: vec!["getpid()".into(), sig.into()] };
            body.insert(at, Step::Call(stop));
        }
        let end = self.end(&inner);
        steps.push(Step::Child(Box::new(Child { make, body, end, wait })));
        if wait == Wait::Stopped {
            self.after_stop(steps);
        }
    }

    /// Whether a child is traced: one whose maker is its parent and can wait.
    fn traces(&mut self, process: &Process, make: &Make, vfork: bool) -> bool {
        let plain = match make {
            Make::Fork => true,
            Make::Clone(flags) => !flags.contains("PARENT") && !flags.contains("NEW"),
            _ => false,
        };
        let often = if self.themes.contains(&Theme::Tracing) { 2 } else { 12 };
        self.has(Feature::Ptrace)
            && plain
            && !vfork
            && !process.thread
            && !process.vfork
            && !process.traced
            && self.below(often) == 0
    }

    fn trace(&mut self) -> Wait {
        let how = [How::TraceMe, How::Seize, How::Attach][self.below(3) as usize];
        let options = [
            "0",
            "0",
            "PTRACE_O_TRACEEXIT",
            "PTRACE_O_TRACEEXEC",
            "PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT",
            "PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK",
            "PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_EXITKILL",
            "PTRACE_O_TRACESYSGOOD",
            "0x100",
        ];
        let passes = [
            "[-1]",
            "[-1]",
            "[0]",
            "[0, -1]",
            "[0, 0, SIGUSR1]",
            "[SIGUSR2, -1]",
            "[0, SIGSTOP, 0]",
            "[-1, SIGTERM]",
            "[0, SIGCONT]",
            "[0, 65, 0]",
        ];
        Wait::Traced(Trace {
            how,
            options: options[self.below(options.len() as u64) as usize],
            passes: passes[self.below(passes.len() as u64) as usize],
        })
    }

    /// The child is stopped or dead: look, make it go on, look again.
    fn after_stop(&mut self, steps: &mut Vec<Step>) {
        let call = |form, name, args: &[&str]| {
            let args = args.iter().map(ToString::to_string).collect();
            Step::Call(Call { form, name, args })
        };
        if self.below(2) == 0 {
            let options = self.pick(&["WNOHANG | WUNTRACED", "WNOHANG", "WNOHANG | WCONTINUED"]);
            steps.push(call(Form::Try, "waitpid", &["c", options]));
        }
        if self.below(5) > 0 {
            let sig =
                self.pick(&["SIGCONT", "SIGCONT", "SIGCONT", "SIGKILL", "SIGTERM", "SIGUSR1"]);
            steps.push(call(Form::Silent, "try_kill", &["c", sig]));
            // When a killed child is dead depends on the host; see `variations`.
            let may_be_early = sig != "SIGKILL" && self.below(6) == 0;
            if !may_be_early && sig != "SIGTERM" && sig != "SIGUSR1" {
                let options = "WEXITED | WSTOPPED | WNOWAIT | __WALL";
                steps.push(call(Form::Silent, "try_waitid", &["P_PID", "c", options]));
            }
            let options = self.pick(&["WNOHANG | WCONTINUED", "WNOHANG | WUNTRACED", "WNOHANG"]);
            steps.push(call(Form::Try, "waitpid", &["c", options]));
        }
    }

    fn make(&mut self, process: &Process) -> Make {
        let memory = self.themes.contains(&Theme::Memory);
        match self.below(20) {
            0 | 1 if !memory || self.has(Feature::VforkMapped) => Make::Vfork,
            2..=4 => Make::Clone(self.clone_flags(process).to_string()),
            5..=7 if self.has(Feature::Clone3) => Make::Clone3(self.clone3_fields(process)),
            8..=10 if self.has(Feature::Threads) && self.has(Feature::CloneAddresses) => {
                Make::Clone3(
                    "flags: CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_SYSVSEM | \
                 CLONE_THREAD | CLONE_CHILD_CLEARTID, child_tid: addr_of(\"THIS\")"
                        .into(),
                )
            }
            _ => Make::Fork,
        }
    }

    fn clone_flags(&mut self, process: &Process) -> &'static str {
        match self.below(10) {
            0 if self.has(Feature::Threads) && !process.vfork => self.pick(&[
                "CLONE_VM | SIGCHLD",
                "CLONE_VM | CLONE_SIGHAND | SIGCHLD",
                "CLONE_VM | CLONE_FILES | SIGUSR1",
            ]),
            1 if self.has(Feature::Namespaces) => self.pick(&[
                "CLONE_NEWPID | SIGCHLD",
                "CLONE_NEWPID | SIGCHLD",
                "CLONE_NEWUSER | SIGCHLD",
                "CLONE_NEWUTS | SIGCHLD",
                "CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD",
                "CLONE_NEWNS | CLONE_FS | SIGCHLD",
                "CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD",
                "CLONE_NEWUSER | CLONE_FS | SIGCHLD",
                "CLONE_NEWPID | CLONE_PARENT | SIGCHLD",
            ]),
            2 => self.pick(&[
                "CLONE_THREAD | SIGCHLD",
                "CLONE_SIGHAND | SIGCHLD",
                "CLONE_THREAD | CLONE_SIGHAND | SIGCHLD",
                "CLONE_THREAD | CLONE_VM | SIGCHLD",
            ]),
            _ => self.pick(&[
                "SIGCHLD",
                "SIGUSR1",
                "0",
                "SIGCONT",
                "100",
                "34",
                "CLONE_FS | SIGCHLD",
                "CLONE_FILES | SIGCHLD",
                "CLONE_FILES | CLONE_FS | SIGUSR2",
                "CLONE_PARENT | SIGCHLD",
                "CLONE_VFORK | SIGCHLD",
                "CLONE_IO | CLONE_SYSVSEM | SIGCHLD",
            ]),
        }
    }

    fn clone3_fields(&mut self, process: &Process) -> String {
        let fields = match self.below(6) {
            0 if self.has(Feature::CloneAddresses) => self.pick(&[
                "flags: CLONE_PIDFD, exit_signal: SIGCHLD, pidfd: addr_of(\"pf\")",
                "flags: CLONE_CHILD_SETTID, exit_signal: SIGCHLD, child_tid: addr_of(\"pf\")",
                "flags: CLONE_PARENT_SETTID, exit_signal: SIGCHLD, parent_tid: addr_of(\"pf\")",
                "flags: CLONE_CHILD_CLEARTID, exit_signal: SIGCHLD, child_tid: addr_of(\"pf\")",
                "flags: CLONE_PIDFD | CLONE_PARENT_SETTID, exit_signal: SIGCHLD, pidfd: addr_of(\"pf\"), parent_tid: addr_of(\"pf\")",
            ]),
            1 => self.pick(&[
                "exit_signal: SIGCHLD, set_tid: [77]",
                "exit_signal: SIGCHLD, set_tid: [0]",
                "exit_signal: SIGCHLD, set_tid: [1]",
                "exit_signal: SIGCHLD, set_tid: [-1]",
            ]),
            2 => self.pick(&[
                "exit_signal: 65",
                "exit_signal: 256",
                "flags: CLONE_PARENT, exit_signal: SIGCHLD",
                "flags: CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND, exit_signal: SIGCHLD",
                "exit_signal: SIGCHLD, stack: 4096",
                "exit_signal: SIGCHLD, stack_size: 4096",
                "flags: 17",
                "flags: CLONE_SIGHAND, exit_signal: SIGCHLD",
                "flags: CLONE_THREAD, exit_signal: SIGCHLD",
            ]),
            3 if self.has(Feature::Threads) && !process.vfork => {
                "flags: CLONE_VM | CLONE_CLEAR_SIGHAND, exit_signal: SIGCHLD"
            }
            _ => self.pick(&[
                "exit_signal: SIGCHLD",
                "flags: CLONE_CLEAR_SIGHAND, exit_signal: SIGCHLD",
                "exit_signal: 64",
                "exit_signal: 0",
                "flags: CLONE_FS, exit_signal: 34",
                "flags: CLONE_FILES, exit_signal: SIGUSR1",
                "flags: CLONE_VFORK, exit_signal: SIGCHLD",
                "flags: CLONE_PARENT",
            ]),
        };
        fields.to_string()
    }

    fn end(&mut self, process: &Process) -> End {
        let code = self.below(256) as u8;
        let deadly = ["SIGKILL", "SIGTERM", "SIGUSR1", "SIGABRT", "SIGSEGV", "34", "SIGQUIT"];
        match self.below(10) {
            _ if process.thread => match self.below(8) {
                0 => End::ExitGroup(code),
                1 => End::Signal(self.pick(&deadly)),
                2 if self.has(Feature::Exec) && !process.inside => {
                    End::Exec("[\"image\", \"thread\"]")
                }
                _ => End::ExitThread(code),
            },
            0 | 1 => End::ExitGroup(code),
            2 => End::ExitThread(code),
            3 => End::Signal(self.pick(&deadly)),
            4 if self.has(Feature::Exec) && !process.inside => End::Exec("[\"image\", \"x\"]"),
            _ if process.vfork => End::ExitGroup(code),
            _ => End::Exit(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_program() {
        let text = |seed| generate(seed, Features::ALL).text().script;
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn features_that_are_missing_are_not_used() {
        for seed in 0..2000 {
            let text = generate(seed, Features::NONE).text().script;
            for word in
                ["clone3", "execve", "ptrace", "CLONE_VM |", "sigtimedwait", "capset", "nanosleep"]
            {
                // A refused combination is no thread.
                let text = text.replace("CLONE_THREAD | CLONE_VM | SIGCHLD", "");
                assert!(!text.contains(word), "{word} in seed {seed}:\n{text}");
            }
        }
    }
}
