// Producers and consumers with a mutex and condition variables; a turnstile.
#include "common.h"
#include <pthread.h>
#include <time.h>

enum { SLOTS = 4, ITEMS = 120, MAKERS = 3, TAKERS = 2 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static int slots[SLOTS], used, next_in, next_out;
static long sum, taken;

static void *maker(void *arg) {
    int first = (int)(long)arg;
    for (int i = 0; i < ITEMS; i++) {
        pthread_mutex_lock(&lock);
        while (used == SLOTS) pthread_cond_wait(&not_full, &lock);
        slots[next_in] = first * 1000 + i;
        next_in = (next_in + 1) % SLOTS;
        used++;
        pthread_cond_signal(&not_empty);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *taker(void *arg) {
    (void)arg;
    long own = 0;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (used == 0 && taken < ITEMS * MAKERS) pthread_cond_wait(&not_empty, &lock);
        if (used == 0) {
            pthread_mutex_unlock(&lock);
            return (void *)own;
        }
        own++;
        sum += slots[next_out];
        next_out = (next_out + 1) % SLOTS;
        used--;
        if (++taken == ITEMS * MAKERS) pthread_cond_broadcast(&not_empty);
        pthread_cond_signal(&not_full);
        pthread_mutex_unlock(&lock);
    }
}

static int turn;
static char order[64];

static void *player(void *arg) {
    int me = (int)(long)arg;
    for (int round = 0; round < 10; round++) {
        pthread_mutex_lock(&lock);
        while (turn % 3 != me) pthread_cond_wait(&not_full, &lock);
        order[turn] = (char)('a' + me);
        turn++;
        pthread_cond_broadcast(&not_full);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int main(void) {
    pthread_t makers[MAKERS], takers[TAKERS];
    for (long i = 0; i < TAKERS; i++) MUST(pthread_create(&takers[i], NULL, taker, NULL) == 0);
    for (long i = 0; i < MAKERS; i++)
        MUST(pthread_create(&makers[i], NULL, maker, (void *)i) == 0);
    for (int i = 0; i < MAKERS; i++) pthread_join(makers[i], NULL);
    long each = 0;
    for (int i = 0; i < TAKERS; i++) {
        void *own;
        pthread_join(takers[i], &own);
        each += (long)own;
    }
    printf("sum %ld of %ld, together %ld\n", sum, taken, each);

    pthread_t players[3];
    for (long i = 0; i < 3; i++) pthread_create(&players[i], NULL, player, (void *)i);
    for (int i = 0; i < 3; i++) pthread_join(players[i], NULL);
    printf("%s\n", order);

    // Nobody signals: the time runs out.
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 3000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&lock);
    printf("timedwait: %s\n", ename(pthread_cond_timedwait(&not_empty, &lock, &at)));
    printf("trylock: %s\n", ename(pthread_mutex_trylock(&lock)));
    pthread_mutex_unlock(&lock);

    // Kinds of mutexes.
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_t rec, chk;
    pthread_mutex_init(&rec, &attr);
    for (int i = 0; i < 3; i++) MUST(pthread_mutex_lock(&rec) == 0);
    for (int i = 0; i < 3; i++) MUST(pthread_mutex_unlock(&rec) == 0);
    printf("not held: %s\n", ename(pthread_mutex_unlock(&rec)));
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&chk, &attr);
    pthread_mutex_lock(&chk);
    printf("held: %s\n", ename(pthread_mutex_lock(&chk)));
    pthread_mutex_unlock(&chk);
    printf("not held: %s\n", ename(pthread_mutex_unlock(&chk)));
    return 0;
}
