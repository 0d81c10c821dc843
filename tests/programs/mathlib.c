// The mathematical library: exact functions bit by bit, the others to twelve digits;
// rounding directions and exceptions.
#include "common.h"
#include <complex.h>
#include <fenv.h>
#include <math.h>

static const char *flags(void) {
    static char s[8];
    char *p = s;
    int e = fetestexcept(FE_ALL_EXCEPT);
    if (e & FE_INVALID) *p++ = 'V';
    if (e & FE_DIVBYZERO) *p++ = 'Z';
    if (e & FE_OVERFLOW) *p++ = 'O';
    if (e & FE_UNDERFLOW) *p++ = 'U';
    if (e & FE_INEXACT) *p++ = 'P';
    *p = 0;
    feclearexcept(FE_ALL_EXCEPT);
    return s;
}

int main(void) {
    volatile double xs[] = {0.3, 1.7, 12.25, -0.4, 100.5, 3e-5};
    for (int i = 0; i < 6; i++) {
        double x = xs[i], p = fabs(x);
        printf("%.12g %.12g %.12g %.12g %.12g %.12g\n", sin(x), cos(x), tan(x), atan(x), sinh(x),
               tanh(x));
        printf("%.12g %.12g %.12g %.12g %.12g %.12g\n", exp(x), expm1(x), log(p), log10(p),
               log1p(p), log2(p));
        printf("%.12g %.12g %.12g %.12g %.12g %.12g\n", pow(p, 2.3), cbrt(x), hypot(x, 2.0),
               atan2(x, -1.0), erf(x), tgamma(p));
        printf("%a %a %a %a %a %a\n", sqrt(p), floor(x), ceil(x), trunc(x), round(x), rint(x));
        printf("%a %a %a %a %a\n", fmod(x, 0.7), remainder(x, 0.7), nextafter(x, 10.0),
               fma(x, x, -0.09), copysign(x, -1.0));
        int e;
        double m = frexp(x, &e), whole;
        printf("%a %d %a %a %d %a", m, e, ldexp(m, e + 3), logb(x), ilogb(x), modf(x, &whole));
        printf(" %a\n", whole);
        long double l = x;
        printf("%.15Lg %.15Lg %.15Lg %.15Lg %La\n", sinl(l), expl(l), logl(fabsl(l)),
               powl(fabsl(l), 0.25L), sqrtl(fabsl(l)));
        printf("%.6g %.6g %.6g %a\n", (double)sinf((float)x), (double)expf((float)x),
               (double)powf((float)p, 1.5f), (double)sqrtf((float)p));
    }
    printf("%.12g %.12g\n", j0(1.0), lgamma(7.5));
    double complex z = cexp(I * 1.0) * (2 + 3 * I);
    printf("%.10g %.10g %.10g\n", creal(z), cimag(z), cabs(z));

    int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    volatile double one = 1, three = 3, tiny = 1e-300, huge = 1e300, zero = 0, h = 2.5;
    volatile long double lone = 1, lthree = 3;
    volatile float fone = 1, fthree = 3;
    for (int i = 0; i < 4; i++) {
        fesetround(modes[i]);
        volatile double q = one / three, n = -one / three, s = sqrt(2.0 * one);
        volatile long double lq = lone / lthree;
        volatile float fq = fone / fthree;
        long r = lrint(h), rn = lrint(-h), rr = lround(h);
        double ri = rint(-0.3 * one), nb = nearbyint(0.7 * one);
        fesetround(FE_TONEAREST);
        printf("%a %a %a %La %a %ld %ld %ld %a %a\n", q, n, s, lq, (double)fq, r, rn, rr, ri, nb);
    }
    feclearexcept(FE_ALL_EXCEPT);
    volatile double r;
    r = one / three; printf("1/3: %s\n", flags());
    r = one / zero; printf("1/0: %g %s\n", r, flags());
    r = zero / zero; printf("0/0: %d %s\n", isnan(r), flags());
    r = huge * huge; printf("overflow: %g %s\n", r, flags());
    r = tiny * tiny; printf("underflow: %g %s\n", r, flags());
    r = sqrt(-one); printf("sqrt: %d %s\n", isnan(r), flags());
    r = one + one; printf("exact: %g %s\n", r, flags());
    volatile int i = (int)(huge > 1 ? h : one); printf("to int: %d %s\n", i, flags());
    volatile long double ld = lone / lthree; printf("x87: %d %s\n", ld > 0, flags());
    ld = lone / (long double)zero; printf("x87 1/0: %Lg %s\n", ld, flags());
    volatile int cmp = one < (double)NAN; printf("NaN < : %d %s\n", cmp, flags());
    cmp = isless(one, (double)NAN); printf("isless: %d %s\n", cmp, flags());
    fenv_t env;
    feholdexcept(&env);
    r = one / zero;
    feraiseexcept(FE_UNDERFLOW);
    feupdateenv(&env);
    printf("kept: %s\n", flags());
    printf("%d %d %d %d %d\n", fpclassify(tiny) == FP_NORMAL, fpclassify(5e-324) == FP_SUBNORMAL,
           signbit(-zero) != 0, isinf(INFINITY) != 0, isnormal(zero));
    // Sums whose order counts.
    float fs = 0;
    for (int k = 1; k < 5000; k++) fs += 1.0f / (float)k;
    double dsum = 0;
    for (int k = 5000; k > 0; k--) dsum += 1.0 / k;
    long double lsum = 0;
    for (int k = 5000; k > 0; k--) lsum += 1.0L / k;
    printf("%a %a %La\n", (double)fs, dsum, lsum);
    return 0;
}
