<%doc>
Product of a matrix and one to four vectors, for GPUs: every element of the matrix is read once.

  y[v, l] = sum over k of matrix[l, k] * vectors[v, k]  (* alpha)  (+ c)

matrix    `lines` lines of K if along_inner, or K rows of lines; vectors (count, inner); one of each for every batch
y         (batch, count, lines): rows and columns of the result, or its columns and rows if turned, count being 1
c         see gemm/finish              vector_batches, matrix_batches: which ones make each of y
`items` work-items of a group share the sum of one line (or of `width` neighbouring ones), `group_lines` lines stand
side by side in the group; their parts are joined in local memory.
Index space: local (items * group_lines); groups (lines / group_lines / width, batch). Not along_inner, `width`
lines are computed by an item; along_inner, it is the length of its loads and divides K.

Parameters: count 1..4; along_inner; width 1, 4; items: a power of two; group_lines; turned; batched; scaled, addend,
addend_columns: see gemm/finish; epilogue.
</%doc>
<%namespace name="after" file="/gemm/finish.mako"/>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element, vector_type
from clconv.lowering.shared.reduction import FLOAT_REDUCTIONS
SUM = FLOAT_REDUCTIONS["ReduceSum"]
%>
<%
  V = vector_type(width)
  result = "float" if along_inner else V
  lanes = 1 if along_inner else width
  step = 1 if along_inner else group_lines

  def aligned(name):
      """What reads a whole vector at an address that it divides."""
      return "read_half%s" % V.removeprefix("float") if stored(name) == "half" else "*(global const %s*)" % V
%>
kernel __attribute__((reqd_work_group_size(${items * group_lines}, 1, 1))) void ${entry}(
    global const ${stored("vectors")}* restrict vectors, global const ${stored("matrix")}* restrict matrix,
% if batched:
    global const int* restrict vector_batches, global const int* restrict matrix_batches,
% endif
    global ${stored("y")}* restrict y, int inner, int lines${after.parameters(scaled, addend, epilogue_names)}) {
  ${group.memory(result, items * group_lines)}
  const int id = get_local_id(0);
  const int index = get_group_id(1);
% if along_inner:
  const int part = id % ${items}, place = id / ${items};
% else:
  const int part = id / ${group_lines}, place = id % ${group_lines};
% endif
  const int line = (get_group_id(0) * ${group_lines} + place) * ${lanes};
% if batched:
  global const ${stored("vectors")}* vector = vectors + (size_t)vector_batches[index] * ${count} * inner;
  global const ${stored("matrix")}* source = matrix + (size_t)matrix_batches[index] * inner * lines;
% else:
  global const ${stored("vectors")}* vector = vectors;
  global const ${stored("matrix")}* source = matrix;
% endif
  // Items past the last line sum it once more, so that all meet at the barriers.
  const int own = min(line, lines - ${lanes});
  ${V} ${", ".join("part%d = (%s)(0)" % (v, V) for v in range(count))};
% if along_inner:
  source += (size_t)own * inner;
  for (int k = part * ${width}; k < inner; k += ${items * width}) {
    const ${V} m = ${aligned("matrix")}(source + k);
% for v in range(count):
    part${v} = m * ${aligned("vectors")}(vector + ${"(size_t)%d * inner + " % v if v else ""}k) + part${v};
% endfor
  }
% else:
  for (int k = part; k < inner; k += ${items}) {
    const ${V} m = ${aligned("matrix")}(source + (size_t)k * lines + own);
% for v in range(count):
    part${v} = m * ${element("vector", "%sk" % ("(size_t)%d * inner + " % v if v else ""), stored("vectors"))} + part${v};
% endfor
  }
% endif
% for v in range(count):
  {
% if along_inner and width > 1:
    float sum = (part${v}.s0 + part${v}.s1) + (part${v}.s2 + part${v}.s3);
% else:
    ${result} sum = part${v};
% endif
    ${group.join(SUM, "sum", result, items, step, "part")}
    if (part == 0 && line < lines) {
% for lane in range(lanes):
      {
        float value = sum${".s%d" % lane if lanes > 1 else ""};
        const int l = line + ${lane};
        const size_t at = ((size_t)index * ${count} + ${v}) * lines + l;
        ${after.finish("value", "float", "l" if turned else v, "0" if turned else "l", "at", scaled, addend, addend_columns, epilogue)}
        ${set_element("y", "at", "value", stored("y"))}
      }
% endfor
    }
  }
% endfor
}
