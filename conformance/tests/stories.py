"""A run with something of everything, for the tests of the page: its numbers are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from conformance.results import Curve, Element, Outcome, Run, TensorResult
from conformance.tests.test_results import dialect, failing, outcome, run, tensor

BESSEL = {"variance_correction": 1}
LATE = {"correction": "late"}

CUBE_SHAPE = (2, 3, 4)
CUBE_ERRORS = tuple(float(number - 12) for number in range(24))  # row by row: -12 to 11
CUBE = tensor(
    "y",
    verdict="deviates",
    dialect=None,
    error_ratio=12.0,
    index=(0, 0, 0),
    expected=1.0,
    actual=0.25,
    shape=CUBE_SHAPE,
    errors=CUBE_ERRORS,
    elements=(
        Element((0, 0, 0), 1.0, 0.25, 0.0625),  # -0.75 is 12 bounds of 1/16
        Element((1, 2, 3), 2.0, 2.6875, 0.0625),
    ),
    notes=("2 subnormal numbers are flushed to zero",),
)
SCRIPT = 'import numpy as np\n\nprint("</script><b>")\n'


def moving_variance(**changed: Any) -> TensorResult:
    made = tensor(
        "moving_variance",
        step=3,
        verdict="dialect",
        dialect=BESSEL,
        held_to=BESSEL,
        error_ratio=0.25,
        published=2e6,
        shape=(2,),
        errors=(0.25, -0.125),
        elements=(Element((0,), 1.25, 1.25, 0.5),),
    )
    return replace(made, **changed)


def trained(adapter: str, **changed: Any) -> Outcome:
    curves = (
        Curve("loss", (), (3.0, 2.0, 1.5), (3.0, 2.0, 1.5)),
        Curve("moving_variance", (1,), (1.0, 1.5, 2.0), (1.0, 1.75, 2.5)),
    )
    made = dialect(
        "batch_normalization/trained",
        adapter=adapter,
        tensors=(tensor("y", shape=(2, 2), errors=(0.5, 0.0, -0.5, 0.25)), moving_variance()),
        parameters={"epsilon": 1e-05, "momentum": 0.9},
        defaults=("epsilon", "momentum"),
        learned={"gamma": [1.5, 2.0]},
        rivals=({"dialect": {"epsilon": "outside"}, "error_ratio": 3e6},),
        curves=curves,
        script=SCRIPT,
        mode="eager",
    )
    return replace(made, **changed)


SPELLED: dict[str, dict[str, Any]] = {
    "keras": {
        "call": "keras.layers.BatchNormalization(momentum=0.5)",
        "parameters": {
            "momentum": {"argument": "momentum", "values": [[0.5, 0.5], [0.75, 0.75]]},
            "epsilon": {"argument": "epsilon", "values": [[0.5, 0.5], [0.25, 0.25]]},
        },
        "tensors": {"gamma": "gamma", "moving_variance": "moving_variance"},
    },
    "torch": {
        "call": "torch.nn.BatchNorm1d(2, momentum=0.5)",
        "parameters": {
            "momentum": {"argument": "momentum", "values": [[0.5, 0.5], [0.75, 0.25]]},
            "epsilon": {"argument": "eps", "values": [[0.5, 0.5], [0.25, 0.25]]},
        },
        "tensors": {"gamma": "weight", "moving_variance": "running_var"},
    },
}


def story() -> Run:
    """Three operations on three adapters, one of which is missing."""
    keras_defaults = {"parameters": {"epsilon": 0.001, "momentum": 0.99}, "defaults": ("epsilon", "momentum")}
    made = run(
        trained("torch"),
        outcome("batch_normalization/trained", "keras", "train", **keras_defaults),
        outcome("batch_normalization/trained", "torch"),
        outcome("batch_normalization/trained", "keras"),
        failing("softmax/rows", adapter="torch", tensors=(tensor("x.gradient"), CUBE), script=SCRIPT),
        outcome("softmax/rows", "keras"),
        outcome("softmax/large", "torch", verdict="imprecise", dialect={}, tensors=(tensor(error_ratio=2000.0),)),
        outcome("softmax/large", "keras"),
        *(outcome(f"relu/quiet_{number}", adapter) for number in range(3) for adapter in ("keras", "torch")),
        outcome("relu/lacking", "keras", verdict="unsupported", dialect=None, message="no counterpart", tensors=()),
        outcome("relu/lacking", "torch"),
        outcome(
            "adam/steps",
            "keras",
            "train",
            verdict="crash",
            dialect=None,
            as_declared=False,
            message="signal 11",
            tensors=(),
        ),
        trained("torch", case="adam/steps", dialect=LATE, declared=(), tensors=(tensor("kernel", step=2),), curves=()),
    )
    families = {"batch_normalization": "normalization", "adam": "optimizer"}
    cases = {
        name: {**about, "family": families.get(about["operation"], "activation")}
        for name, about in made.header.cases.items()
    }
    adapters = {
        name: {**about, "spellings": {"batch_normalization": SPELLED[name]}}
        for name, about in made.header.adapters.items()
    }
    adapters["jax"] = {"missing": "jax is not installed"}
    return replace(made, header=replace(made.header, cases=cases, adapters=adapters, partial=True))


def history() -> list[tuple[str, Run]]:
    """Two earlier versions of the story: in the older one torch conformed, and knew nothing of softmax/large."""
    new = story()
    older = [
        replace(each, verdict="conforms", dialect={}, declared=(), tensors=(tensor(error_ratio=0.5),))
        if each.key == ("batch_normalization/trained", "torch", "train")
        else each
        for each in new.outcomes
        if each.key != ("softmax/large", "torch", "predict")
    ]
    old = [each for each in new.outcomes if each.key != ("softmax/rows", "torch", "predict")]
    return [("torch 2.11", _of_version(new, "2.11", older)), ("torch 2.12", _of_version(new, "2.12", old))]


def _of_version(made: Run, version: str, outcomes: list[Outcome]) -> Run:
    torch = {**made.header.adapters["torch"], "versions": {"torch": version}}
    header = replace(made.header, adapters={**made.header.adapters, "torch": torch}, partial=False)
    return Run(header, tuple(outcomes))
