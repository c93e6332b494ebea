<%doc>
Functions of a persistent launch that are compiled as a program of their own, so that another process can compile them at the
same time. The kernel does nothing: it has PoCL make and load the machine code, in which the launch finds the function below.

call: never read   count: 0.   Index space: 1.   Parameters: kernels.
</%doc>
<%page args="kernels"/>\
<%namespace name="operations" file="/joined/operations.mako"/>\
${operations.text(kernels)}

// Items of an operation, one after another. Only a number of 64 bits comes in, so that nothing of how it is called depends on
// the compiler. call: operation, words of its arguments, first item, item behind the last; without an operation the third word is
// inverted, which shows that the call arrived.
static __attribute__((noinline)) void ${entry}_several(ulong call_place) {
  global ulong* call = (global ulong*)call_place;
  if (call[0] == 0) {
    call[2] = ~call[2];
    return;
  }
  global const ${entry}_operation* operation = (global const ${entry}_operation*)call[0];
  global const ulong* words = (global const ulong*)call[1];
  const int end = call[3];
  for (int item = call[2]; item < end; ++item) ${entry}_item(operation, words, item);
}

kernel void ${entry}(global ulong* call, int count) {
  if (count < 0) ${entry}_several((ulong)call);  // never, but what no kernel calls is not compiled
}
