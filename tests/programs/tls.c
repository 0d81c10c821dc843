// Thread-local storage, constructors and destructors, what exit calls.
#include "common.h"
#include <pthread.h>

static __thread int zero;
static __thread int set = 7;
static __thread char text[32] = "initial";
static __thread struct {
    long a, b;
    double d[4];
} aligned __attribute__((aligned(64))) = {1, 2, {0.5, 1.5}};
static _Thread_local int *to_own;

static int made;
__attribute__((constructor(101))) static void first(void) { made = made * 10 + 1; }
__attribute__((constructor(102))) static void second(void) { made = made * 10 + 2; }
__attribute__((constructor)) static void last(void) { made = made * 10 + 3; }
__attribute__((destructor)) static void end1(void) {
    printf("destructor\n");
    fflush(stdout);
}

static pthread_key_t keys[3];
static int order[8], used;
static void gone(void *value) {
    order[used++] = (int)(long)value;
    set++;
}

static void *thread(void *arg) {
    int me = (int)(long)arg;
    MUST(zero == 0 && set == 7 && strcmp(text, "initial") == 0);
    MUST(((unsigned long)&aligned & 63) == 0 && aligned.b == 2 && aligned.d[1] == 1.5);
    zero = me;
    set += me;
    snprintf(text, sizeof text, "thread %d", me);
    to_own = &zero;
    MUST(*to_own == me);
    for (long i = 0; i < 3; i++) pthread_setspecific(keys[i], (void *)(i + 1));
    pthread_setspecific(keys[1], NULL);
    return (void *)(long)(set * 100 + (int)strlen(text));
}

static void at_exit1(void) { printf("atexit 1\n"); }
static void at_exit2(void) {
    printf("atexit 2\n");
    atexit(at_exit1);
}
static void at_exit3(void) { printf("atexit 3, set %d\n", set); }

int main(void) {
    printf("constructors %d\n", made);
    for (int i = 0; i < 3; i++) pthread_key_create(&keys[i], gone);
    for (long i = 1; i < 4; i++) {
        pthread_t t;
        void *r;
        pthread_create(&t, NULL, thread, (void *)i);
        pthread_join(t, &r);
        printf("%ld\n", (long)r);
    }
    int sum = 0;
    for (int i = 0; i < used; i++) sum += order[i];
    printf("destroyed %d, sum %d\n", used, sum);
    printf("own: %d %d %s %ld\n", zero, set, text, aligned.a);
    pid_t pid = fork();
    if (pid == 0) {
        set = 50;
        printf("child: %d %s\n", set, text);
        exit(0);
    }
    int status;
    MUST(waitpid(pid, &status, 0) == pid);
    printf("still %d\n", set);
    fflush(stdout);
    atexit(at_exit3);
    atexit(at_exit2);
    if (fork() == 0) {
        printf("neither buffers nor functions at _exit");
        _exit(1);
    }
    wait(&status);
    return 11;
}
