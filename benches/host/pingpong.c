/* The host kernel's side of benches/sched.rs: two processes on one processor
 * pass a byte to and fro through two pipes. Prints ns a switch. */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(void)
{
	enum { ROUNDS = 100000 };
	int there[2], back[2];
	char c = 0;
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof one, &one);
	if (pipe(there) || pipe(back))
		return 1;
	pid_t child = fork();
	if (child == 0) {
		close(there[1]);
		while (read(there[0], &c, 1) == 1)
			if (write(back[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	double t = now();
	for (int i = 0; i < ROUNDS; i++)
		if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
			return 1;
	printf("%.1f\n", (now() - t) / (2.0 * ROUNDS));
	close(there[1]);
	waitpid(child, NULL, 0);
	return 0;
}
