"""Which adapters there are, and how the command line names one.

========================  =============================================================================================
``torch``, ``'keras*'``   a module of `conformance.adapters`, or what an installed package offers under the entry point
                          ``conformance.adapters``; a shell pattern chooses several
``path/mine.py:Mine``     a class in a file of one's own
``package.module:Mine``   a class in a module of one's own
``torch@path/to/python``  any of these with another interpreter: another version of the framework, another NumPy
========================  =============================================================================================

The folder listing is the registry.  Nothing here imports a framework, unless an adapter from outside does.
"""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from conformance.adapter import Adapter
from conformance.errors import UsageError, nearest

ENTRY_POINTS = "conformance.adapters"
"""The group of entry points under which a package offers adapters of its own."""
OWN = r"[\w.]:\w*$"
"""How the name of a class of one's own ends: ``mine.py:Mine``."""


@dataclass(frozen=True)
class Reference:
    """An adapter as the command line names it: which one (``name``), and the interpreter that runs it."""

    name: str
    python: str = ""

    @classmethod
    def of(cls, text: str) -> Reference:
        """From ``torch`` or ``torch@path/to/python``.

        >>> Reference.of("torch@/opt/old/bin/python")
        Reference(name='torch', python='/opt/old/bin/python')
        >>> Reference.of("me@home/mine.py:Mine").python
        ''
        """
        name, at, python = text.rpartition("@")
        return cls(name, python) if at and python and not _is_own(python) else cls(text)

    def __str__(self) -> str:
        return f"{self.name}@{self.python}" if self.python else self.name

    @property
    def declared_as(self) -> str:
        """What a case file calls it: versions and interpreters are not part of the name, nor is a file's folder."""
        return os.path.basename(self.name) if _is_own(self.name) else self.name


def _is_own(name: str) -> bool:
    return re.search(OWN, name) is not None


@cache
def built_in() -> tuple[str, ...]:
    """The adapters of this package: the modules of `conformance.adapters` are the list."""
    package = importlib.import_module("conformance.adapters")
    return tuple(sorted(each.name for each in pkgutil.iter_modules(package.__path__) if not each.name.startswith("_")))


@cache
def offered() -> dict[str, str]:
    """The adapters that installed packages offer, each with its ``package.module:Class``."""
    from importlib.metadata import entry_points  # it looks through all that is installed

    return {each.name: each.value for each in sorted(entry_points(group=ENTRY_POINTS)) if each.name not in built_in()}


def adapter_names() -> tuple[str, ...]:
    """Every adapter that has a name of its own."""
    return tuple(sorted((*built_in(), *offered())))


def is_adapter(name: str) -> bool:
    """Whether a case file may speak of an adapter by this name."""
    return name in built_in() or _is_own(name) or name in offered()


def chosen_adapters(patterns: Sequence[str]) -> list[str]:
    """The adapters that some names and shell patterns choose, each once; all that have a name for none."""
    if not patterns:
        return list(adapter_names())
    chosen = [str(Reference(name, given.python)) for given in map(Reference.of, patterns) for name in _matching(given)]
    return list(dict.fromkeys(chosen))


def _matching(given: Reference) -> Iterable[str]:
    if given.name.endswith("@"):
        raise UsageError(f"there is no interpreter behind the @ of {given.name!r}; as in torch@venv/bin/python")
    if given.python and not os.path.isfile(given.python):
        raise UsageError(f"there is no interpreter {given.python}; expected a path, as in torch@venv/bin/python")
    if _is_own(given.name):
        file = given.name.rpartition(":")[0]
        if file.endswith(".py") and not os.path.isfile(file):
            raise UsageError(f"there is no file {file}")
        return [given.name]
    named = given.name in built_in() or given.name in adapter_names()  # a name may look like a pattern
    found = [given.name] if named else fnmatch.filter(adapter_names(), given.name)
    if not found:
        hint = "; for one of your own, path/to/file.py:Class" if given.name.endswith(".py") else ""
        raise UsageError(f"there is no adapter {given.name!r}; {nearest(given.name, adapter_names())}{hint}")
    return found


def get_adapter(name: str) -> Adapter:
    """The adapter of that name, without interpreter.

    Raises `UsageError` with the nearest names where there is none; what the adapter's own module raises comes through.
    """
    if name in built_in():
        module = importlib.import_module(f"conformance.adapters.{name}")
        mine = [each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__]
        return next(each() for each in mine if inspect.isclass(each) and issubclass(each, Adapter))
    where, colon, attribute = (name if _is_own(name) else offered().get(name, name)).rpartition(":")
    if not colon:
        raise UsageError(f"there is no adapter {name!r}; {nearest(name, adapter_names())}")
    module = _module_of_file(where) if where.endswith(".py") else importlib.import_module(where)
    found = getattr(module, attribute, None)
    if not isinstance(found, type) or not issubclass(found, Adapter):
        raise UsageError(f"{where} has no Adapter named {attribute!r}")
    return found()


def _module_of_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise UsageError(f"there is no file {path}")
    # A name of its own: a file torch.py must not become the module torch.
    spec = importlib.util.spec_from_file_location(f"conformance_file.{os.path.basename(path)[:-3]}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
