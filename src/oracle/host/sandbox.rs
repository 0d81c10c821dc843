//! The sandbox: what a program on the host finds around it.
//!
//! ```text
//! forkyard             tells all of them what to do, by their slots
//!   └─ warden               user and mount namespace; makes the files
//!        └─ maker           makes one init a program
//!             └─ init       pid 1 of a pid namespace; reaps
//!                  └─ main  pid 3
//!                       └─ … whatever it makes
//! ```
//!
//! The user namespace is one in which they are root over nothing of the host's.
//! The mount namespace has a small tree in memory. Each dies with its parent
//! (PR_SET_PDEATHSIG), the warden with the thread that made it, and the kernel
//! kills everyone else with init.
//!
//! From the maker on, a seccomp filter lets pass only the calls that `calls`
//! knows.
//!
//! Left out: a network namespace (no call that is made could use one).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use libc::c_long;

use super::control::{Command, Control, Report};
use super::setup;
use super::stub::{self, Vdso, op};
use super::sys;
use crate::abi::Errno;
use crate::oracle::Refused;

/// Slots that are always in use.
pub(super) const WARDEN: usize = 0;
const MAKER: usize = 1;
pub(super) const INIT: usize = 2;
const SECOND: usize = 3;
/// The first slot of a program.
pub(super) const MAIN: usize = 4;

/// Tasks that are not the program's.
const OWN: u32 = 3;
/// Most tasks of a program: each has a slot, and one for a child that it makes.
const MOST_TASKS: u32 = (stub::SLOTS / 2 - 8) as u32;

/// Most bytes of output that are kept.
pub(super) const MOST: usize = 16 << 20;
/// How long the sandbox's own tasks may take for one call.
const PATIENCE: Duration = Duration::from_secs(10);

fn permits(what: &str) -> impl Fn(io::Error) -> Refused {
    move |e| Refused::Sandbox(format!("{what}: {e}"))
}

/// An argument of a call that the sandbox's own tasks make.
pub(super) enum Arg<'a> {
    N(u64),
    /// A string.
    Z(&'a str),
    /// Bytes.
    B(&'a [u8]),
}
use Arg::{B, N, Z};

/// A call of a list, and the slot of the task that it makes.
type Listed = (c_long, [u64; 6], u64);

const DIE_WITH_PARENT: Listed =
    (libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as u64, libc::SIGKILL as u64, 0, 0, 0, 0], 0);

/// The registers of clone(2).
fn clone(flags: i32, stack: u64) -> [u64; 6] {
    [flags as u64, stack, 0, 0, 0, 0]
}

/// Kills a child and reaps it. It may be dead: then it is a zombie still.
fn kill_and_reap(pid: i32) -> [Listed; 2] {
    let (pid, wall) = (pid as u64, u64::from(libc::__WALL as u32));
    [
        (libc::SYS_kill, [pid, libc::SIGKILL as u64, 0, 0, 0, 0], 0),
        (libc::SYS_wait4, [pid, 0, wall, 0, 0, 0], 0),
    ]
}

/// Namespaces and files in which programs run, one after another.
pub(super) struct Sandbox {
    pub(super) control: Control,
    /// What programs write to 1 and 2.
    output: File,
    /// Pids on the host: of the warden, the maker, the init of now.
    warden: i32,
    maker: Option<i32>,
    init: Option<i32>,
    pub(super) vdso: Vdso,
    /// Functions that are files now.
    pub(super) installed: BTreeSet<String>,
    /// Most tasks at once.
    tasks: u32,
}

impl Sandbox {
    /// Makes one.
    pub(super) fn new() -> Result<Sandbox, Refused> {
        let control = Control::new().map_err(permits("shared memory"))?;
        let pipe = || io::pipe().map_err(permits("a pipe"));
        let (output, output_end) = pipe()?;
        let (ready_end, mut ready) = pipe()?;
        let output: OwnedFd = output.into();
        sys::do_not_wait(&output);
        sys::enlarge_pipe(&output);
        let image = setup::program_file(Vdso::default()).map_err(permits("a program in memory"))?;
        let null = fs::OpenOptions::new().read(true).write(true).open("/dev/null");
        let null: OwnedFd = null.map_err(permits("/dev/null"))?.into();
        control.prepare(WARDEN);
        let warden = sys::start(&sys::Become {
            image: &image,
            control: (&control.file, stub::CONTROL_FD),
            output: &output_end.into(),
            null: &null,
            ready: &PipeReader::into(ready_end),
            slot: stub::slot_name(WARDEN),
        });
        let warden = warden
            .map_err(|e| Refused::Sandbox(format!("user and mount namespaces ({})", e.name())))?;
        let installed = BTreeSet::new();
        let mut sandbox = Sandbox {
            control,
            output: output.into(),
            warden,
            maker: None,
            init: None,
            vdso: Vdso::default(),
            installed,
            tasks: 0,
        };
        sys::make_ordinary(warden);
        setup::map_ids(warden).map_err(permits("ids in a user namespace"))?;
        ready.write_all(b"x").map_err(permits("the first process"))?;
        match sandbox.hear(WARDEN)? {
            Report::Program => {}
            _ => return Err(Refused::Sandbox("the first process".into())),
        }
        sandbox.vdso = setup::vdso(warden);
        let Vdso(at, len) = sandbox.vdso;
        if len != 0 {
            sandbox.must("munmap", WARDEN, libc::SYS_munmap, &[N(at), N(len)])?;
        }
        // As in a child of a freshly booted init: SS_DISABLE, where a forkyard
        // that has had an alternate stack passes on other flags.
        let none = [0, libc::SS_DISABLE as u64, 0].map(u64::to_le_bytes).concat();
        sandbox.must("sigaltstack", WARDEN, libc::SYS_sigaltstack, &[B(&none), N(0)])?;
        // pivot_root(2) takes along whoever is in the old root: the maker too.
        sandbox.must("chdir", WARDEN, libc::SYS_chdir, &[Z("/")])?;
        sandbox.make_maker()?;
        sandbox.tree()?;
        Ok(sandbox)
    }

    /// Makes the maker: from here on, a filter lets pass only the calls that
    /// programs can make.
    fn make_maker(&mut self) -> Result<(), Refused> {
        self.control.prepare(MAKER);
        let create = (libc::SYS_clone, clone(libc::SIGCHLD, 0), stub::slot_address(MAKER));
        self.list(WARDEN, &[create], &[]);
        self.maker = self.results("a process", WARDEN, 1)?.first().map(|pid| *pid as i32);
        self.hear(MAKER)?;
        let filter = setup::filter();
        // struct sock_fprog: number and address.
        let program = stub::buffer(MAKER) + 2 * stub::LISTED;
        let header = [filter.len() as u64 / 8, program + 16].map(u64::to_le_bytes).concat();
        let seccomp = [libc::PR_SET_SECCOMP as u64, setup::SECCOMP_MODE_FILTER, program, 0, 0, 0];
        let calls = [DIE_WITH_PARENT, (libc::SYS_prctl, seccomp, 0)];
        self.list(MAKER, &calls, &[header, filter].concat());
        self.results("a filter for system calls", MAKER, calls.len()).map(|_| ())
    }

    /// Waits for a report of one of the sandbox's own tasks.
    fn hear(&self, slot: usize) -> Result<Report, Refused> {
        let end = Instant::now() + PATIENCE;
        loop {
            let rings = self.control.rings();
            for _ in 0..200 {
                if let Some(report) = self.control.report(slot) {
                    return Ok(report);
                }
                std::hint::spin_loop();
            }
            self.control.asleep(true);
            let report = self.control.report(slot);
            if report.is_none() {
                self.control.wait(rings, Duration::from_millis(50));
            }
            self.control.asleep(false);
            if let Some(report) = report {
                return Ok(report);
            }
            if Instant::now() > end || sys::is_gone(self.warden) {
                return Err(Refused::Sandbox("a process, which has died".into()));
            }
        }
    }

    /// Gives one of the sandbox's own tasks a call.
    fn order(&self, slot: usize, nr: c_long, args: &[Arg]) {
        let mut words = [0; 6];
        let mut input = Vec::new();
        let base = stub::buffer(slot);
        for (word, arg) in words.iter_mut().zip(args) {
            *word = match arg {
                N(n) => *n,
                Z(_) | B(_) => base + input.len() as u64,
            };
            match arg {
                N(_) => {}
                Z(text) => {
                    input.extend_from_slice(text.as_bytes());
                    input.push(0);
                }
                B(bytes) => input.extend_from_slice(bytes),
            }
            input.resize(input.len().next_multiple_of(8), 0);
        }
        self.control.put(slot, &input);
        self.control.command(
            slot,
            &Command {
                op: op::SYSCALL,
                nr: nr as u32,
                args: words,
                input: (base, input.len() as u64),
                ..Command::default()
            },
        );
    }

    /// Makes one of the sandbox's own tasks make a call.
    pub(super) fn call(
        &self,
        slot: usize,
        nr: c_long,
        args: &[Arg],
    ) -> Result<Result<i64, Errno>, Refused> {
        self.order(slot, nr, args);
        match self.hear(slot)? {
            Report::Done(ret) => Ok(sys::result(ret)),
            _ => Err(Refused::Sandbox("a process, which is confused".into())),
        }
    }

    /// The same, where a refusal means that there is no sandbox.
    pub(super) fn must(
        &self,
        what: &str,
        slot: usize,
        nr: c_long,
        args: &[Arg],
    ) -> Result<i64, Refused> {
        self.call(slot, nr, args)?
            .map_err(|e| Refused::Sandbox(format!("{what} ({}: {})", e.name(), e.text())))
    }

    fn limits(&mut self, tasks: u32) -> Result<(), Refused> {
        if self.tasks == tasks {
            return Ok(());
        }
        let most = tasks.min(MOST_TASKS) + OWN;
        // With 1 no core is written, to a file or to a program.
        for (what, resource, soft, hard) in [
            ("RLIMIT_NPROC", libc::RLIMIT_NPROC, u64::from(most), u64::from(MOST_TASKS + OWN)),
            ("RLIMIT_CORE", libc::RLIMIT_CORE, 1, 1),
            ("RLIMIT_NOFILE", libc::RLIMIT_NOFILE, 1024, 4096),
        ] {
            let limit = [soft, hard].map(u64::to_le_bytes).concat();
            let args = [N(u64::from(resource)), B(&limit)];
            self.must(what, MAKER, libc::SYS_setrlimit, &args)?;
        }
        self.tasks = tasks;
        Ok(())
    }

    /// Begins a program: a fresh pid namespace whose task 3 waits for its first
    /// command in slot [`MAIN`], and is its own.
    pub(super) fn begin(
        &mut self,
        functions: &BTreeSet<String>,
        tasks: u32,
    ) -> Result<(), Refused> {
        self.limits(tasks)?;
        self.install(functions)?;
        self.control.prepare(INIT);
        self.control.prepare(MAIN);
        let flags = libc::CLONE_NEWPID | libc::SIGCHLD;
        let create = (libc::SYS_clone, clone(flags, 0), stub::slot_address(INIT));
        self.list(MAKER, &[create], &[]);
        let init = self.results("a pid namespace", MAKER, 1)?;
        self.init = init.first().map(|pid| *pid as i32);
        self.hear(INIT)?;
        // Task 2 of a Linux is kthreadd: the program's first process is 3 here
        // too.
        let thread = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
        let calls = [
            DIE_WITH_PARENT,
            (libc::SYS_setsid, [0; 6], 0),
            (libc::SYS_clone, clone(thread, stub::stack_top(SECOND)), stub::ENDS),
            (libc::SYS_clone, clone(libc::SIGCHLD, 0), stub::slot_address(MAIN)),
        ];
        self.list(INIT, &calls, &[]);
        self.results("process 1", INIT, calls.len())?;
        self.hear(MAIN)?;
        self.control.unblock_all(MAIN);
        Ok(())
    }

    /// Gives one of the sandbox's own tasks several calls, and bytes that they
    /// point to: those come behind the list in its buffer.
    fn list(&self, slot: usize, calls: &[Listed], bytes: &[u8]) {
        let listed = |(nr, args, child): &Listed| stub::listed(*nr as u64, *args, *child);
        let mut input: Vec<u8> = calls.iter().flat_map(listed).collect();
        input.extend_from_slice(bytes);
        self.control.put(slot, &input);
        let (nr, input) = (calls.len() as u32, (stub::buffer(slot), input.len() as u64));
        self.control.command(slot, &Command { op: op::LIST, nr, input, ..Command::default() });
    }

    /// What came of a list of `n` calls, none of which may be refused.
    fn results(&self, what: &str, slot: usize, n: usize) -> Result<Vec<i64>, Refused> {
        self.hear(slot)?;
        let data = self.control.data(slot, 64 * n as u64);
        let mut results = Vec::new();
        for call in data.chunks_exact(64) {
            let ret = call.first_chunk().map_or(0, |word| i64::from_le_bytes(*word));
            results.push(
                sys::result(ret).map_err(|e| {
                    Refused::Sandbox(format!("{what} ({}: {})", e.name(), e.text()))
                })?,
            );
        }
        Ok(results)
    }

    /// Adds what programs have written. Whether there was something.
    pub(super) fn drain(&self, to: &mut Vec<u8>) -> bool {
        let mut any = false;
        let mut buffer = [0; 16384];
        // More than enough is read too, so that nothing is left for the next
        // program, but not kept.
        while let Ok(n @ 1..) = (&self.output).read(&mut buffer) {
            to.extend_from_slice(&buffer[..n]);
            any = true;
            to.truncate(MOST + 1);
        }
        any
    }

    /// The pid on the host of the program's process 1.
    pub(super) fn init(&self) -> i32 {
        self.init.unwrap_or(0)
    }

    /// Makes init wait for any child; see [`super::brain`] for the rest.
    pub(super) fn reap_next(&self) {
        let at = stub::buffer(INIT);
        let options = (libc::__WALL as u32).into();
        self.control.command(
            INIT,
            &Command {
                op: op::SYSCALL,
                nr: libc::SYS_wait4 as u32,
                args: [u64::MAX, at, options, 0, 0, 0],
                output: (at, 4),
                ..Command::default()
            },
        );
    }

    /// Ends whatever is left of a program. `dirty`: its files are not as they
    /// were.
    pub(super) fn end(&mut self, dirty: bool) -> Result<(), Refused> {
        let Some(init) = self.init.take() else { return Ok(()) };
        self.list(MAKER, &kill_and_reap(init), &[]);
        self.results("wait", MAKER, 2)?;
        if dirty { self.tree() } else { Ok(()) }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A program that is under way goes first, and is reaped by the warden.
        let _ = self.end(false);
        if let Some(maker) = self.maker {
            self.list(WARDEN, &kill_and_reap(maker), &[]);
            let _ = self.hear(WARDEN);
        }
        sys::kill_and_reap(self.warden);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sandbox in which a program has begun, where that is permitted.
    fn begun() -> Option<Sandbox> {
        let begun = Sandbox::new().and_then(|mut sandbox| {
            sandbox.begin(&BTreeSet::new(), 16)?;
            Ok(sandbox)
        });
        begun.ok()
    }

    fn done(sandbox: &Sandbox, command: Command) -> i64 {
        sandbox.control.command(MAIN, &command);
        match sandbox.hear(MAIN) {
            Ok(Report::Done(ret)) => ret,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn instructions_do_what_their_names_say_in_all_widths() {
        let Some(sandbox) = begun() else { return };
        let at = stub::DATA + 1;
        let run = |op: u32, a: u64, b: u64| {
            done(&sandbox, Command { op, args: [at, a, b, 0, 0, 0], ..Command::default() }) as u64
        };
        let whole = 0x8877_6655_c433_b291;
        for (width, mask) in [0xff, 0xffff, 0xffff_ffff, u64::MAX].into_iter().enumerate() {
            let width = width as u32;
            let load = || run(op::LOAD + 3, 0, 0);
            let rest = whole & !mask;
            assert_eq!(run(op::STORE + 3, whole, 0), 0);
            assert_eq!(run(op::LOAD + width, 0, 0), whole & mask);
            assert_eq!(run(op::STORE + width, !0x11, 0), 0);
            assert_eq!(load(), rest | !0x11 & mask);
            assert_eq!(run(op::EXCHANGE + width, 0x7fff_ffff_ffff_ff42, 0), !0x11 & mask);
            assert_eq!(load(), rest | 0x7fff_ffff_ffff_ff42 & mask);
            assert_eq!(run(op::ADD + width, !0, 0), 0x7fff_ffff_ffff_ff42 & mask);
            assert_eq!(load(), rest | 0x7fff_ffff_ffff_ff41 & mask);
            // Only the bits of its width are compared.
            let same = !mask ^ 0x7fff_ffff_ffff_ff41 & mask;
            assert_eq!(run(op::COMPARE_EXCHANGE + width, same, 5), 0x7fff_ffff_ffff_ff41 & mask);
            assert_eq!(load(), rest | 5);
            assert_eq!(run(op::COMPARE_EXCHANGE + width, 6, 7), 5);
            assert_eq!(load(), rest | 5);
        }
    }

    #[test]
    fn calls_that_are_not_made_do_not_pass_the_filter() {
        let Some(sandbox) = begun() else { return };
        let call = |nr: c_long| {
            done(&sandbox, Command { op: op::SYSCALL, nr: nr as u32, ..Command::default() })
        };
        assert_eq!(call(libc::SYS_gettid), 3);
        for nr in [libc::SYS_mount, libc::SYS_socket, libc::SYS_kexec_load, libc::SYS_reboot, 600] {
            assert_eq!(sys::result(call(nr)), Err(Errno::ENOSYS), "{nr}");
        }
        // The same numbers of the x32 ABI.
        assert_eq!(sys::result(call(libc::SYS_gettid | 0x4000_0000)), Err(Errno::ENOSYS));
    }
}
