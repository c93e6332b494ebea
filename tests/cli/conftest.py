"""Models and pictures as files, and a runner for the command line."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer import testing
from typer.testing import CliRunner

from clconv.cli.app import app
from tests.compat.models import brightener, classifier, two_inputs, unsupported

# Else it reads the signatures of all commands each time.
if hasattr(testing, "_get_command"):
    testing._get_command = functools.cache(testing._get_command)


class Clconv:
    """`clconv(arguments)` as in a shell, in this process."""

    def __call__(self, *arguments: object) -> Any:
        return CliRunner().invoke(app, [str(a) for a in arguments])

    def works(self, *arguments: object) -> str:
        """What it prints on stdout; the test fails if it does."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def fails(self, *arguments: object, saying: str, code: int = 1) -> None:
        """It must say so on stderr, the error last: one line, or a line and an indented list. No traceback."""
        result = self(*arguments)
        assert result.exit_code == code, result.output
        assert saying in result.stderr, result.stderr
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.stderr
        if code == 1:
            _, _, error = result.stderr.partition("clconv: error: ")
            first, *more = error.splitlines()
            assert first and all(line.startswith("  ") for line in more), result.stderr


@pytest.fixture
def clconv() -> Clconv:
    return Clconv()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, model in {
        "classifier": classifier(),
        "imagenet": classifier(1000),
        "brightener": brightener(),
        "two": two_inputs(),
        "unsupported": unsupported(),
    }.items():
        onnx.save(model, str(folder / f"{name}.onnx"))
    return folder


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 x 30 pixels (height x width) of smooth colour."""
    from PIL import Image

    rows, columns = np.mgrid[0:20, 0:30]
    colours = np.stack([rows * 12, columns * 8, 255 - columns * 8], axis=-1).astype(np.uint8)
    path = tmp_path_factory.mktemp("pictures") / "colours.png"
    Image.fromarray(colours).save(path)
    return path
