// What ptrace(2) shows of registers, system calls and memory on the running
// kernel, line by line; tests/linux_facts/ptrace.rs says the same of the model.
// (Stops, events and who waits are compared by scripts that run on both.)
#define _GNU_SOURCE
#include <errno.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

typedef unsigned long word;

static inline long call6(long nr, long a, long b, long c, long d)
{
	long ret;
	register long r10 asm("r10") = d;
	asm volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
		     : "rcx", "r11", "memory");
	return ret;
}

static pid_t child;
static word msg;

// The raw call: 0 or more, or a negated errno.
static long tr(long op, word addr, word data)
{
	return call6(SYS_ptrace, op, child, addr, data);
}

static int stop(void)
{
	int status = 0;
	if (waitpid(child, &status, __WALL) != child)
		status = -1;
	return status;
}

static struct user_regs_struct regs(void)
{
	struct user_regs_struct r;
	memset(&r, 0, sizeof r);
	tr(PTRACE_GETREGS, 0, (word)&r);
	return r;
}

// Status, number of the call and what ax holds.
static void show(const char *what, int status)
{
	struct user_regs_struct r = regs();
	unsigned char info[88] = { 0 };
	long size = tr(PTRACE_GET_SYSCALL_INFO, sizeof info, (word)info);
	tr(PTRACE_GETEVENTMSG, 0, (word)&msg);
	printf("%s: status %x nr %ld ax %ld message %ld info %ld %d\n", what, status,
	       (long)r.orig_rax, (long)r.rax, msg, size, info[0]);
}

static void begin(void (*body)(void))
{
	fflush(stdout);
	child = fork();
	if (child == 0) {
		call6(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
		call6(SYS_kill, getpid(), SIGSTOP, 0, 0);
		body();
		call6(SYS_exit_group, 0, 0, 0, 0);
	}
	stop();
}

static void end(void)
{
	kill(child, SIGKILL);
	for (int status = 0; !WIFSIGNALED(status) && !WIFEXITED(status);) {
		if (waitpid(child, &status, __WALL) < 0)
			break;
		if (WIFSTOPPED(status))
			tr(PTRACE_CONT, 0, 0);
	}
}

static void two_calls(void)
{
	call6(SYS_getuid, 0, 0, 0, 0);
	call6(SYS_close, -1, 0, 0, 0);
}

static void both_ends(void)
{
	begin(two_calls);
	tr(PTRACE_SETOPTIONS, 0, PTRACE_O_TRACESYSGOOD);
	for (int i = 0; i < 4; i++) {
		tr(PTRACE_SYSCALL, 0, 0);
		show("end of a call", stop());
	}
	tr(PTRACE_SETOPTIONS, 0, 0);
	tr(PTRACE_SYSCALL, 0, 0);
	show("plain SIGTRAP", stop());
	siginfo_t info;
	tr(PTRACE_GETSIGINFO, 0, (word)&info);
	printf("siginfo %d code %x\n", info.si_signo, info.si_code);
	end();
}

static void changed_calls(void)
{
	long a = call6(SYS_getuid, 0, 0, 0, 0);
	long b = call6(SYS_getuid, 0, 0, 0, 0);
	long c = call6(SYS_getuid, 0, 0, 0, 0);
	long d = call6(SYS_getpgid, 99999, 0, 0, 0);
	long e = call6(SYS_getuid, 0, 0, 0, 0);
	call6(SYS_close, a, b, c, d);
	call6(SYS_close, e, 0, 0, 0);
}

#define POKE(field, value) tr(PTRACE_POKEUSR, offsetof(struct user_regs_struct, field), value)

static void other_calls(void)
{
	begin(changed_calls);
	// Another call.
	tr(PTRACE_SYSCALL, 0, 0), stop();
	POKE(orig_rax, SYS_getpgrp);
	tr(PTRACE_SYSCALL, 0, 0), stop();
	printf("another call: %s\n", (long)regs().rax == getpgrp() ? "its result" : "no");
	POKE(rax, 41);
	// No call.
	tr(PTRACE_SYSCALL, 0, 0), stop();
	POKE(orig_rax, -1);
	POKE(rax, 42);
	tr(PTRACE_SYSCALL, 0, 0), stop();
	printf("no call: ax %ld nr %ld\n", (long)regs().rax, (long)regs().orig_rax);
	// A call that there is not.
	tr(PTRACE_SYSCALL, 0, 0), stop();
	POKE(orig_rax, 100000);
	tr(PTRACE_SYSCALL, 0, 0), stop();
	printf("unknown call: ax %ld\n", (long)regs().rax);
	// Another argument.
	tr(PTRACE_SYSCALL, 0, 0), stop();
	POKE(rdi, 0);
	tr(PTRACE_SYSCALL, 0, 0), stop();
	printf("another argument: %s\n", (long)regs().rax == getpgrp() ? "its result" : "no");
	POKE(rax, 44);
	// A refusal.
	tr(PTRACE_SYSCALL, 0, 0), stop();
	tr(PTRACE_SYSCALL, 0, 0), stop();
	POKE(rax, -EIO);
	tr(PTRACE_SYSCALL, 0, 0), stop();
	struct user_regs_struct r = regs();
	printf("told: %ld %ld %ld %ld\n", (long)r.rdi, (long)r.rsi, (long)r.rdx, (long)r.r10);
	tr(PTRACE_SYSCALL, 0, 0), stop();
	tr(PTRACE_SYSCALL, 0, 0), stop();
	printf("told: %ld\n", (long)regs().rdi);
	end();
}

static void pauses(void)
{
	call6(SYS_pause, 0, 0, 0, 0);
}

static void restart(void)
{
	begin(pauses);
	tr(PTRACE_SETOPTIONS, 0, PTRACE_O_TRACESYSGOOD);
	tr(PTRACE_SYSCALL, 0, 0);
	show("pause begins", stop());
	tr(PTRACE_SYSCALL, 0, 0);
	kill(child, SIGUSR1);
	show("pause ends", stop());
	tr(PTRACE_SYSCALL, 0, 0);
	show("the signal", stop());
	tr(PTRACE_SYSCALL, 0, 0);
	show("pause again", stop());
	// A signal given at such a stop is sent by the kernel.
	tr(PTRACE_SYSCALL, 0, SIGUSR2);
	show("interrupted", stop());
	tr(PTRACE_CONT, 0, 0);
	int status = stop();
	siginfo_t info;
	tr(PTRACE_GETSIGINFO, 0, (word)&info);
	printf("injected: status %x signal %d code %d pid %d\n", status, info.si_signo,
	       info.si_code, info.si_pid);
	end();
}

static void executes(void)
{
	char *argv[] = { "/proc/self/exe", "--pause", NULL };
	call6(SYS_execve, (long)argv[0], (long)argv, 0, 0);
}

static void exec(void)
{
	for (int event = 0; event < 2; event++) {
		begin(executes);
		tr(PTRACE_SETOPTIONS, 0, PTRACE_O_TRACESYSGOOD | (event ? PTRACE_O_TRACEEXEC : 0));
		const char *what = event ? "exec, TRACEEXEC" : "exec";
		for (int i = 0; i < 3; i++) {
			tr(PTRACE_SYSCALL, 0, 0);
			int status = stop();
			struct user_regs_struct r = regs();
			printf("%s: status %x nr %ld ax %ld\n", what, status, (long)r.orig_rax,
			       (long)r.rax);
		}
		end();
	}
}

static void nothing(void)
{
	pauses();
}

static long peek(word addr)
{
	word value = 0;
	long ret = tr(PTRACE_PEEKDATA, addr, (word)&value);
	return ret ? ret : (long)value;
}

static void memory(void)
{
	struct { const char *name; int prot, flags; } kinds[] = {
		{ "private rw-", PROT_READ | PROT_WRITE, MAP_PRIVATE },
		{ "private r--", PROT_READ, MAP_PRIVATE },
		{ "private ---", PROT_NONE, MAP_PRIVATE },
		{ "shared  rw-", PROT_READ | PROT_WRITE, MAP_SHARED },
		{ "shared  r--", PROT_READ, MAP_SHARED },
		{ "shared  ---", PROT_NONE, MAP_SHARED },
	};
	for (int i = 0; i < 6; i++) {
		char *at = mmap(0, 8192, PROT_READ | PROT_WRITE, kinds[i].flags | MAP_ANONYMOUS, -1, 0);
		*(word *)at = 7;
		mprotect(at, 4096, kinds[i].prot);
		mprotect(at + 4096, 4096, kinds[i].prot);
		begin(nothing);
		printf("%s: peek %ld", kinds[i].name, peek((word)at));
		printf(" poke %ld", tr(PTRACE_POKEDATA, (word)at, 8));
		printf(" peek %ld", peek((word)at));
		printf(" untouched: peek %ld", peek((word)at + 4096));
		printf(" poke %ld", tr(PTRACE_POKEDATA, (word)at + 4096, 9));
		printf(" peek %ld", peek((word)at + 4096));
		mprotect(at, 8192, PROT_READ);
		printf(" own %ld %ld\n", *(long *)at, *(long *)(at + 4096));
		end();
		munmap(at, 8192);
	}
	char *at = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(at + 4096, 4096);
	begin(nothing);
	printf("across the end: peek %ld", peek((word)at + 4092));
	printf(" poke %ld", tr(PTRACE_POKEDATA, (word)at + 4092, -1));
	printf(" in it %ld\n", peek((word)at + 4088) >> 32);
	printf("nowhere: peek %ld poke %ld, kernel %ld\n", peek(8), tr(PTRACE_POKEDATA, 8, 1),
	       peek(0xffff888000000000));
	printf("bad pointer: %ld\n", tr(PTRACE_PEEKDATA, (word)at, 8));
	end();
}

static void registers(void)
{
	begin(nothing);
	word value = 5;
	printf("peekuser: odd %ld", tr(PTRACE_PEEKUSR, 1, (word)&value));
	for (int at = 912; at < 944; at += 8)
		printf(" %d: %ld", at, tr(PTRACE_PEEKUSR, at, (word)&value));
	printf("\n");
	long ret = tr(PTRACE_PEEKUSR, 216, (word)&value);
	printf("behind the registers: %ld %ld poke %ld\n", ret, value, tr(PTRACE_POKEUSR, 216, 0));
	printf("cs 0: %ld, cs of ring 0: %ld, ss 0: %ld\n", POKE(cs, 0), POKE(cs, 0x10), POKE(ss, 0));
	printf("fs_base: kernel %ld", POKE(fs_base, 1ul << 63));
	printf(" user %ld\n", POKE(fs_base, 0x1000));
	struct user_regs_struct before = regs();
	ret = POKE(eflags, ~0x100ul);
	printf("flags: %ld %llx", ret, regs().eflags);
	ret = POKE(eflags, 0);
	printf(" %ld %llx\n", ret, regs().eflags);
	printf("cs %llx ss %llx fs_base %llx ds %llx\n", before.cs, before.ss, before.fs_base, before.ds);
	struct user_regs_struct r = before;
	r.r15 = 15, r.rbx = 3;
	ret = tr(PTRACE_SETREGS, 0, (word)&r);
	printf("setregs %ld: r15 %lld rbx %lld\n", ret, regs().r15, regs().rbx);
	for (int i = 0; i < 4; i++) {
		size_t lens[] = { 0, 8, 7, 1000 };
		struct iovec v = { &r, lens[i] };
		long got = tr(PTRACE_GETREGSET, 1, (word)&v);
		printf("getregset of %zu: %ld, %zu bytes\n", lens[i], got, v.iov_len);
	}
	struct iovec v = { &r, 16 };
	r.r15 = 16, r.r14 = 17, r.r13 = 99;
	ret = tr(PTRACE_SETREGSET, 1, (word)&v);
	printf("setregset %ld: %lld %lld\n", ret, regs().r15, regs().r14);
	end();
}

static void suspends(void)
{
	word blocked = 1ul << (SIGUSR1 - 1), none = 0;
	call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&blocked, 0, 8);
	call6(SYS_rt_sigsuspend, (long)&none, 8, 0, 0);
}

static void masks(void)
{
	begin(suspends);
	tr(PTRACE_DETACH, 0, 0);
	usleep(20000);
	printf("seize %ld", tr(PTRACE_SEIZE, 0, 0));
	printf(" interrupt %ld", tr(PTRACE_INTERRUPT, 0, 0));
	printf(" status %x\n", stop());
	word set = 0;
	long bad = tr(PTRACE_GETSIGMASK, 4, (word)&set);
	long got = tr(PTRACE_GETSIGMASK, 8, (word)&set);
	printf("getsigmask: size 4 %ld, size 8 %ld: %lx\n", bad, got, set);
	set = ~0ul;
	got = tr(PTRACE_SETSIGMASK, 8, (word)&set);
	tr(PTRACE_GETSIGMASK, 8, (word)&set);
	printf("setsigmask %ld: %lx\n", got, set);
	// Blocked now: it stays in the queue.
	union sigval v = { .sival_int = 77 };
	sigqueue(child, SIGRTMIN + 3, v);
	sigqueue(child, SIGRTMIN + 3, v);
	kill(child, SIGUSR2);
	siginfo_t infos[4];
	memset(infos, 0, sizeof infos);
	struct { uint64_t off; uint32_t flags; int32_t nr; } args = { 0, 1, 4 };
	got = tr(PTRACE_PEEKSIGINFO, (word)&args, (word)infos);
	printf("peeksiginfo: %ld: %d %d %d value %d\n", got, infos[0].si_signo == SIGRTMIN + 3,
	       infos[1].si_signo == SIGRTMIN + 3, infos[2].si_signo, infos[1].si_value.sival_int);
	args.off = 2;
	printf("from the third: %ld", tr(PTRACE_PEEKSIGINFO, (word)&args, (word)infos));
	args.off = 0, args.flags = 0;
	printf(" own queue: %ld", tr(PTRACE_PEEKSIGINFO, (word)&args, (word)infos));
	args.flags = 2;
	printf(" flags 2: %ld", tr(PTRACE_PEEKSIGINFO, (word)&args, (word)infos));
	args.flags = 0, args.nr = -1;
	printf(" nr -1: %ld\n", tr(PTRACE_PEEKSIGINFO, (word)&args, (word)infos));
	end();
}

static void dies(void)
{
	begin(nothing);
	tr(PTRACE_SETOPTIONS, 0, PTRACE_O_TRACEEXIT);
	tr(PTRACE_CONT, 0, 0);
	kill(child, SIGKILL);
	int status = stop();
	tr(PTRACE_GETEVENTMSG, 0, (word)&msg);
	printf("killed: status %x message %ld peek %ld\n", status, msg, peek((word)&msg));
	// Nothing ends this stop but the tracer.
	kill(child, SIGKILL);
	printf("again: %d\n", waitpid(child, &status, WNOHANG));
	printf("cont %ld", tr(PTRACE_CONT, 0, 0));
	printf(" status %x\n", stop());
}

static void info(void)
{
	begin(nothing);
	siginfo_t i;
	tr(PTRACE_GETSIGINFO, 0, (word)&i);
	i.si_signo = SIGTERM, i.si_code = SI_QUEUE;
	printf("setsiginfo %ld", tr(PTRACE_SETSIGINFO, 0, (word)&i));
	tr(PTRACE_GETSIGINFO, 0, (word)&i);
	printf(": %d %d\n", i.si_signo, i.si_code);
	tr(PTRACE_CONT, 0, SIGTERM);
	printf("status %x\n", stop());
}

int main(int argc, char **argv)
{
	setvbuf(stdout, 0, _IOFBF, 1 << 16);
	if (argc > 1 && !strcmp(argv[1], "--pause"))
		for (;;)
			pause();
	both_ends();
	other_calls();
	restart();
	exec();
	memory();
	registers();
	masks();
	dies();
	info();
	return 0;
}
