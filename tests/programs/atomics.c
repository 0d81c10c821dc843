// C11 atomics: counters, locks, lists and orders between threads.
#include "common.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sched.h>

enum { THREADS = 4, N = 3000 };
static atomic_int counter, relaxed;
static atomic_ullong wide;
static _Atomic unsigned char narrow;
static _Atomic unsigned short half;
static atomic_flag spin = ATOMIC_FLAG_INIT;
static long plain;
static _Atomic double sum;

struct node {
    struct node *next;
    int value;
};
static _Atomic(struct node *) head;
static atomic_uint ticket, serving;
static long under_ticket;

static void *work(void *arg) {
    long me = (long)arg;
    struct node *nodes = malloc(N / 10 * sizeof *nodes);
    for (int i = 0; i < N; i++) {
        atomic_fetch_add(&counter, 1);
        atomic_fetch_add_explicit(&relaxed, 2, memory_order_relaxed);
        atomic_fetch_xor(&wide, (unsigned long long)i << (me * 8));
        atomic_fetch_add(&narrow, 3);
        atomic_fetch_sub(&half, 5);
        if (i % 10 == 0) {
            while (atomic_flag_test_and_set_explicit(&spin, memory_order_acquire)) sched_yield();
            plain++;
            atomic_flag_clear_explicit(&spin, memory_order_release);
            struct node *n = &nodes[i / 10];
            n->value = i;
            n->next = atomic_load(&head);
            while (!atomic_compare_exchange_weak(&head, &n->next, n)) {}
            double old = atomic_load(&sum);
            while (!atomic_compare_exchange_strong(&sum, &old, old + 0.5)) {}
            unsigned mine = atomic_fetch_add(&ticket, 1);
            while (atomic_load(&serving) != mine) sched_yield();
            under_ticket += 2;
            atomic_store(&serving, mine + 1);
        }
    }
    return NULL;
}

// What is written before a flag is there when the flag is seen.
static int data;
static atomic_int ready;
static void *reads(void *arg) {
    while (!atomic_load_explicit(&ready, memory_order_acquire)) sched_yield();
    *(int *)arg = data;
    return NULL;
}

int main(void) {
    pthread_t t[THREADS];
    for (long i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    printf("%d %d %llx %u %u\n", counter, relaxed, (unsigned long long)wide, (unsigned)narrow,
           (unsigned)half);
    long nodes = 0, values = 0;
    for (struct node *n = head; n; n = n->next) {
        nodes++;
        values += n->value;
    }
    printf("%ld %ld %ld %g %ld\n", plain, nodes, values, (double)sum, under_ticket);

    int got = 0;
    pthread_create(&t[0], NULL, reads, &got);
    data = 42;
    atomic_store_explicit(&ready, 1, memory_order_release);
    pthread_join(t[0], NULL);
    printf("data %d\n", got);

    atomic_int x = 5;
    int expected = 4;
    printf("cas %d", atomic_compare_exchange_strong(&x, &expected, 9));
    printf(" %d", expected);
    printf(" %d", atomic_compare_exchange_strong(&x, &expected, 9));
    printf(" %d\n", x);
    printf("exchange %d", atomic_exchange(&x, 3));
    printf(" and %d", atomic_fetch_and(&x, 6));
    printf(" or %d", atomic_fetch_or(&x, 8));
    printf(" now %d\n", x);
    atomic_thread_fence(memory_order_seq_cst);
    printf("lock free %d %d\n", atomic_is_lock_free(&x), atomic_is_lock_free(&wide));
    int64_t i = -1;
    __atomic_fetch_add(&i, 10, __ATOMIC_SEQ_CST);
    __sync_fetch_and_nand(&i, 12);
    printf("%ld %d\n", (long)i, __sync_bool_compare_and_swap(&i, -9, 1));
    uint32_t u = __atomic_fetch_add(&(uint32_t){0xffffffffu}, 1, __ATOMIC_RELAXED);
    printf("%u\n", u);
    return 0;
}
