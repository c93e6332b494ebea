<%doc>
How threads of the host's own do a persistent launch: the caller alone, or together with helpers that wait for the next one. Import
with
  <%namespace name="together" file="/together.mako"/>
line: ints of a cache line. spins: looks before a caller that waits for helpers sleeps.

Memory that they share, in lines: 0. the gate: how many helpers have come in (8 bits), whether nobody may come in any more (1
bit), the number of the run; next to it, how many helpers may be asleep, and whether they are to end; next to that, how often
a helper looks for work before it sleeps.   1. a function, and the number that it is called with.   2. how many have left; next
to it, whether the caller may be asleep.
</%doc>

<%def name="usual_floats()">\
#if defined(__x86_64__)
  uint before, usual = 0x1f80;
  __asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(before) : "m"(usual) : "memory");
#endif\
</%def>

<%def name="floats_as_before()">\
#if defined(__x86_64__)
  __asm__ volatile("ldmxcsr %0" : : "m"(before) : "memory");
#endif\
</%def>

<%def name="alone()">\
// All operations one after another, for a thread of the host's that calls this as a function of C: where waking others takes
// longer than they would save. Only numbers of 64 bits come in, so that nothing of how it is called depends on the compiler.
// call: operations, count, words; with no operations the third word is inverted, which shows that the call arrived. Floats are
// computed as in PoCL's threads: to the nearest, with denormal ones, whatever the host's thread was told.
static __attribute__((noinline)) void ${entry}_alone(ulong call_place) {
  global ulong* call = (global ulong*)call_place;
  if (call[0] == 0) {
    call[2] = ~call[2];
    return;
  }
${usual_floats()}
  global const ${entry}_operation* operation = (global const ${entry}_operation*)call[0];
  for (ulong left = call[1]; left; --left, ++operation) {
    global const ulong* words = (global const ulong*)call[2] + operation->first_word;
    for (int k = 0; k < operation->size_2; ++k)
      for (int j = 0; j < operation->size_1; ++j)
        for (int i = 0; i < operation->size_0; ++i) ${entry}_at(operation, words, i, j, k);
  }
${floats_as_before()}
}\
</%def>

<%def name="functions(line, spins)">\
// The host's function at this address, called with one number: kernels have no pointers to functions.
static void ${entry}_call(ulong function, ulong number) {
#if defined(__x86_64__)
  __asm__ volatile("mov %%rsp, %%r12; sub $128, %%rsp; and $-64, %%rsp; call *%%rax; mov %%r12, %%rsp"
                   : "+a"(function), "+D"(number) : : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "memory", "cc",
                   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
                   "xmm13", "xmm14", "xmm15");
#else
  __asm__ volatile("mov x0, %1; blr %0" : : "r"(function), "r"(number)
                   : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16",
                   "x17", "x30", "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
                   "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
                   "v27", "v28", "v29", "v30", "v31");
#endif
}

static void ${entry}_pause(void) {
#if defined(__x86_64__)
  __asm__ volatile("pause" : : : "memory");
#else
  __asm__ volatile("yield" : : : "memory");
#endif
}

// A launch by the caller, and by helpers that come while it goes on: nobody waits for one who has not begun. place: operations,
// count, words, awaited, counters, segments, the shared memory, this function; its lowest 6 bits are 0 for the caller, and a
// helper's number for a helper.
static __attribute__((noinline)) void ${entry}_together(ulong place) {
  const int worker = place & 63;
  global const ulong* call = (global const ulong*)(place - worker);
  global int* counters = (global int*)call[4];
  global int* gate = (global int*)call[6];
  global int* left = gate + 2 * ${line};
  const int count = call[1], segments = call[5];
${usual_floats()}
  if (worker == 0) {
    global ulong* what = (global ulong*)(gate + ${line});
    what[0] = call[7];
    what[1] = place;
    *left = 0;
    const uint run = ((uint)*gate >> 9) + 1;
    __atomic_store_n(gate, (int)(run << 9), __ATOMIC_SEQ_CST);
    if (__atomic_load_n(gate + 1, __ATOMIC_SEQ_CST)) ${entry}_futex(gate, 129, 0x7fffffff);
  }
  ${entry}_work(
      (global const ${entry}_operation*)call[0], count, (global const ulong*)call[2], (global const int*)call[3], counters,
      segments, worker, 0);
  if (worker == 0) {
    const int came = __atomic_fetch_or(gate, 256, __ATOMIC_SEQ_CST) & 255;
    ${entry}_until(left, came, ${spins});
    for (int at = 0; at <= count * (segments + 1); ++at) counters[at * ${line}] = 0;
  }
${floats_as_before()}
}

// A helper's life: looks for work for a while, then sleeps until there is some.
static __attribute__((noinline)) void ${entry}_helper(ulong place) {
  global int* gate = (global int*)place;
  global const ulong* what = (global const ulong*)(gate + ${line});
  global int* left = gate + 2 * ${line};
  uint last = ~0u;
  int looks = 0;
  for (;;) {
    int now = __atomic_load_n(gate, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(gate + 2, __ATOMIC_SEQ_CST)) return;
    if ((now & 256) || (uint)now >> 9 == last) {
      if (++looks < gate[3]) {
        ${entry}_pause();
        continue;
      }
      __atomic_fetch_add(gate + 1, 1, __ATOMIC_SEQ_CST);
      if (__atomic_load_n(gate, __ATOMIC_SEQ_CST) == now) ${entry}_futex(gate, 128, now);
      __atomic_fetch_sub(gate + 1, 1, __ATOMIC_SEQ_CST);
      looks = 0;
      continue;
    }
    int expected = now;
    if (!__atomic_compare_exchange_n(gate, &expected, now + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) continue;
    last = (uint)now >> 9;
    ${entry}_call(what[0], what[1] + 1 + (now & 255) % 63);
    looks = 0;
    __atomic_fetch_add(left, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(left + 1, __ATOMIC_SEQ_CST)) ${entry}_futex(left, 129, 0x7fffffff);
  }
}\
</%def>
