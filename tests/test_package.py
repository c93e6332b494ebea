"""The package as a whole: what a wheel holds, and that nothing is left without a twin."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import clconv
from clconv.cases import CASES
from clconv.graph.ops import OPS
from clconv.lowering.variants import VARIANTS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clconv"


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, clconv; loaded = {'numpy', 'pyopencl', 'onnx', 'mako'} & set(sys.modules); "
        "sys.exit(f'loaded {loaded}' if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_command_line_starts_without_opencl() -> None:
    """`clconv show` and the help read files only."""
    code = (
        "import sys, clconv.cli.app; loaded = {'pyopencl', 'onnx'} & set(sys.modules); "
        "sys.exit(str(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_public_name_is_there() -> None:
    for name in clconv.__all__:
        assert getattr(clconv, name) is not None
    assert set(clconv.__all__) <= set(dir(clconv))
    with pytest.raises(AttributeError, match="nothing"):
        clconv.nothing  # noqa: B018


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8")))


DEVICE_OPS = sorted(name for name, op in OPS.items() if op.has_kernel)


@pytest.mark.parametrize("op", DEVICE_OPS)
def test_every_operator_has_variants_and_cases(op: str) -> None:
    assert VARIANTS.get(op), f"{op} has no lowering"
    assert any(case.op == op for case in CASES), f"{op} has no cases"


def test_variants_and_cases_are_of_operators_that_exist() -> None:
    assert set(VARIANTS) <= set(OPS)
    assert {case.op for case in CASES} <= set(OPS)


def test_case_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built offline."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_template_and_data_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    in_checkout = {
        f"clconv/kernels/{p.relative_to(ROOT / 'kernels').as_posix()}"
        for p in (ROOT / "kernels").rglob("*.mako")
    }
    assert in_checkout and in_checkout <= names
    assert {"clconv/py.typed", "clconv/demo/departures.png"} <= names
    measurements = {
        f"clconv/measurements/{p.name}" for p in (PACKAGE / "measurements").glob("*.json")
    }
    assert measurements and measurements <= names
    assert {f"{p.relative_to(ROOT).as_posix()}" for p in MODULES.values()} <= names
    assert not [n for n in names if n.startswith(("tests/", "kernels/"))]


_RENDER = """
import dataclasses
import sys
from pathlib import Path
import clconv
from clconv.lowering.ops.recurrent.inputs import split_kernel
from clconv.lowering.peak_kernels import peak_arithmetic_call, peak_copy_call
from clconv.planning.persistent import ADDRESS, CLOCK, parts_of, persistent_kernel
from clconv.lowering.model.template import PRELUDE, kernel_folder, prelude, render, template_names

home = Path(clconv.__file__).resolve().parent
assert home == Path(sys.argv[1]).resolve() / "clconv", home
assert kernel_folder() == home / "kernels", kernel_folder()
rendered = {PRELUDE} if prelude() else set()
for device in DEVICES.values():  # the probes of a device's peak belong to no operator
    for call in (peak_arithmetic_call(device, 1), peak_copy_call(device, 64)):
        assert call.kernel.symbol in render(call.kernel)
        rendered.add(call.kernel.template)
# Nor do those that join launches; and no case has weights that were bytes.
joined = persistent_kernel([call.kernel], [[call.kernel]])
for kernel in (ADDRESS, CLOCK, joined, *parts_of(joined), split_kernel(8)):
    assert kernel.symbol in render(kernel)
    rendered.add(kernel.template)
for case in DEVICE_CASES:
    if case.op in VARIANTS:
        for call in (c for device in DEVICES.values() for c in calls_of(case, device)):
            if call.kernel.template not in rendered:
                assert call.kernel.symbol in render(call.kernel)
                rendered.add(call.kernel.template)
# Nor does one have halves that a device multiplies as such.
able = dataclasses.replace(DEVICES["gpu"], matrix=frozenset({"f16 pairs"}), matrix_verified=True)
(stem,) = (case for case in DEVICE_CASES if case.name == "Conv-stem_7x7_stride_2")
for call in calls_of(stem.halved(), able):
    assert call.kernel.symbol in render(call.kernel)
    rendered.add(call.kernel.template)
missing = sorted(set(template_names()) - rendered)
assert not missing, f"nothing uses {missing}, or no case reaches it"
"""


def test_every_template_renders_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """All of them through the shared cases: a template that no lowering uses is found here, too."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    every_call = (ROOT / "tests/lowering/every_call.py").read_text(encoding="utf-8")
    command = [sys.executable, "-c", every_call + _RENDER, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_stand_in_imports_by_its_submodules() -> None:
    assert importlib.import_module("clconv.compat.onnxruntime.capi.onnxruntime_pybind11_state")


def test_one_folder_imports_pyopencl() -> None:
    """And nothing else imports what is inside it, but by the folder's own name."""
    inside = "clconv.runtime.opencl"
    for module, path in MODULES.items():
        if module == inside or module.startswith(f"{inside}."):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        reached = {n for n in names if n.split(".")[0] == "pyopencl" or n.startswith(f"{inside}.")}
        assert not reached, f"{module} imports {reached}"
