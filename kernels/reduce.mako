<%doc>
Pieces of the reductions. Import with
  <%namespace name="reduce" file="/reduce.mako"/>
An `op` is a lowering.shared.reduction.Reduction: it writes C texts.
</%doc>
<%! from clconv.lowering.model.ctext import element, load, vector_type %>

## Reduces n elements (or vectors) at address, address + step, ... into a new variable `name`.
## Sums of 64 are summed, four side by side: few roundings on top of each other, and no waiting for the adder.
<%def name="accumulate(op, name, vector, address, step, n)">
  ${vector} ${name} = ${op.text("start", vector)};
  for (int block_ = 0; block_ < ${n}; block_ += 64) {
    const int stop_ = ${n} - block_ < 64 ? ${n} : block_ + 64;
    ${vector} a0_ = ${op.text("start", vector)}, a1_ = a0_, a2_ = a0_, a3_ = a0_;
    global const ${stored("x")}* p_ = (${address}) + (size_t)block_ * ${step};
    int k_ = block_;
    for (; k_ + 4 <= stop_; k_ += 4, p_ += 4 * (size_t)${step}) {
% for lane in range(4):
      const ${vector} v${lane}_ = ${load(vector, "p_ + %d * (size_t)%s" % (lane, step), stored("x"))};
      a${lane}_ = ${op.joined("a%d_" % lane, "v%d_" % lane, vector)};
% endfor
    }
    for (; k_ < stop_; ++k_, p_ += ${step}) {
      const ${vector} v_ = ${load(vector, "p_", stored("x"))};
      a0_ = ${op.joined("a0_", "v_", vector)};
    }
    a0_ = ${op.text("join", vector, a="a0_", b="a1_")};
    a2_ = ${op.text("join", vector, a="a2_", b="a3_")};
    a0_ = ${op.text("join", vector, a="a0_", b="a2_")};
    ${name} = ${op.text("join", vector, a=name, b="a0_")};
  }
</%def>

## Joins the lanes of a variable `lanes` into `name`, by halves: one after another would wait for each join.
<%def name="join_lanes(op, name, lanes, width)">
<%
  steps = [(lanes, width)]
%>
% while steps[-1][1] > 2:
<%
  whole, count = steps[-1]
  steps.append(("%s_%d_" % (lanes, count // 2), count // 2))
%>
    const ${vector_type(count // 2)} ${steps[-1][0]} = ${op.text("join", vector_type(count // 2), a=whole + ".lo", b=whole + ".hi")};
% endwhile
    ${name} = ${op.text("join", "float", a=steps[-1][0] + ".lo", b=steps[-1][0] + ".hi")};
</%def>

## Reduces n consecutive floats at `source` into a new float `name`; `vectors` is n / width.
## shifted: floats that the reduction reads. More than four elements behind the last vector are one more, of which the first
## lanes are reduced already.
<%def name="accumulate_row(op, name, width, shifted=())">
<%
  V = vector_type(width)
  numbers = ", ".join(map(str, range(width)))
%>
    float ${name};
    const int ${name}_more_ = vectors && n - vectors * ${width} > 4;
    {
% for value in shifted:
      const float ${value}_of_row_ = ${value};
      const ${V} ${value} = (${V})(${value}_of_row_);
% endfor
      ${accumulate(op, "lanes_", V, "source", width, "vectors")}
      if (${name}_more_) {
        const ${V} v_ = ${load(V, "source + n - %d" % width, stored("x"))};
        const ${V} more_ = (int${width})(${numbers}) >= (vectors + 1) * ${width} - n ? ${op.text("map", V, v="v_")} : ${op.text("start", V)};
        lanes_ = ${op.text("join", V, a="lanes_", b="more_")};
      }
      ${join_lanes(op, name, "lanes_", width)}
    }
    if (!${name}_more_)
      for (int k = vectors * ${width}; k < n; ++k) {
        const float v = ${element("source", "k", stored("x"))};
        ${name} = ${op.joined(name, "v", "float")};
      }
</%def>
