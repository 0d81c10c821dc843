/* The host kernel's side of the benchmarks: a small static program, pinned to
 * one processor. Prints one line a figure: name and nanoseconds.
 *
 * usage: host NAME [N]
 *   fork_exit_wait            fork, _exit, waitpid of a small process
 *   fork_pages N              one fork with N touched pages (exit not timed)
 *   cow_fault N               one write to a page shared by fork
 *   touch_fault N             one first write to an anonymous page
 *   wait_live N               wait4(-1, WNOHANG) with N live children
 *   thread                    thread-like clone, exit, futex join
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static char *touched(size_t pages)
{
	char *m = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		exit(3);
	madvise(m, pages * 4096, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < pages; i++)
		m[i * 4096] = 1;
	return m;
}

static double fork_exit_wait(void)
{
	int n = 2000;
	double t = now();
	for (int i = 0; i < n; i++) {
		pid_t p = fork();
		if (p == 0)
			_exit(0);
		waitpid(p, NULL, 0);
	}
	return (now() - t) / n;
}

static double fork_pages(size_t pages)
{
	touched(pages);
	double best = 1e18;
	for (int i = 0; i < 5; i++) {
		double t = now();
		pid_t p = fork();
		if (p == 0)
			_exit(0);
		double d = now() - t;
		if (d < best)
			best = d;
		waitpid(p, NULL, 0);
	}
	return best;
}

static double cow_fault(size_t pages)
{
	char *m = touched(pages);
	int pipefd[2];
	if (pipe(pipefd))
		exit(3);
	pid_t p = fork();
	if (p == 0) {
		char c;
		close(pipefd[1]);
		if (read(pipefd[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	double t = now();
	for (size_t i = 0; i < pages; i++)
		m[i * 4096] = 2;
	double d = (now() - t) / pages;
	close(pipefd[1]);
	waitpid(p, NULL, 0);
	return d;
}

static double touch_fault(size_t pages)
{
	char *m = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(m, pages * 4096, MADV_NOHUGEPAGE);
	double t = now();
	for (size_t i = 0; i < pages; i++)
		m[i * 4096] = 1;
	return (now() - t) / pages;
}

static int idle_child(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

static double wait_live(int children)
{
	pid_t *pids = calloc(children, sizeof(pid_t));
	char *stack = malloc(65536);
	int made = 0;
	for (; made < children; made++) {
		/* Sharing the mm keeps 30,000 of them affordable. */
		pids[made] = clone(idle_child, stack + 65536, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
		if (pids[made] < 0)
			break;
	}
	if (made < children)
		fprintf(stderr, "only %d of %d children\n", made, children);
	int n = 50;
	double t = now();
	for (int i = 0; i < n; i++)
		waitpid(-1, NULL, WNOHANG);
	double d = (now() - t) / n;
	for (int i = 0; i < made; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < made; i++)
		waitpid(pids[i], NULL, 0);
	return d;
}

static int tid_word;

static int thread_fn(void *arg)
{
	(void)arg;
	syscall(SYS_exit, 0);
	return 0;
}

static double thread_join(void)
{
	int n = 5000;
	char *stack = malloc(65536);
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
		    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	double t = now();
	for (int i = 0; i < n; i++) {
		int tid = clone(thread_fn, stack + 65536, flags, NULL, &tid_word, NULL, &tid_word);
		while (__atomic_load_n(&tid_word, __ATOMIC_ACQUIRE) == tid)
			syscall(SYS_futex, &tid_word, FUTEX_WAIT, tid, NULL, NULL, 0);
	}
	return (now() - t) / n;
}

int main(int argc, char **argv)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	const char *name = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 0;
	double ns;
	if (!strcmp(name, "fork_exit_wait"))
		ns = fork_exit_wait();
	else if (!strcmp(name, "fork_pages"))
		ns = fork_pages(n);
	else if (!strcmp(name, "cow_fault"))
		ns = cow_fault(n);
	else if (!strcmp(name, "touch_fault"))
		ns = touch_fault(n);
	else if (!strcmp(name, "wait_live"))
		ns = wait_live(n);
	else if (!strcmp(name, "thread"))
		ns = thread_join();
	else
		return 2;
	printf("%s %ld %.1f\n", name, n, ns);
	return 0;
}
