/* A hash table with chains that lie all over the heap: loads that depend on
 * loads. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS (1 << 16)
#define ENTRIES 400000

struct entry {
    struct entry *next;
    uint64_t key, value;
};

static struct entry *table[BUCKETS];

static uint64_t random_after(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

static unsigned bucket(uint64_t key)
{
    return (unsigned)(key * 0x9e3779b97f4a7c15ull >> 48);
}

int main(void)
{
    struct entry *pool = malloc(ENTRIES * sizeof *pool);
    uint64_t x = 88172645463325252ull, sum = 0;

    if (!pool)
        return 1;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &pool[i * 7919 % ENTRIES];
        x = random_after(x);
        *e = (struct entry){ table[bucket(x)], x, i };
        table[bucket(x)] = e;
    }
    for (int round = 0; round < 4; round++) {
        x = 88172645463325252ull;
        for (uint64_t i = 0; i < ENTRIES; i++) {
            x = random_after(x);
            for (struct entry *e = table[bucket(x)]; e; e = e->next) {
                if (e->key == x) {
                    sum += e->value;
                    break;
                }
            }
        }
    }
    printf("%llu\n", (unsigned long long)sum);
    return 0;
}
