"""Functions are compiled for AVX-512 and kernels are not; what is built in is called with vectors that both pass alike."""

from __future__ import annotations

import re

import numpy as np
import pyopencl as cl

from clconv.device.info import DeviceInfo
from clconv.runtime.opencl import built as building
from clconv.runtime.opencl import builtins, open_device
from clconv.runtime.opencl.wide import widened
from tests.wide_vectors import with_wide_vectors

ALONE = """static float16 twice(float16 x) { return x + x; }
kernel __attribute__((vec_type_hint(float16))) void a(global float* restrict x, int n) {
  if (get_global_id(0) < n) *(global float16*)x = twice(*(global float16*)x);
}
kernel void b(global int* y) { y[get_global_id(1)] = 3; }
"""
GROUP = "kernel void c(global int* y) { y[get_group_id(0)] = 3; }\n"
HALVES = """kernel void k(global float* x) {
  const float16 v = vload16(1, x);
  const int16 whole = convert_int16(v);
  vstore16(select(max(v, 5.0f), sqrt(v), whole < 20), 2, x);
  x[0] = any(whole > 30) + 2 * any(whole > 31) + 4 * all(whole > 15) + 8 * all(whole > 16);
}
"""
_OTHERS = """convert_int16 convert_uchar16_sat_rte convert_double8 vload8 vload16 vstore16 vload_half16 vloada_half4
vstore_half16 vstorea_half16_rtz"""


def outside(text: str) -> str:
    begin, end = (
        "#define __AVX512F__ 1\n#pragma clang attribute push",
        "#pragma clang attribute pop",
    )
    return re.sub(f"{begin}.*?{end}", "", text, flags=re.S)


def test_kernels_call_functions_of_what_they_were() -> None:
    text = widened(ALONE, "avx512f")
    assert re.findall(r"\bkernel\b", text) == ["kernel"] * 2 and "vec_type_hint" not in text
    assert 'target("avx512f")' in text and "void a_items(" in text
    left = outside(text)
    assert "float16" not in left and "a_items(get_global_id(0), " in left
    assert left.rstrip().endswith("get_global_size(2), y);\n}")


def test_what_groups_do_together_stays_a_kernel() -> None:
    helper = ALONE.splitlines()[0] + "\n"
    assert outside(widened(helper + GROUP, "avx512f")).strip() == GROUP.strip()
    assert widened(ALONE + GROUP, "avx512f") == ALONE + GROUP
    defined = helper + "int write_half(int x) {\n  return x;\n}\n"
    own = GROUP.replace("= 3", "= write_half(3)")
    assert widened(defined + own, "avx512f") == defined + own
    assert widened(defined + GROUP, "avx512f") != defined + GROUP


def test_halves_of_what_is_built_in_are_declared_for_narrow_vectors_only() -> None:
    source = (
        "kernel void k(global float16* x) { x[0] = sqrt(x[0]) + vload16(0, (global float*)x); }\n"
    )
    text = builtins.declared(source, "avx512f")
    assert "{ return (float16)(sqrt(x0.lo), sqrt(x0.hi)); }" in text
    assert "{ return (float16)(vload8(2 * x0 + 0, x1), vload8(2 * x0 + 1, x1)); }" in text
    left = outside(text)
    assert f"float8 {builtins._CONST} sqrt(float8);" in left
    assert not re.search(r"(float16|double8) \S.*\bsqrt\(", left)


def build(source: str, wide: DeviceInfo) -> cl.Program:
    device, text = open_device(wide), builtins.declared(source, wide.wide)
    with building.without_logs():
        return cl.Program(device.context, text).build([*building.POCL_OPTIONS], [device._raw])


def test_every_one_compiles(device: DeviceInfo) -> None:
    called = " ".join(f"{name}(" for name in [*builtins._table(), *_OTHERS.split()])
    program = build(f"// {called}\n{ALONE}", with_wide_vectors(device))
    assert program.kernel_names == "a;b"


def test_halves_find_their_lanes(device: DeviceInfo) -> None:
    wide = with_wide_vectors(device)
    context = open_device(wide).context
    x = np.arange(48, dtype=np.float32)
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    buffer, queue = cl.Buffer(context, flags, hostbuf=x), cl.CommandQueue(context)
    cl.Kernel(build(HALVES, wide), "k")(queue, (1,), (1,), buffer)
    cl.enqueue_copy(queue, x, buffer)
    assert x[0] == 1 + 4  # any, but not beyond, all, but not beyond
    lanes = np.arange(16, 32, dtype=np.float32)
    assert np.allclose(x[32:], np.where(lanes < 20, lanes**0.5, lanes))
