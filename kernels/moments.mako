<%doc>
Statistics by channel of what a work-item has just written to y, on channel blocks; see lowering/model/moments.py. Import
with
  <%namespace name="moments" file="/moments.mako"/>
</%doc>
<%! from clconv.lowering.model.ctext import assign, load, vector_type %>

## What a kernel takes more if it leaves them.
<%def name="parameters(leaves)">\
${", global float* restrict parts, int part_channels" if leaves else ""}\
</%def>

## Of `n` pixels from `y + at` on, as part number `part` of the block of channels that begins with `channel`. It reads them
## again, which are still in the core's own cache, rather than keep sums in registers that the work itself needs; and no
## pixel counts twice where tiles overlap.
<%def name="of_run(at, n, part, channel, block)">
<% V = vector_type(block) %>\
      {
        global const float* run_ = y + ${at};
        const int n_ = ${n}, few_ = min(n_, 16);
        ${start(V)}
        for (int k_ = 0; k_ < few_; ++k_) top_ = top_ + ${load(V, "run_ + k_ * %d" % block)};
        top_ = top_ / (float)few_;
        int k_ = 0;
        for (; k_ + 4 <= n_; k_ += 4) {
% for i in range(4):
          ${take(i, load(V, "run_ + (size_t)(k_ + %d) * %d" % (i, block)), V)}
% endfor
        }
        for (; k_ < n_; ++k_) ${take(0, load(V, "run_ + (size_t)k_ * %d" % block), V)}
        ${leave("(float)n_", part, channel, block)}
      }
</%def>

## Sums of distances from `top_` and of their squares, four side by side, so that adders need not be waited for.
<%def name="start(V)">
        ${V} top_ = 0;
        ${V} ${", ".join("s%d_ = 0, q%d_ = 0" % (i, i) for i in range(4))};
</%def>
<%def name="take(i, value, V)">{ const ${V} d_ = ${value} - top_; s${i}_ = s${i}_ + d_; q${i}_ = d_ * d_ + q${i}_; }</%def>
<%def name="leave(count, part, channel, block)">
<%
  V = vector_type(block)
  fields = ("(%s)(%s)" % (V, count), "top_", "mean_", "apart_ < 0 ? 0 : apart_")
%>\
        s0_ = (s0_ + s1_) + (s2_ + s3_);
        q0_ = (q0_ + q1_) + (q2_ + q3_);
        global float* part_ = parts + (size_t)(${part}) * ${len(fields)} * part_channels + ${channel};
        const ${V} mean_ = s0_ / ${count}, apart_ = q0_ - s0_ * mean_;
% for i, field in enumerate(fields):
        ${assign(V, "part_ + %d * (size_t)part_channels" % i, field)}
% endfor
</%def>
