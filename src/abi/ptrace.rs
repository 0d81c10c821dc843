//! ptrace(2) as numbers and layouts: requests, options, events, registers.
//!
//! Linux: include/uapi/linux/ptrace.h, arch/x86/include/uapi/asm/ptrace.h,
//! ptrace-abi.h, arch/x86/include/asm/user_64.h (`user_regs_struct`).
//! Left out: 32-bit tasks; requests for debug registers, FPU state and thread
//! areas, which there are none of.

use bitflags::bitflags;

/// Numbers of requests.
pub mod request {
    /// The parent is to trace the caller.
    pub const PTRACE_TRACEME: u64 = 0;
    /// A word of the tracee's memory.
    pub const PTRACE_PEEKTEXT: u64 = 1;
    /// The same.
    pub const PTRACE_PEEKDATA: u64 = 2;
    /// A word of `struct user`.
    pub const PTRACE_PEEKUSER: u64 = 3;
    /// Changes a word of memory.
    pub const PTRACE_POKETEXT: u64 = 4;
    /// The same.
    pub const PTRACE_POKEDATA: u64 = 5;
    /// Changes a word of `struct user`.
    pub const PTRACE_POKEUSER: u64 = 6;
    /// Goes on, with a signal or none.
    pub const PTRACE_CONT: u64 = 7;
    /// SIGKILL.
    pub const PTRACE_KILL: u64 = 8;
    /// One instruction.
    pub const PTRACE_SINGLESTEP: u64 = 9;
    /// All registers.
    pub const PTRACE_GETREGS: u64 = 12;
    /// Changes them.
    pub const PTRACE_SETREGS: u64 = 13;
    /// Begins to trace, with a SIGSTOP.
    pub const PTRACE_ATTACH: u64 = 16;
    /// Ends tracing.
    pub const PTRACE_DETACH: u64 = 17;
    /// Goes on to the next entry or exit of a system call.
    pub const PTRACE_SYSCALL: u64 = 24;
    /// The same; the call is not made.
    pub const PTRACE_SYSEMU: u64 = 31;
    /// One instruction, and calls are not made.
    pub const PTRACE_SYSEMU_SINGLESTEP: u64 = 32;
    /// One block of instructions.
    pub const PTRACE_SINGLEBLOCK: u64 = 33;
    /// Sets `PTRACE_O_*`.
    pub const PTRACE_SETOPTIONS: u64 = 0x4200;
    /// What the last event was about.
    pub const PTRACE_GETEVENTMSG: u64 = 0x4201;
    /// The siginfo of the stop.
    pub const PTRACE_GETSIGINFO: u64 = 0x4202;
    /// Changes it.
    pub const PTRACE_SETSIGINFO: u64 = 0x4203;
    /// One set of registers.
    pub const PTRACE_GETREGSET: u64 = 0x4204;
    /// Changes it.
    pub const PTRACE_SETREGSET: u64 = 0x4205;
    /// Begins to trace, without a stop.
    pub const PTRACE_SEIZE: u64 = 0x4206;
    /// Stops a seized tracee.
    pub const PTRACE_INTERRUPT: u64 = 0x4207;
    /// Leaves a seized tracee in its group stop.
    pub const PTRACE_LISTEN: u64 = 0x4208;
    /// Pending signals.
    pub const PTRACE_PEEKSIGINFO: u64 = 0x4209;
    /// The mask of blocked signals.
    pub const PTRACE_GETSIGMASK: u64 = 0x420a;
    /// Changes it.
    pub const PTRACE_SETSIGMASK: u64 = 0x420b;
    /// Which system call, at which end of it.
    pub const PTRACE_GET_SYSCALL_INFO: u64 = 0x420e;

    /// All requests of Linux by number, also those that are not modelled.
    pub const NAMES: &[(&str, u64)] = &[
        ("PTRACE_TRACEME", 0),
        ("PTRACE_PEEKTEXT", 1),
        ("PTRACE_PEEKDATA", 2),
        ("PTRACE_PEEKUSER", 3),
        ("PTRACE_POKETEXT", 4),
        ("PTRACE_POKEDATA", 5),
        ("PTRACE_POKEUSER", 6),
        ("PTRACE_CONT", 7),
        ("PTRACE_KILL", 8),
        ("PTRACE_SINGLESTEP", 9),
        ("PTRACE_GETREGS", 12),
        ("PTRACE_SETREGS", 13),
        ("PTRACE_GETFPREGS", 14),
        ("PTRACE_SETFPREGS", 15),
        ("PTRACE_ATTACH", 16),
        ("PTRACE_DETACH", 17),
        ("PTRACE_GETFPXREGS", 18),
        ("PTRACE_SETFPXREGS", 19),
        ("PTRACE_OLDSETOPTIONS", 21),
        ("PTRACE_SYSCALL", 24),
        ("PTRACE_GET_THREAD_AREA", 25),
        ("PTRACE_SET_THREAD_AREA", 26),
        ("PTRACE_ARCH_PRCTL", 30),
        ("PTRACE_SYSEMU", 31),
        ("PTRACE_SYSEMU_SINGLESTEP", 32),
        ("PTRACE_SINGLEBLOCK", 33),
        ("PTRACE_SETOPTIONS", 0x4200),
        ("PTRACE_GETEVENTMSG", 0x4201),
        ("PTRACE_GETSIGINFO", 0x4202),
        ("PTRACE_SETSIGINFO", 0x4203),
        ("PTRACE_GETREGSET", 0x4204),
        ("PTRACE_SETREGSET", 0x4205),
        ("PTRACE_SEIZE", 0x4206),
        ("PTRACE_INTERRUPT", 0x4207),
        ("PTRACE_LISTEN", 0x4208),
        ("PTRACE_PEEKSIGINFO", 0x4209),
        ("PTRACE_GETSIGMASK", 0x420a),
        ("PTRACE_SETSIGMASK", 0x420b),
        ("PTRACE_SECCOMP_GET_FILTER", 0x420c),
        ("PTRACE_SECCOMP_GET_METADATA", 0x420d),
        ("PTRACE_GET_SYSCALL_INFO", 0x420e),
        ("PTRACE_GET_RSEQ_CONFIGURATION", 0x420f),
        ("PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG", 0x4210),
        ("PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG", 0x4211),
        ("PTRACE_SET_SYSCALL_INFO", 0x4212),
    ];

    /// The name of a request.
    pub fn name(request: u64) -> Option<&'static str> {
        NAMES.iter().find(|(_, n)| *n == request).map(|(name, _)| *name)
    }
}

bitflags! {
    /// `PTRACE_O_*`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PtraceOptions: u64 {
        /// Bit 7 marks the SIGTRAP of system call stops.
        const PTRACE_O_TRACESYSGOOD = 1;
        /// Stop after fork, and trace the child.
        const PTRACE_O_TRACEFORK = 1 << 1;
        /// The same after vfork.
        const PTRACE_O_TRACEVFORK = 1 << 2;
        /// The same after clone.
        const PTRACE_O_TRACECLONE = 1 << 3;
        /// Stop in execve, instead of a SIGTRAP after it.
        const PTRACE_O_TRACEEXEC = 1 << 4;
        /// Stop when a vfork child has released the address space.
        const PTRACE_O_TRACEVFORKDONE = 1 << 5;
        /// Stop at the beginning of exit.
        const PTRACE_O_TRACEEXIT = 1 << 6;
        /// Stop when a seccomp filter says so.
        const PTRACE_O_TRACESECCOMP = 1 << 7;
        /// SIGKILL when the tracer exits.
        const PTRACE_O_EXITKILL = 1 << 20;
        /// No seccomp while traced.
        const PTRACE_O_SUSPEND_SECCOMP = 1 << 21;
    }
}

bitflags! {
    /// `task_struct.ptrace`, `PT_*`: whether it is traced, how, and its
    /// options from bit 3 on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct PtraceFlags: u32 {
        /// It is traced.
        const PT_PTRACED = 1;
        /// `PTRACE_O_TRACESYSGOOD`.
        const PT_TRACESYSGOOD = 1 << 3;
        /// `PTRACE_O_TRACEFORK`.
        const PT_TRACE_FORK = 1 << 4;
        /// `PTRACE_O_TRACEVFORK`.
        const PT_TRACE_VFORK = 1 << 5;
        /// `PTRACE_O_TRACECLONE`.
        const PT_TRACE_CLONE = 1 << 6;
        /// `PTRACE_O_TRACEEXEC`.
        const PT_TRACE_EXEC = 1 << 7;
        /// `PTRACE_O_TRACEVFORKDONE`.
        const PT_TRACE_VFORK_DONE = 1 << 8;
        /// `PTRACE_O_TRACEEXIT`.
        const PT_TRACE_EXIT = 1 << 9;
        /// By PTRACE_SEIZE.
        const PT_SEIZED = 1 << 16;
        /// `PTRACE_O_EXITKILL`.
        const PT_EXITKILL = 1 << 23;
    }
}

impl PtraceFlags {
    /// Where options begin (`PT_OPT_FLAG_SHIFT`).
    const SHIFT: u32 = 3;

    /// The flags that options become.
    pub fn of_options(options: PtraceOptions) -> PtraceFlags {
        PtraceFlags::from_bits_truncate((options.bits() as u32) << PtraceFlags::SHIFT)
    }

    /// The flags that are options.
    pub fn options() -> PtraceFlags {
        PtraceFlags::all() - PtraceFlags::PT_PTRACED - PtraceFlags::PT_SEIZED
    }
}

/// `PTRACE_EVENT_*`: the third byte of a wait status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PtraceEvent {
    /// fork has made a child.
    Fork = 1,
    /// vfork has.
    Vfork = 2,
    /// clone has.
    Clone = 3,
    /// execve has replaced the program.
    Exec = 4,
    /// The child of a vfork has released the address space.
    VforkDone = 5,
    /// exit has begun.
    Exit = 6,
    /// A stop of a seized tracee.
    Stop = 128,
}

/// PTRACE_EVENTMSG_SYSCALL_ENTRY.
pub const EVENTMSG_SYSCALL_ENTRY: u64 = 1;
/// PTRACE_EVENTMSG_SYSCALL_EXIT.
pub const EVENTMSG_SYSCALL_EXIT: u64 = 2;
/// NT_PRSTATUS: the general registers, for GETREGSET.
pub const NT_PRSTATUS: u64 = 1;

/// Words in `struct user_regs_struct`.
pub const USER_REGS_WORDS: usize = 27;
/// sizeof(struct user) in the kernel, of which PEEKUSER and POKEUSER read and
/// write words.
pub const USER_SIZE: u64 = 928;
/// Where debug registers lie in it.
pub const USER_DEBUGREGS: std::ops::Range<u64> = 848..912;

/// Names of the words of `struct user_regs_struct` in their order: those of
/// `pt_regs`, then the bases and segments.
pub const USER_REGS_FIELDS: [&str; USER_REGS_WORDS] = [
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
];

/// `struct user_regs_struct`, in words.
pub type UserRegs = [u64; USER_REGS_WORDS];

/// What PTRACE_GET_SYSCALL_INFO tells (`struct ptrace_syscall_info`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyscallInfo {
    /// Instruction pointer.
    pub instruction_pointer: u64,
    /// Stack pointer.
    pub stack_pointer: u64,
    /// Which end.
    pub op: SyscallOp,
}

/// PTRACE_SYSCALL_INFO_*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyscallOp {
    /// Not in a system call stop.
    None,
    /// About to be made: number and arguments.
    Entry(u64, [u64; 6]),
    /// Made: what it returns.
    Exit(i64),
}

impl SyscallInfo {
    /// The structure in user memory, as long as its kind is.
    pub fn to_bytes(&self) -> Vec<u8> {
        // AUDIT_ARCH_X86_64
        const ARCH: u32 = 0xc000_003e;
        let op: u8 = match self.op {
            SyscallOp::None => 0,
            SyscallOp::Entry(..) => 1,
            SyscallOp::Exit(_) => 2,
        };
        let mut b = vec![op, 0, 0, 0];
        b.extend(ARCH.to_le_bytes());
        b.extend(self.instruction_pointer.to_le_bytes());
        b.extend(self.stack_pointer.to_le_bytes());
        match self.op {
            SyscallOp::None => {}
            SyscallOp::Entry(nr, args) => {
                b.extend(nr.to_le_bytes());
                args.iter().for_each(|a| b.extend(a.to_le_bytes()));
            }
            SyscallOp::Exit(ret) => {
                b.extend(ret.to_le_bytes());
                b.push(u8::from((-4095..0).contains(&ret)));
            }
        }
        b
    }
}
