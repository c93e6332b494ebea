<%doc>
Change of element type: floats are cut towards zero, anything to bool is "not zero".

x, y: `total` elements each, in whatever layout. One work-item converts `per_item` elements.
Index space: (total / per_item). Parameters: source, target: C types, half among them; conversion: C text of
the target value from `value`, which is a float where the source is half; width: elements of a vector, more than 1
only between float and half; to_bool: from float to bool, sixteen at a time; by_int: between float and long, sixteen elements that all have values of an int go through it.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>\
<%
  read = "float" if source == "half" else source
%>
% if by_int:
typedef ${source} ${entry}_x __attribute__((ext_vector_type(8), aligned(sizeof(${source}))));
typedef ${target} ${entry}_y __attribute__((ext_vector_type(8), aligned(sizeof(${target}))));
% endif
% if to_bool:
typedef uchar ${entry}_y __attribute__((ext_vector_type(16), aligned(1)));
% endif
kernel void ${entry}(
    global const ${source}* restrict x, global ${target}* restrict y, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
% if width > 1:
<%
  V = vector_type(width)
%>\
  long i = begin;
  for (; i + ${width} <= end; i += ${width}) {
    ${assign(V, "y + i", load(V, "x + i", source), target)}
  }
  for (; i < end; ++i) {
    ${set_element("y", "i", element("x", "i", source), target)}
  }
% else:
  long i = begin;
% if to_bool:
  for (; i + 16 <= end; i += 16) {
    const int16 is_set = *(global const float16_u*)(x + i) != 0;
    *(global ${entry}_y*)(y + i) = __builtin_convertvector(is_set, uchar16) & (uchar16)(1);
  }
% endif
% if by_int:
  for (; i + 16 <= end; i += 16) {
    const ${source}8 v0 = *(global const ${entry}_x*)(x + i), v1 = *(global const ${entry}_x*)(x + i + 8);
% if source == "long":
    const int8 n0 = __builtin_convertvector(v0, int8), n1 = __builtin_convertvector(v1, int8);
    const long8 far8 = (v0 ^ __builtin_convertvector(n0, long8)) | (v1 ^ __builtin_convertvector(n1, long8));
    const long4 far4 = far8.lo | far8.hi;
% else:
    const int8 far8 = ((as_int8(v0) & 0x7FFFFFFF) >= 0x4F000000) | ((as_int8(v1) & 0x7FFFFFFF) >= 0x4F000000);
    const int4 far4 = far8.lo | far8.hi;
% endif
    const ${"long" if source == "long" else "int"}2 far2 = far4.lo | far4.hi;
    if (far2.lo | far2.hi) {
      for (int k = 0; k < 16; ++k) {
        const ${source} value = x[i + k];
        y[i + k] = ${conversion};
      }
      continue;
    }
% if source == "float":
    const int8 n0 = __builtin_convertvector(v0, int8), n1 = __builtin_convertvector(v1, int8);
% endif
% for half in range(2):
    *(global ${entry}_y*)(y + i + ${8 * half}) = __builtin_convertvector(n${half}, ${target}8);
% endfor
  }
% endif
  for (; i < end; ++i) {
    const ${read} value = ${"vload_half(i, x)" if source == "half" else "x[i]"};
% if target == "half":
    vstore_half_rte(${conversion}, i, y);
% else:
    y[i] = ${conversion};
% endif
  }
% endif
}
