// Streams of the C library.
#define _GNU_SOURCE
#include "common.h"
#include <stdarg.h>
#include <wchar.h>

static int vf(FILE *f, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vfprintf(f, fmt, ap);
    va_end(ap);
    return n;
}

int main(void) {
    enter_home();
    FILE *f = fopen("f", "w+");
    MUST(f);
    for (int i = 0; i < 1000; i++) MUST(vf(f, "line %03d\n", i) == 9);
    printf("at %ld\n", ftell(f));
    MUST(fseek(f, 9 * 500, SEEK_SET) == 0);
    char line[100];
    MUST(fgets(line, sizeof line, f));
    printf("%s", line);
    MUST(fseek(f, -9, SEEK_END) == 0 && fgets(line, sizeof line, f));
    printf("%s", line);
    printf("eof %d", fgetc(f));
    printf(" %d %d\n", feof(f) != 0, ferror(f) != 0);
    rewind(f);
    int a = 0, n = 0;
    while (fscanf(f, "line %d\n", &a) == 1) n += a;
    printf("sum %d\n", n);
    rewind(f);
    int c = fgetc(f);
    ungetc('L', f);
    MUST(fread(line, 1, 4, f) == 4);
    printf("%c %.4s\n", c, line);
    fseek(f, 0, SEEK_SET);
    fputs("FIRST", f);
    fflush(f);
    fseek(f, 0, SEEK_SET);
    MUST(fgets(line, sizeof line, f));
    printf("%s", line);
    fclose(f);
    f = fopen("f", "a+");
    fputs("appended\n", f);
    printf("end %ld\n", ftell(f));
    fclose(f);
    f = fopen("f", "r");
    char *text = NULL;
    size_t size = 0;
    n = 0;
    ssize_t len, longest = 0;
    while ((len = getline(&text, &size, f)) > 0) {
        n++;
        if (len > longest) longest = len;
    }
    printf("%d lines, %zd\n", n, longest);
    rewind(f);
    MUST(getdelim(&text, &size, '3', f) > 0);
    printf("to 3: %zu\n", strlen(text));
    free(text);
    printf("write to a reader %d", fputc('x', f));
    printf(" %d\n", ferror(f) != 0);
    clearerr(f);
    f = freopen("g", "w", f);
    MUST(f);
    setvbuf(f, NULL, _IONBF, 0);
    fprintf(f, "%d", 42);
    fclose(f);
    TRY(fopen("none", "r") ? 0 : -1);
    TRY(fopen("none/x", "w") ? 0 : -1);

    char *mem;
    size_t memsize;
    f = open_memstream(&mem, &memsize);
    fprintf(f, "in %s", "memory");
    fclose(f);
    printf("%zu %s\n", memsize, mem);
    free(mem);
    char fixed[20];
    f = fmemopen(fixed, sizeof fixed, "w");
    fprintf(f, "%d-%d", 1, 2);
    fclose(f);
    f = fmemopen(fixed, strlen(fixed), "r");
    int x, y;
    printf("%d", fscanf(f, "%d-%d", &x, &y));
    printf(" %d %d\n", x, y);
    fclose(f);
    f = tmpfile();
    MUST(f);
    fwrite("binary\0data", 1, 11, f);
    rewind(f);
    printf("tmpfile %zu\n", fread(line, 1, 100, f));
    fclose(f);
    wchar_t wide[20];
    swprintf(wide, 20, L"%d %ls", 5, L"wide");
    printf("%ls %zu\n", wide, wcslen(wide));
    char *dup;
    MUST(asprintf(&dup, "%s %d", "allocated", 3) == 11);
    printf("%s\n", dup);
    free(dup);
    volatile size_t five = 5;
    printf("%d\n", snprintf(line, five, "%s", "truncated"));
    printf("%s\n", line);
    dprintf(1, "%s", "");
    char name[] = "tmpXXXXXX";
    int fd = mkstemp(name);
    MUST(fd >= 0);
    f = fdopen(fd, "w");
    printf("fileno %d\n", fileno(f) == fd);
    fclose(f);
    unlink(name);
    errno = ENOENT;
    fflush(stdout);
    dup2(1, 2);
    perror("perror");
    // A closed pipe.
    int p[2];
    MUST(pipe(p) == 0);
    f = fdopen(p[1], "w");
    for (int i = 0; i < 100; i++) fputs("x", f);
    fclose(f);
    f = fdopen(p[0], "r");
    n = 0;
    while (fgetc(f) != EOF) n++;
    printf("through a pipe %d\n", n);
    fclose(f);
    remove("f");
    remove("g");
    leave_home();
    return 0;
}
