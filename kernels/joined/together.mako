<%doc>
How a thread of the host's own is the first worker of a persistent launch. Import with
  <%namespace name="together" file="/joined/together.mako"/>
line: ints between counters. looks: at whether the others have ended, before the caller is told to wait for them.
</%doc>

<%def name="function(line, looks)">\
// The part of worker 0, for a thread of the host's that calls this as a function of C, as that of alone.mako. It has launched the
// others and said in the counters that it is one. call: operations, count, words, awaited, counters, segments, workers, and a word
// that becomes 1 where not all of the others ended in time: then the counters are as they left them. None of them looks at any
// memory once it is counted as ended.
static __attribute__((noinline)) void ${entry}_together(ulong call_place) {
  global ulong* call = (global ulong*)call_place;
  if (call[0] == 0) {
    call[2] = ~call[2];
    return;
  }
#if defined(__x86_64__)
  uint before, usual = 0x1f80;
  __asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(before) : "m"(usual) : "memory");
#endif
  const int count = call[1], segments = call[5], workers = call[6];
  global int* counters = (global int*)call[4];
  global int* over = counters + count * (segments + 1) * ${line};
  ${entry}_work((global const ${entry}_operation*)call[0], count, (global const ulong*)call[2], (global const int*)call[3],
      counters, segments, 0, workers);
  int left = ${looks};
  while (__atomic_load_n(over, __ATOMIC_ACQUIRE) != workers - 1 && left) --left;
  call[7] = !left;
  if (left) {
    over[1] = 0;
    ${entry}_over(count, counters, segments, workers);
  }
#if defined(__x86_64__)
  __asm__ volatile("ldmxcsr %0" : : "m"(before) : "memory");
#endif
}\
</%def>
