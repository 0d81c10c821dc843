//! Machine code: `cargo bench --bench exec`.
//!
//! Four programs, compiled here with the host's C compiler, run natively and on
//! the emulated processor, in turns; what is told is how many times longer the
//! emulated run takes. Then the same with its calls printed, a program that makes
//! a call in a loop, and how long a small program takes from boot to its end.

#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use forkyard::kernel::boot::BootConfig;
use forkyard::machine::MachineConfig;
use forkyard::report::strace::{TraceOptions, Tracer};
use forkyard::session::Session;
use forkyard::session::code::{CodeEvent, CodeRun};
use forkyard::session::spawn::Command as Spawn;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 5;

/// Name, source, most times longer than native.
const PROGRAMS: [(&str, &str, f64); 4] = [
    ("sieve to 5,000,000", "sieve.c", 35.0),
    ("SHA-256 of 16 MiB", "sha256.c", 40.0),
    ("hash table, chains", "chase.c", 12.0),
    ("n-body in doubles", "nbody.c", 45.0),
];

/// Compiles a program into `folder`; `None` without a compiler.
fn compile(source: &str, folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/exec").join(source);
    let out = folder.join(source.file_stem()?);
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-static", "-o"]).arg(&out).arg(source).arg("-lm");
    cc.stderr(Stdio::null()).status().ok()?.success().then_some(out)
}

/// Seconds and output of a native run.
fn native(program: &Path) -> (f64, Vec<u8>) {
    let begun = Instant::now();
    let out = Command::new(program).output().expect("it was just compiled");
    (begun.elapsed().as_secs_f64(), out.stdout)
}

/// Seconds and output of an emulated run, boot and all.
fn emulated(program: &Path, args: &[&str], strace: bool) -> (f64, Vec<u8>) {
    let bytes = std::fs::read(program).expect("it is there");
    let begun = Instant::now();
    let machine = MachineConfig { ram_bytes: 1 << 30, ..MachineConfig::default() };
    let mut session =
        Session::boot(BootConfig { machine, ..BootConfig::default() }).expect("boots");
    let sys = &mut session.system;
    sys.install_file("/bin/prog", &bytes, 0o755).expect("there is room");
    let argv = std::iter::once("prog").chain(args.iter().copied()).map(String::from).collect();
    let spawn = Spawn { path: "/bin/prog".into(), argv, envp: Vec::new() };
    let spawned = sys.spawn(&spawn).expect("an ELF file");
    let mut tracer = strace.then(|| Tracer::new(TraceOptions::default()));
    if let Some(tracer) = &mut tracer {
        tracer.begin(sys);
    }
    let mut run = CodeRun::begin(sys);
    let (mut out, mut lines) = (Vec::new(), 0);
    while sys.kernel.tasks.get(spawned.task).is_some_and(|t| !t.is_dead()) {
        let event = run.next(sys).expect("sound");
        if let Some(tracer) = &mut tracer {
            lines += tracer.event(sys, &event).len();
        }
        out.extend(spawned.streams.take_stdout(sys));
        assert_ne!(event, CodeEvent::Idle, "nobody is to wait");
    }
    assert!(!strace || lines > 0, "something is traced");
    (begun.elapsed().as_secs_f64(), out)
}

fn least(times: impl Iterator<Item = f64>) -> f64 {
    times.fold(f64::INFINITY, f64::min)
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!(
        "{:<22} {:>8} {:>9} {:>7} {:>6} {:>9}",
        "", "native", "emulated", "times", "asked", "--strace"
    );
    for (name, source, asked) in PROGRAMS {
        let Some(program) = compile(source, folder.path()) else {
            println!("no C compiler that links statically: nothing to compare");
            return;
        };
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            let (host, expected) = native(&program);
            let (model, found) = emulated(&program, &[], false);
            assert_eq!(found, expected, "{name}");
            times.push((host, model));
        }
        let traced = emulated(&program, &[], true).0;
        let host = least(times.iter().map(|t| t.0));
        let model = least(times.iter().map(|t| t.1));
        println!(
            "{name:<22} {host:>6.3} s {model:>7.3} s {:>7.1} {asked:>6} {:>9.1}",
            model / host,
            traced / host
        );
    }
    let busybox =
        ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|p| p.exists());
    if let Some(busybox) = busybox {
        let ms = least((0..ROUNDS).map(|_| emulated(busybox, &["true"], false).0)) * 1e3;
        println!("busybox, boot to end   {ms:>6.2} ms (asked 20)");
    }
}
