"""Keeps the Python code that Mako makes of templates where Python keeps its own: in `__pycache__`, beside the template. Making it
takes longer than rendering.

Whoever could write there could change clconv itself; a folder such as CLCONV_CACHE_DIR holds no code. What is kept counts only
for the very content that it was made of.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import marshal
import sys
from pathlib import Path
from types import CodeType, ModuleType

import mako
from mako.lookup import TemplateLookup
from mako.template import ModuleTemplate, Template

from clconv.store.files import replacing

_KEY = 32  # bytes


class Templates(TemplateLookup):
    """Those of the first of some folders that has one, by their paths below it."""

    def __init__(self, *folders: Path) -> None:
        super().__init__([*map(str, folders)], strict_undefined=True, input_encoding="utf-8")
        self._folders = folders
        self._ready: dict[str, Template] = {}

    def get_template(self, uri: str) -> Template:
        """Raises what Mako raises."""
        if uri not in self._ready:
            self._ready[uri] = self._kept(uri) or self._keep(uri)
        return self._ready[uri]

    def read_anew(self, uri: str) -> Template:
        """One that knows its text: the others cannot say on which line they failed."""
        return super().get_template(uri)

    def _file(self, uri: str) -> Path:
        files = [folder / uri.lstrip("/") for folder in self._folders]
        return next(filter(Path.is_file, files), files[-1])

    def _kept(self, uri: str) -> Template | None:
        file = self._file(uri)
        try:
            kept = _place(file).read_bytes()
            if kept[:_KEY] != _key(file, uri):
                return None
            code = marshal.loads(memoryview(kept)[_KEY:])
        except (OSError, ValueError, EOFError, TypeError):
            return None
        module = ModuleType(uri)
        exec(code, vars(module))
        return ModuleTemplate(module, template_filename=str(file), lookup=self)

    def _keep(self, uri: str) -> Template:
        template, file = self.read_anew(uri), self._file(uri)
        if not sys.dont_write_bytecode:
            code: CodeType = compile(template.code, f"{file} as Python", "exec", dont_inherit=True)
            with contextlib.suppress(OSError):  # then it is made each time
                place = _place(file)
                place.parent.mkdir(exist_ok=True)
                with replacing(place, durable=False) as kept:
                    kept.write(_key(file, uri) + marshal.dumps(code))
        return template


def _place(file: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(file)))


def _key(file: Path, uri: str) -> bytes:
    """Changes with all that the code follows from. Raises OSError."""
    made_by = (mako.__version__, sys.version, str(file), uri)
    return hashlib.sha256(repr(made_by).encode() + file.read_bytes()).digest()
