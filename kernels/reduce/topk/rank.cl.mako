<%doc>
The k first elements of each line in order, and where they were: each element counts those before it, and if they
are fewer than k that is its place.

x (O, length, inner)     values, places (O, k, inner)     lines = O * inner
One item does one element of `chunk` lines. Index space: (length, lines / chunk).
Parameters: type of the elements; largest or smallest first; is_float: there may be NaN; values, places: which are wanted.
</%doc>
<%namespace name="order" file="/reduce/topk/order.mako"/>
kernel void ${entry}(
    global const ${type}* restrict x,
% if values:
    global ${type}* restrict values,
% endif
% if places:
    global long* restrict places,
% endif
    int length, int k, int inner, int lines, int chunk) {
  const int own = get_global_id(0);
  const int begin = get_global_id(1) * chunk;
  const int end = begin + min(chunk, lines - begin);
  for (int line = begin; line < end; ++line) {
    const int outer = line / inner, column = line - outer * inner;
    global const ${type}* s = x + (long)outer * length * inner + column;
    const ${type} value = s[(long)own * inner];
    int rank = 0;
    for (int i = 0; i < length; ++i) {
      const ${type} other = s[(long)i * inner];
      rank += ${order.before("other", "i", "value", "own", largest, is_float)};
    }
    if (rank < k) {
      const long at = ((long)outer * k + rank) * inner + column;
% if values:
      values[at] = value;
% endif
% if places:
      places[at] = own;
% endif
    }
  }
}
