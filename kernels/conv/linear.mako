<%doc>
Linear combinations with constant coefficients, zeros left out and ones not multiplied.
</%doc>
<%def name="combination(coefficients, name)"><%
  terms = []
  for i, k in enumerate(coefficients):
      if k:
          size = abs(k)
          term = "%s%d" % (name, i) if size == 1 else "%.9gf * %s%d" % (size, name, i)
          term = term if "." in term or "e" in term or size == 1 else "%.1ff * %s%d" % (size, name, i)
          terms.append(("- " if k < 0 else "+ ") + term)
  text = " ".join(terms)
%>${text[2:] if text.startswith("+ ") else text}</%def>
