//! The real kernel as judge. Skipped with a message where the host permits no
//! sandbox.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use forkyard::cli::execute::Plan;
use forkyard::cli::files::Input;
use forkyard::cli::host;
use forkyard::oracle::{self, End, Refused, Run};
use forkyard::script::bind::program::Language;
use forkyard::script::control::Buffer;
use forkyard::script::diagnostic::{Report, Style};

const BIN: &str = env!("CARGO_BIN_EXE_forkyard");

fn script(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{name}.rhai"));
    fs::write(&path, text).unwrap();
    path
}

fn on_linux(path: &Path) -> Output {
    Command::new(BIN).args(["run", "--on", "linux"]).arg(path).output().unwrap()
}

/// Runs a program on the host; `None`, with a message, where that is forbidden.
fn run(name: &str, text: &str) -> Option<(i32, String, String)> {
    let out = on_linux(&script(name, text));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(out.stdout), text(out.stderr));
    if stderr.contains("the host does not permit") {
        eprintln!("{name}: skipped: {stderr}");
        return None;
    }
    Some((out.status.code().unwrap(), stdout, stderr))
}

/// A process: its pid and when it began.
type Process = (u32, String);

/// Parent, state, number of threads and time of birth of a process.
fn stat(pid: u32) -> Option<(u32, String, usize, String)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let at = |i: usize| fields.get(i).map(|f| f.to_string());
    Some((at(1)?.parse().ok()?, at(0)?, at(17)?.parse().ok()?, at(19)?))
}

/// All processes below one, and the number of their threads.
fn below(pid: u32) -> (Vec<Process>, usize) {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    let all: Vec<_> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let (mut found, mut threads) = (Vec::new(), 0);
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for (pid, (_, _, n, began)) in all.iter().filter(|(_, stat)| stat.0 == parent) {
            parents.push(*pid);
            found.push((*pid, began.clone()));
            threads += n;
        }
    }
    (found, threads)
}

fn is_alive((pid, began): &Process) -> bool {
    // A zombie is somebody else's to reap.
    stat(*pid).is_some_and(|(_, state, _, since)| since == *began && state != "Z")
}

fn eventually(mut what: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if what() {
            return true;
        }
        sleep(Duration::from_millis(20));
    }
    false
}

/// Ends a run by a signal to the supervisor.
fn end_by(signal: i32, name: &str) {
    let path = script(
        name,
        "fn busy() { while true { sched_yield(); } }
        fn main() {
            for i in 0..3 {
                if fork() == 0 {
                    setsid();
                    clone(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, busy);
                    print(`child ${i}`);
                    busy();
                }
            }
            sigprocmask(SIG_SETMASK, [SIGTERM, SIGHUP]);
            wait();
        }",
    );
    let mut command = Command::new(BIN);
    command.args(["run", "--on", "linux"]).arg(&path);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // The warden, process 1, main and three children with two threads each.
    let all_there = eventually(|| child.try_wait().unwrap().is_some() || below(child.id()).1 >= 9);
    if child.try_wait().unwrap().is_some() {
        let mut text = String::new();
        child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("the host does not permit"), "{text}");
        eprintln!("skipped: {text}");
        return;
    }
    let (all, threads) = below(child.id());
    assert!(all_there && all.len() >= 6, "{all:?} with {threads} threads");
    // SAFETY: no memory is involved; the child is ours and was not reaped.
    assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
    child.wait().unwrap();
    assert!(eventually(|| !all.iter().any(is_alive)), "somebody is left of {all:?}");
}

#[test]
fn killing_the_supervisor_leaves_nobody() {
    end_by(libc::SIGKILL, "killed");
}

#[test]
fn interrupting_the_supervisor_leaves_nobody() {
    end_by(libc::SIGINT, "interrupted");
    end_by(libc::SIGTERM, "terminated");
}

/// Runs a program often in one sandbox: `None` for those that are refused.
fn often(text: &str, times: u32) -> Option<Vec<Option<Run>>> {
    let input = Input { name: "often".into(), text: text.into(), folder: ".".into() };
    let (plan, _) = Plan::new(input).unwrap();
    let interrupt = plan.interrupt.clone();
    let (finished, runs) = host::with_main(plan, Buffer::new(), move |engine, control, ast, _| {
        let language = Language::new(engine, control, ast);
        let show = |report: &Report| report.render(Style::Plain);
        let plan = host::plan(&interrupt, &show);
        let mut sandbox = oracle::Sandbox::new().map_err(|e| host::refused(&e))?;
        let mut runs = Vec::new();
        for _ in 0..times {
            runs.push(match sandbox.run(&language, &plan) {
                Ok(run) => Some(run),
                Err(Refused::Unsupported(_)) => None,
                Err(e) => return Err(host::refused(&e)),
            });
        }
        Ok((0, Vec::new(), runs))
    });
    let reports: Vec<String> = finished.reports.iter().map(|r| r.message.clone()).collect();
    if reports.iter().any(|r| r.contains("the host does not permit")) {
        eprintln!("skipped: {reports:?}");
        return None;
    }
    assert!(reports.is_empty(), "{reports:?}");
    runs
}

#[test]
fn a_sandbox_runs_many_programs_and_two_are_apart() {
    let text = "
        fn on_usr1(sig) { vars.n = vars.n + 1; }
        fn main() {
            define(\"n\", 0);
            sigaction(SIGUSR1, on_usr1);
            let new = try_open(\"/tmp/x\", O_CREAT | O_EXCL | O_WRONLY) >= 0;
            let pid = fork();
            if pid == 0 { raise(SIGUSR1); exit(vars.n) }
            print(`${getpid()} ${pid} ${new} ${wait().exit_status}`);
            if choose([true, false]) { fork(); pause(); }
            if choose([true, false]) { fork(); sleep(1000); }
        }";
    let workers = [(); 2].map(|()| std::thread::spawn(move || often(text, 40)));
    for worker in workers {
        let Some(runs) = worker.join().unwrap() else { return };
        // A quarter finishes, a quarter is refused, half sleeps for ever.
        assert!(runs.iter().any(Option::is_none) && runs.len() == 40);
        let runs: Vec<Run> = runs.into_iter().flatten().collect();
        assert!(runs.iter().any(|run| run.end == End::Finished && run.status == Some(0)));
        assert!(runs.iter().any(|run| matches!(&run.end, End::Stuck(who) if who.len() == 2)));
        for run in runs {
            assert_eq!(String::from_utf8(run.output).unwrap(), "3 4 true 1\n");
        }
    }
}

#[test]
fn what_is_not_done_there_is_refused() {
    for (name, code, said) in [
        ("memory", "store(0x600000000000, 1)", "not the script's"),
        ("text", "syscall(11, [0x400000, 4096])", "not the script's"),
        ("stack", "syscall(0, [0, 0x7ffffffde000, 8])", "not the script's"),
        ("fixed", "syscall(9, [0x610000000000, 4096, 3, 0x32, -1, 0])", "not the script's"),
        ("group", "unshare(CLONE_NEWPID); try_setpgid(0, getppid())", "might never end"),
        ("long", "sleep(3)", "nanosleep for 3.0 s"),
        ("handler", "syscall(13, [10, 0x405000, 0, 8])", "sigaction with addresses"),
        ("address", "syscall(1, [1, 0x701000, 8])", "EFAULT"),
        ("reboot", "syscall(169, [])", "reboot is not made there"),
        ("registers", "try_ptrace(PTRACE_GETREGS, 5)", "the ptrace request PTRACE_GETREGS"),
        ("reaper", "try_ptrace(PTRACE_ATTACH, 1)", "tracing process 1"),
        ("director", "init.fork()", "program"),
    ] {
        let text = format!("fn main() {{ {code}; print(\"went on\"); }}");
        let Some((status, stdout, stderr)) = run(name, &text) else { return };
        // Long lines are broken.
        let words: Vec<&str> = stderr.split_whitespace().filter(|w| *w != "│").collect();
        assert!(words.join(" ").contains(said), "{name}: {stderr}");
        assert_eq!(stdout, "", "{name}");
        assert_ne!(status, 0, "{name}");
    }
}

#[test]
fn a_script_reaches_nothing_of_the_host() {
    let text = "fn main() {
        print(try_open(\"/etc/shadow\"));
        print(try_open(\"/etc/hostname\"));
        print(try_kill(-1, SIGKILL));
        print(getppid());
        print(getcwd());
        print(try_open(\"Cargo.toml\"));
        print(try_write(1100, \"{}\"));
        print(try_dup(1100));
        print(try_unlink(\"/bin/main\"));
        let fd = open(\"/tmp/x\", O_CREAT | O_WRONLY, 0o755);
        write(fd, \"#!/bin/true\");
        close(fd);
        print(try_execve(\"/tmp/x\"));
    }";
    let Some((status, stdout, stderr)) = run("reach", text) else { return };
    // ESRCH: it is alone in its namespace, and process 1 is spared. EROFS, and
    // EACCES: what can be executed cannot be written.
    let wanted = "-2\n-2\n-3\n1\n/\n-2\n-9\n-9\n-30\n-13\n";
    assert_eq!((status, &*stdout), (0, wanted), "{stderr}");
}

#[test]
fn an_endless_program_is_ended() {
    let text = "fn spin() { while true { sched_yield(); } }
        fn main() { if fork() == 0 { spin(); } kill(getppid(), 0); spin(); }";
    let Some((status, _, stderr)) = run("endless", text) else { return };
    assert_ne!(status, 0);
    assert!(stderr.contains("not ended after") || stderr.contains("operations"), "{stderr}");
}

#[test]
fn a_fork_bomb_is_limited() {
    let Some((status, _, stderr)) = run("bomb", "fn main() { while true { fork(); } }") else {
        return;
    };
    assert_ne!(status, 0);
    assert!(stderr.contains("EAGAIN") || stderr.contains("not ended after"), "{stderr}");
}

#[test]
fn handlers_run_inside_the_call_they_interrupt() {
    let text = "
        fn on_usr1(sig) { print(`in: ${sigpending()}`); raise(SIGUSR2); print(\"blocked\"); }
        fn on_usr2(sig) { print(\"usr2\"); }
        fn main() {
            sigaction_with(SIGUSR1, #{handler: on_usr1, mask: [SIGUSR2]});
            sigaction(SIGUSR2, on_usr2);
            sigprocmask(SIG_BLOCK, [SIGUSR1]);
            raise(SIGUSR1);
            print(`pending: ${sigpending()}`);
            sigsuspend([]);
            print(`after: ${sigpending()}`);
        }";
    let Some((status, stdout, stderr)) = run("handlers", text) else { return };
    let wanted = "pending: {SIGUSR1}\nin: {}\nblocked\nusr2\nafter: {}\n";
    assert_eq!((status, &*stdout), (0, wanted), "{stderr}");
}

#[test]
fn vfork_shares_variables_and_fork_copies_them() {
    let text = "fn main() {
        define(\"a\", 1);
        if vfork() == 0 {
            vars.a = 2;
            if fork() == 0 { vars.a = 3; _exit(vars.a); }
            wait();
            if vfork() == 0 { vars.a = vars.a + 10; _exit(0); }
            wait();
            _exit(vars.a);
        }
        print(`${wait().exit_status} ${vars.a}`);
        if fork() == 0 { vars.a = 5; exit(0); }
        wait();
        print(vars.a);
    }";
    let Some((status, stdout, stderr)) = run("vfork", text) else { return };
    assert_eq!((status, &*stdout), (0, "12 12\n12\n"), "{stderr}");
}

/// Runs a program on both kernels, where each must do the same.
fn both(name: &str, text: &str, wanted: &str) {
    let Some((status, stdout, stderr)) = run(name, text) else { return };
    assert_eq!((status, &*stdout), (0, wanted), "{stderr}");
    let path = script(name, text);
    let model = Command::new(BIN).arg("run").arg(path).output().unwrap();
    assert_eq!(String::from_utf8(model.stdout).unwrap(), wanted, "the model's");
}

const THREAD: &str = "CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD";

#[test]
fn threads_share_memory_and_are_joined_by_the_cleared_tid() {
    let text = format!(
        "fn worker() {{
            for i in 0..50 {{ vars.count = vars.count + 1; sched_yield(); }}
            vars.pids_equal = if getpid() != gettid() {{ getpid() }} else {{ 0 }};
            exit_thread(0);
        }}
        fn main() {{
            define(\"count\", 0);
            define(\"pids_equal\", 0);
            define(\"tid\", 0);
            let at = addr_of(\"tid\");
            let flags = {THREAD} | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
            for i in 0..2 {{
                let tid = syscall(56, [flags, 0, at, at, 0]);
                if tid == 0 {{ worker(); }}
                while load(at) != 0 {{ try_futex_wait(at, tid); }}
                print(`${{tid}}: ${{vars.count}} ${{vars.pids_equal}}`);
            }}
            print(try_wait());
        }}"
    );
    both("join", &text, "4: 50 3\n5: 100 3\n-10\n");
}

#[test]
fn two_threads_add_to_one_variable_and_may_lose_some() {
    let text = format!(
        "fn worker() {{
            for i in 0..20 {{ vars.count = vars.count + 1; }}
            exit_thread(0);
        }}
        fn main() {{
            define(\"count\", 0);
            define(\"a\", 1);
            define(\"b\", 1);
            for name in [\"a\", \"b\"] {{
                let at = addr_of(name);
                let flags = {THREAD} | CLONE_CHILD_CLEARTID;
                if syscall(56, [flags, 0, 0, at, 0]) == 0 {{ worker(); }}
            }}
            for name in [\"a\", \"b\"] {{
                while load(addr_of(name)) != 0 {{ try_futex_wait(addr_of(name), 1); }}
            }}
            print(vars.count >= 2 && vars.count <= 40);
        }}"
    );
    both("add", &text, "true\n");
}

#[test]
fn a_process_that_shares_memory_is_still_a_process() {
    let text = "
        fn worker(n) { vars.a = vars.a + n; define(\"b\", 7); exit(n) }
        fn main() {
            define(\"a\", 1);
            let pid = clone(CLONE_VM | SIGCHLD, worker, 4);
            print(`${wait().exit_status} ${vars.a} ${vars.b}`);
            let pid = clone(CLONE_VM | CLONE_VFORK | SIGCHLD, worker, 5);
            print(`${vars.a} ${waitpid(pid).exit_status}`);
            let pid = clone(CLONE_VM);
            if pid == 0 { vars.a = 100; exit(3) }
            while vars.a != 100 { sched_yield(); }
            print(try_waitpid(pid));
        }";
    both("vm", text, "4 5 7\n10 5\n-10\n");
}

#[test]
fn execve_replaces_threads_memory_and_descriptors() {
    let text = format!(
        "fn other(argv) {{
            print(`${{argv}} ${{getpid() == gettid()}} ${{try_write(7, \"\")}} ${{try_write(8, \"\")}}`);
            print(try_addr());
            argv.len()
        }}
        fn try_addr() {{ try {{ addr_of(\"a\"); }} catch (e) {{ return e.errno }} 0 }}
        fn sleeper() {{ while true {{ pause(); }} }}
        fn execs() {{ execve(\"/bin/other\", [\"other\", \"by a thread\"]); }}
        fn main() {{
            define(\"a\", 1);
            dup2(1, 7);
            dup3(1, 8, O_CLOEXEC);
            let pid = fork();
            if pid == 0 {{
                clone({THREAD}, sleeper);
                clone({THREAD}, execs);
                sleeper();
            }}
            let w = wait();
            print(`${{w.pid == pid}} ${{w.exit_status}} ${{vars.a}}`);
            if vfork() == 0 {{ chdir(\"/bin\"); execve(\"other\", []); }}
            print(wait().exit_status);
        }}"
    );
    let wanted = "[\"other\", \"by a thread\"] true 0 -9\n\"ENOENT\"\ntrue 2 1\n\
                  [\"\"] true 0 -9\n\"ENOENT\"\n1\n";
    both("exec", &text, &wanted.replace("\"ENOENT\"", "ENOENT"));
}

#[test]
fn a_signal_to_the_process_is_handled_by_the_thread_that_lets_it() {
    let text = format!(
        "fn on_usr1(sig) {{ vars.by = gettid(); }}
        fn worker() {{
            sigprocmask(SIG_UNBLOCK, [SIGUSR1]);
            vars.ready = 1;
            while vars.by == 0 {{ sched_yield(); }}
            exit_thread(0);
        }}
        fn main() {{
            define(\"by\", 0);
            define(\"ready\", 0);
            sigaction(SIGUSR1, on_usr1);
            sigprocmask(SIG_BLOCK, [SIGUSR1]);
            let tid = clone({THREAD}, worker);
            while vars.ready == 0 {{ sched_yield(); }}
            kill(getpid(), SIGUSR1);
            while vars.by == 0 {{ sched_yield(); }}
            print(vars.by == tid);
        }}"
    );
    both("thread-handler", &text, "true\n");
}

#[test]
fn time_is_real_and_a_handler_ends_a_sleep() {
    let text = "
        fn on_usr1(sig) { print(\"handler\"); }
        fn main() {
            sigaction_with(SIGUSR1, #{handler: on_usr1, flags: SA_RESTART});
            let me = getpid();
            let began = clock_gettime(CLOCK_MONOTONIC);
            if fork() == 0 { usleep(50_000); kill(me, SIGUSR1); exit(0) }
            print(try_sleep(2));
            let passed = clock_gettime(CLOCK_MONOTONIC) - began;
            print(passed >= 50_000_000 && passed < 2_000_000_000);
            wait();
            define(\"word\", 5);
            print(try_futex_wait(addr_of(\"word\"), 5, 1_000_000));
            print(try_clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, began));
        }";
    both("time", text, "handler\n-4\ntrue\n-110\n0\n");
}

#[test]
fn memory_of_a_script_is_where_the_model_has_it_and_faults_are_real() {
    let text = "
        fn on_segv(sig) { mprotect(vars.page, 4096, PROT_READ | PROT_WRITE); print(\"mended\"); }
        fn main() {
            define(\"page\", 0);
            print(addr_of(\"page\"));
            let page = mmap(8192);
            vars.page = page;
            print(page);
            store(page, 7);
            mprotect(page, 4096, PROT_READ);
            if fork() == 0 { store(page, 8); }
            print(wait().signal);
            sigaction(SIGSEGV, on_segv);
            store(page, 9);
            print(load(page));
            munmap(page, 8192);
            sigaction(SIGSEGV, SIG_DFL);
            load(page);
        }";
    let Some((status, stdout, _)) = run("faults", text) else { return };
    let wanted = "0x405000\n0x7ffff7ffd000\nSIGSEGV\nmended\n9\n";
    assert_eq!((status, &*stdout), (128 + 11, wanted));
}

#[test]
fn a_fork_in_a_handler_goes_on_in_both() {
    let text = "
        fn on_usr1(sig) {
            if fork() == 0 { vars.child = 1; }
        }
        fn main() {
            define(\"child\", 0);
            sigaction_with(SIGUSR1, #{handler: on_usr1, flags: SA_RESTART});
            let p = pipe();
            let me = getpid();
            if fork() == 0 { usleep(20_000); kill(me, SIGUSR1); usleep(20_000); write(p[1], \"ab\"); exit(0) }
            let got = read(p[0], 1);
            if vars.child == 1 { write(p[1], \"\"); exit(got.len()) }
            // Either child may end first.
            let sum = wait().exit_status + wait().exit_status;
            print(`${got.len()} ${sum}`);
        }";
    both("handler-fork", text, "1 1\n");
}

/// Compares a script's behaviour on both kernels: exit code, text, errors.
fn compare(path: &Path) -> Option<(i32, String, String)> {
    let mut command = Command::new(BIN);
    command.args(["compare", "--runs", "3", "--seeds", "60"]).arg(path);
    let out = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(out.stdout), text(out.stderr));
    if stderr.contains("the host does not permit") {
        eprintln!("{}: skipped: {stderr}", path.display());
        return None;
    }
    Some((out.status.code().unwrap(), stdout, stderr))
}

/// Programs of the corpus that the host refuses, and why.
const REFUSED: &[(&str, &str)] = &[
    ("schedules", "only a program"),
    ("sleep_sort", "nanosleep for"),
    // A real alarm would look as if everyone slept for ever.
    ("wait_has_no_timeout", "nanosleep for 10.0 s"),
    // The stub that a task runs makes calls of its own.
    ("mini_strace", "PTRACE_SYSCALL"),
    ("links", "/proc"),
];

#[test]
fn the_programs_of_the_corpus_do_what_linux_does() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let folders =
        fs::read_dir(scripts).unwrap().filter_map(|e| fs::read_dir(e.unwrap().path()).ok());
    let mut equal = 0;
    for path in folders.flatten().map(|e| e.unwrap().path()) {
        let is_script = path.extension().is_some_and(|e| e == "rhai");
        // Without a main function it directs tasks.
        if !is_script || !fs::read_to_string(&path).unwrap().contains("\nfn main()") {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some((status, stdout, stderr)) = compare(&path) else { return };
        if stderr.contains("forkyard::host") {
            let known = REFUSED.iter().any(|(n, why)| name == *n && stderr.contains(why));
            assert!(known, "{name}: {stderr}");
            continue;
        }
        if matches!(&*name, "endless" | "fork_bomb" | "fork_bomb_tries") {
            // It meets the model's limit before the host is asked.
            assert!(stderr.contains("forkyard::limit"), "{name}: {stderr}");
            continue;
        }
        assert_eq!(status, 0, "{name}: {stdout}{stderr}");
        equal += 1;
    }
    assert!(equal >= 13, "only {equal} programs were compared");
}

#[test]
fn what_fuzz_has_found_stays_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/regressions");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "rhai") {
            continue;
        }
        let Some((status, stdout, stderr)) = compare(&path) else { return };
        assert_eq!(status, 0, "{}: {stdout}{stderr}", path.display());
    }
}

#[test]
fn a_difference_is_found() {
    // The model's time begins with the machine, and that is not hidden.
    let path = script("different", "fn main() { print(clock_gettime(CLOCK_MONOTONIC)); }");
    let Some((status, stdout, _)) = compare(&path) else { return };
    assert_eq!(status, 1, "{stdout}");
    assert!(stdout.contains("none of these: exit 0: \""), "{stdout}");
    assert!(stdout.ends_with("under no schedule\n"), "{stdout}");
}

#[test]
fn what_is_not_printed_is_compared_call_by_call() {
    let text = "fn on_usr1(sig) { getppid(); }
        fn child(argv) { getresuid(); sigpending(); 4 }
        fn main() {
            define(\"n\", 7);
            sigaction(SIGUSR1, on_usr1);
            let me = getpid();
            let pid = fork();
            if pid == 0 {
                setsid();
                kill(me, SIGUSR1);
                try_execve(\"/bin/child\", [\"child\"]);
            }
            try_waitid(P_PID, pid, WEXITED | WNOWAIT);
            vars.n = waitpid(pid).exit_status;
            try_setuid(-1);
            let p = pipe();
            write(p[1], \"abc\");
            read(p[0], 2);
        }";
    let Some((status, stdout, stderr)) = compare(&script("calls", text)) else { return };
    assert_eq!(status, 0, "{stdout}{stderr}");
    let calls = stdout.lines().find_map(|line| line.strip_prefix("calls: ")).unwrap();
    let number = calls.split(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(number >= 3 * 18 && calls.ends_with("of 6 processes compared"), "{calls}");
}

#[test]
fn a_call_that_differs_is_found_though_nothing_is_printed() {
    // The model is told to go wrong: its first prepare_creds is fork's.
    let text = "inject(\"prepare_creds\", ENOMEM, 1);
        fn main() { getpid(); try_setuid(0); exit(0); }";
    let Some((status, stdout, stderr)) = compare(&script("differs", text)) else { return };
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert!(stdout.contains("3 of 3 runs part"), "{stdout}");
    assert!(stderr.contains("call 2 of process 3"), "{stderr}");
    assert!(stderr.contains("Linux gave setuid 0, the model gave setuid ENOMEM"), "{stderr}");
    assert!(stderr.contains("prepare_creds was told to fail"), "{stderr}");
}

#[test]
fn pids_may_be_the_other_way_round() {
    let path = script(
        "order",
        "fn main() {
            if fork() == 0 { if fork() == 0 { print(getpid()); } wait(); exit(0); }
            if fork() == 0 { print(`- ${getpid()}`); exit(0); }
            wait(); wait();
        }",
    );
    let Some((status, stdout, stderr)) = compare(&path) else { return };
    assert_eq!(status, 0, "{stdout}{stderr}");
    assert!(stdout.contains("model: 2 outcomes"), "{stdout}");
}

/// Compares random programs; `None`, with a message, where that is forbidden.
fn fuzz(name: &str, count: u32, seed: u64) -> Option<(i32, String, String)> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-fuzz-{name}"));
    let mut command = Command::new(BIN);
    command.args(["fuzz", "--count", &count.to_string(), "--seed", &seed.to_string()]);
    let out = command.arg("--dir").arg(&dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(out.stdout), text(out.stderr));
    if stderr.contains("the host does not permit") {
        eprintln!("{name}: skipped: {stderr}");
        return None;
    }
    // What it found, to be seen where the test has failed.
    for path in fs::read_dir(&dir).into_iter().flatten().flatten().map(|e| e.path()) {
        if out.status.code() != Some(0) {
            eprintln!("{}:\n{}", path.display(), fs::read_to_string(&path).unwrap());
        }
        fs::remove_file(path).unwrap();
    }
    Some((out.status.code().unwrap(), stdout, stderr))
}

#[test]
fn random_programs_do_what_linux_does() {
    let Some((code, stdout, stderr)) = fuzz("fixed", 2000, 1) else { return };
    assert!(stdout.contains("programs compared, 0 differ"), "{stdout}{stderr}");
    assert_eq!(code, 0);
    // Those that the host's side refuses say nothing.
    let sum = stdout.lines().find(|line| line.contains("programs compared")).unwrap();
    let compared: u32 = sum.split(' ').next().unwrap().parse().unwrap();
    assert!(compared >= 1950, "{stdout}{stderr}");
}

#[test]
fn fresh_random_programs_do_what_linux_does() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = now.as_secs();
    let Some((code, stdout, stderr)) = fuzz("fresh", 50, seed) else { return };
    assert_eq!(code, 0, "fuzz --count 50 --seed {seed}: {stdout}{stderr}");
}

#[test]
fn known_variations_are_listed_and_wrong_arguments_refused() {
    let out = Command::new(BIN).args(["fuzz", "--count", "x"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2), "wrong arguments");
    let out = Command::new(BIN).args(["fuzz", "--variations"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(0));
    assert!(text.lines().count() >= 2 * 9 && text.starts_with("- addresses"), "{text}");
}
