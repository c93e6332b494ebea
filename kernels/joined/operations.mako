<%doc>
Kernels as functions that a table of operations calls. Import with
  <%namespace name="operations" file="/joined/operations.mako"/>
Of the one who imports: entry, the beginning of all names, and kernels.
</%doc>
<%!
from clconv.planning.functions import call_text, function_text
from clconv.planning.merging import functions
%>

<%def name="text(kernels)">\
<% called = functions(kernels) %>\
#define get_global_id(d) global_id_##d
#define get_global_size(d) global_size_##d
% for function in dict.fromkeys(f.kernel for f in called.values()):
${function_text(function)}
% endfor
#undef get_global_id
#undef get_global_size

// part: which word tells where the function of another program that does it begins; -1 for those of this program.
typedef struct {
  int function, part, size_0, size_1, size_2, items, chunk, first_word, first_awaited, awaited;
} ${entry}_operation;

// Once in the program, however many call it: it has as many calls as there are kernels.
static __attribute__((noinline)) void ${entry}_at(
    global const ${entry}_operation* operation, global const ulong* words, int global_id_0, int global_id_1, int global_id_2) {
  const size_t global_size_0 = operation->size_0, global_size_1 = operation->size_1, global_size_2 = operation->size_2;
  switch (operation->function) {
% for i, kernel in enumerate(kernels):
    case ${i}: ${call_text(called[kernel], "words")}; break;
% endfor
  }
}

static void ${entry}_item(global const ${entry}_operation* operation, global const ulong* words, int item) {
  const int rows = item / operation->size_0;
  ${entry}_at(operation, words, item % operation->size_0, rows % operation->size_1, rows / operation->size_1);
}\
</%def>
