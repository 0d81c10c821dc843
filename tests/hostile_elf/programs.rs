//! Whole programs that want too much, or end where they should not.

use crate::kit::elf::{Asm, DATA, ENTRY, R, program};
use crate::kit::machine_code::{End, Ran, is_sound, run};
use crate::kit::{World, small};

const EAGAIN: u8 = 11;
const ENOMEM: u8 = 12;
const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;

fn go(asm: &Asm, limit: u64) -> Ran {
    go_on(1, &asm.elf(), limit)
}

fn go_on(cpus: u32, image: &[u8], limit: u64) -> Ran {
    let mut ran = run(&World::boot(&small(cpus)), image, limit);
    let retired = ran.retired;
    assert!(retired <= limit, "{retired} instructions");
    is_sound(&mut ran.sys, "afterwards");
    ran
}

#[test]
fn an_endless_loop_ends_at_the_limit() {
    let mut a = Asm::new();
    let here = a.mark();
    a.jmp(here);
    let ran = go(&a, 100_000);
    assert_eq!((ran.end, ran.retired), (End::Limit, 100_000));
}

/// The frame of a signal handler leads to the call that leaves the handler:
/// not one instruction is executed between two calls.
#[test]
fn a_loop_of_sigreturn_ends_at_the_limit() {
    let ran = go(&sigreturn_loop(), 10_000);
    assert_eq!(ran.end, End::Limit);
}

pub fn sigreturn_loop() -> Asm {
    let mut a = Asm::new();
    a.mov(R::Sp, DATA + 0x400).copy(R::Cx, R::Sp).store(DATA + 0x400 + 160, R::Cx);
    a.mov(R::Ax, 15).store(DATA + 0x400 + 144, R::Ax);
    a.mov(R::Cx, 0x202).store(DATA + 0x400 + 176, R::Cx);
    a.mov(R::Cx, 0x002b_0000_0000_0033).store(DATA + 0x400 + 184, R::Cx);
    // Twelve and eight bytes to the call.
    let at = a.here() + 18;
    a.mov(R::Cx, at).store(DATA + 0x400 + 168, R::Cx);
    assert_eq!(a.here(), at);
    a.syscall();
    a
}

#[test]
fn segments_that_a_signal_frame_cannot_give() {
    // Kernel code, nothing, behind the table, 32-bit code.
    for (cs, end) in [(0x10, SIGSEGV), (0, SIGSEGV), (0xffff, SIGSEGV), (0x23, SIGILL)] {
        let mut a = Asm::new();
        a.mov(R::Sp, DATA + 0x400).copy(R::Cx, R::Sp).store(DATA + 0x400 + 160, R::Cx);
        a.mov(R::Cx, 0x202).store(DATA + 0x400 + 176, R::Cx);
        a.mov(R::Cx, 0x002b_0000_0000_0000 | cs).store(DATA + 0x400 + 184, R::Cx);
        let at = a.here() + 18 + 12;
        a.mov(R::Cx, at).store(DATA + 0x400 + 168, R::Cx);
        a.mov(R::Ax, 15).syscall();
        assert_eq!(a.here(), at);
        a.exit(1);
        assert_eq!(go(&a, 1000).end, End::Signal(end), "cs {cs:#x}");
    }
}

#[test]
fn the_stack_overflows() {
    let mut a = Asm::new();
    let here = a.mark();
    a.add(R::Sp, -4096).raw(&[0x50]).jmp(here);
    let ran = go(&a, 100_000);
    // 8 MiB by the limit, but there are 16 of RAM: the limit comes first.
    assert_eq!(ran.end, End::Signal(SIGSEGV));
    // By calls, one by one, without memory for it.
    let mut a = Asm::new();
    let here = a.mark();
    a.mov(R::Sp, DATA + 0x1000).call(here);
    let ran = go(&a, 10_000);
    assert_eq!(ran.end, End::Limit);
}

#[test]
fn jumps_to_nowhere() {
    for (to, end) in [
        (0, SIGSEGV),
        (1 << 47, SIGSEGV),
        (1 << 63, SIGSEGV),
        (u64::MAX, SIGSEGV),
        (0xffff_ffff_8100_0000, SIGSEGV),
        (0xffff_ffff_ff60_0000, SIGSEGV),
        // Data, and the stack.
        (DATA, SIGSEGV),
    ] {
        let mut a = Asm::new();
        // jmp rax
        a.mov(R::Ax, to).raw(&[0xff, 0xe0]);
        assert_eq!(go(&a, 1000).end, End::Signal(end), "{to:#x}");
        let mut a = Asm::new();
        // push rax ; ret
        a.mov(R::Ax, to).raw(&[0x50, 0xc3]);
        assert_eq!(go(&a, 1000).end, End::Signal(end), "ret to {to:#x}");
    }
}

#[test]
fn instructions_that_user_mode_does_not_have() {
    for (what, bytes, end) in [
        ("hlt", &[0xf4][..], SIGSEGV),
        ("cli", &[0xfa], SIGSEGV),
        ("mov cr3, rax", &[0x0f, 0x22, 0xd8], SIGSEGV),
        ("ud2", &[0x0f, 0x0b], SIGILL),
        ("int3", &[0xcc], SIGTRAP),
        ("fifteen prefixes", &[0x66; 15], SIGSEGV),
        ("lock on a register", &[0xf0, 0x01, 0xc0], SIGILL),
        ("sysenter", &[0x0f, 0x34], SIGILL),
        ("vzeroupper", &[0xc5, 0xf8, 0x77], SIGILL),
        ("int 80h", &[0xcd, 0x80], SIGILL),
        ("a far jump", &[0x48, 0xff, 0x2c, 0x25, 0, 0, 0x60, 0], SIGILL),
        ("iretq", &[0x48, 0xcf], SIGILL),
    ] {
        let mut a = Asm::new();
        a.raw(bytes);
        let found = go(&a, 1000).end;
        assert_eq!(found, End::Signal(end), "{what}");
    }
}

#[test]
fn the_middle_of_an_instruction_is_one_too() {
    // jmp +2 ; mov eax, imm32 (mov edi,eax; nop) ... ; exit with what is in EAX
    let mut a = Asm::new();
    a.mov(R::Ax, 7);
    // jmp to the immediate: inc eax ; jmp over the rest
    a.raw(&[0xeb, 1, 0xb8, 0xff, 0xc0, 0x90, 0x90]);
    a.copy(R::Di, R::Ax).mov(R::Ax, 231).syscall();
    assert_eq!(go(&a, 1000).end, End::Exit(8));
}

#[test]
fn code_that_writes_itself_runs_as_written() {
    // mov byte [rip + 9 + 1], 5 ; mov rax, 231 ; mov edi, 1 ; syscall
    let mut a = Asm::new();
    a.raw(&[0xc6, 0x05, 11, 0, 0, 0, 5]).mov(R::Ax, 231).raw(&[0xbf, 1, 0, 0, 0]).syscall();
    assert_eq!(go_on(1, &program(&a.code(), &[], 7), 1000).end, End::Exit(5));
    assert_eq!(go_on(1, &program(&a.code(), &[], 5), 1000).end, End::Signal(SIGSEGV));
}

/// Forks until it is refused; the children sleep. The errno is the exit code.
pub fn fork_until_refused() -> Asm {
    let mut a = Asm::new();
    let (child, refused) = (a.label(), a.label());
    let again = a.mark();
    a.sys(57, &[]).test().je(child).js(refused).jmp(again);
    a.place(refused).exit_errno();
    a.place(child);
    let sleep = a.mark();
    a.sys(34, &[]).jmp(sleep);
    a
}

/// Everybody forks, for ever.
pub fn fork_bomb() -> Asm {
    let mut a = Asm::new();
    let again = a.mark();
    a.sys(57, &[]).jmp(again);
    a
}

#[test]
fn a_fork_bomb_is_refused_at_threads_max() {
    let ran = go(&fork_until_refused(), 100_000);
    // 16 MiB of RAM give 128 threads.
    assert_eq!(ran.end, End::Exit(EAGAIN));
    assert!(ran.most_tasks <= 128 + 2, "{}", ran.most_tasks);
    let ran = go_on(2, &fork_bomb().elf(), 5_000);
    assert_eq!(ran.end, End::Limit);
    assert!(ran.most_tasks <= 128 + 3, "{}", ran.most_tasks);
}

#[test]
fn children_that_nobody_waits_for_are_counted_too() {
    let mut a = Asm::new();
    let (child, refused) = (a.label(), a.label());
    let again = a.mark();
    a.sys(57, &[]).test().je(child).js(refused).jmp(again);
    a.place(refused).exit_errno();
    a.place(child).exit(0);
    assert_eq!(go(&a, 100_000).end, End::Exit(EAGAIN));
}

#[test]
fn a_thread_bomb_is_refused_at_threads_max() {
    let mut a = Asm::new();
    let (child, refused) = (a.label(), a.label());
    let again = a.mark();
    // CLONE_VM | FS | FILES | SIGHAND | THREAD; they share a stack and use none.
    a.sys(56, &[0x1_0f00, DATA + 0x800, 0, 0, 0]).test().je(child).js(refused).jmp(again);
    a.place(refused).exit_errno();
    a.place(child);
    let sleep = a.mark();
    a.sys(34, &[]).jmp(sleep);
    let ran = go(&a, 100_000);
    assert_eq!(ran.end, End::Exit(EAGAIN));
    assert!(ran.most_tasks <= 128 + 2, "{}", ran.most_tasks);
}

#[test]
fn address_space_runs_out() {
    // mmap(0, 16 TiB, PROT_NONE, PRIVATE | ANONYMOUS | NORESERVE)
    let mut a = Asm::new();
    let refused = a.label();
    let again = a.mark();
    a.sys(9, &[0, 1 << 44, 0, 0x4022, u64::MAX, 0]).test().js(refused).jmp(again);
    a.place(refused).exit_errno();
    assert_eq!(go(&a, 10_000).end, End::Exit(ENOMEM));
    // One that is more than there is.
    let mut a = Asm::new();
    a.sys(9, &[0, 1 << 40, 3, 0x22, u64::MAX, 0]).exit_errno();
    assert_eq!(go(&a, 1000).end, End::Exit(ENOMEM));
    // brk says no by saying where it is.
    let mut a = Asm::new();
    a.sys(12, &[0]).copy(R::Bx, R::Ax).sys(12, &[1 << 46]);
    // sub rax, rbx ; exit(rax)
    a.raw(&[0x48, 0x29, 0xd8]).exit_errno();
    assert_eq!(go(&a, 1000).end, End::Exit(0));
}

#[test]
fn who_touches_more_memory_than_there_is_is_killed() {
    let mut a = Asm::new();
    let (mapped, touch) = (a.mark(), a.label());
    a.sys(9, &[0, 1 << 20, 3, 0x22, u64::MAX, 0]).mov(R::Cx, 256);
    // touch: mov [rax], rcx ; add rax, 4096 ; dec rcx ; jnz touch
    a.place(touch).raw(&[0x48, 0x89, 0x08]).add(R::Ax, 4096).raw(&[0x48, 0xff, 0xc9]);
    a.jne(touch).jmp(mapped);
    let ran = go(&a, 1_000_000);
    assert_eq!(ran.end, End::Signal(SIGKILL));
    // In a child: its parent lives, and learns of it.
    let mut a = Asm::new();
    let (child, touch) = (a.label(), a.label());
    a.sys(57, &[]).test().je(child);
    a.sys(61, &[u64::MAX, DATA, 0, 0]);
    // movzx edi, byte [DATA] ; exit_group
    a.raw(&[0x0f, 0xb6, 0x3c, 0x25, 0, 0, 0x60, 0]).mov(R::Ax, 231).syscall();
    let mapped = a.place(child).mark();
    a.sys(9, &[0, 1 << 20, 3, 0x22, u64::MAX, 0]).mov(R::Cx, 256);
    a.place(touch).raw(&[0x48, 0x89, 0x08]).add(R::Ax, 4096).raw(&[0x48, 0xff, 0xc9]);
    a.jne(touch).jmp(mapped);
    assert_eq!(go(&a, 1_000_000).end, End::Exit(SIGKILL as u8));
}

#[test]
fn many_mappings_end_at_the_limit_of_areas() {
    // Every second page: they cannot be merged. 65530 is more than a test wants.
    let mut a = Asm::new();
    let again = a.mark();
    a.sys(9, &[0, 0x1000, 3, 0x22, u64::MAX, 0]).sys(9, &[0, 0x1000, 1, 0x22, u64::MAX, 0]);
    a.jmp(again);
    assert_eq!(go(&a, 20_000).end, End::Limit);
}

/// A program that executes itself.
pub fn exec_loop() -> Vec<u8> {
    let mut a = Asm::new();
    a.sys(59, &[DATA, 0, 0]).exit_errno();
    a.elf_with(b"/proc/self/exe\0")
}

#[test]
fn a_program_that_executes_itself_ends_at_the_limit() {
    let ran = go_on(1, &exec_loop(), 400);
    assert_eq!(ran.end, End::Limit);
    assert!(ran.most_pages < 600, "{} pages", ran.most_pages);
}

/// Arguments without end: a list that leads to itself does not exist, but one of
/// the same long string can be as long as memory.
#[test]
fn arguments_have_a_limit() {
    const E2BIG: u8 = 7;
    // argv: 0x8000 - 1 pointers to one string of 0xfff bytes
    let mut a = Asm::new();
    let fill = a.label();
    a.mov(R::Di, DATA + 0x1_0000).mov(R::Ax, u64::from_le_bytes([b'A'; 8])).mov(R::Cx, 0x1ff);
    // rep stosq
    a.raw(&[0xf3, 0x48, 0xab]);
    a.mov(R::Di, DATA + 0x2000).mov(R::Cx, 0x1000).mov(R::Ax, DATA + 0x1_0000);
    a.place(fill).raw(&[0xf3, 0x48, 0xab]);
    a.sys(59, &[DATA, DATA + 0x2000, 0]).exit_errno();
    let image = a.elf_with(b"/proc/self/exe\0");
    assert_eq!(go_on(1, &image, 10_000).end, End::Exit(E2BIG));
    // A pointer that is none.
    const EFAULT: u8 = 14;
    let mut a = Asm::new();
    a.mov(R::Cx, 1 << 47).store(DATA + 0x800, R::Cx);
    a.sys(59, &[DATA, DATA + 0x800, 0]).exit_errno();
    assert_eq!(go_on(1, &a.elf_with(b"/proc/self/exe\0"), 1000).end, End::Exit(EFAULT));
}

/// Files have no size that costs the host memory: holes are none, and a place
/// too far away is refused.
#[test]
fn files_with_holes_cost_nothing() {
    const EFBIG: u8 = 27;
    let path = b"/tmp/holes\0";
    let open = |a: &mut Asm| {
        a.sys(2, &[DATA, 0o102, 0o600]).copy(R::Bx, R::Ax);
    };
    // pwrite(fd, DATA, 1, i64::MAX): the sum is negative
    const EINVAL: u8 = 22;
    let mut a = Asm::new();
    open(&mut a);
    a.copy(R::Di, R::Bx).mov(R::Si, DATA).mov(R::Dx, 1).mov(R::R10, i64::MAX as u64);
    a.mov(R::Ax, 18).syscall().exit_errno();
    assert_eq!(go_on(1, &a.elf_with(path), 1000).end, End::Exit(EINVAL));
    for at in [1 << 30, 1 << 36, 1 << 40, 1 << 42, 1 << 62] {
        let mut a = Asm::new();
        open(&mut a);
        a.copy(R::Di, R::Bx).mov(R::Si, DATA).mov(R::Dx, 1).mov(R::R10, at);
        a.mov(R::Ax, 18).syscall().raw(&[0x48, 0xf7, 0xd8]).exit_errno();
        let end = go_on(1, &a.elf_with(path), 1000).end;
        assert!(matches!(end, End::Exit(1 | 0xe4 | 0xe5)), "a byte at {at:#x}: {end:?}");
        // ftruncate, and reading the hole
        let mut a = Asm::new();
        open(&mut a);
        a.copy(R::Di, R::Bx).mov(R::Si, at).mov(R::Ax, 77).syscall().exit_errno();
        let end = go_on(1, &a.elf_with(path), 1000).end;
        assert!(matches!(end, End::Exit(0 | EFBIG)), "a file of {at:#x}: {end:?}");
    }
}

/// A file that grows without end finds no room at some time.
#[test]
fn a_file_cannot_be_larger_than_memory() {
    const ENOSPC: u8 = 28;
    let mut a = Asm::new();
    let refused = a.label();
    a.sys(2, &[DATA, 0o102, 0o600]).copy(R::Bx, R::Ax);
    let again = a.mark();
    a.copy(R::Di, R::Bx).mov(R::Si, DATA).mov(R::Dx, 0x4_0000).mov(R::Ax, 1).syscall();
    a.test().js(refused).jmp(again);
    a.place(refused).exit_errno();
    let ran = go_on(1, &a.elf_with(b"/tmp/flood\0"), 10_000);
    assert!(matches!(ran.end, End::Exit(ENOSPC | ENOMEM)), "{:?}", ran.end);
}

/// Lengths that no memory holds are not allocated before they are looked at.
#[test]
fn lengths_are_not_believed() {
    for (nr, args) in [
        (0, [0, DATA, u64::MAX, 0, 0, 0]),
        (1, [1, DATA, u64::MAX, 0, 0, 0]),
        (1, [1, DATA, 0x7fff_f000, 0, 0, 0]),
        (1, [1, 0, 0x7fff_f000, 0, 0, 0]),
        (318, [DATA, 0x7fff_ffff, 0, 0, 0, 0]),
        (318, [DATA, u64::MAX, 0, 0, 0, 0]),
        (20, [1, DATA, 1024, 0, 0, 0]),
        (20, [1, DATA, u64::MAX, 0, 0, 0]),
        (7, [DATA, u64::MAX, 0, 0, 0, 0]),
        (7, [DATA, 1 << 20, 0, 0, 0, 0]),
        (115, [i32::MAX as u64, DATA, 0, 0, 0, 0]),
        (116, [i32::MAX as u64, DATA, 0, 0, 0, 0]),
        (116, [65_537, DATA, 0, 0, 0, 0]),
        (203, [0, u64::MAX, DATA, 0, 0, 0]),
        (204, [0, u64::MAX, DATA, 0, 0, 0]),
        (27, [0x1000, 1 << 46, DATA, 0, 0, 0]),
        (17, [3, DATA, u64::MAX, u64::MAX, 0, 0]),
        (76, [DATA, u64::MAX, 0, 0, 0, 0]),
        (436, [0, u64::MAX, 0, 0, 0, 0]),
        (33, [1, i32::MAX as u64, 0, 0, 0, 0]),
        (79, [DATA, u64::MAX, 0, 0, 0, 0]),
        (217, [0, DATA, u64::MAX, 0, 0, 0]),
        (270, [i32::MAX as u64, DATA, 0, 0, DATA, 0]),
        (232, [3, DATA, i32::MAX as u64, 0, 0, 0]),
        (310, [1, DATA, u64::MAX, DATA, u64::MAX, 0]),
    ] {
        let mut a = Asm::new();
        a.sys(nr, &args).exit(3);
        let end = go(&a, 100_000).end;
        assert!(
            matches!(end, End::Exit(3) | End::Idle | End::Limit),
            "call {nr}{args:x?}: {end:?}"
        );
    }
}

/// With RFLAGS.AC, as with a kernel that sets CR0.AM, unaligned accesses are
/// refused.
#[test]
fn alignment_is_checked_where_the_program_wants_it() {
    const SIGBUS: i32 = 7;
    // pushfq ; or dword [rsp], 1 << 18 ; popfq
    const CHECK: &[u8] = &[0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d];
    for (at, end) in [(DATA, End::Exit(0)), (DATA + 1, End::Signal(SIGBUS))] {
        let mut a = Asm::new();
        a.mov(R::Bx, at).raw(&[0x8b, 0x03]).raw(CHECK).raw(&[0x8b, 0x03]).exit(0);
        assert_eq!(go(&a, 1000).end, end);
    }
}

/// One instruction may fault on more pages than anything else does without getting
/// on.
#[test]
fn a_string_instruction_goes_over_many_pages() {
    let mut a = Asm::new();
    a.sys(9, &[0, 1 << 19, 3, 0x22, u64::MAX, 0]).copy(R::Di, R::Ax).mov(R::Cx, 1 << 19);
    a.copy(R::R12, R::Ax);
    // rep stosb, and back the other way: std ; dec rdi ; rep stosb ; cld
    a.raw(&[0xf3, 0xaa, 0xfd, 0x48, 0xff, 0xcf]).mov(R::Cx, 1 << 19).raw(&[0xf3, 0xaa, 0xfc]);
    a.sys(9, &[0, 1 << 19, 3, 0x22, u64::MAX, 0]).copy(R::Si, R::R12);
    a.copy(R::Di, R::Ax).mov(R::Cx, 1 << 19).raw(&[0xf3, 0xa4]).exit(3);
    assert_eq!(go(&a, 5_000_000).end, End::Exit(3));
}

/// Handlers that fault while they handle.
#[test]
fn handlers_that_fault_end_it() {
    // sigaction: handler, flags SA_RESTORER | SA_NODEFER, restorer, mask
    for (flags, handler) in [(0x4400_0000u64, 0), (0x4400_0000, ENTRY), (0x0400_0000, 1 << 63)] {
        let mut a = Asm::new();
        a.mov(R::Cx, handler).store(DATA, R::Cx).mov(R::Cx, flags).store(DATA + 8, R::Cx);
        a.mov(R::Cx, ENTRY).store(DATA + 16, R::Cx);
        a.sys(13, &[11, DATA, 0, 8]);
        // mov rax, [0]
        a.raw(&[0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0]);
        let end = go(&a, 1_000_000).end;
        assert!(matches!(end, End::Signal(SIGSEGV) | End::Limit), "{handler:#x}: {end:?}");
    }
}
