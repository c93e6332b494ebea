"""The outcome of `clconv doctor` for one device, and the report of all: text without anything private."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import re
from collections.abc import Mapping, Sequence

from clconv.device.info import DeviceInfo
from clconv.diagnosis.doctor import Result
from clconv.diagnosis.peak import Peak, measure_launch, measure_peak
from clconv.runtime.quarantine import Name
from clconv.version import __version__

_PACKAGES = ("numpy", "pyopencl", "mako", "onnx", "pocl-binary-distribution", "intel-opencl-rt")


@dataclasses.dataclass(frozen=True)
class Speed:
    """launch: seconds that starting a kernel costs."""

    peak: Peak
    launch: float

    def __str__(self) -> str:
        return f"{self.peak}, {self.launch * 1e6:.1f} µs a launch"


def measure(device: DeviceInfo) -> Speed:
    """Takes about half a second."""
    return Speed(measure_peak(device), measure_launch(device))


@dataclasses.dataclass(frozen=True)
class VariantSummary:
    """A variant's results on all its cases in one precision. why: what is wrong with it, if it is quarantined for that."""

    op: str
    variant: str
    precision: str
    cases: int
    failed: int
    error: float
    why: str

    @property
    def label(self) -> str:
        """The variant, with the precision if that is not the usual one."""
        return self.variant if self.precision == "float32" else f"{self.variant}, {self.precision}"

    @property
    def verdict(self) -> str:
        if self.why:
            return f"FAIL {self.why}"
        return "pass" if not self.failed else "pass, but for a part that is quarantined"


@dataclasses.dataclass(frozen=True)
class Checkup:
    """quarantined: what is remembered now. unmeasured: why there is no speed. matrix: which matrix instructions are
    right, in words; "" if none were tried. left_out: operators for which there was no time."""

    device: DeviceInfo
    results: tuple[Result, ...]
    quarantined: Mapping[Name, str]
    speed: Speed | None
    unmeasured: str = ""
    matrix: str = ""
    left_out: tuple[str, ...] = ()

    def rows(self) -> list[VariantSummary]:
        """One a variant and precision, in the order in which they were examined."""
        by_name: dict[tuple[str, str, str], list[Result]] = {}
        for result in self.results:
            name = result.op, result.variant, result.precision
            by_name.setdefault(name, []).append(result)
        rows = []
        for name, found in by_name.items():
            failed = sum(not result.passed for result in found)
            why = self.quarantined.get(name[:2], "") if failed else ""
            rows.append(VariantSummary(*name, len(found), failed, max(r.error for r in found), why))
        return rows

    def remarks(self, before: Mapping[Name, str]) -> list[str]:
        """What a person should know at the end."""
        rows = self.rows()
        bad = len({(row.op, row.variant) for row in rows if row.why})
        variants = len({(row.op, row.variant) for row in rows})
        lines = [
            f"{variants} variants, {len(self.results)} results: {bad} variants wrong",
            str(self.speed) if self.speed else f"speed not measured: {self.unmeasured}",
        ]
        if self.left_out:
            count, names = (
                len(self.left_out),
                [*self.left_out[:3], *["..."][: len(self.left_out) > 3]],
            )
            lines.append(
                f"no time for {count} operator{'s' * (count > 1)} ({', '.join(names)}): without --quick all are examined"
            )
        lines += [f"matrix instructions: {self.matrix}"] if self.matrix else []
        lines += [f"quarantined: {op}:{variant}" for op, variant in self.quarantined]
        lines += [
            f"released: {op}:{variant}, which is right now"
            for op, variant in before
            if (op, variant) not in self.quarantined
        ]
        return lines


def report_text(checkups: Sequence[Checkup], quick: bool, operators: Sequence[str]) -> str:
    """Markdown: versions, and of each device what it says of itself, its speed, failures, every variant."""
    scope = "a few cases for each variant" if quick else "all cases"
    lines = [
        "# clconv doctor",
        "",
        f"clconv {__version__}, Python {platform.python_version()}, {platform.platform()}; "
        f"{', '.join(f'{n} {v}' for n, v in _versions())}",
        f"Examined: {', '.join(operators) or 'all operators'}, {scope}.",
    ]
    for checkup in checkups:
        lines += ["", *_device_lines(checkup)]
    return without_paths("\n".join(lines) + "\n")


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in _PACKAGES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _device_lines(checkup: Checkup) -> list[str]:
    info = checkup.device
    fields = {
        "vendor": info.vendor,
        "platform": f"{info.platform}, {info.platform_version}",
        "driver": f"{info.driver}, {info.version}",
        "kind": f"{info.kind}, {info.compute_units} compute units, vectors of {info.vector_width}",
        "memory": f"{info.global_memory:,} bytes, at once {info.largest_allocation:,}, local "
        f"{info.local_memory:,}, work-groups of {info.largest_work_group}",
        "quirks": ", ".join(sorted(info.quirks)) or "none",
        "extensions": " ".join(sorted(info.extensions)),
        "speed": str(checkup.speed) if checkup.speed else f"not measured: {checkup.unmeasured}",
    }
    if info.shuffle:
        fields["shuffles"] = f"{info.shuffle}{'' if info.shuffle_verified else ', not used'}"
    fields |= {"matrix instructions": checkup.matrix} if checkup.matrix else {}
    rows = checkup.rows()
    failures = [r for r in checkup.results if not r.passed]
    examined = {(row.op, row.variant) for row in rows}
    earlier = [
        f"{o}:{v} ({why})" for (o, v), why in checkup.quarantined.items() if (o, v) not in examined
    ]
    lines = [f"## {info.index}: {info.name}", ""]
    lines += [f"- {name}: {text}" for name, text in fields.items()]
    lines += [f"- quarantined before, not examined now: {', '.join(earlier)}"] if earlier else []
    bad = {(row.op, row.variant) for row in rows if row.why}
    if checkup.left_out:
        lines.append(f"- not examined, for lack of time: {', '.join(checkup.left_out)}")
    lines += ["", f"{len(bad)} of {len(examined)} variants are wrong."]
    if failures:
        lines += [
            "",
            "| failed case | variant | error | allowed | reason |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {_cell(r.case)} | {r.op}:{r.variant}{_in(r)} | {r.error:.1e} | {r.tolerance:.0e} | {_cell(r.failure)} |"
            for r in failures
        ]
    lines += ["", "| variant | cases | largest error | result |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {row.op}:{row.label} | {row.cases} | {row.error:.1e} | {_cell(row.verdict)} |"
        for row in rows
    ]
    return lines


def _in(result: Result) -> str:
    return "" if result.precision == "float32" else f", {result.precision}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# An absolute path of at least two parts, on any system; what stays is the last part.
_PATH = re.compile(
    r"(?<![\w.:/\\<-])(?:[A-Za-z]:\\|/|~/)(?:[^\s/\\:|'\"()]+[/\\])+([^\s/\\:|'\"()]*)"
)


def without_paths(text: str) -> str:
    """The text with absolute paths cut to their last part: compilers name folders of the user."""
    return _PATH.sub(r"\1", text)
