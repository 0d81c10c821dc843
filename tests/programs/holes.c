// SEEK_DATA and SEEK_HOLE, punching, copying: a memory file's pages.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { P = 4096 };
static int fd;

static void seek(long from) {
    errno = 0;
    long data = lseek(fd, from, SEEK_DATA);
    int e1 = errno;
    errno = 0;
    long hole = lseek(fd, from, SEEK_HOLE);
    int e2 = errno;
    printf("from %ld: data %ld %s, hole %ld %s\n", from, data, ename(e1), hole, ename(e2));
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    fd = memfd_create("holes", 0);
    MUST(fd >= 0);
    seek(0);
    MUST(ftruncate(fd, 10 * P) == 0);
    seek(0);
    seek(P + 1);
    MUST(pwrite(fd, "a", 1, 2 * P + 100) == 1 && pwrite(fd, "b", 1, 3 * P) == 1 &&
         pwrite(fd, "c", 1, 6 * P) == 1);
    seek(0);
    seek(2 * P);
    seek(2 * P + 200);
    seek(4 * P);
    seek(5 * P);
    seek(6 * P + 1);
    seek(7 * P);
    seek(10 * P - 1);
    seek(10 * P);
    seek(-1);
    printf("at %ld\n", (long)lseek(fd, 0, SEEK_CUR));
    MUST(lseek(fd, 0, SEEK_DATA) == 2 * P);
    printf("at %ld\n", (long)lseek(fd, 0, SEEK_CUR));
    // Touching by a mapping fills too.
    char *m = mmap(NULL, 10 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    MUST(m != MAP_FAILED);
    m[8 * P] = 1;
    seek(7 * P);
    struct stat st;
    fstat(fd, &st);
    printf("blocks %d\n", (int)st.st_blocks);
    MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * P - 10, P + 20) == 0);
    seek(2 * P);
    seek(3 * P);
    printf("punched: %d %d\n", m[3 * P], m[2 * P + 100]);
    TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, P));
    MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 9 * P, 4 * P) == 0);
    fstat(fd, &st);
    printf("kept %d\n", (int)st.st_size / P);
    MUST(fallocate(fd, 0, 11 * P, P) == 0);
    fstat(fd, &st);
    printf("grown %d\n", (int)st.st_size / P);
    TRY(fallocate(fd, 0, 0, 0));
    TRY(fallocate(fd, 0x1000, 0, 1));
    MUST(ftruncate(fd, 100) == 0);
    seek(0);
    seek(99);
    MUST(pwrite(fd, "x", 1, 0) == 1);
    seek(0);
    seek(50);

    // A file of a directory, in large steps.
    enter_home();
    int f = open("f", O_RDWR | O_CREAT, 0600);
    long step = 1 << 20;
    MUST(ftruncate(f, 3 * step) == 0 && pwrite(f, "x", 1, step) == 1);
    fsync(f);
    long data = lseek(f, 0, SEEK_DATA), end = lseek(f, data, SEEK_HOLE);
    printf("file: %d %d\n", data == step || data == 0, end > step);
    fd = f;
    TRY(lseek(f, 3 * step, SEEK_DATA));
    TRY(lseek(f, 3 * step, SEEK_HOLE));

    // Copies inside the kernel.
    int g = open("g", O_RDWR | O_CREAT, 0600);
    MUST(ftruncate(f, 0) == 0 && pwrite(f, "0123456789", 10, 0) == 10);
    off_t off = 2;
    printf("sendfile %zd", sendfile(g, f, &off, 100));
    printf(" at %ld\n", (long)off);
    loff_t in = 0, out = 20;
    printf("copy_file_range %ld", (long)syscall(SYS_copy_file_range, f, &in, g, &out, 5L, 0));
    printf(" %ld %ld\n", (long)in, (long)out);
    char buf[64] = {0};
    ssize_t n = pread(g, buf, 64, 0);
    printf("%zd: ", n);
    for (ssize_t i = 0; i < n; i++) putchar(buf[i] ? buf[i] : '.');
    printf("\n");
    int p[2];
    MUST(pipe(p) == 0);
    TRY(lseek(p[0], 0, SEEK_DATA));
    TRY(lseek(open("/dev/null", O_RDONLY), 0, SEEK_DATA));
    unlink("f");
    unlink("g");
    leave_home();
    return 0;
}
