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
workers done and, as its second number, of how many threads of the host's are workers, too, which are the first ones; all zero before and
after.   Index space: the other workers.   Parameters: kernels; parts, programs of part.cl.mako that do the
  operations of other kernels; stamped, for profiles: then
  stamps: for each operation and worker a line of ticks (first item taken, all awaited, last item done) and the items
  done, if there were any.
</%doc>
<%page args="kernels, parts=(), stamped=False"/>\
<%namespace name="operations" file="/joined/operations.mako"/>\
<%namespace name="clock" file="/clock.mako"/>\
<%namespace name="waiting" file="/joined/waiting.mako"/>\
<%namespace name="alone" file="/joined/alone.mako"/>\
<%namespace name="together" file="/joined/together.mako"/>\
<%!
from clconv.planning.persistent import LINE, LOOKS, STAMP
%>
${operations.text(kernels)}
% if parts:

// Calls a function of another program, by where it begins. Naked, so that what it is given is still where a call puts it.
static __attribute__((naked, noinline)) void ${entry}_jump(ulong call, ulong begin) {
#if defined(__x86_64__)
  __asm__ volatile("jmp *%%rsi" : : : "memory");
#else
  __asm__ volatile("br x1" : : : "memory");
#endif
}
% endif

// Items of an operation, one after another. words: of its arguments; all: those of every operation.
static void ${entry}_several(
    global const ${entry}_operation* operation, global const ulong* words, global const ulong* all, int first, int last) {
% if parts:
  if (operation->part >= 0) {
    ulong call[4] = {(ulong)operation, (ulong)words, first, last};
    ${entry}_jump((ulong)call, all[operation->part]);
    return;
  }
% endif
  for (int item = first; item < last; ++item) ${entry}_item(operation, words, item);
}
% if not stamped:

${alone.function(parts)}
% endif

${waiting.functions(LINE, *LOOKS)}
% if stamped:
${clock.function()}
% endif
// What one worker does. workers: how many there are.
static __attribute__((noinline)) void ${entry}_work(
    global const ${entry}_operation* operations, int count, global const ulong* words, global const int* awaited,
    global int* counters, int segments, int worker, int workers${", global ulong* stamps" if stamped else ""}) {
  const int lines = segments + 1;
  int patience = ${LOOKS[1] // 2};
  for (int number = 0; number < count; ++number) {
    global const ${entry}_operation* operation = operations + number;
    global int* taken = counters + number * lines * ${LINE};
    const int chunk = operation->chunk;
% if stamped:
    global ulong* stamp = stamps + ((long)number * workers + worker) * ${STAMP};
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
        if (did == 0) patience = ${entry}_wait(operations, operation, awaited, counters, lines, patience);
% if stamped:
        if (did == 0) stamp[1] = ${entry}_clock();
% endif
        ${entry}_several(operation, words + operation->first_word, words, first, last);
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
}

// A worker has ended: the last one leaves the counters as they were.
static __attribute__((noinline)) void ${entry}_over(int count, global int* counters, int segments, int workers) {
  const int lines = count * (segments + 1);
  global int* over = counters + lines * ${LINE};
  if (__atomic_fetch_add(over, 1, __ATOMIC_ACQ_REL) != workers - 1) return;
  for (int line = 0; line <= lines; ++line) counters[line * ${LINE}] = 0;
}
% if not stamped:

${together.function(LINE, LOOKS[1])}
% endif

kernel void ${entry}(
    global const ${entry}_operation* operations, int count, global const ulong* words, global const int* awaited,
    global int* counters, int segments${", global ulong* stamps" if stamped else ""}) {
% if not stamped:
  if (count < 0) {  // never, but what no kernel calls is not compiled
    ${entry}_alone((ulong)words);
    ${entry}_together((ulong)words);
    return;
  }
% endif
  const int hosts = counters[count * (segments + 1) * ${LINE} + 1], workers = get_num_groups(0) + hosts;
  ${entry}_work(operations, count, words, awaited, counters, segments, get_group_id(0) + hosts, workers${", stamps" if stamped else ""});
  ${entry}_over(count, counters, segments, workers);
}
