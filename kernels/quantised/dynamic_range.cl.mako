<%doc>
The least and the greatest of `per_item` floats for each item, on CPUs: parts (items, 2); both are NaN if one of them is.

x: `total` floats, in any layout. On channel blocks of `lanes`, what stands behind the last channel does not count.
Index space: (total / per_item). per_item is a multiple of lanes.
Parameters: lanes; masked: on channel blocks, the last of which has `left` channels; `pixels` of a block, `blocks` of an image.
</%doc>
<% F, I = "float%d" % lanes, "int%d" % lanes %>
<%def name="look(u, value)">
      {
        const ${F} v = ${value};
        low${u} = v < low${u} ? v : low${u};
        high${u} = v > high${u} ? v : high${u};
        bad${u} |= v != v;
      }
</%def>
kernel __attribute__((vec_type_hint(${F}))) void ${entry}(
    global const float* restrict x, global float* restrict parts, long total, long per_item${", int pixels, int blocks, int left" if masked else ""}) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  ${F} ${", ".join("low%d = (%s)(INFINITY), high%d = -low%d" % (u, F, u, u) for u in range(4))};
  ${I} ${", ".join("bad%d = (%s)(0)" % (u, I) for u in range(4))};
  long i = begin;
% if masked:
  const ${I} lane = (${I})(${", ".join(map(str, range(lanes)))});
  for (; i < end; ) {
    const long plane = i / ${lanes} / pixels, behind = (plane + 1) * pixels * ${lanes};
    const long stop = behind < end ? behind : end;
    if (plane % blocks == blocks - 1)
      for (; i < stop; i += ${lanes}) {
        ${look(0, "lane < left ? *(global const %s_u*)(x + i) : (%s)(0)" % (F, F))}
      }
    for (; i < stop; i += ${lanes}) {
      ${look(0, "*(global const %s_u*)(x + i)" % F)}
    }
  }
% else:
  for (; i + ${4 * lanes} <= end; i += ${4 * lanes}) {
% for u in range(4):
    ${look(u, "*(global const %s_u*)(x + i + %d)" % (F, u * lanes))}
% endfor
  }
  for (; i + ${lanes} <= end; i += ${lanes}) {
    ${look(0, "*(global const %s_u*)(x + i)" % F)}
  }
  for (; i < end; ++i) {
    ${look(1, "(%s)(x[i])" % F)}
  }
% endif
% for u in range(1, 4):
  low0 = low${u} < low0 ? low${u} : low0;
  high0 = high${u} > high0 ? high${u} : high0;
  bad0 |= bad${u};
% endfor
  float low = INFINITY, high = -INFINITY;
  int bad = 0;
% for lane in range(lanes):
  low = low0.s${"%x" % lane} < low ? low0.s${"%x" % lane} : low;
  high = high0.s${"%x" % lane} > high ? high0.s${"%x" % lane} : high;
  bad |= bad0.s${"%x" % lane};
% endfor
  parts[2 * get_global_id(0)] = bad ? NAN : low;
  parts[2 * get_global_id(0) + 1] = bad ? NAN : high;
}
