"""What benchmarks/gpu keeps of the driver's compiler: the programs of the networks that it measured."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence

from benchmarks.gpu.lanes import Bench

_MOST = 14 << 20  # bytes of the file


def keep_programs(bench: Bench, label: str, programs: Sequence[bytes]) -> None:
    """Into a file beside the results, so that they can be read where there is no such device: NVIDIA's are PTX, of which
    ptxas makes the machine code. Each once, as long as the file is small enough."""
    if bench.options.json is None:
        return
    path = bench.options.json.with_suffix(".programs.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
        known = {name.rsplit(" ", 1)[-1] for name in file.namelist()}
        for program in programs:
            name = hashlib.sha256(program).hexdigest()[:16]
            if name not in known and path.stat().st_size < _MOST:
                file.writestr(f"{label} {name}", program)
