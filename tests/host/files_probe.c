/* What the running kernel says of calls on files: commands on standard input, a
 * line of answer each. The working directory is an empty directory of a tmpfs.
 * The same commands are given to the model in tests/linux_facts/files.rs, where
 * they are told; a command that starts with a number is that system call. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 12

static char *word[MOST];
static int text[MOST], n;

/* Cuts a line into words; those in quotes are texts. */
static void cut(char *line)
{
    n = 0;
    while (n < MOST) {
        line += strspn(line, " \n");
        if (!*line)
            return;
        text[n] = *line == '"';
        line += text[n];
        word[n] = line;
        line += strcspn(line, text[n] ? "\"" : " \n");
        n++;
        if (*line)
            *line++ = 0;
    }
}

static long number(int i)
{
    if (i >= n)
        return 0;
    return text[i] ? (long)word[i] : (long)strtoull(word[i], 0, 0);
}

static void say(long ret)
{
    if (ret < 0)
        printf("%s\n", strerrorname_np(errno));
    else
        printf("%ld\n", ret);
}

static void bytes(long ret, const char *buf)
{
    if (ret < 0)
        say(ret);
    else
        printf("\"%.*s\"\n", (int)ret, buf);
}

static void attributes(long ret, const struct stat *st)
{
    if (ret < 0) {
        say(ret);
        return;
    }
    printf("%o links %lu", st->st_mode, (unsigned long)st->st_nlink);
    if (!S_ISDIR(st->st_mode))
        printf(" size %ld", (long)st->st_size);
    if (S_ISCHR(st->st_mode))
        printf(" device %u:%u", major(st->st_rdev), minor(st->st_rdev));
    printf(" owner %u:%u\n", st->st_uid, st->st_gid);
}

static void when(const struct timespec *t)
{
    if (t->tv_sec < 1000000000)
        printf("%ld.%09ld", (long)t->tv_sec, t->tv_nsec);
    else
        printf("now");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names(const char *path)
{
    char *list[64];
    int count = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && count < 64 && (e = readdir(d));)
        if (e->d_name[0] != '.')
            list[count++] = strdup(e->d_name);
    if (d)
        closedir(d);
    qsort(list, count, sizeof *list, by_name);
    for (int i = 0; i < count; i++)
        printf("%s%s", i ? " " : "", list[i]);
    puts("");
}

static void one(const char *cmd)
{
    static char buf[8192];
    struct stat st;
    struct statfs fs;
    off_t a, b;
    long ret;

    if (!strcmp(cmd, "stat"))
        attributes(stat(word[1], &st), &st);
    else if (!strcmp(cmd, "lstat"))
        attributes(lstat(word[1], &st), &st);
    else if (!strcmp(cmd, "fstat"))
        attributes(fstat(number(1), &st), &st);
    else if (!strcmp(cmd, "read"))
        bytes(read(number(1), buf, number(2)), buf);
    else if (!strcmp(cmd, "pread"))
        bytes(pread(number(1), buf, number(2), number(3)), buf);
    else if (!strcmp(cmd, "write"))
        say(write(number(1), word[2], strlen(word[2])));
    else if (!strcmp(cmd, "pwrite"))
        say(pwrite(number(1), word[2], strlen(word[2]), number(3)));
    else if (!strcmp(cmd, "readlink"))
        bytes(readlink(word[1], buf, number(2)), buf);
    else if (!strcmp(cmd, "writev")) {
        struct iovec iov[MOST];
        for (int i = 2; i < n; i++)
            iov[i - 2] = (struct iovec){word[i], strlen(word[i])};
        say(writev(number(1), iov, n - 2));
    } else if (!strcmp(cmd, "readv")) {
        struct iovec iov[2] = {{buf, number(2)}, {buf + number(2), number(3)}};
        bytes(readv(number(1), iov, 2), buf);
    } else if (!strcmp(cmd, "lock")) {
        struct flock l = {.l_type = number(3), .l_whence = number(4), .l_start = number(5),
                          .l_len = number(6)};
        ret = fcntl(number(1), number(2), &l);
        if (ret == 0 && (number(2) == F_GETLK || number(2) == F_OFD_GETLK))
            printf("type %d start %ld len %ld\n", l.l_type, (long)l.l_start, (long)l.l_len);
        else
            say(ret);
    } else if (!strcmp(cmd, "settimes")) {
        struct timespec t[2] = {{number(3), number(4)}, {number(5), number(6)}};
        say(syscall(SYS_utimensat, number(1), word[2], t, number(7)));
    } else if (!strcmp(cmd, "times")) {
        ret = lstat(word[1], &st);
        if (ret < 0) {
            say(ret);
            return;
        }
        when(&st.st_atim);
        printf(" ");
        when(&st.st_mtim);
        printf(" ");
        when(&st.st_ctim);
        puts("");
    } else if (!strcmp(cmd, "mapwrite")) {
        char *at = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, number(1), 0);
        if (at == MAP_FAILED) {
            say(-1);
            return;
        }
        memcpy(at + number(2), word[3], strlen(word[3]));
        say(msync(at, 4096, MS_SYNC) | munmap(at, 4096));
    } else if (!strcmp(cmd, "mapread")) {
        char *at = mmap(0, 4096, PROT_READ, MAP_SHARED, number(1), 0);
        if (at == MAP_FAILED) {
            say(-1);
            return;
        }
        bytes(number(3), at + number(2));
        munmap(at, 4096);
    } else if (!strcmp(cmd, "sendfile")) {
        a = number(3);
        ret = syscall(SYS_sendfile, number(1), number(2), &a, number(4));
        printf("%ld at %ld\n", ret < 0 ? -(long)errno : ret, (long)a);
    } else if (!strcmp(cmd, "copy")) {
        a = number(2), b = number(4);
        ret = syscall(SYS_copy_file_range, number(1), &a, number(3), &b, number(5), 0);
        printf("%ld at %ld and %ld\n", ret < 0 ? -(long)errno : ret, (long)a, (long)b);
    } else if (!strcmp(cmd, "names"))
        names(word[1]);
    else if (!strcmp(cmd, "statfs")) {
        ret = statfs(word[1], &fs);
        if (ret < 0)
            say(ret);
        else
            printf("%lx\n", (long)fs.f_type);
    } else if (!strcmp(cmd, "as")) {
        setfsgid(number(1));
        setfsuid(number(1));
        puts("0");
    } else {
        long v[6];
        for (int i = 0; i < 6; i++)
            v[i] = number(i + 1);
        say(syscall(strtol(cmd, 0, 10), v[0], v[1], v[2], v[3], v[4], v[5]));
    }
}

int main(void)
{
    char line[4096];
    FILE *in = fdopen(dup2(0, 100), "r");

    setvbuf(in, 0, _IONBF, 0);
    for (int fd = 3; fd < 100; fd++)
        close(fd);
    umask(022);
    while (fgets(line, sizeof line, in)) {
        cut(line);
        if (n)
            one(word[0]);
        fflush(stdout);
    }
}
