// Names of files: links, renames, directories and walks through them.
#define _GNU_SOURCE
#include "common.h"
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void put(const char *name, const char *text) {
    FILE *f = fopen(name, "w");
    MUST(f);
    fputs(text, f);
    fclose(f);
}
static const char *get(const char *name) {
    static char buf[100];
    FILE *f = fopen(name, "r");
    if (!f) return ename(errno);
    size_t n = fread(buf, 1, 99, f);
    buf[n] = 0;
    fclose(f);
    return buf;
}
static int visible(const struct dirent *d) { return d->d_name[0] != '.'; }
static void list(const char *dir) {
    struct dirent **all;
    int n = scandir(dir, &all, visible, alphasort);
    printf("%s:", dir);
    if (n < 0) printf(" %s", ename(errno));
    for (int i = 0; i < n; i++) {
        printf(" %s%c", all[i]->d_name,
               all[i]->d_type == DT_DIR ? '/' : all[i]->d_type == DT_LNK ? '@' : ' ');
        free(all[i]);
    }
    if (n >= 0) free(all);
    printf("\n");
}
static int links(const char *name) {
    struct stat st;
    return stat(name, &st) == 0 ? (int)st.st_nlink : -1;
}
static int entries, depth_sum, after;
static int walk(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    entries++;
    depth_sum += ftw->level;
    if (type == FTW_DP) after++;
    if (type == FTW_DP || type == FTW_D) rmdir(path);
    else unlink(path);
    return 0;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    enter_home();
    put("a", "A");
    MUST(link("a", "b") == 0);
    put("b", "AB");
    printf("%s %d\n", get("a"), links("a"));
    TRY(link("a", "b"));
    TRY(link("none", "c"));
    TRY(link(".", "c"));
    MUST(symlink("a", "s") == 0 && symlink("nowhere", "dangling") == 0);
    char buf[PATH_MAX];
    printf("readlink %d", (int)readlink("s", buf, sizeof buf));
    printf(" %.1s %s\n", buf, get("s"));
    printf("cut %d\n", (int)readlink("dangling", buf, 3));
    TRY(readlink("a", buf, 10));
    TRY(open("dangling", O_RDONLY));
    TRY(open("s", O_RDONLY | O_NOFOLLOW));
    put("dangling", "made");
    printf("%s\n", get("nowhere"));
    symlink("loop2", "loop1");
    symlink("loop1", "loop2");
    TRY(open("loop1", O_RDONLY));
    list(".");

    MUST(rename("a", "c") == 0 && rename("b", "c") == 0);
    // Two names of one file: nothing happens.
    printf("%s %s %d\n", get("b"), get("c"), links("c"));
    put("d", "D");
    MUST(rename("d", "c") == 0);
    printf("%s %s %d\n", get("c"), get("b"), links("b"));
    TRY(rename("none", "x"));
    MUST(mkdir("dir", 0755) == 0 && mkdir("dir/sub", 0700) == 0 && mkdir("empty", 0700) == 0);
    printf("links %d %d\n", links("dir") >= 1, links("dir/sub") >= 1);
    TRY(mkdir("dir", 0755));
    TRY(mkdir("none/x", 0755));
    TRY(rename("c", "dir"));
    TRY(rename("dir", "c"));
    TRY(rename("dir", "dir/sub/x"));
    TRY(rename("empty", "dir"));
    TRY(rename("dir", "empty"));
    TRY(rename("empty/", "dir"));
    TRY(rmdir("empty"));
    TRY(rmdir("c"));
    TRY(rmdir("."));
    TRY(unlink("empty"));
    TRY(unlink("dir"));
    list(".");
    mkdir("x", 0755);
    put("x/f", "x's");
    mkdir("y", 0755);
    put("y/g", "y's");
    TRY(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 1));
    TRY(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", 2));
    TRY(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "z", 2));
    printf("%s %s\n", get("x/g"), get("y/f"));

    // Where one is.
    char *top = getcwd(NULL, 0);
    MUST(chdir("x") == 0 && getcwd(buf, sizeof buf));
    printf("%s\n", buf + strlen(top));
    TRY(getcwd(buf, 3) ? 0 : -1);
    int fd = open("../y", O_RDONLY | O_DIRECTORY);
    MUST(fchdir(fd) == 0);
    printf("%s %s\n", get("f"), get("../x/g"));
    TRY(chdir("f"));
    TRY(chdir("none"));
    printf("openat %d %d\n", openat(fd, "f", O_RDONLY) >= 0, openat(fd, "none", O_RDONLY));
    MUST(mkdirat(fd, "made", 0700) == 0 && symlinkat("made", fd, "link") == 0);
    MUST(linkat(fd, "f", fd, "ff", 0) == 0 && renameat(fd, "ff", fd, "fff") == 0);
    list(".");
    MUST(chdir("made") == 0 && rmdir("../made") == 0);
    TRY(getcwd(buf, sizeof buf) ? 0 : -1);
    TRY(open("x", O_CREAT | O_WRONLY, 0600));
    MUST(fchdir(fd) == 0 && chdir("..") == 0);
    close(fd);
    printf("realpath %s\n", realpath("./x/../y//fff", buf) ? buf + strlen(top) : ename(errno));
    TRY(realpath("none/x", buf) ? 0 : -1);
    MUST(chdir(top) == 0);

    // Many names, in a directory read in pieces.
    mkdir("many", 0755);
    for (int i = 0; i < 300; i++) {
        snprintf(buf, sizeof buf, "many/file-with-a-longer-name-%03d", i);
        put(buf, "");
    }
    DIR *d = opendir("many");
    int n = 0, sum = 0, dots = 0;
    struct dirent *e;
    long place = -1;
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.') {
            dots++;
            continue;
        }
        n++;
        sum += atoi(e->d_name + strlen("file-with-a-longer-name-"));
        if (n == 100) place = telldir(d);
    }
    printf("%d entries, sum %d, dots %d\n", n, sum, dots);
    seekdir(d, place);
    for (n = 0; (e = readdir(d));) n++;
    printf("after seekdir %d\n", n >= 200);
    rewinddir(d);
    for (n = 0; (e = readdir(d));) n++;
    printf("after rewinddir %d\n", n);
    closedir(d);
    glob_t g;
    MUST(glob("many/*-00[13-5]", 0, NULL, &g) == 0);
    printf("glob %zu %s\n", g.gl_pathc, g.gl_pathv[0]);
    globfree(&g);
    printf("fnmatch %d %d\n", fnmatch("*.c", "a.c", 0), fnmatch("*.c", ".c", FNM_PERIOD) != 0);

    mkdir("many/deep", 0755);
    for (int i = 0; i < 5; i++) {
        MUST(chdir(i ? "d" : "many/deep") == 0);
        mkdir("d", 0755);
        put("f", "x");
    }
    MUST(chdir(top) == 0);
    MUST(nftw(".", walk, 8, FTW_DEPTH | FTW_PHYS) == 0);
    printf("walk: %d entries, depths %d, directories %d\n", entries, depth_sum, after);
    list(".");
    leave_home();
    return 0;
}
