"""No rendered kernel makes a compiler warn: PoCL prints how many warnings there were on the user's terminal."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterator

import pytest

from clconv.cases import CASES, Case
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.diagnosis.doctor import in_precision, plan_of
from clconv.errors import ClconvError
from clconv.graph.ops import OPS
from clconv.layers import Conv2d, Relu, Sequential, Swish
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.template import program_source
from clconv.lowering.variants import VARIANTS
from clconv.planning.persistent import ADDRESS, CLOCK, is_wanted, parts_of, persistent_kernel
from clconv.planning.planner import Planner
from clconv.probes.wide_probe import verified_wide
from clconv.runtime.opencl import is_pocl
from clconv.runtime.opencl.built import BUILD_OPTIONS, POCL_OPTIONS
from clconv.runtime.opencl.builtins import declared

_KERNELS_A_PROGRAM = 50


def _log(device: DeviceInfo, source: str) -> str:
    """What the compiler has to say of a program that need not be linked."""
    cl = pytest.importorskip("pyopencl")
    from clconv.runtime.opencl import open_device

    opened, options = open_device(device), BUILD_OPTIONS
    if is_pocl(device.platform):  # as sessions have it; of what it has kept PoCL says nothing
        wide = device.wide if device.wide_verified else ""
        source, options = f"// {uuid.uuid4()}\n{declared(source, wide)}", POCL_OPTIONS
    program = cl.Program(opened.context, source)
    with warnings.catch_warnings():  # pyopencl's: a program that is compiled only is not kept
        warnings.simplefilter("ignore")
        program.compile(options=[*options])
    log = program.get_build_info(opened.context.devices[0], cl.program_build_info.LOG)
    if device.platform.startswith("Intel(R) OpenCL"):
        pytest.skip("Intel's runtime writes a log of every program")
    return str(log).strip("\0 \n")


def _kernels(cases: list[Case], device: DeviceInfo, precision: str) -> Iterator[Kernel]:
    for case in cases:
        for variant in VARIANTS.get(case.op, ()):
            try:
                plan = plan_of(
                    in_precision(case, precision), device, variant.name, precision=precision
                )
            except ClconvError:
                continue
            for call in plan.calls if plan else ():
                yield call.kernel


def _complaints(kernels: list[Kernel], device: DeviceInfo) -> list[str]:
    found = []
    for start in range(0, len(kernels), _KERNELS_A_PROGRAM):
        log = _log(device, program_source(kernels[start : start + _KERNELS_A_PROGRAM]))
        if log:
            found.append(log)
    return found


def test_kernels_of_integers(device: DeviceInfo) -> None:
    """What they inherit from floats, such as asking for NaN, is what compilers warn of."""
    wanted = ("Min", "Max", "Div", "Mod", "Abs", "BitShift", "ScatterND", "ScatterElements", "TopK")
    cases = [c for c in CASES if c.op in wanted and "int" in c.name]
    kernels = list(dict.fromkeys(_kernels(cases, device, "float32")))
    assert len(kernels) > 20
    assert _complaints(kernels, device) == []


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_kernels_of_every_template(device: DeviceInfo, precision: str) -> None:
    """Some of each: all 6,000 take a quarter of an hour to compile."""
    cases = [case for case in CASES if not OPS[case.op].host_only]
    of_template: dict[str, list[Kernel]] = {}
    for kernel in dict.fromkeys(_kernels(cases, device, precision)):
        of_template.setdefault(kernel.template, []).append(kernel)
    chosen = [k for kernels in of_template.values() for k in kernels[:: -(-len(kernels) // 4)]]
    assert len(chosen) > 100
    assert _complaints(chosen, device) == []


def test_joined_launches_and_their_parts(device: DeviceInfo) -> None:
    """Functions of them that C would rarely have: naked ones, and one that is never called."""
    if not is_wanted(device):
        pytest.skip(f"{device} joins no launches")
    own, other = list(dict.fromkeys(_kernels([CASES[0], CASES[-1]], device, "float32")))[:2]
    launch = persistent_kernel([own], [[other]])
    for kernel in (launch, *parts_of(launch)):
        assert _log(device, program_source((kernel,))) == ""


def test_a_network_as_sessions_have_it(device: DeviceInfo) -> None:
    """With the vectors that sessions take, and what wide.py makes of the text: loops are unrolled there that else are not."""
    cl = pytest.importorskip("pyopencl")
    from clconv.runtime.opencl import open_device
    from clconv.runtime.opencl.built import built

    if not is_pocl(device.platform):
        pytest.skip(f"{device} gets the text as it is")
    layers = [
        Conv2d(16, 3, 2, "same"),
        Swish(),
        Conv2d(32, 3, 2, "same"),
        Swish(),
        Conv2d(64, 1),
        Swish(),
    ]
    graph = Sequential(*layers, Conv2d(24, 1), Relu()).build((3, 96, 92))
    opened = open_device(verified_wide(device))
    plan = Planner(opened.info, PlanOptions(parts=1, images_at_once=0)).plan(
        graph, {name: graph.specs[name] for name in graph.inputs}
    )
    for source in opened.compiler.sources(call.kernel for call in plan.launches):
        fresh = f"// {uuid.uuid4()}\n{source}"  # of what it has kept PoCL says nothing
        program = built(opened.context, opened._raw, fresh, opened.compiler.options)
        log = program.get_build_info(opened._raw, cl.program_build_info.LOG)
        assert not str(log).strip("\0 \n")


def test_programs_of_one_kernel(device: DeviceInfo) -> None:
    """What wide.py puts around functions is around some in each."""
    if not is_pocl(device.platform):
        pytest.skip(f"{device} gets the text as it is")
    taken = verified_wide(device)
    of_template: dict[str, Kernel] = {"address": ADDRESS, "clock": CLOCK}
    for kernel in _kernels(CASES[::12], taken, "float32"):
        of_template.setdefault(kernel.template, kernel)
    assert len(of_template) > 50
    logs = {name: _log(taken, program_source((k,))) for name, k in of_template.items()}
    assert {name: log for name, log in logs.items() if log} == {}
