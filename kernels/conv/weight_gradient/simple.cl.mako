<%doc>
The gradient of a convolution's filters by its definition: any rank, group, stride, dilation and padding.

  dw[f, c, k] = sum over n, o of dy[n, f, o] * x[n, g * C + c, o * stride + k * dilation - pad]

x (N, group * C, size...)   dy (N, filters, out...)   parts (splits, filters, C, kernel...): sums of `chunk` pixels each
A work-group of `items` computes one channel and tap of `block` filters, each item every items-th pixel of all images, and adds
them up in a fixed order. Index space: (C * taps * items, filters / block, splits).
Parameters: type float or double; spatial axes; items: 1 or a power of two; block: filters, a divisor of a group's;
pad_mode none, constant, reflect, edge, wrap.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%
  axes = range(spatial)
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global const ${stored("dy", type)}* restrict dy,
    global ${stored("parts", type)}* restrict parts, int channels, int filters, int group, int pixels, int chunk
% for what in ("size", "out", "kernel", "stride", "dilation", "pad"):
% for i in axes:
    , int ${what}${i}
% endfor
% endfor
    ) {
% if items > 1:
  local ${type} sums[${items * block}];
% endif
  const int place = get_global_id(0) / ${items};
  const int lane = get_global_id(0) % ${items};
  const int f = get_global_id(1) * ${block};
  const int split = get_global_id(2);
  int rest = place;
% for i in reversed(axes):
  const int k${i} = rest % kernel${i} * dilation${i} - pad${i}; rest /= kernel${i};
% endfor
  const int channel = f / (filters / group) * channels + rest;
% for b in range(block):
  ${type} sum${b} = 0;
% endfor
  const int end = min((split + 1) * chunk, pixels);
  for (int pixel = split * chunk + lane; pixel < end; pixel += ${items}) {
    int left = pixel;
% for i in reversed(axes):
    int i${i} = left % out${i} * stride${i} + k${i}; left /= out${i};
% endfor
% for i in axes:
% if pad_mode == "constant":
    if (i${i} < 0 || i${i} >= size${i}) continue;
% elif pad_mode != "none":
    i${i} = ${common.padded_index(pad_mode, "i%d" % i, "size%d" % i)};
% endif
% endfor
    size_t from = (size_t)left * group * channels + channel;
    size_t plane = (size_t)left * filters + f;
% for i in axes:
    from = from * size${i} + i${i};
% endfor
    const size_t area = ${" * ".join("(size_t)out%d" % i for i in axes)};
    plane = plane * area + (pixel - left * (int)area);
    const ${type} s = ${element("x", "from", stored("x"))};
% for b in range(block):
    sum${b} = s * ${element("dy", "plane + %d * area" % b, stored("dy"))} + sum${b};
% endfor
  }
  const size_t each = get_global_size(0) / ${items};
  const size_t at = ((size_t)split * filters + f) * each + place;
% if items == 1:
% for b in range(block):
  ${set_element("parts", "at + %d * each" % b, "sum%d" % b, stored("parts"))}
% endfor
% else:
% for b in range(block):
  sums[${b * items} + lane] = sum${b};
% endfor
  for (int half_way = ${items // 2}; half_way > 0; half_way /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane < half_way) {
% for b in range(block):
      sums[${b * items} + lane] += sums[${b * items} + lane + half_way];
% endfor
    }
  }
  if (lane == 0) {
% for b in range(block):
    ${set_element("parts", "at + %d * each" % b, "sums[%d]" % (b * items), stored("parts"))}
% endfor
  }
% endif
}
