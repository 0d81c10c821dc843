//! Filling the new address space: strings and tables on its stack, the
//! program's segments, the first registers.
//!
//! ```text
//! mm->start_stack   8 bytes of zeros
//!                   path of the program             AT_EXECFN
//!                   environment strings, arguments
//!                   "x86_64", 16 random bytes       AT_PLATFORM, AT_RANDOM
//!                   auxiliary vector, AT_NULL last
//!                   envp[] NULL, argv[] NULL
//! sp, 16-aligned -> argc
//! ```
//!
//! Linux: fs/exec.c (bprm_mm_init, copy_strings), fs/binfmt_elf.c
//! (load_elf_binary, create_elf_tables), arch/x86/kernel/process_64.c
//! (start_thread).
//! Left out: the vDSO and restartable sequences, and so their entries in the
//! auxiliary vector.

use super::LinuxBinprm;
use super::bprm::Program;
use super::elf::PHDR_SIZE;
use super::elf_map::{Loaded, map_elf};
use crate::abi::{Errno, OpenFlags};
use crate::base::{PAGE_SIZE, text};
use crate::kernel::cred::user_ns::{from_kgid_munged, from_kuid_munged};
use crate::kernel::error::SysError;
use crate::kernel::fs::FileKind;
use crate::kernel::fs::file::{alloc_file, fput};
use crate::kernel::mm::MmId;
use crate::kernel::mm::image::{arch_pick_mmap_layout, load_image, setup_arg_pages};
use crate::kernel::mm::lifetime::{mm_alloc, mmput};
use crate::kernel::mm::stack::expand_stack;
use crate::kernel::mm::uaccess::{copy_to_mm, copy_to_user};
use crate::kernel::system::System;
use crate::kernel::task::TaskId;
use crate::machine::{HWCAP, Regs, Selectors};
use crate::traced;

/// What AT_PLATFORM names.
const ELF_PLATFORM: &[u8] = b"x86_64\0";
/// `USER_HZ`: clock ticks a second, as times(2) counts.
const CLOCKS_PER_SEC: u64 = 100;

/// HWCAP2: user mode may use RDFSBASE and its kin.
const HWCAP2_FSGSBASE: u64 = 2;
/// The largest signal frame, rounded up: with an FXSAVE image.
const MINSIGSTKSZ: u64 = 1088;

/// Types of the auxiliary vector; getauxval(3).
#[allow(missing_docs, reason = "getauxval(3) describes each")]
mod at {
    pub const AT_NULL: u64 = 0;
    pub const AT_PHDR: u64 = 3;
    pub const AT_PHENT: u64 = 4;
    pub const AT_PHNUM: u64 = 5;
    pub const AT_PAGESZ: u64 = 6;
    pub const AT_BASE: u64 = 7;
    pub const AT_FLAGS: u64 = 8;
    pub const AT_ENTRY: u64 = 9;
    pub const AT_UID: u64 = 11;
    pub const AT_EUID: u64 = 12;
    pub const AT_GID: u64 = 13;
    pub const AT_EGID: u64 = 14;
    pub const AT_PLATFORM: u64 = 15;
    pub const AT_HWCAP: u64 = 16;
    pub const AT_CLKTCK: u64 = 17;
    pub const AT_SECURE: u64 = 23;
    pub const AT_RANDOM: u64 = 25;
    pub const AT_HWCAP2: u64 = 26;
    pub const AT_EXECFN: u64 = 31;
    pub const AT_MINSIGSTKSZ: u64 = 51;
}

/// A new address space with a stack that holds the strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMm {
    /// It; the holder owns its one user.
    pub mm: MmId,
    /// Addresses of the arguments.
    args: Vec<u64>,
    /// Addresses of the environment strings.
    envs: Vec<u64>,
    /// Address of the path (`bprm->exec`).
    execfn: u64,
    /// Lowest byte used so far (`bprm->p`).
    p: u64,
}

/// Makes the address space and copies the strings into it.
///
/// # Errors
/// ENOMEM; E2BIG: the strings do not fit on the stack. Nothing stays.
pub fn bprm_mm_init(sys: &mut System, task: TaskId, bprm: &LinuxBinprm) -> Result<NewMm, SysError> {
    let mm = mm_alloc(sys)?;
    let made = setup(sys, task, mm, bprm);
    if made.is_err() {
        mmput(sys, mm);
    }
    made
}

fn setup(sys: &mut System, task: TaskId, mm: MmId, bprm: &LinuxBinprm) -> Result<NewMm, SysError> {
    arch_pick_mmap_layout(sys, task, mm);
    setup_arg_pages(sys, task, mm)?;
    let mut block = Vec::new();
    let mut offsets = Vec::new();
    for s in bprm.argv.iter().chain(&bprm.envp).chain([&bprm.filename]) {
        offsets.push(block.len() as u64);
        block.extend_from_slice(&text::encode(s));
        block.push(0);
    }
    let top = sys.mm(mm).start_stack;
    let p = top.saturating_sub(8 + block.len() as u64);
    // get_arg_page: Linux has one errno for all that can go wrong here.
    let too_big = |e: SysError| SysError { errno: Errno::E2BIG, ..e };
    grow_stack(sys, task, mm, p).map_err(too_big)?;
    copy_to_mm(sys, task, mm, p, &block, "copy_strings").map_err(too_big)?;
    let mut addrs: Vec<u64> = offsets.iter().map(|o| p + o).collect();
    let execfn = addrs.pop().unwrap_or(p);
    let envs = addrs.split_off(bprm.argv.len());
    Ok(NewMm { mm, args: addrs, envs, execfn, p })
}

/// Makes the stack area reach down to `addr`.
fn grow_stack(sys: &mut System, task: TaskId, mm: MmId, addr: u64) -> Result<(), SysError> {
    if !sys.machine.config.mmu {
        return Ok(());
    }
    let top = sys.mm(mm).start_stack;
    let start = sys.mm(mm).mmap.range(..top).next_back().map(|(start, _)| *start);
    match start {
        Some(start) if addr < start => expand_stack(sys, task, mm, start, addr),
        _ => Ok(()),
    }
}

/// Maps the program into the task's new address space and lets it start there.
///
/// # Errors
/// ENOMEM, EFAULT; the caller is beyond the point of no return.
pub fn load_binary(
    sys: &mut System,
    task: TaskId,
    bprm: &LinuxBinprm,
    new: &NewMm,
    secureexec: bool,
) -> Result<(), SysError> {
    let loaded = match &bprm.program {
        Program::Elf(elf) => {
            let file = (bprm.inode, &bprm.path);
            traced!(sys, map_elf(task, new.mm, file, elf))?
        }
        Program::Image(image) => {
            let kind = FileKind::Inode(bprm.inode);
            let file = alloc_file(sys, kind, OpenFlags::empty(), bprm.path.clone());
            let loaded = load_image(sys, new.mm, image, Some(file));
            // Each mapping holds a reference of its own.
            fput(sys, file);
            let entry = loaded?;
            Loaded { start: entry, entry, headers: None, base: 0 }
        }
    };
    let sp = traced!(sys, create_elf_tables(task, new, &loaded, secureexec))?;
    let m = sys.mm_mut(new.mm);
    m.start_stack = sp;
    (m.arg_start, m.arg_end) = (new.p, *new.envs.first().unwrap_or(&new.execfn));
    (m.env_start, m.env_end) = (m.arg_end, new.execfn);
    start_thread(sys, task, loaded.start, sp);
    Ok(())
}

/// Puts argc, argv, envp and the auxiliary vector on the stack; returns the
/// stack pointer.
fn create_elf_tables(
    sys: &mut System,
    task: TaskId,
    new: &NewMm,
    loaded: &Loaded,
    secureexec: bool,
) -> Result<u64, SysError> {
    let mut random = [0; 16];
    random[..8].copy_from_slice(&sys.kernel.rng.next_u64().to_le_bytes());
    random[8..].copy_from_slice(&sys.kernel.rng.next_u64().to_le_bytes());
    let platform = (new.p & !15) - ELF_PLATFORM.len() as u64;
    let rand_bytes = platform - 16;

    let c = sys.cred(task);
    let (ns, uid, euid, gid, egid) = (c.user_ns, c.uid, c.euid, c.gid, c.egid);
    let mut auxv = vec![
        (at::AT_HWCAP, u64::from(HWCAP)),
        (at::AT_PAGESZ, PAGE_SIZE),
        (at::AT_CLKTCK, CLOCKS_PER_SEC),
    ];
    if let Some((phdr, phnum)) = loaded.headers {
        let phent = PHDR_SIZE as u64;
        auxv.extend([(at::AT_PHDR, phdr), (at::AT_PHENT, phent), (at::AT_PHNUM, phnum)]);
    }
    auxv.extend([
        (at::AT_BASE, loaded.base),
        (at::AT_FLAGS, 0),
        (at::AT_ENTRY, loaded.entry),
        (at::AT_UID, u64::from(from_kuid_munged(sys, ns, uid))),
        (at::AT_EUID, u64::from(from_kuid_munged(sys, ns, euid))),
        (at::AT_GID, u64::from(from_kgid_munged(sys, ns, gid))),
        (at::AT_EGID, u64::from(from_kgid_munged(sys, ns, egid))),
        (at::AT_SECURE, u64::from(secureexec)),
        (at::AT_RANDOM, rand_bytes),
        (at::AT_HWCAP2, HWCAP2_FSGSBASE),
        (at::AT_MINSIGSTKSZ, MINSIGSTKSZ),
        (at::AT_EXECFN, new.execfn),
        (at::AT_PLATFORM, platform),
        (at::AT_NULL, 0),
    ]);
    let mut words = vec![new.args.len() as u64];
    words.extend_from_slice(&new.args);
    words.push(0);
    words.extend_from_slice(&new.envs);
    words.push(0);
    words.extend(auxv.iter().flat_map(|(ty, value)| [*ty, *value]));
    let sp = (rand_bytes - words.len() as u64 * 8) & !15;
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();

    grow_stack(sys, task, new.mm, sp)?;
    copy_to_user(sys, task, platform, ELF_PLATFORM)?;
    copy_to_user(sys, task, rand_bytes, &random)?;
    copy_to_user(sys, task, sp, &bytes)?;
    Ok(sp)
}

/// The registers of the new program (`start_thread`): all zero but the
/// instruction and stack pointers.
fn start_thread(sys: &mut System, task: TaskId, ip: u64, sp: u64) {
    let t = sys.task_mut(task);
    t.regs = Regs::user(ip, sp);
    (t.thread.fsbase, t.thread.gsbase) = (0, 0);
    t.thread.selectors = Selectors::default();
    // flush_thread
    t.fpu = None;
    let (cpu, on_cpu) = (t.cpu as usize, t.on_cpu);
    if on_cpu && let Some(cpu) = sys.machine.cpus.get_mut(cpu) {
        cpu.msrs.fs_base = 0;
        cpu.selectors = Selectors::default();
        // While the kernel runs, the user's GS base waits in the other one.
        cpu.msrs.kernel_gs_base = 0;
    }
}
