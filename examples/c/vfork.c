/* The twin of cow.c: a child of vfork has its parent's memory itself, and
 * the parent sleeps until the child is done with it. Prints 10, 20, 20. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int data = 10;

int main(void)
{
	int before = data, status;
	pid_t child = vfork();

	if (child == -1) {
		perror("vfork");
		return 1;
	}
	if (child == 0) {
		/* Nothing of libc here: its memory is the parent's. */
		data = 20;
		_exit(data);
	}
	if (waitpid(child, &status, 0) != child) {
		perror("waitpid");
		return 1;
	}
	printf("child: data %d\n", before);
	printf("child: data %d\n", WEXITSTATUS(status));
	printf("parent: data %d\n", data);
	return 0;
}
