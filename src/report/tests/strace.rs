//! Whole traces of small programs, instruction by instruction.
//!
//! Left out: what each kind of argument looks like; that is tested beside it.

use crate::kernel::boot::BootConfig;
use crate::kernel::fs::rootfs::add_file;
use crate::report::strace::{TraceOptions, Tracer, peek, peek_string};
use crate::session::Session;
use crate::session::code::{CodeEvent, CodeRun};
use crate::session::spawn::Command;

/// Where the file's code segment lies: data, then code from [`ENTRY`].
const TEXT: u64 = 0x40_1000;
/// A handler that does nothing.
const HANDLER: u64 = TEXT + 0x80;
/// What it returns to: rt_sigreturn.
const RESTORER: u64 = TEXT + 0x90;
const ENTRY: u64 = TEXT + 0x100;
/// A page of the code segment that no instruction touches.
const UNTOUCHED: u64 = TEXT + 0x1000;
/// A writable page.
const BSS: u64 = 0x40_4000;

/// Instructions, put together by hand.
struct Asm(Vec<u8>);

impl Asm {
    /// mov eax, nr; mov REG, arg ...; syscall
    fn call(mut self, nr: u32, args: &[u64]) -> Asm {
        const MOV: [[u8; 2]; 6] =
            [[0x48, 0xbf], [0x48, 0xbe], [0x48, 0xba], [0x49, 0xba], [0x49, 0xb8], [0x49, 0xb9]];
        for (arg, mov) in args.iter().zip(MOV) {
            self.0.extend(mov);
            self.0.extend(arg.to_le_bytes());
        }
        self.0.push(0xb8);
        self.0.extend(nr.to_le_bytes());
        self.0.extend([0x0f, 0x05]);
        self
    }

    /// test eax, eax; jnz past what the child does
    fn child(mut self, does: Asm) -> Asm {
        self.0.extend([0x85, 0xc0, 0x0f, 0x85]);
        self.0.extend((does.0.len() as u32).to_le_bytes());
        self.0.extend(does.0);
        self
    }

    /// mov rdi, rax; mov esi, sig; mov eax, kill; syscall
    fn kill_result(mut self, sig: u32) -> Asm {
        self.0.extend([0x48, 0x89, 0xc7, 0xbe]);
        self.0.extend(sig.to_le_bytes());
        self.0.extend([0xb8, 62, 0, 0, 0, 0x0f, 0x05]);
        self
    }

    /// mov eax, [0x10], where nothing is mapped
    fn crash(mut self) -> Asm {
        self.0.extend([0x8b, 0x04, 0x25, 0x10, 0, 0, 0]);
        self
    }

    fn file(self) -> Vec<u8> {
        let mut f = vec![0; 0x3000];
        let mut put = |at: usize, bytes: &[u8]| f[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"\x7fELF\x02\x01\x01");
        put(16, &[2, 0, 62, 0, 1]);
        put(24, &ENTRY.to_le_bytes());
        put(32, &64u64.to_le_bytes());
        put(52, &[64, 0, 56, 0, 2]);
        let loads = [(5u64, 0x1000, TEXT, 0x2000, 0x2000), (6, 0, BSS, 0, 0x1000u64)];
        for (i, (flags, offset, at, filesz, memsz)) in loads.into_iter().enumerate() {
            let words = [flags << 32 | 1, offset, at, at, filesz, memsz, 0x1000];
            for (j, word) in words.into_iter().enumerate() {
                put(64 + 56 * i + 8 * j, &word.to_le_bytes());
            }
        }
        put(0x1000, b"hello\n");
        // struct sigaction: handler, SA_RESTORER, restorer, mask {USR2}.
        for (i, word) in [HANDLER, 0x0400_0000, RESTORER, 1 << 11].into_iter().enumerate() {
            put(0x1010 + 8 * i, &word.to_le_bytes());
        }
        // struct itimerval of 1 ms.
        put(0x1048, &1000u64.to_le_bytes());
        put(0x1080, &[0xc3]);
        put(0x1090, &[0xb8, 15, 0, 0, 0, 0x0f, 0x05]);
        put(0x1100, &self.0);
        put(0x2000, b"from a page that nobody has touched\0");
        f
    }
}

struct Traced {
    pid: i32,
    tracer: Tracer,
    lines: Vec<String>,
}

/// Runs a program to its end under a tracer.
fn trace(program: Asm, explain: bool) -> Traced {
    let mut sys = Session::boot(BootConfig::default()).unwrap().system;
    add_file(&mut sys, "/bin/prog", &program.file(), 0o755).unwrap();
    let command = Command { path: "/bin/prog".into(), argv: vec!["prog".into()], envp: Vec::new() };
    let spawned = sys.spawn(&command).unwrap();
    let mut tracer = Tracer::new(TraceOptions { explain });
    tracer.begin(&mut sys);
    let started = tracer.started(&sys, spawned.task, &command);
    assert!(started.starts_with(r#"execve("/bin/prog", ["prog"], 0x7f"#), "{started}");
    assert!(started.ends_with(" /* 0 vars */) = 0"), "{started}");
    let mut run = CodeRun::begin(&mut sys);
    let mut lines = Vec::new();
    for _ in 0..10_000 {
        let event = run.next(&mut sys).unwrap();
        lines.extend(tracer.event(&mut sys, &event));
        let done = sys.kernel.tasks.get(spawned.task).is_none_or(|t| t.is_dead());
        if done || event == CodeEvent::Idle {
            break;
        }
    }
    lines.extend(tracer.finish(&sys));
    Traced { pid: spawned.pid, tracer, lines }
}

fn asm() -> Asm {
    Asm(Vec::new())
}

/// The text of lines, with pids as the program's (P) and its child's (C).
fn text(t: &Traced) -> String {
    let (p, c) = (t.pid, t.pid + 1);
    let lines = t.lines.join("\n");
    lines
        .replace(&format!("[pid {c:5}]"), "[C]")
        .replace(&format!("[pid {p:5}]"), "[P]")
        .replace(&format!("Process {c} "), "Process C ")
        .replace(&format!("= {c}"), "= C")
        .replace(&format!("si_pid={c}"), "si_pid=C")
        .replace(&format!("si_pid={p}"), "si_pid=P")
        .replace(&format!("kill({p}"), "kill(P")
        .replace(&format!("= {p}"), "= P")
}

#[test]
fn a_parent_waits_for_its_child() {
    let program = asm()
        .call(1, &[1, TEXT, 6])
        .call(57, &[])
        .child(asm().call(231, &[7]))
        .call(61, &[u64::MAX, BSS, 0, 0])
        .call(231, &[0]);
    let t = trace(program, false);
    let expected = r#"write(1, "hello\n", 6)                  = 6
strace: Process C attached
fork()                                  = C
[P] wait4(-1,  <unfinished ...>
[C] exit_group(7)               = ?
[C] +++ exited with 7 +++
<... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 7}], 0, NULL) = C
--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=C, si_uid=0, si_status=7, si_utime=0, si_stime=0} ---
exit_group(0)                           = ?
+++ exited with 0 +++"#;
    assert_eq!(text(&t), expected);
    let total = t.tracer.summary().total();
    assert_eq!((total.calls, total.errors), (3, 0));
}

#[test]
fn signals_interrupt_calls() {
    let program = asm()
        .call(13, &[10, TEXT + 0x10, BSS, 8])
        .call(13, &[14, TEXT + 0x10, 0, 8])
        .call(39, &[])
        .kill_result(10)
        .call(38, &[0, TEXT + 0x30, 0])
        .call(34, &[])
        .call(35, &[TEXT + 0x70, BSS])
        .call(39, &[])
        .kill_result(15);
    let t = trace(program, false);
    let expected = r#"rt_sigaction(SIGUSR1, {sa_handler=0x401080, sa_mask=[USR2], sa_flags=SA_RESTORER, sa_restorer=0x401090}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0
rt_sigaction(SIGALRM, {sa_handler=0x401080, sa_mask=[USR2], sa_flags=SA_RESTORER, sa_restorer=0x401090}, NULL, 8) = 0
getpid()                                = P
kill(P, SIGUSR1)                        = 0
--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=P, si_uid=0} ---
rt_sigreturn({mask=[]})                 = 0
setitimer(ITIMER_REAL, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=0, tv_usec=1000}}, NULL) = 0
pause()                                 = ? ERESTARTNOHAND (To be restarted if no handler)
--- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---
rt_sigreturn({mask=[]})                 = -1 EINTR (Interrupted system call)
nanosleep({tv_sec=0, tv_nsec=0}, 0x404000) = 0
getpid()                                = P
kill(P, SIGTERM)                        = 0
--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=P, si_uid=0} ---
+++ killed by SIGTERM +++"#;
    assert_eq!(text(&t), expected);
}

#[test]
fn refusals_are_explained() {
    let program = asm()
        .call(1, &[1, UNTOUCHED, 35])
        .call(1, &[1, 0x1, 5])
        .call(2, &[UNTOUCHED, 0, 0])
        .crash();
    let t = trace(program, true);
    let why = |i: usize| t.lines[i].split_once(" # ").map_or("", |(_, why)| why);
    assert!(t.lines[0].starts_with(r#"write(1, "from a page that nobody has touc"..., 35) = 35"#));
    assert!(
        t.lines[1]
            .starts_with("write(1, 0x1, 5)                        = -1 EFAULT (Bad address) # ")
    );
    assert!(
        t.lines[2].contains("O_RDONLY) = -1 ENOENT (No such file or directory) # "),
        "{}",
        t.lines[2]
    );
    assert!(t.lines[3].contains("{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} --- # "));
    assert!((1..4).all(|i| !why(i).is_empty()));
    assert_eq!(t.lines[4], "+++ killed by SIGSEGV +++");
    assert_eq!(t.tracer.summary().total().errors, 2);
}

#[test]
fn looking_into_memory_leaves_no_trace() {
    let mut sys = Session::boot(BootConfig::default()).unwrap().system;
    add_file(&mut sys, "/bin/prog", &asm().file(), 0o755).unwrap();
    let command = Command { path: "/bin/prog".into(), argv: vec!["p".into()], envp: Vec::new() };
    let task = sys.spawn(&command).unwrap().task;
    let found = |at, len| peek(&sys, task, at, len);
    assert_eq!(found(UNTOUCHED, 4).as_deref(), Some(&b"from"[..]));
    assert_eq!(found(BSS, 2), Some(vec![0, 0]));
    assert_eq!(found(BSS + 0xfff, 2), None);
    assert_eq!(found(u64::MAX, 2), None);
    assert_eq!(peek_string(&sys, task, TEXT, 5), Some((b"hello".to_vec(), false)));
    let (whole, ended) = peek_string(&sys, task, UNTOUCHED, 4096).unwrap();
    assert_eq!((whole.len(), ended), (35, true));
}
