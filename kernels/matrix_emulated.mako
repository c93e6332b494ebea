<%doc>
What NVIDIA's matrix instructions compute, in plain C, for devices without them: it shows that the fragments of
matrix_nvidia.mako, whose variables it uses, are the right ones. Import with
  <%namespace name="emulation" file="/matrix_emulated.mako"/>
</%doc>
## The same products in plain C: the fragments of a warp's items lie side by side, each item sums its own results.
<%def name="products(kind, I, J, a, b)">
<%
  own = len(I) * a + len(J) * b
  tf32 = kind.type == "tf32"
  lane, index = ("k % 4", "k / 4") if tf32 else ("k % 8 / 2", "k / 8")
  value = (lambda at: "as_float(fragments[%s])" % at) if tf32 else (
      lambda at: "vload_half(k %% 2, (local const half*)(fragments + %s))" % at)
%>
% for i in I:
% for r in range(a):
      fragments[id * ${own} + ${i * a + r}] = a${i}_${r};
% endfor
% endfor
% for j in J:
% for r in range(b):
      fragments[id * ${own} + ${len(I) * a + j * b + r}] = b${j}_${r};
% endfor
% endfor
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int k = 0; k < ${kind.k}; ++k) {
        const int warp = id / ${kind.lanes} * ${kind.lanes}, lane = ${lane}, index = ${index};
% for i in I:
        const float f${i}_0 = ${value("(warp + warp_line * 4 + lane) * %d + %d + 2 * index" % (own, i * a))};
        const float f${i}_1 = ${value("(warp + warp_line * 4 + lane) * %d + %d + 2 * index" % (own, i * a + 1))};
% endfor
% for j in J:
        const float g${j}_0 = ${value("(warp + 8 * warp_place + lane) * %d + %d + index" % (own, len(I) * a + j * b))};
        const float g${j}_1 = ${value("(warp + 8 * warp_place + 4 + lane) * %d + %d + index" % (own, len(I) * a + j * b))};
% for i in I:
        c${i}_${j}_0 += f${i}_0 * (float2)(g${j}_0, g${j}_1);
        c${i}_${j}_1 += f${i}_1 * (float2)(g${j}_0, g${j}_1);
% endfor
% endfor
      }
      barrier(CLK_LOCAL_MEM_FENCE);
</%def>
