// Integer arithmetic and algorithms: wide numbers, bits, hashes, a sieve, queens.
#include "common.h"
#include <stdint.h>

typedef unsigned __int128 u128;

static void put128(u128 v) {
    char s[50];
    int i = 49;
    s[i] = 0;
    do s[--i] = (char)('0' + (int)(v % 10));
    while (v /= 10);
    printf("%s\n", s + i);
}

static uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha256(const uint8_t *data, size_t len, uint8_t out[32]) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (size_t at = 0; at < (len + 72) / 64 * 64; at += 64) {
        uint32_t w[64];
        for (size_t i = 0; i < 64; i++) {
            size_t p = at + i;
            uint8_t b = p < len ? data[p] : p == len ? 0x80 : 0;
            if (p >= (len + 72) / 64 * 64 - 8) b = (uint8_t)((uint64_t)len * 8 >> (8 * (63 - i)));
            w[i / 4] = w[i / 4] << 8 | b;
        }
        for (int i = 16; i < 64; i++)
            w[i] = w[i - 16] + (rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
                   (rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10);
        uint32_t s[8];
        memcpy(s, h, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = s[7] + (rotr(s[4], 6) ^ rotr(s[4], 11) ^ rotr(s[4], 25)) +
                          ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
            uint32_t t2 = (rotr(s[0], 2) ^ rotr(s[0], 13) ^ rotr(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 28);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) h[i] += s[i];
    }
    for (int i = 0; i < 32; i++) out[i] = (uint8_t)(h[i / 4] >> (24 - i % 4 * 8));
}

static int queens(int n, unsigned cols, unsigned d1, unsigned d2, int row) {
    if (row == n) return 1;
    int count = 0;
    for (unsigned free = ~(cols | d1 | d2) & ((1u << n) - 1); free; free &= free - 1) {
        unsigned bit = free & -free;
        count += queens(n, cols | bit, (d1 | bit) << 1, (d2 | bit) >> 1, row + 1);
    }
    return count;
}

int main(void) {
    u128 f = 1;
    for (int i = 2; i <= 34; i++) f *= (unsigned)i;
    put128(f);
    put128(f / 1000000007 * 3 + f % 1000000007);
    __int128 neg = -(__int128)f;
    printf("%d %lld\n", neg < 0, (long long)(neg >> 70));
    volatile uint64_t a = 0x123456789abcdef0, b = 0xfedcba987;
    volatile int64_t sa = -1234567890123, sb = 1000;
    printf("%lx %lx %ld %ld\n", (long)(a * b), (long)(a / b), (long)(sa / sb), (long)(sa % sb));
    printf("%lx %ld %x\n", (long)(a << 7 ^ a >> 9), (long)(sa >> 3), (unsigned)(uint16_t)(a * 31));
    printf("%d %d %d %d %d\n", __builtin_popcountll(a), __builtin_clzll(b), __builtin_ctzll(a),
           __builtin_parity(77), __builtin_ffs(0x80));
    printf("%lx %x %x\n", (long)__builtin_bswap64(a), __builtin_bswap32((uint32_t)a),
           (unsigned)__builtin_bswap16((uint16_t)b));
    int r;
    printf("%d", __builtin_add_overflow(2147483647, (int)sb, &r));
    printf(" %d", r);
    printf(" %d\n", __builtin_mul_overflow((int)sb, 3, &r));

    uint8_t text[300], out[32];
    for (int i = 0; i < 300; i++) text[i] = (uint8_t)(i * 7);
    for (size_t len = 0; len < 300; len += 59) {
        sha256(text, len, out);
        for (int i = 0; i < 8; i++) printf("%02x", out[i]);
        printf(" ");
    }
    printf("\n");
    uint32_t crc = ~0u;
    for (int i = 0; i < 300; i++) {
        crc ^= text[i];
        for (int j = 0; j < 8; j++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    printf("crc %08x\n", ~crc);
    static char composite[5000];
    int primes = 0, last = 0;
    for (int i = 2; i < 5000; i++) {
        if (composite[i]) continue;
        primes++;
        last = i;
        for (int j = i * i; j < 5000; j += i) composite[j] = 1;
    }
    printf("primes %d last %d\n", primes, last);
    printf("queens %d\n", queens(6, 0, 0, 0, 0));
    double m[6][6], det = 1;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) m[i][j] = 1.0 / (i + j + 1) + (i == j);
    for (int i = 0; i < 6; i++) {
        det *= m[i][i];
        for (int k = i + 1; k < 6; k++) {
            double x = m[k][i] / m[i][i];
            for (int j = i; j < 6; j++) m[k][j] -= x * m[i][j];
        }
    }
    printf("determinant %.10f\n", det);
    struct bits {
        unsigned a : 3, b : 7;
        int c : 5;
        uint64_t d : 40;
    } bits = {5, 100, -7, 0xabcdef0123};
    bits.b += 30;
    bits.c--;
    printf("%u %u %d %lx\n", bits.a, bits.b, bits.c, (long)bits.d);
    return 0;
}
