<%doc>
Bytes less their row's zero point, as floats.

x, y (.., point_rows, inner)   total = all rows   zero: see pieces.mako
One item does `per_item` rows. Index space: (total / per_item).
Parameters: type; point: kind of zero point.
</%doc>
<%namespace name="pieces" file="/quantised/product/pieces.mako"/>
kernel void ${entry}(
    global const ${type}* restrict x\
${pieces.point_parameters(type, type, (point, ""))}\
, global float* restrict y, int total, int inner, int point_rows, int per_item) {
  const int end = min((int)(get_global_id(0) + 1) * per_item, total);
  for (int row = get_global_id(0) * per_item; row < end; ++row) {
    const int zero = ${pieces.point("x_zero", point, "row % point_rows")};
    global const ${type}* source = x + (size_t)row * inner;
    global float* target = y + (size_t)row * inner;
    for (int i = 0; i < inner; ++i) target[i] = (float)(source[i] - zero);
  }
}
