"""The page's style and scripts: the files of the folders beside this module, put into the page as they are.

The scripts are modules.  A page that opens from disk cannot import anything, so each becomes a function that returns
what it exports; the last one runs.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

_IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_LEFT_OUT = re.compile(r"^ +|^ *//.*\n|^ */\*\*(?:.|\n)*?\*/\n", re.MULTILINE)
"""Indentation, and the comments that have lines of their own."""
MAIN = "main"
EARLY = 'document.documentElement.classList.add("live")'
"""Runs before anything is laid out: what the scripts are going to hide need not be."""


@cache
def style() -> str:
    """The style sheets in the order of their names."""
    folder = files("conformance.report") / "styles"
    return "".join(each.read_text("utf-8") for each in sorted(folder.iterdir(), key=lambda each: each.name))


@cache
def script() -> str:
    """The scripts as one, each module behind those that it imports."""
    return "".join(map(module, ordered()))


@cache
def _source(name: str) -> str:
    return (files("conformance.report") / "scripts" / f"{name}.js").read_text("utf-8")


def ordered() -> list[str]:
    """The names of the modules, each behind those that it imports."""
    found: list[str] = []

    def visit(name: str) -> None:
        for _, needed in _IMPORT.findall(_source(name)):
            if needed not in found:
                visit(needed)
        found.append(name)

    visit(MAIN)
    return found


def module(name: str) -> str:
    """A module as a function that was called, ``$name``; the last one as it is."""
    source = _source(name)
    exported = _EXPORT.findall(source)
    text = _LEFT_OUT.sub("", _EXPORT.sub("", _IMPORT.sub(r"const { \1 } = $\2;", source)))
    return text if name == MAIN else f"const ${name} = (() => {{\n{text}return {{ {', '.join(exported)} }};\n}})();\n"


def policy() -> str:
    """The Content-Security-Policy of a page: our own style and script, and nothing from anywhere."""
    return (
        f"default-src 'none'; script-src {_hash(EARLY)} {_hash(script())}; style-src {_hash(style())}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
