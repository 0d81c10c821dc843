// getopt, getopt_long, the environment, and other small parts of the library.
#define _GNU_SOURCE
#include "common.h"
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <locale.h>
#include <regex.h>
#include <search.h>
#include <signal.h>
#include <time.h>

extern char **environ;

static void parse(int argc, char **argv, const char *opts) {
    optind = 1;
    opterr = 0;
    int c;
    printf("getopt:");
    while ((c = getopt(argc, argv, opts)) != -1) {
        if (c == '?' || c == ':') printf(" %c(%c)", c, optopt);
        else if (optarg) printf(" %c=%s", c, optarg);
        else printf(" %c", c);
    }
    printf(" rest");
    for (int i = optind; i < argc; i++) printf(" %s", argv[i]);
    printf("\n");
}

static int cmp(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static int visits;
static void visit(const void *node, VISIT which, int depth) {
    (void)node;
    (void)depth;
    if (which == postorder || which == leaf) visits++;
}

int main(void) {
    char *a[] = {"p", "-a", "-bx", "-c", "y", "-ab", "z", "--", "-a", NULL};
    parse(9, a, "ab:c:");
    char *b[] = {"p", "-d", "-b", NULL};
    parse(3, b, ":ab:");
    char *c[] = {"p", "-a", "x", "-a", NULL};
    parse(4, c, "+a");
    static const struct option longs[] = {
        {"all", no_argument, NULL, 'a'}, {"value", required_argument, NULL, 'v'},
        {"maybe", optional_argument, NULL, 'm'}, {NULL, 0, NULL, 0}};
    char *d[] = {"p", "--all", "--value=3", "--value", "4", "--maybe", "--maybe=5", "--none", "end", NULL};
    optind = 1;
    int o;
    printf("long:");
    while ((o = getopt_long(9, d, "av:", longs, NULL)) != -1)
        printf(" %c%s%s", o, optarg && o != '?' ? "=" : "", optarg && o != '?' ? optarg : "");
    printf(" rest %s\n", d[optind]);

    clearenv();
    printf("environment %s\n", environ == NULL || environ[0] == NULL ? "empty" : "not empty");
    setenv("A", "1", 1);
    setenv("A", "2", 0);
    char put[] = "B=put";
    putenv(put);
    put[2] = 'c';
    printf("%s %s %s\n", getenv("A"), getenv("B"), getenv("C") ? "C" : "-");
    unsetenv("A");
    printf("%s\n", getenv("A") ? "A" : "-");
    TRY(setenv("x=y", "1", 1));

    char p1[] = "/usr/lib/", p2[] = "name";
    printf("%s %s", dirname(p1), basename(p2));
    char p3[] = "/a/b";
    printf(" %s\n", basename(p3));
    void *root = NULL;
    int values[] = {5, 3, 8, 1, 4, 7, 9, 3};
    for (int i = 0; i < 8; i++) tsearch(&values[i], &root, cmp);
    twalk(root, visit);
    printf("tree %d %d\n", visits, **(int **)tfind(&values[1], &root, cmp));
    hcreate(30);
    char *words[] = {"one", "two", "three"};
    for (long i = 0; i < 3; i++) hsearch((ENTRY){words[i], (void *)(i + 1)}, ENTER);
    ENTRY *e = hsearch((ENTRY){"two", NULL}, FIND);
    printf("hash %ld %d\n", (long)e->data, hsearch((ENTRY){"four", NULL}, FIND) != NULL);

    regex_t re;
    regmatch_t m[3];
    MUST(regcomp(&re, "([a-z]+)=([0-9]+)", REG_EXTENDED) == 0);
    MUST(regexec(&re, "x: key=42;", 3, m, 0) == 0);
    printf("regex %d-%d %d-%d %d\n", (int)m[1].rm_so, (int)m[1].rm_eo, (int)m[2].rm_so, (int)m[2].rm_eo,
           regexec(&re, "none", 0, NULL, 0) == REG_NOMATCH);
    regfree(&re);

    setenv("TZ", "UTC0", 1);
    tzset();
    time_t t = 1000000000;
    struct tm *tm = gmtime(&t);
    char buf[100];
    strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S %a %b %j %U", tm);
    printf("%s\n", buf);
    struct tm when = {.tm_year = 100, .tm_mon = 13, .tm_mday = 31, .tm_hour = 25};
    t = mktime(&when);
    printf("%ld %s", (long)t, asctime(&when));
    MUST(strptime("2024-02-29 12:34:56", "%Y-%m-%d %H:%M:%S", &when));
    printf("%d %d\n", when.tm_year, when.tm_mday);
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    t = 1720000000;
    strftime(buf, sizeof buf, "%H:%M %Z", localtime(&t));
    printf("%s\n", buf);

    printf("%s %s\n", strsignal(SIGINT), strerror(ENOENT));
    srand(1);
    int r1 = rand();
    srand(1);
    printf("rand %d\n", r1 == rand());
    unsigned short seed[3] = {1, 2, 3};
    printf("%ld %.6f\n", nrand48(seed), erand48(seed));
    div_t q = div(-7, 2);
    printf("%d %d %ld\n", q.quot, q.rem, labs(-5L));
    printf("%s\n", setlocale(LC_ALL, "C"));
    return 0;
}
