<%doc>
Linear combinations with constant coefficients, zeros left out and ones not multiplied.

A matrix whose rows, or columns, come in pairs that differ in signs only, as those of points a and -a do, takes a quarter fewer
operations by `halves`: of two rows what both add and what one subtracts, of two columns their sum and difference.
</%doc>
<%!
def text(terms):
    """C of a sum of (coefficient, C of a value)."""
    parts = []
    for k, value in terms:
        if k:
            size = abs(k)
            factor = "%.9g" % size
            factor = factor if "." in factor or "e" in factor else "%.1f" % size
            parts.append(("- " if k < 0 else "+ ") + (value if size == 1 else "%sf * %s" % (factor, value)))
    joined = " ".join(parts)
    return joined[2:] if joined.startswith("+ ") else joined


def paired(matrix):
    """{row: other row} of those that differ in some signs only, each row once, where that saves operations."""
    pairs = {}
    for i, a in enumerate(matrix):
        for j, b in enumerate(matrix[:i]):
            same = sum(1 for x, y in zip(a, b) if x and x == y)
            opposite = sum(1 for x, y in zip(a, b) if x and x == -y)
            alike = all(abs(x) == abs(y) for x, y in zip(a, b)) and i not in pairs and j not in pairs
            if alike and same and opposite and same + opposite > 2:
                pairs[j], pairs[i] = i, j
    return pairs


def columns(matrix):
    return [list(column) for column in zip(*matrix)]
%>
<%def name="combination(coefficients, name)"><%
  combined = text([(k, "%s%d" % (name, i)) for i, k in enumerate(coefficients)])
%>${combined}</%def>
## What rows of the matrix share, of values <name>0, <name>1 and so on.
<%def name="halves(matrix, name, V)">
<%
  by_rows = paired(matrix)
  by_columns = {} if by_rows else paired(columns(matrix))
%>
% for i, j in by_rows.items():
% if i < j:
<%
  both = text([(a, "%s%d" % (name, k)) for k, (a, b) in enumerate(zip(matrix[i], matrix[j])) if a == b])
  first = text([(a, "%s%d" % (name, k)) for k, (a, b) in enumerate(zip(matrix[i], matrix[j])) if a != b])
%>
      const ${V} ${name}${i}_both = ${both}, ${name}${i}_one = ${first};
% endif
% endfor
% for i, j in by_columns.items():
% if i < j:
      const ${V} ${name}${i}_sum = ${name}${i} + ${name}${j}, ${name}${i}_difference = ${name}${i} - ${name}${j};
% endif
% endfor
</%def>
## Row i of the product, after `halves`.
<%def name="row(matrix, i, name)"><%
  by_rows = paired(matrix)
  by_columns = {} if by_rows else paired(columns(matrix))
  if i in by_rows:
      first = min(i, by_rows[i])
      combined = "%s%d_both %s %s%d_one" % (name, first, "+" if i == first else "-", name, first)
  else:
      terms = []
      for j, k in enumerate(matrix[i]):
          other = by_columns.get(j)
          if other is None:
              terms.append((k, "%s%d" % (name, j)))
          elif j < other:
              half = "sum" if matrix[i][other] == k else "difference"
              terms.append((k, "%s%d_%s" % (name, j, half)))
      combined = text(terms)
%>${combined}</%def>
