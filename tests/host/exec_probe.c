// Executes each file that is named on standard input and says what came of it:
// E errno, X exit code, S signal. Addresses are not randomised.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	char path[4096];
	while (fgets(path, sizeof path, stdin)) {
		path[strcspn(path, "\n")] = 0;
		int report[2];
		if (pipe2(report, O_CLOEXEC))
			return 1;
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0) {
			struct rlimit none = {0, 0}, second = {1, 1};
			setrlimit(RLIMIT_CORE, &none);
			setrlimit(RLIMIT_CPU, &second);
			personality(ADDR_NO_RANDOMIZE);
			int null = open("/dev/null", O_RDWR);
			dup2(null, 0);
			dup2(null, 1);
			dup2(null, 2);
			char *argv[] = {path, NULL}, *envp[] = {NULL};
			execve(path, argv, envp);
			int e = errno;
			if (write(report[1], &e, sizeof e) != sizeof e)
				_exit(1);
			_exit(0);
		}
		close(report[1]);
		int e = 0, status;
		if (read(report[0], &e, sizeof e) != sizeof e)
			e = 0;
		close(report[0]);
		waitpid(pid, &status, 0);
		if (e)
			printf("E %d\n", e);
		else if (WIFSIGNALED(status))
			printf("S %d\n", WTERMSIG(status));
		else
			printf("X %d\n", WEXITSTATUS(status));
	}
	return 0;
}
