/* What tests/gdb.rs looks at: a handler, two threads, a child, without libc, so
 * that it needs nothing but what is meant.
 * gcc -g -O0 -fno-stack-protector -static -nostdlib */
typedef long word;

static word call(word n, word a, word b, word c, word d) {
  register word r10 __asm__("r10") = d;
  word r;
  __asm__ volatile("syscall"
                   : "=a"(r)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return r;
}

struct action { void (*handler)(int); word flags; void (*restorer)(void); word mask; };

char stacks[2][8192] __attribute__((aligned(16)));
volatile int alive[2] = {1, 1};
volatile int shared;
int value = 1;

__attribute__((naked)) static void restorer(void) { __asm__("mov $15, %eax; syscall"); }

static void handler(int sig) {
  value += sig;
}

static void work(word n) {
  for (int i = 0; i < 10; i++)
    shared += n;
  call(60, 0, 0, 0, 0);
}

/* clone(VM | FS | FILES | SIGHAND | THREAD | SYSVSEM | CHILD_CLEARTID | SETTLS off) */
__attribute__((naked)) static word thread(void *stack, word n, volatile int *tid) {
  __asm__("mov %rsi, %r12; mov %rdi, %rsi; mov $0x250f00, %edi; mov %rdx, %r10;"
          "xor %edx, %edx; xor %r8d, %r8d; mov $56, %eax; syscall; test %eax, %eax; jnz 1f;"
          "mov %r12, %rdi; xor %ebp, %ebp; call work; 1: ret");
}

static void child_work(void) {
  value = 2;
  call(1, 1, (word) "child\n", 6, 0);
}

static void parent_work(void) {
  value = 3;
  call(1, 1, (word) "parent\n", 7, 0);
}

static void crash(void) {
  *(volatile int *)0x10 = 1;
}

int run(word argc) {
  struct action sa = {handler, 0x04000000, restorer, 0};
  call(13, 10, (word)&sa, 0, 8);
  call(62, call(39, 0, 0, 0, 0), 10, 0, 0);
  thread(stacks[0] + 8192, 1, &alive[0]);
  thread(stacks[1] + 8192, 2, &alive[1]);
  for (int i = 0; i < 2; i++)
    while (alive[i])
      call(202, (word)&alive[i], 0, alive[i], 0);
  if (call(57, 0, 0, 0, 0) == 0) {
    child_work();
    call(231, 5, 0, 0, 0);
  }
  call(61, -1, 0, 0, 0);
  parent_work();
  if (argc > 1)
    crash();
  return shared;
}

__attribute__((naked)) void _start(void) {
  __asm__("mov (%rsp), %rdi; and $-16, %rsp; call run; mov %eax, %edi; mov $231, %eax; syscall");
}
