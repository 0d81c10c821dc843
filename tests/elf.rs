//! execve of ELF files, well-formed and not: the model and the running kernel
//! must say the same. Each file is one of a few programs with some fields of
//! its headers changed; the host's side is `tests/host/exec_probe.c`.

#![expect(clippy::print_stderr, reason = "says why it skips")]

mod kit;

use forkyard::abi::Errno;
use forkyard::base::Rng;
use forkyard::kernel::TaskId;
use forkyard::kernel::fs::rootfs::add_file;
use forkyard::kernel::syscalls::Payload;
use forkyard::session::{Done, Trouble};
use kit::World;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// exit(42)
const CODE: [u8; 12] = [0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 5];
const PAGE: u64 = 4096;

/// What came of executing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Refused(i32),
    /// It ran to its end.
    Ran,
    /// It died: at once, or by running into nowhere.
    Died,
}

/// A field of a header: where it is in the file and how many bytes it has.
#[derive(Debug, Clone, Copy)]
struct Field(&'static str, usize, usize);

const HEADER: &[Field] = &[
    Field("ident", 0, 4),
    Field("class", 4, 1),
    Field("type", 16, 2),
    Field("machine", 18, 2),
    Field("version", 20, 4),
    Field("entry", 24, 8),
    Field("phoff", 32, 8),
    Field("flags", 48, 4),
    Field("ehsize", 52, 2),
    Field("phentsize", 54, 2),
    Field("phnum", 56, 2),
];
const SEGMENT: &[Field] = &[
    Field("p_type", 0, 4),
    Field("p_flags", 4, 4),
    Field("p_offset", 8, 8),
    Field("p_vaddr", 16, 8),
    Field("p_filesz", 32, 8),
    Field("p_memsz", 40, 8),
    Field("p_align", 48, 8),
];

struct Seg {
    ty: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    filesz: u64,
    memsz: u64,
}

/// A file with its code at offset 0x1000.
fn file(ty: u16, entry: u64, segs: &[Seg]) -> Vec<u8> {
    let mut f = vec![0; 0x3000];
    let mut put = |at: usize, bytes: &[u8]| f[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &ty.to_le_bytes());
    put(18, &62u16.to_le_bytes());
    put(20, &1u32.to_le_bytes());
    put(24, &entry.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(52, &64u16.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &(segs.len() as u16).to_le_bytes());
    for (i, s) in segs.iter().enumerate() {
        let at = 64 + 56 * i;
        put(at, &s.ty.to_le_bytes());
        put(at + 4, &s.flags.to_le_bytes());
        for (j, n) in [s.offset, s.vaddr, s.vaddr, s.filesz, s.memsz, PAGE].into_iter().enumerate()
        {
            put(at + 8 + 8 * j, &n.to_le_bytes());
        }
    }
    put(0x1000, &CODE);
    put(0x2000, b"data");
    f
}

/// Programs that run.
fn bases() -> Vec<Vec<u8>> {
    let base = 0x40_0000;
    let seg =
        |flags, offset, vaddr, filesz, memsz| Seg { ty: 1, flags, offset, vaddr, filesz, memsz };
    let text = |base: u64| seg(5, 0x1000, base + 0x1000, 0x800, 0x800);
    let data = |base: u64| seg(6, 0x2000, base + 0x2000, 0x800, 0x2345);
    let stack = |flags| Seg { ty: 0x6474_e551, flags, offset: 0, vaddr: 0, filesz: 0, memsz: 0 };
    vec![
        file(2, base + 0x1000, &[text(base)]),
        file(2, base + 0x1000, &[seg(4, 0, base, 0x200, 0x200), text(base), data(base), stack(6)]),
        file(3, 0x1000, &[seg(4, 0, 0, 0x200, 0x200), text(0), data(0), stack(7)]),
        file(2, base + 0x1000, &[text(base), seg(6, 0, base + 0x8000, 0, 0x5000)]),
    ]
}

fn set(file: &mut [u8], at: usize, width: usize, value: u64) {
    file[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Numbers at which something changes. Sizes that only fit some machines'
/// memory are not among them.
fn edge(rng: &mut Rng, old: u64) -> u64 {
    let edges = [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        55,
        56,
        57,
        62,
        63,
        64,
        65,
        73,
        0x7ff,
        0x800,
        0x801,
        0xfff,
        0x1000,
        0x1001,
        0x2000,
        0x3000,
        0x3001,
        0x40_0000,
        0x40_1000,
        0x40_1004,
        0x40_2000,
        0x6474_e551,
        0x7fff_ffff,
        0xffff_ffff,
        0x7fff_ffff_e000,
        0x7fff_ffff_f000,
        0x7fff_ffff_ffff,
        1 << 47,
        1 << 63,
        u64::MAX - 0xfff,
        u64::MAX,
    ];
    match rng.below(4) {
        0 => old.wrapping_add(rng.below(3) * PAGE).wrapping_sub(PAGE),
        1 => old ^ 1 << rng.below(13),
        _ => edges[rng.below(edges.len() as u64) as usize],
    }
}

/// One of the programs with up to three changes.
fn changed(seed: u64) -> (Vec<u8>, String) {
    let mut rng = Rng::new(seed);
    let bases = bases();
    let which = rng.below(bases.len() as u64) as usize;
    let mut file = bases[which].clone();
    let segments = u64::from(file[56]);
    let mut what = format!("program {which}");
    for _ in 0..rng.below(4) {
        let (field, at) = match rng.below(3) {
            0 => {
                let f = HEADER[rng.below(HEADER.len() as u64) as usize];
                (f, f.1)
            }
            _ => {
                let f = SEGMENT[rng.below(SEGMENT.len() as u64) as usize];
                let n = rng.below(segments) as usize;
                what += &format!(" segment {n}");
                (f, 64 + 56 * n + f.1)
            }
        };
        let mut old = [0; 8];
        old[..field.2].copy_from_slice(&file[at..at + field.2]);
        let value = edge(&mut rng, u64::from_le_bytes(old));
        what += &format!(" {}={value:#x}", field.0);
        set(&mut file, at, field.2, value);
    }
    if rng.below(8) == 0 {
        let len = rng.below(file.len() as u64) as usize;
        what += &format!(" cut at {len:#x}");
        file.truncate(len);
    }
    (file, what)
}

fn execve(w: &mut World, t: TaskId, path: &str) -> Result<Done, Trouble> {
    let payload = Payload::Exec(Box::new((path.into(), vec![path.into()], Vec::new())));
    w.with(t, "execve", &[0, 0, 0], payload)
}

/// What the model does with a file, and why.
fn model(file: &[u8]) -> (Came, String) {
    // Room for what the host has room for.
    let mut config = kit::small(1);
    config.machine.ram_bytes = 8 << 30;
    let mut w = World::boot(&config);
    let init = w.init;
    add_file(&mut w.sys, "/tmp/program", file, 0o755).unwrap();
    let t = w.fork(init);
    let before = (w.sys.kernel.mms.len(), w.sys.kernel.filps.len());
    match execve(&mut w, t, "/tmp/program") {
        Err(Trouble::Refused(e)) => {
            assert_eq!((w.sys.kernel.mms.len(), w.sys.kernel.filps.len()), before, "{e:?}");
            (Came::Refused(e.errno as i32), e.why.to_string())
        }
        Ok(Done::Dead) => (Came::Died, "died at once".into()),
        Ok(Done::Returned(..)) => {
            let ip = w.sys.machine.cpus[0].regs.ip;
            let mut code = [0; CODE.len()];
            let there = w.sys.peek(t, ip, &mut code).is_ok() && code == CODE;
            let mm = w.sys.mm(w.sys.task(t).mm.unwrap());
            let area = mm.mmap.range(..=ip).next_back().map(|(_, vma)| vma);
            let runs =
                area.is_some_and(|vma| vma.vm_flags.contains(forkyard::kernel::mm::VmFlags::EXEC));
            let came = if there && runs { Came::Ran } else { Came::Died };
            (came, format!("begins at {ip:#x}"))
        }
        other => panic!("{other:?}"),
    }
}

/// Compiles the probe, or says why this host cannot be asked.
fn probe() -> Result<PathBuf, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("not an x86_64 Linux".into());
    }
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exec_probe");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/exec_probe.c");
    let made = Command::new("cc").args(["-O1", "-o"]).arg(&out).arg(source).status();
    match made {
        Ok(status) if status.success() => Ok(out),
        other => Err(format!("cc: {other:?}")),
    }
}

/// What the running kernel does with files.
fn host(probe: &Path, files: &[Vec<u8>]) -> Vec<Came> {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let mut input = String::new();
    for (i, file) in files.iter().enumerate() {
        let path = dir.path().join(i.to_string());
        fs::write(&path, file).expect("room");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
        input += &format!("{}\n", path.display());
    }
    let mut child = Command::new(probe)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the probe starts");
    let mut stdin = child.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads");
    let text = String::from_utf8(output.stdout).expect("text");
    let came = |line: &str| match line.split_once(' ') {
        Some(("E", errno)) => Came::Refused(errno.parse().expect("a number")),
        Some(("X", "42")) => Came::Ran,
        _ => Came::Died,
    };
    let all: Vec<Came> = text.lines().map(came).collect();
    assert_eq!(all.len(), files.len(), "the probe stopped early");
    all
}

#[test]
fn changed_programs_end_as_on_linux() {
    let probe = match probe() {
        Ok(probe) => probe,
        Err(why) => {
            assert!(std::env::var_os("CI").is_none() || !cfg!(target_os = "linux"), "{why}");
            return eprintln!("skipped: {why}");
        }
    };
    let cases: u64 = std::env::var("FORKYARD_ELF_CASES").map_or(1_500, |n| n.parse().unwrap());
    let made: Vec<(Vec<u8>, String)> = (0..cases).map(changed).collect();
    let files: Vec<Vec<u8>> = made.iter().map(|(file, _)| file.clone()).collect();
    let linux = host(&probe, &files);
    let mut wrong = Vec::new();
    for ((file, what), linux) in made.iter().zip(&linux) {
        let (model, why) = model(file);
        if model != *linux {
            wrong.push(format!("{what}: Linux {linux:?}, model {model:?} ({why})"));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    for came in [Came::Ran, Came::Died, Came::Refused(Errno::ENOEXEC as i32)] {
        assert!(linux.iter().filter(|c| **c == came).count() > 50, "hardly any {came:?}");
    }
}

#[test]
fn files_that_are_written_are_not_executed() {
    let mut w = World::new(1);
    let (init, file) = (w.init, &bases()[0]);
    add_file(&mut w.sys, "/tmp/program", file, 0o755).unwrap();
    let t = w.fork(init);
    let open = Payload::Text("/tmp/program".into());
    let fd = w.value(t, "open", &[0, 2, 0], open).unwrap();
    let refused = execve(&mut w, t, "/tmp/program");
    assert!(
        matches!(&refused, Err(Trouble::Refused(e)) if e.errno == Errno::ETXTBSY),
        "{refused:?}"
    );
    w.ok(t, "close", &[fd as u64]);
    assert!(matches!(execve(&mut w, t, "/tmp/program"), Ok(Done::Returned(..))));
}
