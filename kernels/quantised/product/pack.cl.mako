<%doc>
Packs right-hand matrices of bytes, less their column's zero point, into panels of floats for quantised/product/panels.

w       (batch, inner, columns)
panels  (batch, columns / WIDTH, inner, WIDTH), zeros behind the last column
One item packs one panel; index space: (columns / WIDTH, batch).
Parameters: type; point: kind of zero point, see pieces.mako; width: WIDTH.
</%doc>
<%namespace name="pieces" file="/quantised/product/pieces.mako"/>
kernel void ${entry}(
    global const ${type}* restrict w\
${pieces.point_parameters(type, type, ("", point))}\
, global float* restrict panels, int inner, int columns) {
  const int chunk = get_global_id(0);
  const size_t batch = get_global_id(1);
  const int first = chunk * ${width};
  const int lanes = min(columns - first, ${width});
  global const ${type}* source = w + batch * inner * columns + first;
  global float* target = panels + (batch * get_global_size(0) + chunk) * inner * ${width};
  int zeros[${width}];
  for (int lane = 0; lane < ${width}; ++lane)
    zeros[lane] = lane < lanes ? ${pieces.point("w_zero", point, "first + lane")} : 0;
  if (lanes == ${width}) {
    for (int k = 0; k < inner; ++k, source += columns, target += ${width})
      for (int lane = 0; lane < ${width}; ++lane) target[lane] = (float)(source[lane] - zeros[lane]);
    return;
  }
  for (int k = 0; k < inner; ++k, source += columns, target += ${width})
    for (int lane = 0; lane < ${width}; ++lane) target[lane] = lane < lanes ? (float)(source[lane] - zeros[lane]) : 0.0f;
}
