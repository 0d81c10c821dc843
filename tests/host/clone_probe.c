/*
 * clone_probe: asks the running kernel which clone flag sets it accepts.
 *
 * Input, one request a line; output, one line for each, in the same order:
 *
 *     legacy FLAGS_HEX                 clone(2), exit signal in the low byte
 *     clone3 FLAGS_HEX EXIT_SIGNAL     clone3(2), both as written
 *
 *     ok | EINVAL | EPERM | EBADF | ...    an errno without a name prints E<n>
 *
 * Options: `--uid N` drops every privilege and becomes user and group N
 * before the first request; `--init` asks as the init of a new pid namespace;
 * `--cgroup DIR` makes CLONE_INTO_CGROUP name that directory.
 *
 * Who is who:
 *
 *     main ---- reads all requests, prints all answers
 *       '-- keeper ---- subreaper: adopts and reaps whatever is left behind
 *             '-- worker ---- makes the calls, one after another
 *                   '-- child ---- notes that it ran, exits: nothing else
 *
 * The keeper is the worker's parent, so CLONE_PARENT gives the keeper a child
 * and not our caller. A worker may be killed by the exit signal it asked for
 * (SIGKILL cannot be blocked); the keeper then starts another one behind that
 * request. Answers lie in memory shared by all four, and a child records its
 * own success, so no answer is lost with a worker.
 *
 * What every request passes, wanted or not:
 *   - a stack of its own, so that a CLONE_VM child cannot step on its parent;
 *   - tls = our own FS base, valid for CLONE_SETTLS with and without CLONE_VM;
 *   - distinct valid pointers for parent_tid, child_tid and pidfd, except that
 *     clone(2) has one argument for parent_tid and pidfd;
 *   - cgroup = a descriptor that is not open: CLONE_INTO_CGROUP gets as far as
 *     looking it up and is told EBADF. (-1 would be refused with EINVAL by the
 *     copying of the arguments, and tell nothing about the order of checks.)
 *
 * Environment: signals are blocked and at their default dispositions, no
 * tracer, no pending pid namespace, limits as inherited.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "clone_probe knows the x86_64 calling convention only"
#endif

enum {
	STACK_SIZE = 64 * 1024,
	/* Nobody has this many files open; fits in an int, see above. */
	CLOSED_FD = 1 << 24,
	/* The whole run ends by SIGALRM after this many seconds. */
	TIME_LIMIT_S = 60,
	/* Not yet asked; errno values are positive, success is 0. */
	UNANSWERED = -1,
};

/* struct clone_args of 5.7, spelled out so that old headers will do. */
struct args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal;
	uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

struct request {
	bool legacy;
	uint64_t flags, exit_signal;
	/* Written by the worker, or by the child for 0. */
	volatile int answer;
	/* Written by the child: it was really there. */
	volatile int child_ran;
};

/* In shared memory: main, keeper, worker and child all see one copy. */
static struct request *requests;
static size_t count;

/* The request being asked; per worker, inherited by its child. */
static struct request *volatile asked;
static char *stack;
static unsigned long fs_base;
static int parent_tid, child_tid, pidfd;
static int cgroup_fd = CLOSED_FD;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/*
 * The life of every child. It may share everything with the worker, so it
 * makes no library call: two stores and exit(2), which ends one thread only.
 */
__attribute__((noreturn)) static void child_main(void)
{
	asked->child_ran = 1;
	asked->answer = 0;
	for (;;)
		__asm__ volatile("syscall"
				 :
				 : "a"(SYS_exit), "D"(0)
				 : "rcx", "r11", "memory");
}

/*
 * Preconditions: the child gets a stack other than ours.
 *
 * A system call that returns on two stacks cannot be written in C: syscall(3)
 * itself would return to an address that is not on the child's stack. The
 * child never leaves this asm: it calls child_main and dies there. The kernel
 * preserves all registers but rax, rcx and r11, in the child too.
 */
static long clone_syscall(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register void (*run)(void) __asm__("r12") = child_main;
	long result;

	__asm__ volatile("syscall\n\t"
			 "testq %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "callq *%%r12\n"
			 "1:"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(run)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

static long clone_as_asked(const struct request *r)
{
	if (r->legacy)
		return clone_syscall(SYS_clone, (long)r->flags,
				     (long)(stack + STACK_SIZE),
				     (long)&parent_tid, (long)&child_tid,
				     (long)fs_base);

	struct args args = {
		.flags = r->flags,
		.pidfd = (uintptr_t)&pidfd,
		.child_tid = (uintptr_t)&child_tid,
		.parent_tid = (uintptr_t)&parent_tid,
		.exit_signal = r->exit_signal,
		.stack = (uintptr_t)stack,
		.stack_size = STACK_SIZE,
		.tls = fs_base,
		.cgroup = (uint64_t)cgroup_fd,
	};
	return clone_syscall(SYS_clone3, (long)&args, sizeof(args), 0, 0, 0);
}

/* Returns when the stack is free again: the child is dead, whoever reaps it. */
static void wait_until_gone(const struct request *r, pid_t tid)
{
	if (r->flags & CLONE_THREAD) {
		while (syscall(SYS_tgkill, getpid(), tid, 0) == 0 || errno != ESRCH)
			sched_yield();
	} else if (r->flags & CLONE_PARENT) {
		while (kill(tid, 0) == 0 || errno != ESRCH)
			sched_yield();
	} else if (waitpid(tid, NULL, __WALL) != tid && errno != ECHILD) {
		die("worker: waitpid");
	}
	/*
	 * A dying pid namespace init sets SIGCHLD to SIG_IGN, so that its
	 * children reap themselves (zap_pid_ns_processes). With SIGHAND that
	 * is our disposition too, and it was our child that reaped itself.
	 */
	signal(SIGCHLD, SIG_DFL);
}

static void close_pidfd(const struct request *r)
{
	if (r->flags & CLONE_PIDFD)
		close(r->legacy ? parent_tid : pidfd);
}

__attribute__((noreturn)) static void worker(size_t first)
{
	/* No worker outlives its keeper. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = first; i < count; i++) {
		asked = &requests[i];
		long result = clone_as_asked(asked);
		if (result < 0) {
			asked->answer = (int)-result;
			continue;
		}
		wait_until_gone(asked, (pid_t)result);
		close_pidfd(asked);
	}
	_exit(0);
}

/* Runs workers until every request has been asked, and reaps everything. */
static int keeper(void)
{
	size_t next = 0;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		die("keeper: subreaper");
	while (next < count) {
		pid_t pid = fork();
		if (pid < 0)
			die("keeper: fork");
		if (pid == 0)
			worker(next);

		/* Children of CLONE_PARENT and orphans pass by here as well. */
		int status;
		for (;;) {
			pid_t dead = waitpid(-1, &status, __WALL | WUNTRACED);
			if (dead < 0)
				die("keeper: waitpid");
			if (WIFSTOPPED(status))
				kill(dead, SIGKILL); /* exit signal SIGSTOP */
			else if (dead == pid)
				break;
		}
		size_t done = next;
		while (done < count && requests[done].answer != UNANSWERED)
			done++;
		if (done == next && done < count) {
			fprintf(stderr, "clone_probe: no answer to request %zu\n",
				done);
			return 2;
		}
		next = done;
	}
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	return 0;
}

static void become(uid_t uid)
{
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) ||
	    setresuid(uid, uid, uid))
		die("--uid");
}

static void read_requests(void)
{
	/* Grown in private memory, moved to shared memory when complete. */
	struct request *read = NULL;
	size_t room = 0;
	char line[128];

	while (fgets(line, sizeof(line), stdin)) {
		struct request r = { .answer = UNANSWERED };
		if (sscanf(line, "legacy %" SCNx64, &r.flags) == 1) {
			r.legacy = true;
		} else if (sscanf(line, "clone3 %" SCNx64 " %" SCNu64, &r.flags,
				  &r.exit_signal) != 2) {
			fprintf(stderr, "clone_probe: what is: %s", line);
			exit(2);
		}
		if (count == room) {
			room = room ? 2 * room : 1024;
			read = realloc(read, room * sizeof(*read));
			if (!read)
				die("realloc");
		}
		read[count++] = r;
	}
	if (!count)
		exit(0);
	requests = mmap(NULL, count * sizeof(*read), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (requests == MAP_FAILED)
		die("mmap requests");
	memcpy(requests, read, count * sizeof(*read));
	free(read);
}

static int print_answers(void)
{
	int bad = 0;

	for (size_t i = 0; i < count; i++) {
		int answer = requests[i].answer;
		const char *name = answer > 0 ? strerrorname_np(answer) : NULL;
		if (answer == 0) {
			puts("ok");
			bad |= !requests[i].child_ran;
		} else if (name) {
			puts(name);
			bad |= requests[i].child_ran;
		} else {
			printf("E%d\n", answer);
		}
	}
	if (bad)
		fprintf(stderr, "clone_probe: an answer and a child disagree\n");
	return bad ? 2 : 0;
}

/* Signals: all at default, all blocked, so that exit signals only pend. */
static void settle_signals(void)
{
	sigset_t all;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	if (sigprocmask(SIG_SETMASK, &all, NULL) != 0)
		die("sigprocmask");
}

int main(int argc, char **argv)
{
	bool as_init = false;
	long uid = -1;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--uid") && i + 1 < argc)
			uid = atol(argv[++i]);
		else if (!strcmp(argv[i], "--cgroup") && i + 1 < argc)
			cgroup_fd = open(argv[++i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		else if (!strcmp(argv[i], "--init"))
			as_init = true;
		else {
			fprintf(stderr, "clone_probe: unknown option %s\n", argv[i]);
			return 2;
		}
	}
	if (cgroup_fd < 0)
		die("--cgroup");
	read_requests();

	if (syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base) != 0)
		die("arch_prctl");
	stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		die("mmap stack");
	settle_signals();
	alarm(TIME_LIMIT_S);
	if (as_init && unshare(CLONE_NEWPID) != 0)
		die("--init");

	/* The keeper has no other child to mistake for ours. */
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(TIME_LIMIT_S);
		if (uid >= 0) {
			become((uid_t)uid);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		}
		if (as_init)
			worker(0);
		_exit(keeper());
	}
	int status;
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "clone_probe: keeper ended with status %#x\n",
			(unsigned)status);
		return 2;
	}
	return print_answers();
}
