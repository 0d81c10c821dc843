/* After fork, parent and child have the same page, read-only; the first
 * write gives the child a copy of its own. Prints 10, 20, 10. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int data = 10;

int main(void)
{
	pid_t child = fork();

	if (child == -1) {
		perror("fork");
		return 1;
	}
	if (child == 0) {
		printf("child: data %d\n", data);
		data = 20;
		printf("child: data %d\n", data);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(child, NULL, 0) != child) {
		perror("waitpid");
		return 1;
	}
	printf("parent: data %d\n", data);
	return 0;
}
