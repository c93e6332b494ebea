"""A Predictor as a stateful actor of Ray Data."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest

import clconv
from tests.predictor.support import dies_once, doubler, with_rows

ray = pytest.importorskip("ray", reason="needs ray: pip install 'clconv[ray]'")
pytest.importorskip("ray.data", reason="needs ray: pip install 'clconv[ray]'")

ROOT = Path(__file__).resolve().parent.parent.parent
COUNT = 400


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Ray on this machine with two workers; the file that dies_once() leaves."""
    death = tmp_path_factory.mktemp("ray") / "death"
    variables = {
        "CLCONV_TEST_DEATH": str(death),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        **{
            n: v
            for n, v in os.environ.items()
            if n.startswith(("POCL_", "CLCONV_", "OCL_", "XDG_"))
        },
    }
    ray.init(
        num_cpus=3,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 * 2**20,
        runtime_env={"env_vars": variables},
    )
    yield death
    ray.shutdown()


def numbers(path: Path, before: Any) -> list[tuple[int, float]]:
    """Every number of the data set with its result, from two actors."""
    found = ray.data.range(COUNT, override_num_blocks=20).map_batches(
        clconv.Predictor,
        fn_constructor_args=(str(path),),
        fn_constructor_kwargs={"before": before},
        batch_size=10,
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    return sorted((int(row["id"]), float(row["y"][0])) for row in found.take_all())


@pytest.mark.slow
@pytest.mark.parametrize("dies", [False, True])
def test_two_actors(cluster: Path, tmp_path: Path, dies: bool) -> None:
    """Also if one of them is killed: no result is lost, none is there twice."""
    onnx.save(doubler(), str(tmp_path / "doubler.onnx"))
    found = numbers(tmp_path / "doubler.onnx", dies_once if dies else with_rows)
    assert found == [(n, 2.0 * n + 1) for n in range(COUNT)]
    assert cluster.exists() == dies
