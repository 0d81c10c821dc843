// Commands by the shell: system, popen, and what becomes of signals meanwhile.
#include "common.h"
#include <signal.h>

static volatile int ints;
static void on_int(int sig) {
    (void)sig;
    ints++;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("there is one: %d\n", system(NULL) != 0);
    say_status("true", system("true"));
    say_status("exit", system("exit 23"));
    say_status("output", system("echo to the same output"));
    say_status("killed", system("kill -TERM $$"));
    say_status("not found", system("exec 2>/dev/null; /no/such/command"));
    signal(SIGINT, on_int);
    // It ignores SIGINT while it waits.
    say_status("parent", system("kill -INT $PPID; true"));
    printf("handled %d\n", ints);
    raise(SIGINT);
    printf("handled %d\n", ints);
    FILE *f = popen("echo one; echo two; exit 4", "r");
    MUST(f);
    char line[100];
    int n = 0;
    while (fgets(line, sizeof line, f)) printf("%d %s", ++n, line);
    say_status("popen", pclose(f));
    f = popen("while read a b; do echo \"$b, $a\"; done", "w");
    MUST(f);
    fprintf(f, "x 1\ny 2\n");
    say_status("to popen", pclose(f));
    FILE *g = popen("read x; echo got $x", "w"), *h = popen("echo both", "r");
    MUST(fgets(line, sizeof line, h));
    printf("%s", line);
    say_status("second", pclose(h));
    fprintf(g, "this\n");
    say_status("first", pclose(g));
    setenv("PASSED", "on", 1);
    say_status("environment", system("echo environment $PASSED"));
    say_status("pipe", system("(echo b; echo a) | while read x; do echo \"<$x>\"; done"));
    execl("/bin/sh", "sh", "-c", "echo $0 $1; exit 5", "name", "argument", (char *)NULL);
    return 1;
}
