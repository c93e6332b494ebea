/* Makes programs take an Intel processor for a Haswell, which has AVX2 and no AVX-512: Linux faults on CPUID, and this answers.

     cc -O1 -shared -fPIC -o as_haswell.so benchmarks/quantised/as_haswell.c
     LD_PRELOAD=./as_haswell.so python -m benchmarks.quantised.ways mobilenetv2

   Needs the flag cpuid_fault in /proc/cpuinfo. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARCH_CPUID_SET = 0x1012 };
static struct sigaction before;

static void answer(int signal, siginfo_t* info, void* context) {
  greg_t* g = ((ucontext_t*)context)->uc_mcontext.gregs;
  const unsigned char* code = (const unsigned char*)g[REG_RIP];
  if (code[0] != 0x0f || code[1] != 0xa2) {
    sigaction(SIGSEGV, &before, 0);
    return;
  }
  const unsigned leaf = g[REG_RAX], sub = g[REG_RCX];
  unsigned a, b, c, d;
  syscall(SYS_arch_prctl, ARCH_CPUID_SET, 1);
  __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(sub));
  if (leaf == 1) a = (a & ~0x0fff0ff0u) | 0x000306c0u;  // family 6, model 0x3c
  if (leaf == 7 && sub == 0) b &= 0x0250ffffu, c = d = 0;  // what came with AVX-512 or later
  if (leaf == 7 && sub == 1) a = b = c = d = 0;
  g[REG_RAX] = a, g[REG_RBX] = b, g[REG_RCX] = c, g[REG_RDX] = d;
  g[REG_RIP] += 2;
  syscall(SYS_arch_prctl, ARCH_CPUID_SET, 0);
}

__attribute__((constructor)) static void start(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSEGV, &action, &before);
  if (syscall(SYS_arch_prctl, ARCH_CPUID_SET, 0)) {
    static const char text[] = "this processor does not fault on CPUID\n";
    if (write(2, text, sizeof text - 1) < 0) _exit(1);
  }
}
