/* Primes up to five million: bytes, loops, little else. */
#include <stdio.h>
#include <string.h>

#define LIMIT 5000000

static char prime[LIMIT + 1];

int main(void)
{
    long count = 0;

    for (int round = 0; round < 4; round++) {
        memset(prime, 1, sizeof prime);
        for (long i = 2; i <= LIMIT; i++) {
            if (!prime[i])
                continue;
            count++;
            for (long j = i * i; j <= LIMIT; j += i)
                prime[j] = 0;
        }
    }
    printf("%ld\n", count);
    return 0;
}
