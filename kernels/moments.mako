<%doc>
Statistics by channel of what a work-item has just written to y, on channel blocks; see lowering/model/moments.py. Import
with
  <%namespace name="moments" file="/moments.mako"/>
`leaves`: "moments", of y alone; "sums", of y and of another tensor in the same layout; "" for nothing.
</%doc>
<%! from clconv.lowering.model.ctext import assign, load, vector_type %>

## What a kernel takes more for them.
<%def name="parameters(leaves)">\
% if leaves:
, global float* restrict parts\
% if leaves == "sums":
, global const float* restrict other, global const float* restrict center, int channels\
% endif
, int part_channels\
% endif
</%def>

## Of `n` pixels from `y + at` on, as part number `part` of the block of channels that begins with `channel`. It reads them
## again, which are still in the core's own cache, rather than keep sums in registers that the work itself needs; and no
## pixel counts twice where tiles overlap.
<%def name="of_run(leaves, at, n, part, channel, block)">
<% V = vector_type(block) %>\
      {
        const size_t at_ = ${at};
        const int n_ = ${n};
        ${start(leaves, channel, block)}
% if leaves == "moments":
        const int few_ = min(n_, 16);
        for (int k_ = 0; k_ < few_; ++k_) top_ = top_ + ${load(V, "y + at_ + k_ * %d" % block)};
        top_ = top_ / (float)few_;
% endif
        int k_ = 0;
        for (; k_ + 4 <= n_; k_ += 4) {
% for i in range(4):
          ${again(leaves, i, "at_ + (size_t)(k_ + %d) * %d" % (i, block), V)}
% endfor
        }
        for (; k_ < n_; ++k_) ${again(leaves, 0, "at_ + (size_t)k_ * %d" % block, V)}
        ${leave(leaves, "(float)n_", part, channel, block)}
      }
</%def>

<%def name="again(leaves, i, place, V)">${take(leaves, i, load(V, "y + " + place), place, V)}</%def>

## Four sets of sums side by side, so that adders need not be waited for.
<%def name="start(leaves, channel, block)">
<% V = vector_type(block) %>\
% if leaves == "moments":
        ${V} top_ = 0;
% else:
        const ${V} center_ = (${V})(${", ".join("center[min(%s + %d, channels - 1)]" % (channel, lane) for lane in range(block))});
        ${V} ${", ".join("r%d_ = 0" % i for i in range(4))};
% endif
        ${V} ${", ".join("s%d_ = 0, q%d_ = 0" % (i, i) for i in range(4))};
</%def>

## Adds the vector `value` of y, which is at `place`, to set number i.
<%def name="take(leaves, i, value, place, V)">
% if leaves == "moments":
{ const ${V} d_ = ${value} - top_; s${i}_ = s${i}_ + d_; q${i}_ = d_ * d_ + q${i}_; }
% else:
{
  const ${V} g_ = ${value}, d_ = ${load(V, "other + " + place)} - center_;
  s${i}_ = s${i}_ + g_; q${i}_ = g_ * d_ + q${i}_; r${i}_ = r${i}_ + d_;
}
% endif
</%def>

## Stores the part.
<%def name="leave(leaves, count, part, channel, block)">
<%
  V = vector_type(block)
  sums = leaves == "sums"
  fields = ("s0_", "q0_", "r0_") if sums else ("(%s)(%s)" % (V, count), "top_", "mean_", "apart_ < 0 ? 0 : apart_")
%>\
% for name in "sqr" if sums else "sq":
        ${name}0_ = (${name}0_ + ${name}1_) + (${name}2_ + ${name}3_);
% endfor
        global float* part_ = parts + (size_t)(${part}) * ${len(fields)} * part_channels + ${channel};
% if not sums:
        const ${V} mean_ = s0_ / ${count}, apart_ = q0_ - s0_ * mean_;
% endif
% for i, field in enumerate(fields):
        ${assign(V, "part_ + %d * (size_t)part_channels" % i, field)}
% endfor
</%def>
