"""What MkDocs does with the pages of docs/ besides: a hook that mkdocs.yml names.

The pages are written for readers on GitHub. Here links that leave docs/ become links to the repository, the tour is made
of its notebook, and the pages of the reference are made of the public names, which GitHub has no use for.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY = "https://github.com/clconv/clconv/blob/main/"
TOUR = "tour.ipynb"

# Page of the reference -> its title, what it says first, and the modules or names that are described there. Of a module
# all names of its __all__ are.
REFERENCE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "run": (
        "Load and run",
        "From a model to its answers. [Python](../python.md) shows how these work together.",
        (
            "clconv.load",
            "clconv.compile",
            "clconv.precompile",
            "clconv.Session",
            "clconv.DeviceArray",
            "clconv.Graph",
            "clconv.graph.ir.TensorSpec",
            "clconv.save",
            "clconv.from_torch",
            "clconv.gradients",
            "clconv.Predictor",
            "clconv.devices",
            "clconv.DeviceInfo",
        ),
    ),
    "layers": (
        "Layers",
        "Networks built by hand. Sizes are those of one example, without the batch.",
        ("clconv.layers",),
    ),
    "training": (
        "Training",
        "[Training](../training.md) shows how these work together.",
        ("clconv.Trainer", "clconv.losses", "clconv.optim"),
    ),
    "inside": (
        "Pictures and profiles",
        "Beneath [clconv visualize](../visualize.md) and [clconv profile](../profiling.md).",
        (
            "clconv.visualize",
            "clconv.profile",
            "clconv.profiling.profile.Profile",
            "clconv.profiling.profile.Row",
            "clconv.draw.svg",
        ),
    ),
    "errors": (
        "Errors",
        "Every error that clconv raises on purpose is a `ClconvError`, and says what would work.",
        ("clconv.errors",),
    ),
    "compat": (
        "In place of other engines",
        "[Packages that run on clconv](../clients.md) without a change.",
        ("clconv.compat.onnxruntime", "clconv.compat.onnx_backend"),
    ),
}


def described(name: str) -> list[str]:
    """The names that one of REFERENCE stands for: itself, or what a module has in __all__, else its errors."""
    found = _value(name)
    if not isinstance(found, ModuleType):
        return [name]
    own = getattr(found, "__all__", None) or [
        word
        for word, value in vars(found).items()
        if getattr(value, "__module__", None) == name and word.endswith(("Error", "Warning"))
    ]
    return [f"{name}.{word}" for word in own if callable(getattr(found, word))]


def _value(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, last = name.rpartition(".")
        return getattr(importlib.import_module(module), last)


def block(name: str) -> str:
    """What mkdocstrings replaces by a description. Where a module has the name too, the name's own home is read."""
    module, _, last = name.rpartition(".")
    value = getattr(importlib.import_module(module), last)
    if hasattr(importlib.import_module(module), "__path__") and importlib.util.find_spec(name):
        options = f"    options:\n      heading: {name}\n      toc_label: {name}"
        return f"::: {value.__module__}.{last}\n{options}"
    return f"::: {name}"


def reference_page(stem: str) -> str:
    title, first, names = REFERENCE[stem]
    blocks = [block(n) for name in names for n in described(name)]
    return "\n\n".join([f"# {title}", first, *blocks, ""])


def tour_page(notebook: Path) -> tuple[str, dict[str, bytes]]:
    """The notebook as Markdown, and its pictures by name."""
    from nbconvert import MarkdownExporter

    text, resources = MarkdownExporter().from_filename(str(notebook))
    return text.replace("output_", "tour_"), {
        name.replace("output_", "tour_"): data for name, data in resources["outputs"].items()
    }


def for_mkdocs(text: str) -> str:
    """A page as MkDocs takes it: links out of docs/ lead to the repository, those to the notebook to the page made of it,
    and what belongs to an item of a numbered list is indented by 4, where GitHub is content with 3."""
    text = re.sub(r"\]\(\.\./", f"]({REPOSITORY}", text)
    text = re.sub(rf"\]\({re.escape(TOUR)}", "](tour.md", text)
    lines = []
    inside = False
    for line in text.split("\n"):
        begins = re.match(r"\d+\. ", line) is not None
        inside = begins or (inside and (not line or line.startswith("   ")))
        lines.append(f" {line}" if inside and line and not begins else line)
    return "\n".join(lines)


def on_files(files: Any, config: Any, **_: Any) -> Any:
    from mkdocs.structure.files import File

    for stem in REFERENCE:
        files.append(File.generated(config, f"reference/{stem}.md", content=reference_page(stem)))
    files.remove(files.get_file_from_path(TOUR))
    text, pictures = tour_page(Path(config.docs_dir) / TOUR)
    files.append(File.generated(config, "tour.md", content=text))
    for name, data in pictures.items():
        files.append(File.generated(config, name, content=data))
    return files


def on_config(config: Any, **_: Any) -> Any:
    config.nav = _renamed(config.nav)
    return config


def _renamed(part: Any) -> Any:
    if isinstance(part, list):
        return [_renamed(one) for one in part]
    if isinstance(part, dict):
        return {title: _renamed(inside) for title, inside in part.items()}
    return "tour.md" if part == TOUR else part


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    return markdown if page.file.src_uri.startswith("reference/") else for_mkdocs(markdown)
