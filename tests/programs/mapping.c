// Memory: sharing between the sides of a fork, private copies, protection,
// moving, advice, files and memory files.
#define _GNU_SOURCE
#include "common.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { P = 4096 };

static char *map(size_t pages, int prot, int flags, int fd) {
    char *p = mmap(NULL, pages * P, prot, flags, fd, 0);
    MUST(p != MAP_FAILED);
    return p;
}

// How a read or write of an address ends, in a child.
static void touch(const char *what, volatile char *at, int write) {
    pid_t pid = fork();
    if (pid == 0) {
        if (write) *at = 1;
        else (void)*at;
        _exit(0);
    }
    reap(what, pid);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    char *shared = map(2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    char *private = map(2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    strcpy(shared, "parent");
    strcpy(private, "parent");
    pid_t pid = fork();
    if (pid == 0) {
        strcpy(shared + P, shared);
        strcpy(shared, "child");
        strcpy(private, "child");
        _exit(private[P]);
    }
    reap("child", pid);
    printf("%s %s %s\n", shared, shared + P, private);

    // Protection.
    MUST(mprotect(private, P, PROT_READ) == 0);
    touch("read", private, 0);
    touch("write", private, 1);
    MUST(mprotect(private, P, PROT_NONE) == 0);
    touch("read none", private, 0);
    touch("the other page", private + P, 1);
    MUST(mprotect(private, P, PROT_READ | PROT_WRITE) == 0);
    printf("%s again\n", private);
    // The call itself: some libraries round.
    TRY(syscall(SYS_mprotect, private + 1, P, PROT_READ));
    TRY(mprotect(private, P, 0x40));
    TRY(mprotect((void *)(P * 2L), P, PROT_READ));
    unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
    char *text = map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memcpy(text, code, sizeof code);
    MUST(mprotect(text, P, PROT_READ | PROT_EXEC) == 0);
    printf("code: %d\n", ((int (*)(void))text)());
    MUST(mprotect(text, P, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    for (int i = 0; i < 3; i++) {
        text[1] = (char)(43 + i);
        printf("changed code: %d\n", ((int (*)(void))text)());
    }

    // Holes, and places that are asked for.
    char *big = map(8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(big, 'x', 8 * P);
    MUST(munmap(big + 2 * P, 2 * P) == 0);
    touch("in the hole", big + 2 * P, 0);
    touch("behind it", big + 4 * P, 0);
    TRY(munmap(big + 2 * P, P));
    TRY(munmap(big + 1, P));
    TRY(munmap(big, 0));
    char *again = mmap(big + 2 * P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                       -1, 0);
    printf("no replace: %d", again == big + 2 * P);
    again = mmap(big, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf(" %s\n", again == MAP_FAILED ? ename(errno) : "mapped");
    again = mmap(big + P, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("fixed: %d, zero %d, neighbour %c\n", again == big + P, again[0], big[0]);
    TRY(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    TRY(mmap(NULL, P, PROT_READ, MAP_ANONYMOUS, -1, 0));
    TRY(mmap(NULL, P, PROT_READ, MAP_PRIVATE, -1, 0));
    TRY(mmap(NULL, 1UL << 48, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

    // Moving and resizing.
    char *m = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (int i = 0; i < 4; i++) m[i * P] = (char)('a' + i);
    MUST(mremap(m, 4 * P, 2 * P, 0) == m);
    touch("cut off", m + 2 * P, 0);
    char *moved = mremap(m, 2 * P, 64 * P, MREMAP_MAYMOVE);
    MUST(moved != MAP_FAILED);
    printf("grown: %c%c%d\n", moved[0], moved[P], moved[2 * P]);
    char *to = map(2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    MUST(mremap(moved, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    printf("moved: %c%c\n", to[0], to[P]);
    touch("where it was", moved, 0);
    touch("the rest", moved + 2 * P, 0);
    TRY(mremap(to, P, 8 * P, MREMAP_FIXED, moved));
    TRY(mremap(to + 5, P, 8 * P, MREMAP_MAYMOVE));
    TRY(mremap(to, P, 0, MREMAP_MAYMOVE));
    TRY(mremap(to, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, to + P));
    // The old size 0 of a shared mapping makes another.
    char *twin = mremap(shared, 0, 2 * P, MREMAP_MAYMOVE);
    MUST(twin != MAP_FAILED);
    strcpy(twin, "twins");
    printf("%s\n", shared);

    // Advice.
    strcpy(private, "gone");
    MUST(madvise(private, P, MADV_DONTNEED) == 0);
    printf("DONTNEED: %d, shared: ", private[0]);
    MUST(madvise(shared, P, MADV_DONTNEED) == 0);
    printf("%s\n", shared);
    strcpy(private, "wiped");
    MUST(madvise(private, P, MADV_WIPEONFORK) == 0);
    pid = fork();
    if (pid == 0) _exit(private[0] == 0 ? 0 : 1);
    reap("WIPEONFORK", pid);
    MUST(madvise(private, P, MADV_KEEPONFORK) == 0);
    MUST(madvise(private + P, P, MADV_DONTFORK) == 0);
    touch("DONTFORK", private + P, 0);
    touch("KEEPONFORK", private, 0);
    TRY(madvise(private, P, 9999));
    TRY(madvise(private + 1, P, MADV_NORMAL));
    TRY(madvise((void *)(P * 2L), P, MADV_NORMAL));
    TRY(madvise(shared, P, MADV_WIPEONFORK));
    MUST(madvise(shared, P, MADV_REMOVE) == 0);
    printf("REMOVE: %d\n", shared[0]);

    // Files: private and shared.
    enter_home();
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    char buf[64] = {0};
    MUST(ftruncate(fd, P + 10) == 0 && pwrite(fd, "file", 4, 0) == 4);
    char *a = map(2, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    char *b = map(2, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
    a[1] = 'I';
    printf("%.4s %.4s\n", b, a);
    b[2] = 'L';
    a[3] = 'E';
    MUST(pread(fd, buf, 4, 0) == 4);
    printf("file %s, private %.4s\n", buf, b);
    MUST(pwrite(fd, "new", 3, 0) == 3);
    printf("shared %.4s, private %.4s\n", a, b);
    // Behind the end of the file but on its last page.
    a[P + 20] = 'z';
    MUST(msync(a, 2 * P, MS_SYNC) == 0);
    MUST(ftruncate(fd, P + 30) == 0);
    printf("behind the end: %d\n", a[P + 5]);
    TRY(msync(a, P, MS_SYNC | MS_ASYNC));
    TRY(msync(a + 1, P, MS_SYNC));
    close(fd);
    a[0] = 'N';
    fd = open("f", O_RDONLY);
    MUST(pread(fd, buf, 4, 0) == 4);
    printf("after close: %s\n", buf);
    TRY(mmap(NULL, P, PROT_WRITE, MAP_SHARED, fd, 0));
    TRY(mmap(NULL, P, PROT_WRITE, MAP_PRIVATE, fd, 0));
    TRY(mmap(NULL, P, PROT_READ, MAP_SHARED, fd, 100));
    char *ro = map(1, PROT_READ, MAP_SHARED, fd);
    TRY(mprotect(ro, P, PROT_READ | PROT_WRITE));
    unlink("f");
    printf("unlinked: %.3s\n", a);
    close(fd);
    leave_home();

    fd = memfd_create("name", MFD_CLOEXEC);
    MUST(fd >= 0);
    printf("seals %d\n", fcntl(fd, F_GET_SEALS));
    MUST(write(fd, "memory", 6) == 6);
    char *mem = map(1, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    pid = fork();
    if (pid == 0) {
        mem[0] = 'M';
        MUST(pwrite(fd, "Y", 1, 5) == 1);
        _exit(0);
    }
    reap("memfd", pid);
    printf("%.6s\n", mem);
    struct stat st;
    fstat(fd, &st);
    printf("size %d, links %d\n", (int)st.st_size, (int)st.st_nlink);
    char link[64] = {0}, proc[32];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    MUST(readlink(proc, link, sizeof link) > 0);
    printf("%s\n", link);

    unsigned char vec[4];
    char *res = map(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    res[P] = res[3 * P] = 1;
    MUST(mincore(res, 4 * P, vec) == 0);
    printf("in core %d%d%d%d\n", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1);
    TRY(mincore(res + 1, P, vec));
    munmap(res, P);
    TRY(mincore(res, P, vec));
    MUST(mlock(res + P, P) == 0 && munlock(res + P, P) == 0);
    TRY(mlock(res, P));
    // The stack grows by itself, the heap by brk.
    char *here = __builtin_alloca(100000);
    here[0] = 1;
    char *end = (char *)((syscall(SYS_brk, 0) + P - 1) & -P);
    MUST(syscall(SYS_brk, end + 3 * P) == (long)(end + 3 * P));
    end[2 * P] = 7;
    MUST(syscall(SYS_brk, end) == (long)end);
    touch("behind the break", end + 2 * P, 0);
    return 0;
}
