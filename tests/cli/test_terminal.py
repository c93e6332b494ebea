"""What reaches a terminal: no control characters of strangers, in any encoding, and a quiet end."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from typer.testing import CliRunner

from clconv.cli import interrupts
from clconv.cli.app import app
from clconv.cli.terminal import flush_streams, prepare_streams
from clconv.debug import printable, printable_lines, say
from tests.cli.conftest import Clconv
from tests.compat.models import classifier
from tests.patience import HANG

EVIL = "\x1b[31m\x1b]0;owned\x07\x9b2J\u202e\u2066[bold]b[/bold]:smile:\nnext\r\x00"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier, every name and text of which holds control characters and markup."""
    model = classifier()
    bad = EVIL.replace("\0", "")  # the parser refuses it before anything is shown
    model.graph.name = model.producer_name = model.doc_string = model.graph.doc_string = bad
    new = {v.name: f"{bad}{v.name}" for v in (*model.graph.input, *model.graph.output)}
    for value in (*model.graph.input, *model.graph.output):
        value.name = new[value.name]
    for node in model.graph.node:
        node.name = f"{bad}{node.name}"
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    path = tmp_path_factory.mktemp("evil") / "evil.onnx"
    onnx.save(model, str(path))
    return path


def test_printable() -> None:
    assert printable("a\x1b[0mb\nc\td") == "a\\x1b[0mb\\nc\\td"
    assert printable("naïve 猫 🐈 µ") == "naïve 猫 🐈 µ"
    assert printable("\u202ea\udc80\x85") == "\\u202ea\\udc80\\x85"
    assert printable_lines("a\n\tb\x1b") == "a\n\tb\\x1b"


def test_no_command_prints_control_characters_of_a_model(
    evil: Path, clconv: Clconv, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"\x1b[3{i}m[red]name {i}\u202e" for i in range(10)))
    commands = [
        ("show", evil), ("show", evil, "--plan"), ("check", evil), ("run", evil, "-i", picture),
        ("run", evil, "-i", picture, "--labels", labels), ("show", evil, "--shape", "no=1x3"),
        ("run", evil, "-i", f"{EVIL[:-1]}=x.png"), ("run", evil, "-i", tmp_path / "\x1b[2J.png"),
        ("run", evil, "-i", picture, "-o", tmp_path / "out.npz"), ("show", evil, "\x1b[2J"),
        ("run", evil, "-i", picture, "-d", "\x1b[2J"), ("show", tmp_path / "\x1b]0;x\x07.onnx"),
    ]  # fmt: skip
    monkeypatch.setenv("CLCONV_DEBUG", "2")
    for command in commands:
        result = clconv(*command)
        found = CONTROLS.search(result.output)
        assert found is None, (command, result.output[found.start() - 40 : found.end() + 40])
        assert result.exception is None or isinstance(result.exception, SystemExit)
    shown = clconv.works("show", evil)
    assert "[bold]b[/bold]:smile:" in shown  # no markup either
    assert "[red]name" in clconv.works("run", evil, "-i", picture, "--labels", labels)


def test_debugging_lines_are_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLCONV_DEBUG", "1")
    say(1, EVIL)
    assert CONTROLS.search(capsys.readouterr().err) is None


@pytest.mark.parametrize("charset", ["ascii", "cp1252", "latin-1", "koi8-r"])
def test_any_encoding_will_do(charset: str, models: Path, tmp_path: Path, picture: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"猫 {i} µ" for i in range(10)), encoding="utf-8")
    model = str(models / "classifier.onnx")
    for command in (
        ["devices"],
        ["show", model],
        ["run", model, "-i", str(picture), "--labels", str(labels)],
        ["show", str(tmp_path / "猫.onnx")],
    ):
        result = CliRunner(charset=charset).invoke(app, command)
        assert result.exit_code == (1 if "猫" in command[-1] else 0), result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "\\u732b" in result.output or not any(word in command for word in ("run",))


def test_what_an_encoding_lacks_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    monkeypatch.setattr(sys, "stderr", None)
    prepare_streams()
    print("3 µs … 猫 \udc80")
    print("to nobody", file=sys.stderr)
    assert flush_streams() is None
    assert written.getvalue() == b"3 us ~ \\u732b \\udc80\n"
    sys.stderr.close()


def _clconv(*arguments: object, **changes: str) -> list[str]:
    return [sys.executable, "-m", "clconv", *map(str, arguments)]


def _environment(**changes: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path.cwd()), *sys.path])
    return {**os.environ, "PYTHONPATH": path, **changes}


@pytest.mark.skipif(os.name == "nt", reason="pipes and signals of POSIX")
def test_a_reader_that_has_enough(models: Path) -> None:
    """The pipe is closed before anything is written: the worst case of `| head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        _clconv("show", models / "classifier.onnx"), stdout=writing, stderr=subprocess.PIPE,
        env=_environment(), check=False, text=True,
    )  # fmt: skip
    os.close(writing)
    assert ended.stderr == "" and ended.returncode in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_full_disk_behind_stdout(models: Path, unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            _clconv("show", models / "classifier.onnx"), stdout=full, stderr=subprocess.PIPE,
            env=_environment(PYTHONIOENCODING="ascii", PYTHONUNBUFFERED=unbuffered), check=False, text=True,
        )  # fmt: skip
    assert ended.returncode == 1
    line, *more = ended.stderr.splitlines()
    assert line.startswith("clconv: error: ") and "space" in line and not more, ended.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_is_one_line(
    clconv: Clconv, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*arguments: object, **options: object) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(10)

    monkeypatch.setattr("clconv.api.load", slow)
    for command in ("check", "run"):
        more = ["-i", models.parent / "no.npy"] if command == "run" else []
        if more:
            import numpy as np

            np.save(models.parent / "no.npy", np.zeros((1, 3, 8, 8), np.float32))
        result = clconv(command, models / "classifier.onnx", *more)
        assert result.exit_code == 130
        assert result.stderr == "clconv: interrupted\n" and result.stdout == ""


LOST = """
import signal, sys, threading, time, weakref
import clconv.runtime.device

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it

class Thing:
    pass

def endless(*arguments):
    thing = Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing
    threading.Event().wait({hang})

clconv.runtime.device.devices = endless
sys.argv = ["clconv", "devices"]
from clconv.cli import main
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_an_interrupt_in_the_middle_of_a_weak_reference_is_not_lost() -> None:
    """Python prints what is raised there and goes on: Ctrl-C would have done nothing."""
    code = LOST.format(hang=HANG)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG / 2
    )
    assert (done.returncode, done.stderr) == (130, "clconv: interrupted\n")


def test_an_interrupt_where_another_is_told_of_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook itself may be interrupted, by the signal that it has sent, on a machine that has much to do."""
    sent = list[str]()

    def interrupted_once() -> None:
        sent.append("again")
        if len(sent) == 1:
            raise KeyboardInterrupt

    def others(lost: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(interrupts, "_interrupt_later", interrupted_once)
    monkeypatch.setattr(sys, "unraisablehook", others)
    interrupts.keep_interrupts()
    sys.unraisablehook(SimpleNamespace(exc_type=KeyboardInterrupt))  # type: ignore[arg-type]
    assert sent == ["again"] * 2
    sys.unraisablehook(SimpleNamespace(exc_type=ValueError))  # type: ignore[arg-type]
    assert sent == ["again"] * 3
