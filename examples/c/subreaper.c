/* An orphan goes to its nearest ancestor that is a subreaper, not to init.
 *
 *   p1 (subreaper) --> p2 --> p3      p2 exits: p3 is p1's child
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int to_p2[2], to_p3[2], from_p3[2], status;
	char byte = 0;
	pid_t p1 = getpid(), p2, p3;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || pipe(to_p2) != 0 || pipe(to_p3) != 0 ||
	    pipe(from_p3) != 0) {
		perror("subreaper");
		return 1;
	}
	p2 = fork();
	if (p2 == 0) {
		pid_t me = getpid();
		if (fork() == 0) {
			byte = getppid() == me;
			write(from_p3[1], &byte, 1);
			read(to_p3[0], &byte, 1);
			byte = getppid() == p1;
			write(from_p3[1], &byte, 1);
			_exit(3);
		}
		read(to_p2[0], &byte, 1);
		_exit(2);
	}
	read(from_p3[0], &byte, 1);
	printf("p3's parent is p2: %s\n", byte ? "yes" : "no");
	write(to_p2[1], "x", 1);
	if (waitpid(p2, &status, 0) != p2) {
		perror("waitpid");
		return 1;
	}
	printf("p2 has exited with %d\n", WEXITSTATUS(status));
	write(to_p3[1], "x", 1);
	read(from_p3[0], &byte, 1);
	printf("p3's parent is p1: %s\n", byte ? "yes" : "no");
	p3 = waitpid(-1, &status, 0);
	printf("p1 has reaped p3: %s, it had exited with %d\n", p3 > p2 ? "yes" : "no",
	       WEXITSTATUS(status));
	return 0;
}
