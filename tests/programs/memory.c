// malloc under stress, in one thread and in several; sorting and searching; strings.
#define _GNU_SOURCE
#include "common.h"
#include <pthread.h>
#include <stdint.h>
#include <strings.h>

static uint32_t next(uint32_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

static unsigned long stress(uint32_t seed, int rounds) {
    enum { SLOTS = 64 };
    unsigned char *p[SLOTS] = {0};
    size_t size[SLOTS] = {0};
    unsigned long sum = 0;
    for (int i = 0; i < rounds; i++) {
        unsigned k = next(&seed) % SLOTS;
        size_t n = next(&seed) % (i % 16 == 0 ? 20000 : 300) + 1;
        for (size_t j = 0; j < size[k]; j += 97)
            if (p[k][j] != (unsigned char)(k + j)) return 0;
        switch (next(&seed) % 4) {
        case 0:
            free(p[k]);
            p[k] = NULL;
            size[k] = 0;
            continue;
        case 1:
            free(p[k]);
            p[k] = calloc(n, 1);
            for (size_t j = 0; j < n; j += 50) sum += p[k][j];
            break;
        case 2: p[k] = realloc(p[k], n); break;
        default:
            free(p[k]);
            MUST(posix_memalign((void **)&p[k], 64, n) == 0 && ((uintptr_t)p[k] & 63) == 0);
        }
        size[k] = n;
        for (size_t j = 0; j < n; j += 97) p[k][j] = (unsigned char)(k + j);
        sum += n;
    }
    for (int k = 0; k < SLOTS; k++) free(p[k]);
    return sum;
}
static void *stress_thread(void *arg) { return (void *)stress((uint32_t)(long)arg, 600); }

static int by_int(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int main(void) {
    printf("%lu\n", stress(12345, 2000));
    pthread_t t[3];
    for (long i = 0; i < 3; i++) pthread_create(&t[i], NULL, stress_thread, (void *)(i + 77));
    for (int i = 0; i < 3; i++) {
        void *r;
        pthread_join(t[i], &r);
        printf("%lu\n", (unsigned long)r);
    }
    char *large = malloc(10 << 20);
    large[0] = large[(10 << 20) - 1] = 1;
    large = realloc(large, 20 << 20);
    printf("large %d %d\n", large[0], large[(10 << 20) - 1]);
    free(large);
    volatile size_t huge = SIZE_MAX / 2;
    TRY(malloc(huge) ? 0 : -1);
    TRY(calloc(huge, 4) ? 0 : -1);

    enum { N = 2000 };
    static int v[N], copy[N];
    uint32_t s = 99;
    for (int i = 0; i < N; i++) copy[i] = v[i] = (int)(next(&s) % 100000) - 50000;
    qsort(v, N, sizeof *v, by_int);
    int ok = 1;
    for (int i = 1; i < N; i++) ok &= v[i - 1] <= v[i];
    int found = 0;
    for (int i = 0; i < N; i += 7) found += bsearch(&copy[i], v, N, sizeof *v, by_int) != NULL;
    int absent = 1000000;
    printf("sorted %d found %d %d first %d last %d\n", ok, found,
           bsearch(&absent, v, N, sizeof *v, by_int) != NULL, v[0], v[N - 1]);
    char *words[] = {"pear", "apple", "fig", "banana", "apple pie", "Zebra", ""};
    qsort(words, 7, sizeof *words, by_text);
    for (int i = 0; i < 7; i++) printf("[%s]", words[i]);
    printf("\n");

    // Strings, at all alignments and across the ends of words.
    static char buf[300], other[300];
    unsigned sum = 0;
    for (int off = 0; off < 17; off++) {
        for (int len = 0; len < 70; len += 3) {
            memset(buf, 'x', sizeof buf);
            for (int i = 0; i < len; i++) buf[off + i] = (char)('a' + i % 26);
            buf[off + len] = 0;
            sum = sum * 31 + (unsigned)strlen(buf + off);
            strcpy(other + 3, buf + off);
            sum += (unsigned)(strcmp(other + 3, buf + off) == 0);
            char *p = strchr(buf + off, 'c');
            sum = sum * 31 + (unsigned)(p ? p - buf : 0);
            p = strrchr(buf + off, 'b');
            sum = sum * 31 + (unsigned)(p ? p - buf : 0);
            memmove(buf + off + 5, buf + off, (size_t)len + 1);
            memcpy(other, buf + off + 5, (size_t)len + 1);
            p = memchr(other, 'z', (size_t)len);
            sum = sum * 31 + (unsigned)(p ? p - other : 0);
            p = strstr(other, "xyz");
            sum = sum * 31 + (unsigned)(p ? p - other : 0);
            sum += (unsigned)strnlen(other, 20) + (unsigned)strspn(other, "abcdef") +
                   (unsigned)strcspn(other, "mno");
        }
    }
    printf("strings %u\n", sum);
    printf("%d %d %d %d\n", strcmp("a", "b") < 0, strncmp("abcd", "abce", 3), strcasecmp("HeLLo", "hEllO"),
           memcmp("\xff", "\x01", 1) > 0);
    char csv[] = "a,b;;c d", *save, *tok;
    for (tok = strtok_r(csv, ",; ", &save); tok; tok = strtok_r(NULL, ",; ", &save)) printf("<%s>", tok);
    char fields[] = "x::y", *rest = fields;
    while ((tok = strsep(&rest, ":"))) printf("(%s)", tok);
    printf("\n");
    strcpy(buf, "12345");
    strncat(buf, words[1], 2);
    char *end = stpcpy(other, "end");
    printf("%s %ld %s", buf, (long)(end - other), strpbrk("hello world", "ow"));
    printf(" %s %d\n", (char *)memmem("haystack needle", 15, "need", 4), ffs(0x50));
    strncpy(buf, "ab", 5);
    printf("%d%d %s\n", buf[2], buf[4], strdup("copy"));
    return 0;
}
