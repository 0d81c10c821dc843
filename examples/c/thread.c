/* Threads are tasks with a pid each; what getpid returns is the tgid, the
 * pid of the first of them. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t first;

static pid_t tid(void)
{
	return syscall(SYS_gettid);
}

static void *body(void *name)
{
	printf("%s: pid is main's: %s, tid is another: %s\n", (const char *)name,
	       getpid() == first ? "yes" : "no", tid() != first ? "yes" : "no");
	return (void *)(long)(tid() - first);
}

int main(void)
{
	pthread_t thread[2];
	static const char *names[2] = { "thread 1", "thread 2" };
	void *distance;

	first = getpid();
	printf("main: pid is tid: %s\n", first == tid() ? "yes" : "no");
	for (int i = 0; i < 2; i++) {
		if (pthread_create(&thread[i], NULL, body, (void *)names[i]) != 0) {
			fprintf(stderr, "cannot create a thread\n");
			return 1;
		}
		if (pthread_join(thread[i], &distance) != 0) {
			fprintf(stderr, "cannot join a thread\n");
			return 1;
		}
		printf("%s has ended; its tid was a later one: %s\n", names[i],
		       (long)distance > 0 ? "yes" : "no");
	}
	return 0;
}
