<%doc>
Many launches as one: each worker takes work-items of every operation in turn, and waits only for the
operations whose memory its own touches. After the persistent threads of Gupta, Stuart and Owens, "A Study of
Persistent Threads Style GPU Programming" (2012), for CPUs, where waking a thread for each launch costs more than
many launches compute.

A work-group of one item is a worker. The items of an operation are shared out in `segments`, a worker begins with
its own (so that it finds in its cache what it wrote itself) and goes on with the others'. Only what somebody has
taken is waited for, and whoever takes work does it next: workers that run one after another finish as well.

operations: what to run, `count` of them   words: arguments of all, see callable.py   awaited: numbers of
operations       counters: for each operation `segments` lines of items taken and one of items done, then one of
workers done; all zero before and after.   Index space: the workers.   Parameters: kernels; stamped, for profiles: then
  stamps: for each operation and worker a line of ticks (first item taken, all awaited, last item done) and the items
  done, if there were any.
</%doc>
<%page args="kernels, stamped=False"/>\
<%namespace name="clock" file="/clock.mako"/>\
<%!
from clconv.planning.functions import call_text, function_text
from clconv.planning.persistent import LINE, SPINS, STAMP
%>
#define get_global_id(d) global_id_##d
#define get_global_size(d) global_size_##d
% for kernel in kernels:
${function_text(kernel)}
% endfor
#undef get_global_id
#undef get_global_size

typedef struct {
  int function, size_0, size_1, size_2, items, chunk, first_word, first_awaited, awaited;
} ${entry}_operation;

static void ${entry}_item(global const ${entry}_operation* operation, global const ulong* words, int item) {
  const size_t global_size_0 = operation->size_0, global_size_1 = operation->size_1, global_size_2 = operation->size_2;
  const size_t global_id_0 = item % global_size_0, rows = item / global_size_0;
  const size_t global_id_1 = rows % global_size_1, global_id_2 = rows / global_size_1;
  switch (operation->function) {
% for i, kernel in enumerate(kernels):
    case ${i}: ${call_text(kernel, "words")}; break;
% endfor
  }
}

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

// Waits until the operations that this one needs are done: looks for a while, then sleeps. Who sleeps is woken at once, even
// where strangers keep the cores busy; who went on looking, or gave way again and again, would use up its share of a core
// and wait for the next one. Who may be asleep is counted next to the items done.
static void ${entry}_wait(
    global const ${entry}_operation* operations, global const ${entry}_operation* operation,
    global const int* awaited, global int* counters, int lines) {
  for (int i = 0; i < operation->awaited; ++i) {
    const int other = awaited[operation->first_awaited + i], items = operations[other].items;
    global int* done = counters + (other * lines + lines - 1) * ${LINE};
    int looks = 0;
    while (__atomic_load_n(done, __ATOMIC_ACQUIRE) != items && looks < ${SPINS}) ++looks;
    if (looks < ${SPINS}) continue;
    __atomic_fetch_add(done + 1, 1, __ATOMIC_SEQ_CST);
    for (int now; (now = __atomic_load_n(done, __ATOMIC_SEQ_CST)) != items;) ${entry}_futex(done, 128, now);
    __atomic_fetch_sub(done + 1, 1, __ATOMIC_SEQ_CST);
  }
}

// Counts items as done, and wakes who waits for the last of them.
static void ${entry}_done(global int* done, int did, int items) {
  if (__atomic_add_fetch(done, did, __ATOMIC_SEQ_CST) == items && __atomic_load_n(done + 1, __ATOMIC_SEQ_CST))
    ${entry}_futex(done, 129, 0x7fffffff);
}

% if stamped:
${clock.function()}
% endif
kernel void ${entry}(
    global const ${entry}_operation* operations, int count, global const ulong* words, global const int* awaited,
    global int* counters, int segments${", global ulong* stamps" if stamped else ""}) {
  const int lines = segments + 1;
  const int worker = get_group_id(0);
  for (int number = 0; number < count; ++number) {
    global const ${entry}_operation* operation = operations + number;
    global int* taken = counters + number * lines * ${LINE};
    const int chunk = operation->chunk;
% if stamped:
    global ulong* stamp = stamps + ((long)number * get_num_groups(0) + worker) * ${STAMP};
% endif
    int did = 0;
    for (int turn = 0; turn < segments; ++turn) {
      const int segment = (worker + turn) % segments;
      const int begin = (long)operation->items * segment / segments;
      const int end = (long)operation->items * (segment + 1) / segments;
      global int* next = taken + segment * ${LINE};
      // Looks before it takes: what is used up is only read, and the number cannot run over.
      while (__atomic_load_n(next, __ATOMIC_RELAXED) < end - begin) {
        const int first = begin + __atomic_fetch_add(next, chunk, __ATOMIC_RELAXED);
        if (first >= end) break;
        const int last = end - first < chunk ? end : first + chunk;
% if stamped:
        if (did == 0) stamp[0] = ${entry}_clock();
% endif
        if (did == 0) ${entry}_wait(operations, operation, awaited, counters, lines);
% if stamped:
        if (did == 0) stamp[1] = ${entry}_clock();
% endif
        for (int item = first; item < last; ++item) ${entry}_item(operation, words + operation->first_word, item);
        did += last - first;
      }
    }
% if stamped:
    if (did) {
      stamp[2] = ${entry}_clock();
      stamp[3] = did;
    }
% endif
    if (did) ${entry}_done(taken + segments * ${LINE}, did, operation->items);
  }
  global int* over = counters + count * lines * ${LINE};
  if (__atomic_fetch_add(over, 1, __ATOMIC_ACQ_REL) == (int)get_num_groups(0) - 1)
    for (int line = 0; line <= count * lines; ++line) counters[line * ${LINE}] = 0;
}
