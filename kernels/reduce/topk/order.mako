<%doc>
The order that TopK sorts by. Import with
  <%namespace name="order" file="/reduce/topk/order.mako"/>
</%doc>
## Whether value va at index ia comes before vb at ib: the larger (or smaller) value, then the lower index. NaN counts as
## larger than any number. An expression; the operands are names.
<%def name="before(va, ia, vb, ib, largest, is_float)">\
<%
  nan_a, nan_b = "%s != %s" % (va, va), "%s != %s" % (vb, vb)
  sign = ">" if largest else "<"
%>\
% if is_float and largest:
(${va} > ${vb} || (${nan_a} && ${vb} == ${vb}) || ((${va} == ${vb} || (${nan_a} && ${nan_b})) && ${ia} < ${ib}))\
% elif is_float:
(${va} < ${vb} || (${nan_b} && ${va} == ${va}) || ((${va} == ${vb} || (${nan_a} && ${nan_b})) && ${ia} < ${ib}))\
% else:
(${va} ${sign} ${vb} || (${va} == ${vb} && ${ia} < ${ib}))\
% endif
</%def>
