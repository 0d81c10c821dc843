/* waitpid tells of a child that stops, goes on and is killed. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status;
	static const int signals[] = { SIGSTOP, SIGCONT, SIGTERM };
	pid_t child = fork();

	if (child == -1) {
		perror("fork");
		return 1;
	}
	if (child == 0) {
		for (;;)
			pause();
	}
	for (int i = 0; i < 3; i++) {
		kill(child, signals[i]);
		if (waitpid(child, &status, WUNTRACED | WCONTINUED) != child) {
			perror("waitpid");
			return 1;
		}
		if (WIFSTOPPED(status))
			printf("child is stopped by signal %d\n", WSTOPSIG(status));
		else if (WIFCONTINUED(status))
			printf("child goes on\n");
		else if (WIFSIGNALED(status))
			printf("child is killed by signal %d\n", WTERMSIG(status));
	}
	return 0;
}
