<%doc>
What follows the sum of a product. Import with
  <%namespace name="finish" file="/gemm/finish.mako"/>
scaled: there is an alpha; addend: none, columns (a vector of columns) or matrix (beta * c, c_row elements from
row to row, several columns if addend_columns).
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element, load
%>

## The parameters that a kernel needs for it, behind its own.
<%def name="parameters(scaled, addend, epilogue_names)">\
% if scaled:
, float alpha\
% endif
% if addend == "columns":
, global const ${stored("c")}* restrict c\
% elif addend == "matrix":
, global const ${stored("c")}* restrict c, int c_row, float beta\
% endif
${common.epilogue_parameters(epilogue_names)}\
</%def>

## Finishes variable `value`, a vector or a scalar `type`, in column `column` and row `row` of the result, which
## lies at index `at` of y.
<%def name="finish(value, type, row, column, at, scaled, addend, addend_columns, epilogue)">
% if scaled:
        ${value} *= alpha;
% endif
% if addend == "columns":
        ${value} += ${load(type, "c + %s" % column, stored("c"))};
% elif addend == "matrix":
        ${value} += beta * ${load(type, "c + (size_t)(%s) * c_row + %s" % (row, column), stored("c")) if addend_columns else element("c", "(%s) * c_row" % row, stored("c"))};
% endif
        ${common.apply_epilogue(epilogue, value, type, column, at)}
</%def>
