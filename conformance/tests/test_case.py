import contextlib
import copy
import json
import math
import os
import random
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.adapter import Part
from conformance.case import MOST_CASES, MOST_PATTERNS, MOST_POINTS, Case, Declaration, TensorSpec
from conformance.errors import CaseErrors, Place, UsageError
from conformance.operation import Example, Operation, Parameter, Tensor, operations, parts
from conformance.reading import case_files, load, load_file
from conformance.reading.nodes import MOST_FAULTS, Faults, Node, read_yaml
from conformance.schema import schema
from conformance.selection import select

DESIGN = """\
# yaml-language-server: $schema=../case.schema.json
operation: batch_normalization
references: [https://arxiv.org/abs/1502.03167]
cases:
  - name: published_answer
    description: Where do these numbers come from?
    parameters: {epsilon: 0.001, center: false}
    tensors:
      gamma: [0.80644524]
      moving_mean: [0.05885344]
      moving_variance: [0.91000736]
    predict:
      x: [[[[1.0], [5.0]]]]
      expect: {y: [[[[0.79519051], [4.17485714]]]]}   # compared to the digits printed
  - name: train_then_predict
    parameters: {epsilon: 0.0009765625}
    matrix: {momentum: [0.5, 0.9375], axis: [-1, 1]}   # every combination is a case
    train:
      x: {shape: [4, 3, 5, 3], normal: {mean: 0.5, std: 2}, seed: 1}
      target: {shape: [4, 3, 5, 3], uniform: [0, 1], seed: 2}
      loss: mean_squared_error
      optimizer: {sgd: {learning_rate: 0.125}}
      steps: 3
    predict:
      x: {shape: [1, 3, 5, 3], uniform: [-4, 4], seed: 3}
    references: [a book]
deviations:
  - adapter: torch
    tensor: moving_variance
    dialect: {variance_correction: 1}
    reason: running_var is updated with the unbiased batch variance
    reference: https://github.com/pytorch/pytorch/issues/19902
"""

OTHERS = {
    "conv2d": """\
operation: conv2d
cases:
  - name: strided
    parameters: {strides: [2, 1], padding: same, use_bias: false}
    matrix: {groups: [2], dilation: [1, [1, 2]]}
    exclude: [{groups: 2, dilation: [1, 2]}]
    tensors: {kernel: {shape: [2, 2, 1, 2], linspace: [-1, 1]}}
    precisions: [float64]
    predict: {x: {shape: [1, 4, 4, 2], integers: [-3, 4], seed: 1}}
    deviations:
      - {adapter: torch, tensor: '*', verdict: imprecise, error_ratio: {float64: [70, .inf]}, phase: predict,
         versions: {torch: '>=2.1,<3'}, reason: folded, reference: none found}
""",
    "sgd": """\
operation: sgd
cases:
  - name: momentum
    parameters: {momentum: 0.5, learning_rate: [0.5, 0.25]}
    tensors: {variable: [1, 2]}
    train: {gradient: {per_step: [[1, 2], [3, 4]]}, steps: 2, expect: {variable: [0.1, 0.2], velocity: [1, 2]}}
""",
    "mean_squared_error": """\
operation: mean_squared_error
cases:
  - name: both
    train: {prediction: [1, 2], target: [3, 4]}
    predict: {prediction: 1, target: 2, expect: {loss: 1}}
  - name: seen
    predict: {prediction: [1], target: [2]}
    observed: {loss: 1.0}
deviations:
  - {adapter: torch, tensor: loss, dialect: {reduction: sum}, cases: ['b*'], reason: none, reference: none found}
""",
    "dense": """\
operation: dense
cases:
  - name: trained
    tensors: {kernel: [[1, 2], [3, 4], [5, 6]]}
    train:
      x: [[1, 2, 3]]
      target: {per_step: [[[1, 2]], [[3, 4]]]}
      loss: {mean_squared_error: {reduction: sum}}
      optimizer: {adam: {epsilon: 0.5, learning_rate: [0.5, 0.25]}}
      steps: 2
      expect: {kernel.first_moment: [[1, 2], [3, 4], [5, 6]], kernel.gradient: [[1, 2], [3, 4], [5, 6]], loss: 1}
    deviations:
      - {adapter: torch, tensor: kernel.first_moment, dialect: {adam.epsilon: hat, kernel: transposed},
         reason: the paper's, reference: none found}
""",
}
DOCUMENTS = {"batch_normalization": DESIGN, **OTHERS}


def loaded(folder: Path, text: str) -> list[Case]:
    file = folder / "x.yaml"
    file.write_text(text, encoding="utf-8")
    return load([file])


def faults_of(folder: Path, text: str) -> list[str]:
    """The faults of a case file, without its name."""
    file = folder / "x.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load_file(file)
    except CaseErrors as error:
        return [str(each).removeprefix(f"{file}:") for each in error.faults]
    return []


def case(entry: str, *, operation: str = "batch_normalization") -> str:
    """A file with one case; the entry's first line is line 3, its first column is 5."""
    return f"operation: {operation}\ncases:\n  - {textwrap.indent(entry, '    ').strip()}\n"


PREDICT = "predict: {x: [[1.0, 2.0]]}"


# --- what a file says -----------------------------------------------------------------------------------------------


def test_the_example_of_the_design(tmp_path: Path) -> None:
    published, *trained = loaded(tmp_path, DESIGN)
    assert published.id == "batch_normalization/published_answer"
    assert published.operation is operations()["batch_normalization"]
    assert published.description == "Where do these numbers come from?"
    assert published.parameters == {"epsilon": 0.001, "center": False}
    assert published.point == {}
    assert published.defaults == ("momentum",)
    assert published.precisions == ("float32", "float64")
    assert published.references == ("https://arxiv.org/abs/1502.03167",)
    assert (published.place, published.file) == (Place(str(tmp_path / "x.yaml"), 5, 5), str(tmp_path / "x.yaml"))
    assert published.yaml == textwrap.dedent(DESIGN.split("  - ")[1].replace("name: p", "    name: p"))
    assert list(published.tensors) == ["gamma", "moving_mean", "moving_variance"]
    assert published.train is None
    assert published.predict is not None
    assert published.predict.inputs["x"].values().tolist() == [[[[1.0], [5.0]]]]
    assert published.predict.expect["y"].values.tolist() == [[[[0.79519051], [4.17485714]]]]
    assert [each.id.removeprefix("batch_normalization/") for each in trained] == [
        "train_then_predict[momentum=0.5,axis=-1]",
        "train_then_predict[momentum=0.5,axis=1]",
        "train_then_predict[momentum=0.9375,axis=-1]",
        "train_then_predict[momentum=0.9375,axis=1]",
    ]
    assert trained[1].point == {"momentum": 0.5, "axis": 1}
    assert trained[1].parameters == {"epsilon": 2**-10, "momentum": 0.5, "axis": 1}
    assert trained[1].references == ("https://arxiv.org/abs/1502.03167", "a book")
    assert trained[1].defaults == ()


def test_the_train_phase(tmp_path: Path) -> None:
    train = loaded(tmp_path, DESIGN)[1].train
    assert train is not None
    assert train.steps == 3
    assert train.inputs[0] is train.inputs[2]
    assert len(train.inputs) == 3
    assert train.targets is not None
    assert len(train.targets) == 3
    assert train.loss == Part("mean_squared_error", {"reduction": "mean"})
    canonical = {"momentum": 0.0, "nesterov": False, "dampening": 0.0, "weight_decay": 0.0}
    assert train.optimizer == Part("sgd", {**canonical, "learning_rate": 0.125})


def test_a_tensor_per_step_and_a_parameter_per_step(tmp_path: Path) -> None:
    (case,) = loaded(tmp_path, OTHERS["dense"])
    assert case.train is not None
    assert case.train.inputs[0] is case.train.inputs[1]
    assert [each.values().tolist() for each in case.train.targets or ()] == [[[1, 2]], [[3, 4]]]
    assert case.train.optimizer is not None
    assert case.train.optimizer.parameters == {"weight_decay": 0.0, "epsilon": 0.5, "learning_rate": (0.5, 0.25)}
    (case,) = loaded(tmp_path, OTHERS["sgd"])
    assert case.train is not None
    assert [each["gradient"].values().tolist() for each in case.train.inputs] == [[1, 2], [3, 4]]
    assert case.parameters["learning_rate"] == (0.5, 0.25)
    assert (case.train.targets, case.train.loss, case.train.optimizer) == (None, None, None)


def test_weights_and_states_are_filled_in_their_shape(tmp_path: Path) -> None:
    first, *trained = loaded(tmp_path, DESIGN)
    found = {name: each.values().tolist() for name, each in trained[0].tensors.items()}
    assert found == {"gamma": [1] * 3, "beta": [0] * 3, "moving_mean": [0] * 3, "moving_variance": [1] * 3}
    assert first.tensors["gamma"].values().tolist() == [0.80644524]


def test_a_weight_that_some_points_rule_out_is_left_out_there(tmp_path: Path) -> None:
    text = case(f"name: a\nmatrix: {{center: [true, false]}}\ntensors: {{beta: [1, 2]}}\n{PREDICT}")
    with_beta, without = loaded(tmp_path, text)
    assert with_beta.id.endswith("a[center=true]")
    assert "beta" in with_beta.tensors
    assert "beta" not in without.tensors


def test_two_axes_together_have_weights_of_two_axes(tmp_path: Path) -> None:
    entry = "name: a\nparameters: {axis: [1, 2]}\npredict: {x: {shape: [4, 3, 2], full: 1}}"
    (found,) = loaded(tmp_path, case(entry, operation="layer_normalization"))
    assert found.parameters["axis"] == (1, 2)
    assert found.tensors["gamma"].shape == (3, 2)


def test_a_matrix_leaves_out_what_is_excluded(tmp_path: Path) -> None:
    entry = "name: a\nmatrix: {momentum: [0.5, 1], axis: [0, 1]}\nexclude: [{momentum: 1, axis: 0}]\n" + PREDICT
    assert [each.id.partition("/")[2] for each in loaded(tmp_path, case(entry))] == [
        *("a[momentum=0.5,axis=0]", "a[momentum=0.5,axis=1]", "a[momentum=1.0,axis=1]")
    ]
    entry = "name: a\nmatrix: {momentum: [0.5, 1], axis: [0, 1]}\nexclude: [{axis: 0}]\n" + PREDICT
    assert len(loaded(tmp_path, case(entry))) == 2


def test_a_list_in_a_matrix_is_one_value(tmp_path: Path) -> None:
    (one, two) = loaded(tmp_path, OTHERS["conv2d"].replace("exclude", "# "))
    assert (one.id, two.id) == ("conv2d/strided[groups=2,dilation=1]", "conv2d/strided[groups=2,dilation=[1,2]]")
    assert two.parameters["dilation"] == (1, 2)


def test_what_is_declared_reaches_the_cases_it_is_about(tmp_path: Path) -> None:
    text = DESIGN + textwrap.indent(
        "- {adapter: torch, tensor: y, verdict: deviates, error_ratio: {float32: [5, 50]}, cases: ['*axis=1]'],\n"
        "   phase: train, versions: {torch: '>=2.1,<3'}, reason: a, reference: none found}\n"
        "- {adapter: torch, tensor: '*', verdict: crash, cases: [published_answer, '*[momentum=0.5*'],\n"
        "   reason: b, reference: 'https://x.org/1'}\n",
        "  ",
    )
    found = {
        each.id.partition("/")[2]: [known.reason[0] for known in each.declarations] for each in loaded(tmp_path, text)
    }
    assert found == {
        "published_answer": ["r", "b"],
        "train_then_predict[momentum=0.5,axis=-1]": ["r", "b"],
        "train_then_predict[momentum=0.5,axis=1]": ["r", "a", "b"],
        "train_then_predict[momentum=0.9375,axis=-1]": ["r"],
        "train_then_predict[momentum=0.9375,axis=1]": ["r", "a"],
    }
    assert loaded(tmp_path, text)[2].declarations[1] == Declaration(
        adapters=("torch",),
        tensor="y",
        dialect=None,
        verdict="deviates",
        error_ratio={"float32": (5.0, 50.0)},
        phase="train",
        modes=(),
        cases=("*axis=1]",),
        versions={"torch": ">=2.1,<3"},
        reason="a",
        reference="none found",
        place=Place(str(tmp_path / "x.yaml"), 33, 5),
    )


def test_a_deviation_may_name_several_tensors_and_adapters(tmp_path: Path) -> None:
    text = DESIGN + textwrap.indent(
        "- adapter: [torch, numpy]\n  tensor: [y, moving_mean]\n  verdict: imprecise\n  mode: [eager, graph]\n"
        "  reason: c\n  reference: none found\n",
        "  ",
    )
    known = [each for each in loaded(tmp_path, text)[0].declarations if each.reason == "c"]
    assert [each.tensor for each in known] == ["y", "moving_mean"]
    assert {each.adapters for each in known} == {("torch", "numpy")}
    assert {each.modes for each in known} == {("eager", "graph")}
    assert len({each.place for each in known}) == 2
    for wrong, said in (("y, y", "the tensor 'y' for the second time"), ("y, z", "there is no tensor 'z'")):
        with pytest.raises(CaseErrors) as caught:
            loaded(tmp_path, text.replace("y, moving_mean", wrong))
        assert said in str(caught.value)


def test_a_deviation_in_a_case_is_about_that_case(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, OTHERS["dense"])
    assert [each.dialect for each in found.declarations] == [{"adam.epsilon": "hat", "kernel": "transposed"}]


def test_a_setting_is_the_knobs_own(tmp_path: Path) -> None:
    text = OTHERS["mean_squared_error"].replace("reduction: sum", "factor: 1")
    (known,) = loaded(tmp_path, text)[0].declarations
    assert known.dialect is not None
    assert type(known.dialect["factor"]) is float


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "margin"),
    [
        ("0.79519051", 0.79519051, 0.5e-8),
        ("2.0949484904433255", 2.0949484904433255, 0.5e-16),
        ("4.10", 4.1, 0.005),
        ("5.", 5.0, 0.5),
        ("-.5", -0.5, 0.05),
        ("1e-5", 1e-5, 0.5e-5),
        ("1.25E+3", 1250.0, 5.0),
        ("7", 7.0, 0.0),
        ("-0", 0.0, 0.0),
        (".inf", math.inf, 0.0),
        ("-.inf", -math.inf, 0.0),
        (".nan", math.nan, 0.0),
        ("1e-99999999999999999999", 0.0, 0.0),
    ],
)
def test_printed_numbers_know_their_last_digit(tmp_path: Path, text: str, value: float, margin: float) -> None:
    (found,) = loaded(tmp_path, case(f"name: a\npredict: {{x: [[1]], expect: {{y: [[{text}]]}}}}"))
    assert found.predict is not None
    printed = found.predict.expect["y"]
    np.testing.assert_array_equal(printed.values, [[value]])
    np.testing.assert_array_equal(printed.margin, [[margin]])
    assert printed.place.line == 4


def random_numbers(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{shape: [2, 3], normal: {mean: 1, std: 2}, seed: 7}", random_numbers(7).normal(1, 2, (2, 3))),
        ("{shape: [2, 3], normal: {}, seed: 0}", random_numbers(0).normal(0, 1, (2, 3))),
        ("{shape: [2, 3], uniform: [-1, 1.5], seed: 7}", random_numbers(7).uniform(-1, 1.5, (2, 3))),
        ("{shape: [2, 3], integers: [-2, 3], seed: 7}", random_numbers(7).integers(-2, 3, (2, 3))),
        ("{shape: [2, 3], linspace: [0, 5]}", [[0, 1, 2], [3, 4, 5]]),
        ("{shape: [1, 2], full: -.inf}", [[-math.inf, -math.inf]]),
        ("{shape: [2, 0], full: 1}", [[], []]),
        ("[[1, .nan], [.inf, -1e-3]]", [[1, math.nan], [math.inf, -1e-3]]),
    ],
)
def test_tensors(tmp_path: Path, text: str, values: Any) -> None:
    (found,) = loaded(tmp_path, case(f"name: a\npredict: {{x: {text}}}"))
    assert found.predict is not None
    tensor = found.predict.inputs["x"]
    made = tensor.values()
    np.testing.assert_array_equal(made, np.array(values, dtype=np.float64))
    assert made.dtype == np.float64
    assert made.shape == tensor.shape
    made += 1
    np.testing.assert_array_equal(tensor.values(), np.array(values, dtype=np.float64))


@pytest.mark.parametrize(
    ("text", "shape"), [("3.5", ()), ("[]", (0,)), ("[[], []]", (2, 0)), ("{shape: [], full: 2}", ())]
)
def test_tensors_without_axes_or_elements(tmp_path: Path, text: str, shape: tuple[int, ...]) -> None:
    (found,) = loaded(tmp_path, case(f"name: a\npredict: {{x: {text}}}", operation="relu"))
    assert found.predict is not None
    assert found.predict.inputs["x"].values().shape == shape


def test_tensors_can_be_made_in_code() -> None:
    place = Place("here")
    assert TensorSpec.of([[1, 2]], place).values().tolist() == [[1.0, 2.0]]
    assert TensorSpec.full((2,), 3.0, place).values().tolist() == [3.0, 3.0]


# --- faults ---------------------------------------------------------------------------------------------------------

MARK = "§"


def marks(text: str) -> list[str]:
    """The places of the marks in a text, as they would be without them."""
    return [
        f"{number}:{mark.start() - index + 1}: "
        for number, line in enumerate(text.splitlines(), 1)
        for index, mark in enumerate(re.finditer(MARK, line))
    ]


def check_faults(folder: Path, marked: str, messages: list[str]) -> None:
    """The faults of a file are these, in the places that the text has marks in."""
    expected = [place + each for place, each in zip(marks(marked), messages, strict=True)]
    assert faults_of(folder, marked.replace(MARK, "")) == expected


def check_places(folder: Path, marked: str) -> None:
    """The faults of a file are in the places that the text has marks in."""
    faults = faults_of(folder, marked.replace(MARK, ""))
    assert [each.partition(": ")[0] + ": " for each in faults] == marks(marked)


def trained(text: str) -> str:
    return f"train: {{x: [[1, 2]], target: [[1, 2]], loss: mean_squared_error, {text}}}"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("§5", ["expected a mapping (operation, references, cases, deviations), found 5"]),
        (
            "§§§case: []",
            [
                "unknown key 'case'; did you mean 'cases'?",
                "the key 'operation' is missing",
                "the key 'cases' is missing",
            ],
        ),
        (
            "operation: §batch_norm\ncases: []",
            ["operation: there is no operation 'batch_norm'; did you mean 'batch_normalization'?"],
        ),
        ("operation: relu\ncases: §[]", ["cases: expected a list of cases: at least 1 of them, found 0"]),
        ("operation: relu\ncases: §{}", ["cases: expected a list of cases, found {}"]),
        ("operation: relu\ncases:§", ["cases: expected a list of cases, found nothing"]),
        (case("§name: a"), ["cases[0]: expected a phase: 'train', 'predict' or both"]),
        (
            case(f"§§nme: a\n{PREDICT}"),
            ["cases[0]: unknown key 'nme'; did you mean 'name'?", "cases[0]: the key 'name' is missing"],
        ),
        (
            case(f"name: §a b\n{PREDICT}"),
            ["cases[0].name: expected a name of at most 100 letters, digits and _ - ., found a b"],
        ),
        (
            case(f"§description: x\n{PREDICT}\n") + f"  - §{PREDICT}\n",
            ["cases[0]: the key 'name' is missing", "cases[1]: the key 'name' is missing"],
        ),
        (case(f"name: §1\n{PREDICT}"), ["cases[0].name: expected a name, found 1"]),
        (
            case(f"name: a\n{PREDICT}\n") + f"  - §name: a\n    {PREDICT}\n",
            ["cases[1]: the name 'a' stands twice; first in line 3"],
        ),
        (
            case(f"name: a\ndescription: §''\nreferences: [§1]\nprecisions: §[float32, §float16, float32]\n{PREDICT}"),
            [
                "cases[0].description: expected text, found ''",
                "cases[0].references[0]: expected text, found 1",
                "cases[0].precisions: the same precision twice: [float32, float16, float32]",
                "cases[0].precisions[1]: expected one of float32, float64, found float16",
            ],
        ),
    ],
)
def test_faults_of_the_frame(tmp_path: Path, text: str, faults: list[str]) -> None:
    check_faults(tmp_path, text, faults)


AT_LEAST_0 = "expected a finite number of at least 0"


@pytest.mark.parametrize(
    ("operation", "parameters", "fault"),
    [
        ("batch_normalization", "§epsilonn: 1", ": unknown parameter 'epsilonn'; did you mean 'epsilon'?"),
        ("batch_normalization", "center: §no", ".center: expected true or false, found no"),
        ("batch_normalization", "center: §1", ".center: expected true or false, found 1"),
        ("batch_normalization", "axis: §1.0", ".axis: expected an integer, found 1.0"),
        ("batch_normalization", "axis: §true", ".axis: expected an integer, found true"),
        ("batch_normalization", "axis: §[1]", ".axis: expected an integer, found [1]"),
        ("batch_normalization", "axis: §99999999999", ".axis: expected an integer, found 99999999999"),
        ("batch_normalization", "momentum: §-1", f".momentum: {AT_LEAST_0}, found -1"),
        ("batch_normalization", "momentum: §true", f".momentum: {AT_LEAST_0}, found true"),
        ("batch_normalization", "momentum: §[0.5]", f".momentum: {AT_LEAST_0}, found [0.5]"),
        ("batch_normalization", "epsilon: §.inf", f".epsilon: {AT_LEAST_0}, found .inf"),
        ("batch_normalization", "epsilon: §.nan", f".epsilon: {AT_LEAST_0}, found .nan"),
        ("batch_normalization", "epsilon: §~", f".epsilon: {AT_LEAST_0}, found ~"),
        ("batch_normalization", "epsilon: §1e-3x", f".epsilon: {AT_LEAST_0}, found 1e-3x"),
        (
            "batch_normalization",
            "epsilon: §1e999",
            ".epsilon: 1e999 is larger than any float64; write .inf if infinity is meant",
        ),
        ("gelu", "approximate: §tahn", ".approximate: expected one of none, tanh, found tahn"),
        ("layer_normalization", "axis: §[]", ".axis: expected a list of integers: at least 1 of them, found 0"),
        ("layer_normalization", "axis: [1, §x]", ".axis[1]: expected an integer, found x"),
        ("conv2d", "strides: §0", ".strides: expected an integer of at least 1, found 0"),
    ],
)
def test_faults_of_parameters(tmp_path: Path, operation: str, parameters: str, fault: str) -> None:
    text = case(f"name: a\nparameters: {{{parameters}}}\n{PREDICT}", operation=operation)
    check_faults(tmp_path, text, [f"cases[0].parameters{fault}"])


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("matrix: §{}", "matrix: expected at least one parameter, found {}"),
        ("matrix: {axis: §1}", "matrix.axis: expected a list of values, found 1"),
        ("matrix: {axis: [1, §x]}", "matrix.axis[1]: expected an integer, found x"),
        ("matrix: {§axes: [1]}", "matrix: unknown parameter 'axes'; did you mean 'axis'?"),
        ("matrix: {momentum: §[0.5, 0.50]}", "matrix.momentum: the value 0.5 stands 2 times"),
        ("matrix: {§axis: [1]}\nparameters: {axis: 1}", "matrix: 'axis' stands in 'parameters' too"),
        ("exclude: §[{axis: 1}]", "exclude: there is no matrix to exclude from"),
        ("matrix: {axis: [0]}\nexclude: [{axis: §x}]", "exclude[0].axis: expected an integer, found x"),
        ("matrix: {axis: [0]}\nexclude: [{axis: §2}]", "exclude[0].axis: the matrix has no axis 2; known: 0"),
        (
            "matrix: {axis: [0]}\nexclude: [{§momentum: 2}]",
            "exclude[0]: unknown key of the matrix 'momentum'; known: axis",
        ),
        (
            "matrix: {axis: [0]}\nexclude: [§{}]",
            "exclude[0]: expected at least one parameter of the matrix, found {}",
        ),
        ("matrix: {axis: [0, 1]}\nexclude: §[{axis: 0}, {axis: 1}]", "exclude: no point of the matrix is left"),
        (
            f"matrix: §{{axis: [{','.join(map(str, range(101)))}], momentum: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}",
            f"matrix: 1010 points; expected at most {MOST_POINTS}",
        ),
    ],
)
def test_faults_of_the_matrix(tmp_path: Path, lines: str, fault: str) -> None:
    check_faults(tmp_path, case(f"name: a\n{lines}\n{PREDICT}"), [f"cases[0].{fault}"])


RECIPES = "normal, uniform, integers, linspace, full"


@pytest.mark.parametrize(
    ("tensor", "faults"),
    [
        ("[[1, 2], §[3]]", [": ragged: a list of 1, the first at this depth has 2"]),
        ("[[1, 2], §3]", [": expected a list of 2, like the first at this depth, found 3"]),
        (
            "[[1, §[2]], [§x, §true]]",
            [f": expected a number, found {each}" for each in ("[2]", "x", "true")],
        ),
        ("§~", [": expected a number, found ~"]),
        ("§1_000", [": expected a number, found 1_000"]),
        ("[§1e999]", [": 1e999 is larger than any float64; write .inf if infinity is meant"]),
        (f"[§{'9' * 310}]", [f": {'9' * 59}… is larger than any float64; write .inf if infinity is meant"]),
        ("§" + "[" * 33 + "]" * 33, [": nested deeper than 32 lists"]),
        ("§{full: 1}", [": the key 'shape' is missing"]),
        ("§{shape: [1]}", [f": expected one of {RECIPES}, found none"]),
        ("§{shape: [1], full: 1, linspace: [0, 1]}", [f": expected one of {RECIPES}, found linspace and full"]),
        (
            "§{shape: [1], §fill: 1}",
            [f": expected one of {RECIPES}, found none", ": unknown key 'fill'; did you mean 'full'?"],
        ),
        ("{shape: [1], full: §x}", [".full: expected a number, found x"]),
        ("{shape: §1, full: 1}", [".shape: expected a shape: a list of integers, found 1"]),
        ("{shape: [§-1], full: 1}", [".shape[0]: expected an integer from 0 to 1048576, found -1"]),
        ("{shape: [§1000000000], full: 1}", [".shape[0]: expected an integer from 0 to 1048576, found 1000000000"]),
        (
            "{shape: §[1025, 1025], full: 1}",
            [".shape: the shape [1025, 1025] is too large; expected at most 1048576 elements"],
        ),
        (
            "§{shape: [1], normal: {mean: 0, std: 1}}",
            [": the key 'seed' is missing: random numbers are the same in every run"],
        ),
        ("{shape: [1], full: 1, §seed: 1}", [": 'full' takes no 'seed'"]),
        (
            "{shape: [1], normal: {std: §-1}, seed: §-1}",
            [
                ".normal.std: expected a number of at least 0, found -1",
                ".seed: expected an integer from 0 to 18446744073709551615, found -1",
            ],
        ),
        ("{shape: [1], uniform: §[1, 0], seed: 1}", [".uniform: expected the lower end first, found [1, 0]"]),
        ("{shape: [1], uniform: §[1], seed: 1}", [".uniform: expected two numbers: 2 of them, found 1"]),
        (
            "{shape: [1], uniform: §[-1e308, 1e308], seed: 1}",
            [".uniform: expected two numbers whose difference is finite, found [-1e308, 1e308]"],
        ),
        (
            "{shape: [1], integers: §[1, 1], seed: 1}",
            [".integers: expected a lower end and a higher one, which is not reached, found [1, 1]"],
        ),
        ("{shape: [1], linspace: [0, §.inf]}", [".linspace[1]: expected a finite number, found .inf"]),
        (
            "§§{§per_step: [1]}",
            [
                ": the key 'shape' is missing",
                f": expected one of {RECIPES}, found none",
                ": unknown key 'per_step'; known: full, integers, linspace, normal, seed, shape, uniform",
            ],
        ),
    ],
)
def test_faults_of_tensors(tmp_path: Path, tensor: str, faults: list[str]) -> None:
    text = case(f"name: a\npredict:\n  x: {tensor}")
    check_faults(tmp_path, text, [f"cases[0].predict.x{each}" for each in faults])


@pytest.mark.parametrize(
    ("operation", "entry", "faults"),
    [
        (
            "relu",
            "predict: §{§y: [1]}",
            ["predict: the key 'x' is missing", "predict: unknown key 'y'; known: expect, x"],
        ),
        ("dense", "predict: {x: [[1]], §kernel: [[1]]}", ["predict: 'kernel' is a weight: give it in 'tensors'"]),
        ("relu", "train: §§{x: [1]}", ["train: the key 'target' is missing", "train: the key 'loss' is missing"]),
        ("relu", trained("§step: 3"), ["train: unknown key 'step'; did you mean 'steps'?"]),
        ("relu", trained("steps: §0"), ["train.steps: expected an integer from 1 to 10000, found 0"]),
        ("relu", trained("steps: §10001"), ["train.steps: expected an integer from 1 to 10000, found 10001"]),
        (
            "relu",
            "train: {x: [1], target: [1], loss: §mean_square}",
            ["train.loss: there is no loss 'mean_square'; did you mean 'mean_squared_error'?"],
        ),
        (
            "relu",
            "train: {x: [1], target: [1], loss: {§sgd: {}}}",
            [f"train.loss: 'sgd' is no loss; known: {', '.join(parts('loss'))}"],
        ),
        (
            "relu",
            "train: {x: [1], target: [1], loss: §[sgd]}",
            ["train.loss: expected a loss: its name, or a mapping of its name to its parameters, found [sgd]"],
        ),
        (
            "relu",
            trained("optimizer: {sgd: {§nesterof: true}}"),
            ["train.optimizer.sgd: unknown parameter 'nesterof'; did you mean 'nesterov'?"],
        ),
        (
            "relu",
            trained("steps: 3, optimizer: {sgd: {learning_rate: §[1, 2]}}"),
            ["train.optimizer.sgd.learning_rate: expected one number per step: 3 of them, found 2"],
        ),
        (
            "relu",
            "train: {x: {per_step: §[[1], [2]]}, target: [1], loss: mean_squared_error, steps: 3}",
            ["train.x.per_step: expected one tensor per step: 3 of them, found 2"],
        ),
        (
            "relu",
            "train: {x: {per_step: [[1], §[2, 3]]}, target: [1], loss: mean_squared_error, steps: 2}",
            ["train.x: the shape [2]; the first step has [1]"],
        ),
        (
            "relu",
            "train: {x: §{per_step: [&x {shape: [1048576], full: 1}, *x]}, target: [1], loss: mean_squared_error,\n"
            "        steps: 2}",
            ["train.x: too large; expected at most 1048576 elements in all steps"],
        ),
        (
            "relu",
            "train: {x: [1], target: §[], loss: mean_squared_error}",
            ["train.target: a target without elements: the shape [0]"],
        ),
        (
            "mean_squared_error",
            "train: {prediction: [1], target: [1], §loss: mean_squared_error}",
            ["train: a loss takes no 'loss'"],
        ),
        (
            "sgd",
            "tensors: {variable: [1]}\ntrain: {gradient: [1], §target: [1]}",
            ["train: an optimizer takes no 'target'"],
        ),
        (
            "sgd",
            "tensors: {variable: [1]}\npredict: §{gradient: [1]}",
            ["predict: an optimizer has no predict phase"],
        ),
        (
            "sgd",
            "tensors: {variable: [1]}\nparameters: {learning_rate: §[1, 2]}\ntrain: {gradient: [1]}",
            ["parameters.learning_rate: expected one number per step: 1 of them, found 2"],
        ),
        (
            "sgd",
            "§name: a\ntensors: {variable: [1]}\nparameters: {learning_rate: §[1, 2]}",
            [
                ": expected a phase: 'train', 'predict' or both",
                "parameters.learning_rate: expected a number: a list has one per step, and there is no train phase, "
                "found [1, 2]",
            ],
        ),
        (
            "sgd",
            "tensors: {variable: [1]}\ntrain: {gradient: [1], expect: {variable: [1], §y: [1], §loss: 1}}",
            [f"train.expect: unknown tensor '{name}'; known: variable, velocity" for name in ("y", "loss")],
        ),
        ("relu", trained("expect: {§yy: [[1, 2]]}"), ["train.expect: unknown tensor 'yy'; did you mean 'y'?"]),
        ("relu", "predict: {x: [1], expect: §{}}", ["predict.expect: expected at least one tensor, found {}"]),
        (
            "dense",
            "tensors: {kernel: [[1]]}\ntrain: {x: [[1]], target: [[1]], loss: mean_squared_error, optimizer: sgd,\n"
            "        expect: {kernel.velocity: [[1]], §kernel.first_moment: [[1]]}}",
            ["train.expect: unknown tensor 'kernel.first_moment'; did you mean 'kernel.gradient'?"],
        ),
        (
            "relu",
            "predict: {x: [1]}\ntrain: {x: [1], target: [1], loss: mean_squared_error}\nobserved: §{y: [1]}",
            ["observed: observed numbers are of one phase: expected 'train' or 'predict', not both"],
        ),
        (
            "relu",
            "train: {x: [1], target: [1], loss: mean_squared_error, steps: 2}\nobserved: §{y: [1]}",
            ["observed: observed numbers are of one step, found 2 steps"],
        ),
        ("relu", "predict: {x: [1]}\nobserved: {§z: [1]}", ["observed: unknown tensor 'z'; known: y"]),
    ],
)
def test_faults_of_phases(tmp_path: Path, operation: str, entry: str, faults: list[str]) -> None:
    entry = entry if "name: a" in entry else f"name: a\n{entry}"
    expected = [f"cases[0].{each}".replace(".:", ":") for each in faults]
    check_faults(tmp_path, case(entry, operation=operation), expected)


@pytest.mark.parametrize(
    ("operation", "entry", "faults"),
    [
        (
            "batch_normalization",
            f"tensors: {{§gama: [1], §x: [1]}}\n{PREDICT}",
            [
                ".tensors: unknown tensor 'gama'; did you mean 'gamma'?",
                ".tensors: 'x' is an input: give it in the phases",
            ],
        ),
        (
            "batch_normalization",
            f"tensors: {{gamma: §[1, 2, 3], beta: §[1]}}\n{PREDICT}",
            [
                ": gamma has the shape [3]: its axis 'channel' is 3, expected 2",
                ": beta has the shape [1]: its axis 'channel' is 1, expected 2",
            ],
        ),
        (
            "batch_normalization",
            f"tensors: {{gamma: §1}}\n{PREDICT}",
            [": gamma has the shape [], expected the axes [channel]"],
        ),
        (
            "batch_normalization",
            f"parameters: {{center: false}}\ntensors: {{§beta: [1, 2]}}\n{PREDICT}",
            [".tensors: 'beta' does not exist here: 'center' is off"],
        ),
        (
            "batch_normalization",
            "matrix: {axis: [0, 7]}\npredict: {x: §[[1.0, 2.0]]}",
            ["[axis=7]: x has the shape [1, 2]: axis 7 does not exist in an array of 2 axes"],
        ),
        (
            "batch_normalization",
            "tensors: {gamma: [1, 2]}\ntrain: {x: [[1, 2]], target: [[1, 2]], loss: mean_squared_error}\n"
            "predict: §{x: [[1, 2, 3]]}",
            [".predict: the inputs do not fit: gamma has the shape [2]: its axis 'channel' is 2, expected 3"],
        ),
        (
            "layer_normalization",
            "train: {x: [[1, 2]], target: [[1, 2]], loss: mean_squared_error}\npredict: §§{x: [[1, 2, 3]]}",
            [f".predict: the inputs need {name} of the shape [3], training has [2]" for name in ("gamma", "beta")],
        ),
        ("dense", f"§name: a\n{PREDICT}", [": the tensor 'kernel' is missing in 'tensors'"]),
        (
            "dense",
            f"tensors: {{kernel: §[[1]]}}\n{PREDICT}",
            [": kernel has the shape [1, 1]: its axis 'input' is 1, expected 2"],
        ),
        (
            "batch_normalization",
            "predict: {x: [[1]], expect: {moving_mean: §[1, 2]}}",
            [": moving_mean has the shape [2], expected [1]"],
        ),
        (
            "dense",
            "tensors: {kernel: [[1]]}\ntrain: {x: [[1]], target: [[1]], loss: mean_squared_error,\n"
            "        expect: {kernel.gradient: §[1], x.gradient: [[1]]}}",
            [": kernel.gradient has the shape [1], expected [1, 1]"],
        ),
    ],
)
def test_faults_of_shapes(tmp_path: Path, operation: str, entry: str, faults: list[str]) -> None:
    entry = entry if "name: a" in entry else f"name: a\n{entry}"
    check_faults(tmp_path, case(entry, operation=operation), [f"cases[0]{each}" for each in faults])


WHY = "reason: x, reference: none found"
CRASH = "adapter: torch, tensor: y, verdict: crash"
DIALECT = "adapter: torch, tensor: y, dialect:"


@pytest.mark.parametrize(
    ("deviation", "faults"),
    [
        (
            f"{{adapter: §tortch, tensor: y, verdict: crash, {WHY}}}",
            [".adapter: there is no adapter 'tortch'; did you mean 'torch'?"],
        ),
        (
            f"{{adapter: torch, tensor: §gamma, verdict: crash, {WHY}}}",
            [".tensor: there is no tensor 'gamma'; known: *, moving_mean, moving_variance, y"],
        ),
        (
            f"{{adapter: torch, tensor: §moving_men, verdict: crash, {WHY}}}",
            [".tensor: there is no tensor 'moving_men'; did you mean 'moving_mean' or 'moving_variance'?"],
        ),
        (f"§{{adapter: torch, tensor: y, {WHY}}}", [": expected 'dialect' or 'verdict'"]),
        (f"§{{{CRASH}, dialect: {{epsilon: none}}, {WHY}}}", [": expected 'dialect' or 'verdict', not both"]),
        (
            f"{{adapter: torch, tensor: y, verdict: §dialect, {WHY}}}",
            [".verdict: expected one of imprecise, deviates, unstable, error, crash, timeout, found dialect"],
        ),
        (
            f"{{{CRASH}, §error_ratio: {{float32: [1, 2]}}, {WHY}}}",
            [": 'error_ratio' goes with the verdict imprecise or deviates"],
        ),
        (
            f"{{adapter: torch, tensor: y, verdict: deviates, error_ratio: {{float32: §[2, 1], §float: 1}}, {WHY}}}",
            [
                ".error_ratio.float32: expected two numbers: the lowest and the highest error ratio, found [2, 1]",
                ".error_ratio: unknown precision 'float'; did you mean 'float64' or 'float32'?",
            ],
        ),
        (
            f"{{{DIALECT} {{§epsilom: none, epsilon: §outsid}}, {WHY}}}",
            [
                ".dialect: unknown knob 'epsilom'; did you mean 'epsilon'?",
                ".dialect.epsilon: expected one of inside, outside, squared, none, found outsid",
            ],
        ),
        (
            f"{{{DIALECT} {{variance_correction: §true}}, {WHY}}}",
            [".dialect.variance_correction: expected one of 0, 1, found true"],
        ),
        (f"{{{DIALECT} §{{}}, {WHY}}}", [".dialect: expected at least one knob, found {}"]),
        (f"{{{CRASH}, phase: §train, {WHY}}}", [".phase: no case that this is about has the phase 'train'"]),
        (
            f"{{{CRASH}, cases: [a, §'b*'], {WHY}}}",
            [".cases[1]: no case matches 'b*'; * and ? stand for other characters"],
        ),
        (
            f"{{{CRASH}, versions: {{torch: §2.1, numpy: §'=>2'}}, {WHY}}}",
            [
                ".versions.torch: expected a version specifier like '>=2.1,<3', found 2.1",
                ".versions.numpy: expected a version specifier like '>=2.1,<3', found '=>2'",
            ],
        ),
        (
            f"§{{{CRASH}, reference: §www.x.org}}",
            [
                ": the key 'reason' is missing",
                ".reference: expected an address, or the words 'none found', found www.x.org",
            ],
        ),
    ],
)
def test_faults_of_deviations(tmp_path: Path, deviation: str, faults: list[str]) -> None:
    text = case(f"name: a\n{PREDICT}") + f"deviations:\n  - {deviation}\n"
    check_faults(tmp_path, text, [f"deviations[0]{each}" for each in faults])


def test_a_knob_of_an_optimizer_that_no_case_uses(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, OTHERS["dense"].replace("adam.epsilon: hat", "sgd.dampening: every_step"))
    assert "cases[0].deviations[0].dialect: unknown knob 'sgd.dampening'" in fault


def test_a_deviation_in_a_case_names_no_cases(tmp_path: Path) -> None:
    text = case(f"name: a\n{PREDICT}\ndeviations: [{{{CRASH}, §cases: [a], {WHY}}}]")
    fault = "cases[0].deviations[0]: a deviation that stands in a case is about this case alone"
    check_faults(tmp_path, text, [fault])


def test_no_fault_hides_another(tmp_path: Path) -> None:
    text = (
        "operation: batch_normalization\n§refs: 1\ncases:\n"
        "  - {name: a, parameters: {§axi: 1}, predict: {x: [[1, §[2]]]}}\n"
        "  - §5\n"
        "  - {name: c, tensors: {gamma: §[1, 2]}, predict: {x: [[1]]}}\n"
        "  - §{name: c, predict: {x: [[1]], expect: {§q: 1}}}\n"
        "deviations:\n"
        "  - §§§{adapter: §torh, tensor: y, cases: [a]}\n"
    )
    check_places(tmp_path, text)


def test_what_is_faulty_itself_causes_no_second_fault(tmp_path: Path) -> None:
    text = (
        "operation: dense\ncases:\n"
        "  - {name: a, tensors: {kernel: [[§x]]}, predict: {x: [[1, 2]]}}\n"
        "  - {name: c, tensors: {kernel: {shape: [§-1], full: 1}}, predict: {x: [[1, 2]]}}\n"
        "  - {name: e, tensors: {kernel: [[1]]}, predict: {x: §x}, observed: {y: [1], kernel: [2]}}\n"
        "  - name: d\n"
        "    tensors: {kernel: [[1]]}\n"
        "    train: {x: [[1]], target: {shape: [§-1], full: 1}, loss: mean_squared_error}\n"
        "  - name: b\n"
        "    tensors: {kernel: [[1]]}\n"
        "    parameters: {use_bias: §x}\n"
        "    train: {x: [[1]], target: [[1]], loss: mean_squared_error, optimizer: {§adm: {}},\n"
        "            expect: {kernel.first_moment: [[1]]}}\n"
        "deviations:\n"
        f"  - {{adapter: torch, tensor: kernel.first_moment, dialect: {{adam.epsilon: hat}}, cases: [b], {WHY}}}\n"
    )
    check_places(tmp_path, text)


def formula(name: str, family: str, *, differentiable: bool = True, **described: Any) -> Operation:
    tensors = {key: each for key, each in described.items() if isinstance(each, Tensor)}
    parameters = {key: each for key, each in described.items() if isinstance(each, Parameter)}
    results = ("loss",) if family == "loss" else ("y",)
    example = Example({}, {})
    return Operation(name, family, dict, tensors, parameters, "", "", example, {}, differentiable, results)


def test_operations_of_other_kinds_than_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        formula("argmax", "selection", x=Tensor("input", "*shape"), mode=Parameter("first", ""), differentiable=False),
        formula("ranked", "loss", prediction=Tensor("input", "*shape"), target=Tensor("input", "batch class")),
        formula("loose", "linear", x=Tensor("input", "*batch input"), kernel=Tensor("weight", "input unit", 0)),
    ]
    known = {**operations(), **{each.name: each for each in made}}
    for module in ("operation", "reading.document", "reading.phases", "reading.deviations"):
        monkeypatch.setattr(f"conformance.{module}.operations", lambda: known)
    text = case(f"name: a\n{PREDICT}\nparameters: {{mode: §1}}\ntrain: §{{x: [1]}}", operation="argmax")
    gradient = "cases[0].train: argmax has no gradient, so it has no train phase"
    check_faults(tmp_path, text, ["cases[0].parameters.mode: expected text, found 1", gradient])
    text = case("name: a\ntrain: {x: [1], target: §[1], loss: ranked}", operation="relu")
    rank = "cases[0].train.target: target has the shape [1], expected the axes [batch, class]"
    check_faults(tmp_path, text, [rank])
    text = case(f"§name: a\n{PREDICT}", operation="loose")
    shape = "cases[0]: the shape of 'kernel' does not follow from the others: give it in 'tensors'"
    check_faults(tmp_path, text, [shape])


def test_the_faults_of_a_file_are_limited(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, case(f"name: a\npredict: {{x: [{'x,' * 1000}]}}"))
    assert len(faults) == MOST_FAULTS + 1
    assert faults[-1].endswith("too many faults; the rest is not shown")


# --- files ----------------------------------------------------------------------------------------------------------


def test_case_files_are_found_below_folders(tmp_path: Path) -> None:
    for name in ("b/y.yml", "a.yaml", "b/x.yaml", "b/notes.txt", ".hidden/z.yaml", "b/.z.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    assert case_files([tmp_path]) == [tmp_path / "a.yaml", tmp_path / "b/x.yaml", tmp_path / "b/y.yml"]
    given: list[Path | str] = [
        tmp_path / "b/y.yml",
        tmp_path / "b",
        str(tmp_path / "b/notes.txt"),
        tmp_path / "loop/a.yaml",
    ]
    found = [tmp_path / "b/y.yml", tmp_path / "b/x.yaml", tmp_path / "b/notes.txt", tmp_path / "loop/a.yaml"]
    assert case_files(given) == found


def test_paths_stay_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cases").mkdir()
    Path("cases/x.yaml").write_text("operation: 1\ncases: 1")
    assert case_files(["cases"]) == [Path("cases/x.yaml")]
    with pytest.raises(
        CaseErrors, match=r"^cases/x\.yaml:1:12: operation: expected the name of an operation, found 1$"
    ):
        load(["cases"])


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "there is no file or folder '.*nowhere'"), ("empty", r"the folder '.*empty' has no case files \(")],
)
def test_paths_that_lead_to_no_case(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        case_files([tmp_path / name])


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UsageError, match=rf"^the folder '{tmp_path}' cannot be read: Permission denied$"):
        case_files([tmp_path])


def test_all_faults_of_all_files_are_raised_together(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(case("name: a"))
    (tmp_path / "b.yaml").write_text("")
    (tmp_path / "c.yaml").write_text(DESIGN)
    with pytest.raises(CaseErrors) as caught:
        load([tmp_path])
    assert [Path(each.place.file).name for each in caught.value.faults] == ["a.yaml", "b.yaml"]


def test_a_case_id_is_used_once(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(case(f"name: a\n{PREDICT}"))
    with pytest.raises(CaseErrors) as caught:
        load([tmp_path])
    expected = f"{tmp_path}/b.yaml:3:5: the case 'batch_normalization/a' stands at {tmp_path}/a.yaml:3:5 too"
    assert str(caught.value) == expected


# --- hostile files --------------------------------------------------------------------------------------------------


def many(entry: str, count: int) -> str:
    return "operation: batch_normalization\ncases:\n" + "".join(f"- {{name: a{n}, {entry}}}\n" for n in range(count))


THOUSAND = f"[{','.join(map(str, range(1000)))}]"
BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 30))
PATTERNS = "".join(
    f"- {{{CRASH}, {WHY}, cases: [{','.join(repr(f'*{n}*{m}*') for m in range(10))}]}}\n" for n in range(100)
)
HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "bomb": (BOMB, "more than 131072 values in a file, aliases expanded"),
    "deep_flow": ("[" * 4_000_000, "nested deeper than 64 levels"),
    "deep_block": ("- " * 4_000_000, "nested deeper than 64 levels"),
    "deep_keys": ("{a: " * 100_000, "nested deeper than 64 levels"),
    "many_numbers": ("a: [" + "1.5," * 2_000_000, "more than 131072 values in a file"),
    "many_lines": ("\n" * 8_000_000 + ":\t:", "not YAML"),
    "long_key": ("a" * 8_000_000 + ": 1", "not YAML"),
    "long_text": ("operation: '" + "a " * 4_000_000 + "'\ncases: 1", "there is no operation 'a a a"),
    "large_file": ("#" * (8 * 2**20 + 1), "larger than 8 MiB"),
    "binary": (bytes(range(256)) * 1000, "is not UTF-8"),
    "utf_16": ("operation: relu".encode("utf-16"), "UTF-16; a case file is UTF-8"),
    "shape": (many("predict: {x: {shape: [1000, 1000, 1000], full: 0}}", 1), "expected at most 1048576 elements"),
    "matrix": (
        many(f"matrix: {{momentum: {THOUSAND}, epsilon: {THOUSAND}, axis: {THOUSAND}}}, {PREDICT}", 3),
        "1000000000 points; expected at most 1000",
    ),
    "cases": (many(f"matrix: {{momentum: {THOUSAND}}}, {PREDICT}", 20), f"more than {MOST_CASES} cases in a file"),
    "keys": (many(", ".join(f"pradict{n}: 1" for n in range(30_000)), 1), "too many faults"),
    "digits": (many(f"predict: {{x: [[{'9' * 5000}]]}}", 1), "a number of 5000 characters"),
    "steps": (many("train: {x: [[1]], steps: 1000000000}", 1), "expected an integer from 1 to 10000, found 1000000000"),
    "pattern": (
        many(PREDICT, 1) + f"deviations: [{{{CRASH}, {WHY}, cases: ['{'*a' * 99999}']}}]",
        "expected a pattern of at most 200 characters",
    ),
    "patterns": (many(PREDICT, 500) + "deviations:\n" + PATTERNS, f"more than {MOST_PATTERNS} patterns"),
    "ragged": (
        many(f"predict: {{x: [{'[1],' * 30_000} []]}}", 1),
        "ragged: a list of 0, the first at this depth has 1",
    ),
}

CHILD = """
import json, resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_DATA, (300 * 2**20,) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (50, 50))
from conformance.reading import load
from conformance.errors import CaseErrors
for file in sorted(Path(sys.argv[1]).iterdir()):
    started = time.process_time()
    try:
        load([file])
        answer = "no fault"
    except CaseErrors as error:
        answer = str(error)
    # not ru_maxrss, which still counts what the process was that it was forked from
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps([file.stem, answer, time.process_time() - started, peak]))
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float, float]]:
    """What a process of its own answers to each hostile file, after how many seconds, and its peak memory in MiB."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, _) in HOSTILE.items():
        (folder / f"{name}.yaml").write_bytes(content.encode() if isinstance(content, str) else content)
    os.mkfifo(folder / "fifo.yaml")
    command = [sys.executable, "-c", CHILD, str(folder)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True)
    return {name: (answer, seconds, peak) for name, answer, seconds, peak in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", [*HOSTILE, "fifo"])
def test_a_hostile_file_fails_soon_and_clearly(hostile: dict[str, tuple[str, float, float]], name: str) -> None:
    answer, seconds, peak = hostile[name]
    expected = HOSTILE[name][1] if name in HOSTILE else "not a regular file"
    assert re.match(rf"\S*/{name}\.yaml:\d+:\d+: ", answer)
    assert expected in answer
    assert seconds < 2
    assert peak < 300


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(sorted(DOCUMENTS)),
    seed=st.integers(0, 2**32),
    noise=st.text("ab1:-? \n[]{},&*!'\"#<.", max_size=3),
)
def test_a_broken_file_gives_nothing_but_faults(
    tmp_path_factory: pytest.TempPathFactory, name: str, seed: int, noise: str
) -> None:
    text, chance = DOCUMENTS[name], random.Random(seed)
    start = chance.randrange(len(text))
    broken = text[:start] + noise + text[start + chance.randrange(6) :]
    with contextlib.suppress(CaseErrors):
        for each in loaded(tmp_path_factory.getbasetemp(), broken):
            for tensor in each.tensors.values():
                assert tensor.values().shape == tensor.shape


# --- selection ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    for name, text in DOCUMENTS.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return load([tmp_path])


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("", 10),
        ("normalization", 5),
        ("NORMALIZATION", 5),
        ("momentum=0.5", 2),
        ("momentum", 5),
        ("momentum and not sgd", 4),
        ("not momentum", 5),
        ("published or dense", 2),
        ("published or dense and sgd", 1),
        ("(published or dense) and sgd", 0),
        ("not (published or not batch)", 4),
        ("axis=1]", 2),
        ("optimizer", 1),
        ("sgd/momentum", 1),
        ("android", 0),
    ],
)
def test_cases_are_selected_by_words(cases: list[Case], expression: str, count: int) -> None:
    assert len(cases) == 10
    assert len(select(cases, expression)) == count


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("a b", "in 'a b', column 3: expected 'and', 'or' or the end, found 'b'"),
        ("a and", "in 'a and', column 6: expected a word, 'not' or '(', found the end"),
        ("or a", "in 'or a', column 1: expected a word, 'not' or '(', found 'or'"),
        ("(a", "in '(a', column 3: expected ')', found the end"),
        ("a)", "in 'a)', column 2: expected 'and', 'or' or the end, found ')'"),
        ("()", "in '()', column 2: expected a word, 'not' or '(', found ')'"),
        ("not", "in 'not', column 4: expected a word, 'not' or '(', found the end"),
        ("(" * 1000, f"in '{'(' * 59}…', column 51: expected at most 50 levels, found '('"),
        ("not " * 1000, f"in '{'not ' * 14}not…', column 201: expected at most 50 levels, found 'not'"),
    ],
)
def test_faults_of_expressions(cases: list[Case], expression: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(cases, expression)
    assert str(caught.value) == message


# --- the JSON Schema ------------------------------------------------------------------------------------------------

VALIDATOR = jsonschema.Draft202012Validator(schema())


def as_json(folder: Path, text: str) -> Any:
    """A file as plain data, read by the loader's own reader."""
    file = folder / "plain.yaml"
    file.write_text(text, encoding="utf-8")
    return plain(read_yaml(str(file), Faults()).node)


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(each) for key, each in node.value.items()}
    return [plain(each) for each in node.value] if isinstance(node.value, list) else node.value


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_examples_obey_the_schema(tmp_path: Path, name: str) -> None:
    assert loaded(tmp_path, DOCUMENTS[name])
    VALIDATOR.validate(as_json(tmp_path, DOCUMENTS[name]))


CATALOGUE = sorted((Path(__file__).parents[2] / "cases").rglob("*.yaml"))


@pytest.mark.parametrize("file", CATALOGUE, ids=lambda file: file.stem)
def test_the_catalogue_obeys_the_schema(tmp_path: Path, file: Path) -> None:
    VALIDATOR.validate(as_json(tmp_path, file.read_text(encoding="utf-8")))


def test_the_schema_explains_parameters_and_knobs() -> None:
    case = schema()["$defs"]["batch_normalization"]["properties"]
    assert case["parameters"]["properties"]["center"] == {"type": "boolean", "description": "add beta"}
    dialect = schema()["$defs"]["batch_normalization.deviation"]["properties"]["dialect"]["properties"]
    assert {"const": "outside", "description": "sqrt(variance) + epsilon"} in dialect["epsilon"]["oneOf"]


ARITHMETIC = re.compile(
    "|".join(
        (
            r"has the shape|ragged|like the first at this depth|expected a number, found \[|nested deeper|too large",
            r"the inputs (do not fit|need)|does not exist here|is missing in 'tensors'|; the first step has \[",
            r"stands (twice|\d+ times|in 'parameters')|the matrix has no|no point of the matrix",
            r"one (number|tensor) per step|a list has one per step|observed numbers are of one step",
            r"observed: unknown tensor|expect: unknown tensor '(\w+\.\w+|loss)'|a target without elements",
            r"the lower end first|a lower end and a higher|error ratio|version specifier",
            r"key of the matrix|no case (matches|that this is about)|tensor: there is no tensor|unknown knob '\w+\.",
            r"an integer( from \S+ to \S+)?( of at least \d+)?, found \d+\.0$",
        )
    )
)
"""The faults that no schema can know: they compare one value with another, or 1.0 with 1."""

VALUES: tuple[Any, ...] = (
    None,
    True,
    "train",
    "",
    -1,
    0,
    1,
    3,
    1.5,
    [],
    {},
    [1],
    [[1, 2]],
    {"a": 1},
    10**9,
    "mean_squared_error",
    "sgd",
)


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with each of its keys or indices."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from places(node[key])


def mutate(document: Any, chance: random.Random) -> None:
    container, key = chance.choice(list(places(document)))
    match chance.randrange(5):
        case 0:
            container[key] = copy.deepcopy(chance.choice(VALUES))
        case 1:
            del container[key]
        case 2 if isinstance(container, dict):
            container[key + "x"] = container.pop(key)
        case 3 if isinstance(container, dict):
            container[chance.choice(("surprise", "steps", "cases", "seed", "expect", "matrix"))] = chance.choice(VALUES)
        case _:
            source, at = chance.choice(list(places(document)))
            container[key] = copy.deepcopy(source[at])


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(sorted(DOCUMENTS)), seed=st.integers(0, 2**32))
def test_schema_and_loader_agree(tmp_path_factory: pytest.TempPathFactory, name: str, seed: int) -> None:
    folder, chance = tmp_path_factory.getbasetemp(), random.Random(seed)
    document = as_json(folder, DOCUMENTS[name].replace(".inf", "99"))
    for _ in range(chance.randint(1, 2)):
        mutate(document, chance)
    faults = faults_of(folder, json.dumps(document))
    told = next(VALIDATOR.iter_errors(document), None)
    if told is not None:
        assert faults, f"only the schema sees a fault: {told.message}"
    else:
        assert [each for each in faults if not ARITHMETIC.search(each)] == []


@pytest.mark.parametrize(
    ("x", "found"),
    [
        ("[§0.5]", "found 0.5"),
        ("[§.nan]", "found .nan"),
        ("{shape: [2], full: §0.5}", "found 0.5"),
        ("§{shape: [2], normal: {}, seed: 1}", "the recipe 'normal' draws no integers; expected 'integers'"),
    ],
)
def test_indices_are_integers(tmp_path: Path, x: str, found: str) -> None:
    text = case(f"name: a\ntensors: {{embeddings: [[1], [2]]}}\npredict: {{x: {x}}}", operation="embedding")
    (fault,) = faults_of(tmp_path, text.replace("§", ""))
    assert fault.endswith(found), fault
