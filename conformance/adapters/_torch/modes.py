"""How PyTorch is started, and the modes in which it runs the same calls."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from functools import cache
from typing import TYPE_CHECKING, Any

from conformance.adapter import Task, lazy
from conformance.errors import Unsupported

if TYPE_CHECKING:
    import torch
else:
    torch = lazy("torch")

MODES = ("eager", "graph")


def load(threads: int) -> None:
    """Import PyTorch and pin what results may depend on; mkldnn (oneDNN) stays as users get it."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.set_flush_denormal(False)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # A warning where there is no deterministic kernel, as of max_unpool2d: users run these, too.
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms(True) would load the compiler too
    torch.nn.Softmax(-1)(torch.exp(torch.zeros(2)))  # the first call of a unary kernel may race (pytorch#188792)


def switches() -> dict[str, str]:
    """What `load` has pinned, as PyTorch holds it."""
    denormal = torch.tensor(torch.finfo(torch.float32).tiny) / 2
    return {
        "seed": str(torch.initial_seed()),
        "tf32_matmul": _on(torch.backends.cuda.matmul.allow_tf32),
        "tf32_cudnn": _on(torch.backends.cudnn.allow_tf32),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic_algorithms": _on(torch.are_deterministic_algorithms_enabled()),
        "denormals": "kept" if denormal > 0 else "flushed",
        "mkldnn": _on(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled),
    }


def _on(switch: bool) -> str:
    return "on" if switch else "off"


def begin(task: Task) -> None:
    """Begin a task in its mode: a graph knows nothing of earlier tasks, nor counts their recompilations as its own."""
    if task.mode == "graph":
        reason = _why_nothing_compiles()
        if reason:
            raise Unsupported(f"torch.compile does not work here: {reason}")
        torch.compiler.reset()
        shutil.rmtree(_compiled(), ignore_errors=True)  # little is left to remove when the process ends


def in_mode(task: Task, function: Any) -> Any:
    """A module or a function as the mode of the task runs it."""
    return torch.compile(function) if task.mode == "graph" else function


def in_mode_text(task: Task, function: str) -> str:
    """The same as it is written in a script."""
    return f"torch.compile({function})" if task.mode == "graph" else function


@cache
def _why_nothing_compiles() -> str:
    """Empty where torch.compile compiles something small: it needs a C++ compiler, and can be switched off."""
    _start_compiler()
    is_compiling = torch.compiler.is_compiling  # our lazy module cannot be traced

    def traced(x: Any) -> Any:
        return x + (1 if is_compiling() else 0)

    try:
        compiled = torch.compile(traced)(torch.zeros(1)).item() == 1
    except Exception as error:  # from the backend, in classes that differ from version to version
        return str(error).strip().partition("\n")[0]
    return "" if compiled else "it is switched off"


def _start_compiler() -> None:
    """Load what compiles; it takes some of its folders from the variable, others from tempfile, when it is loaded."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = _compiled()
    usual, tempfile.tempdir = tempfile.tempdir, _folder().name
    try:
        importlib.import_module("torch._inductor.codecache")
    finally:
        tempfile.tempdir = usual
    torch.use_deterministic_algorithms(True, warn_only=True)  # tells the compiler
    torch._inductor.config.compile_threads = 1  # in this process, not in others that may outlive it


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """The folder of the compiler, which goes when the process ends; beside what is compiled, it keeps C++ headers."""
    return tempfile.TemporaryDirectory(prefix="conformance-torch-")


def _compiled() -> str:
    return os.path.join(_folder().name, "compiled")
