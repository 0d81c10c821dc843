// Numbers as text and back: printf, scanf, strtod, strtol and their edges.
#include "common.h"
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>

int main(void) {
    double ds[] = {0.0, -0.0, 1.0, -1.5, 0.1, 1e-5, 123456789.0, 1e21, 1e22, 1e23, 5e-324,
                   DBL_MIN, DBL_MAX, DBL_EPSILON, 2.5, 3.5, 0.5, 1.0 / 3, 1e100, 0x1p-1030};
    for (size_t i = 0; i < sizeof ds / sizeof *ds; i++) {
        double d = ds[i];
        printf("%g %e %.17g %.0f %a %A %10.3f|%-12.4e|%+g\n", d, d, d, d < 1e30 ? d : 0.0, d, d,
               d < 1e30 ? d : 0.0, d, d);
        char buf[64];
        snprintf(buf, sizeof buf, "%.17g", d);
        if (strtod(buf, NULL) != d) printf("not the same\n");
        snprintf(buf, sizeof buf, "%a", d);
        if (strtod(buf, NULL) != d) printf("not the same\n");
    }
    printf("%f %F %e %g %a\n", INFINITY, -INFINITY, (double)INFINITY, NAN, NAN);
    long double ls[] = {0.1L, 1.0L / 3, LDBL_MAX, LDBL_MIN, LDBL_EPSILON, -1e4000L, 1e-4940L};
    for (size_t i = 0; i < sizeof ls / sizeof *ls; i++) {
        printf("%Lg %.21Lg %Le\n", ls[i], ls[i], ls[i]);
        char buf[80];
        snprintf(buf, sizeof buf, "%.21Lg", ls[i]);
        if (strtold(buf, NULL) != ls[i]) printf("not the same\n");
    }
    printf("%.50f\n%.30Lf\n%#.0f %#x %#o %08.3f % d %+d %5d|%-5d|%05d\n", 0.1, 0.1L, 3.0, 255, 8,
           -3.14159, 5, 5, -42, -42, -42);
    printf("%hhd %hd %d %ld %lld %zu %jd %td %" PRIx64 "\n", (signed char)300, (short)70000,
           INT_MIN, LONG_MIN, LLONG_MAX, SIZE_MAX, INTMAX_MIN, (ptrdiff_t)-1, UINT64_MAX);
    printf("%s %.3s %10s|%-10s|%c %% %*d %.*f\n", "string", "string", "right", "left", 'c', 6, 42, 2,
           2.71828);
    printf("%2$s %1$s\n", "second", "first");
    int n = 0;
    printf("counted%n", &n);
    printf(" %d\n", n);

    // Halfway cases are rounded to even, in every direction of decimal to binary.
    const char *texts[] = {"9007199254740993", "9007199254740993.0000001", "1e-400", "1e400",
                           "2.2250738585072011e-308", "4.9406564584124654e-324",
                           "2.4703282292062327e-324", "0x1.fffffffffffff8p0", "0x.8p-1074",
                           "inf", "-nan", "1.7976931348623158e308", "1.7976931348623159e308",
                           "  +12.5e1xyz", "0x1p", ".5", ".", "1e", "-0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *end;
        errno = 0;
        double d = strtod(texts[i], &end);
        printf("%s: %a, rest \"%s\", %s\n", texts[i], isnan(d) ? fabs(d) : d, end, ename(errno));
    }
    float f = strtof("0.1", NULL);
    printf("%.9g %a %.9g\n", (double)f, (double)f, (double)strtof("16777217", NULL));

    const char *ints[] = {"42", "-42", "0x1F", "0777", "z", "9223372036854775808", "  7 8",
                          "-9223372036854775809", "18446744073709551616", "-1", "0b11", "08"};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        char *end;
        errno = 0;
        long l = strtol(ints[i], &end, 0);
        int e = errno;
        errno = 0;
        unsigned long u = strtoul(ints[i], NULL, 0);
        int e2 = errno;
        printf("%s: %ld %s \"%s\" %lu %s %ld\n", ints[i], l, ename(e), end, u, ename(e2),
               strtol(ints[i], NULL, 36));
    }
    int a = 0, b = 0, c = 0;
    char word[20] = "", set[20] = "", ch = 0;
    float fl = 0;
    double db = 0;
    n = sscanf("12 abc 0x1f 3.25 1e3 [xyz] q", "%d %19s %i %f %lf [%19[a-y]", &a, word, &b, &fl, &db, set);
    printf("%d: %d %s %d %g %g %s\n", n, a, word, b, fl, db, set);
    n = sscanf("7,8;9", "%d,%d%c%d", &a, &b, &ch, &c);
    printf("%d: %d %d %c %d\n", n, a, b, ch, c);
    n = sscanf("x", "%d", &a);
    printf("%d, at the end %d\n", n, sscanf("", "%d", &a));

    // Conversions between the kinds.
    volatile double big = 1e18, half = 2.5, minus = -2.5;
    volatile unsigned long ul = 0x8000000000000400UL;
    volatile float ff = 16777216.0f;
    printf("%ld %d %d %g %g %g\n", (long)big, (int)half, (int)minus, (double)ul,
           (double)(float)ul, (double)(ff + 1));
    volatile long double ld = 18446744073709551615.0L;
    printf("%lu %.1Lf %Lg\n", (unsigned long)ld, ld + 1, (long double)(float)ld);
    return 0;
}
