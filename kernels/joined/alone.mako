<%doc>
How a thread of the host's own does a persistent launch, without waking any other. Import with
  <%namespace name="alone" file="/joined/alone.mako"/>
</%doc>

<%def name="function(parts)">\
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
#if defined(__x86_64__)
  uint before, usual = 0x1f80;
  __asm__ volatile("stmxcsr %0; ldmxcsr %1" : "=m"(before) : "m"(usual) : "memory");
#endif
  global const ${entry}_operation* operation = (global const ${entry}_operation*)call[0];
  for (ulong left = call[1]; left; --left, ++operation) {
    global const ulong* words = (global const ulong*)call[2] + operation->first_word;
% if parts:
    if (operation->part >= 0) {
      ${entry}_several(operation, words, (global const ulong*)call[2], 0, operation->items);
      continue;
    }
% endif
    for (int k = 0; k < operation->size_2; ++k)
      for (int j = 0; j < operation->size_1; ++j)
        for (int i = 0; i < operation->size_0; ++i) ${entry}_at(operation, words, i, j, k);
  }
#if defined(__x86_64__)
  __asm__ volatile("ldmxcsr %0" : : "m"(before) : "memory");
#endif
}\
</%def>
