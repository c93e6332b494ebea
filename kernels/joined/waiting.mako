<%doc>
How the workers of kernels/joined/persistent.cl.mako wait for each other. Import with
  <%namespace name="waiting" file="/joined/waiting.mako"/>
line: ints between counters. least, most: looks before a worker sleeps.
</%doc>

<%def name="functions(line, least, most)">\
// Linux's futex(), which kernels cannot call by name: operation 128 sleeps while *address is `value`, 129 wakes all.
static void ${entry}_futex(global int* address, long operation, long value) {
#if defined(__x86_64__)
  long number = 202;
  __asm__ volatile("xor %%r10d, %%r10d; syscall" : "+a"(number) : "D"(address), "S"(operation), "d"(value)
                   : "rcx", "r10", "r11", "memory");
#else
  __asm__ volatile("mov x8, #98; mov x0, %0; mov x1, %1; mov x2, %2; mov x3, #0; svc #0"
                   : : "r"(address), "r"(operation), "r"(value) : "x0", "x1", "x2", "x3", "x8", "memory");
#endif
}

// Waits until a number is `wanted`: looks for a while, `most` times, then sleeps. Who may be asleep is counted next to the number.
// How often it looked in vain.
static int ${entry}_until(global int* number, int wanted, int most) {
  int looks = 0;
  while (__atomic_load_n(number, __ATOMIC_ACQUIRE) != wanted && looks < most) ++looks;
  if (looks < most) return looks;
  __atomic_fetch_add(number + 1, 1, __ATOMIC_SEQ_CST);
  for (int now; (now = __atomic_load_n(number, __ATOMIC_SEQ_CST)) != wanted;) ${entry}_futex(number, 128, now);
  __atomic_fetch_sub(number + 1, 1, __ATOMIC_SEQ_CST);
  return looks;
}

// Waits until the operations that this one needs are done. Who sleeps is woken at once, even
// where strangers keep the cores busy; who went on looking, or gave way again and again, would use up its share of a core
// and wait for the next one. But an idle core takes as long to wake as a small layer computes. So who found by looking that all
// was done looks longer the next time, and who looked in vain half as long.
static int ${entry}_wait(
    global const ${entry}_operation* operations, global const ${entry}_operation* operation,
    global const int* awaited, global int* counters, int lines, int patience) {
  for (int i = 0; i < operation->awaited; ++i) {
    const int other = awaited[operation->first_awaited + i], items = operations[other].items;
    global int* done = counters + (other * lines + lines - 1) * ${line};
    const int looks = ${entry}_until(done, items, patience);
    if (looks == patience) patience = max(patience / 2, ${least});
    else if (looks) patience = min(2 * patience, ${most});
  }
  return patience;
}

// Counts items as done, and wakes who waits for the last of them.
static void ${entry}_done(global int* done, int did, int items) {
  if (__atomic_add_fetch(done, did, __ATOMIC_SEQ_CST) == items && __atomic_load_n(done + 1, __ATOMIC_SEQ_CST))
    ${entry}_futex(done, 129, 0x7fffffff);
}\
</%def>
