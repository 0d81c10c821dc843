/* SHA-256 of sixteen MiB, as FIPS 180-4 describes it: rotations and sums of
 * words. The constants are computed: the first 32 bits of the fractional parts
 * of roots of the first primes. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

static uint32_t k[64];
static uint32_t state[8];
static uint8_t message[1 << 20];

static uint32_t fraction(long double x)
{
    return (uint32_t)((x - floorl(x)) * 4294967296.0L);
}

static void constants(void)
{
    int n = 0;

    for (int p = 2; n < 64; p++) {
        int divisible = 0;
        for (int d = 2; d * d <= p; d++)
            divisible |= p % d == 0;
        if (divisible)
            continue;
        if (n < 8)
            state[n] = fraction(sqrtl(p));
        k[n++] = fraction(cbrtl(p));
    }
}

static inline uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void block(const uint8_t *p)
{
    uint32_t w[64], s[8];

    for (int i = 0; i < 16; i++, p += 4)
        w[i] = (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3)
             + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
    for (int i = 0; i < 8; i++)
        s[i] = state[i];
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t1 = s[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25))
                    + ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
        uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22))
                    + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        for (int j = 7; j > 0; j--)
            s[j] = s[j - 1];
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

int main(void)
{
    constants();
    for (uint32_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 7);
    for (int round = 0; round < 16; round++)
        for (uint32_t i = 0; i < sizeof message; i += 64)
            block(message + i);
    for (int i = 0; i < 8; i++)
        printf("%08x", state[i]);
    putchar('\n');
    return 0;
}
