"""Verdicts that can be trusted: planted formulas are named, honest arithmetic is not accused, faults are told apart."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from conformance import evidence
from conformance.adapter import Raised, Reply
from conformance.adapters.numpy import NumPy
from conformance.case import Printed
from conformance.errors import Undefined, Unsupported, WorkerCrashed, WorkerTimeout
from conformance.operation import get_operation, operations
from conformance.oracle import Arithmetic, plain
from conformance.outcome import Trial, outcomes, together
from conformance.reading import load
from conformance.replay import Replay
from conformance.task import phases, task_of
from conformance.tests.samples import BOTH, as_held, computed, random_task
from conformance.verdict import judge

CASES = Path(__file__).parents[2] / "cases"


@cache
def cases(operation):
    """The catalogue's cases of an operation but the very long ones, which show nothing that the others do not."""
    found = [case for case in load([CASES]) if case.operation.name == operation and not case.observed]
    return [case for case in found if not case.train or case.train.steps <= 5]


def find(case_id):
    return next(case for case in cases(case_id.partition("/")[0]) if case.id == case_id)


def undeclared(case):
    return replace(case, declarations=())


def with_defaults(case, precision):
    return as_held(task_of(case, precision))


def planted(case, dialect, precisions):
    return [computed(with_defaults(case, precision), dialect) for precision in precisions]


PLANTED = [
    (name, knob.name, value)
    for name in operations()
    for knob in get_operation(name).knobs.values()
    for value in knob.values
]
IN_FLOAT64_ALONE = {("softplus", "linear_above")}
"""The knobs that move results by less than float32 can show."""


@pytest.mark.parametrize("precisions", [BOTH, ("float32",), ("float64",)], ids="+".join)
@pytest.mark.parametrize(("operation", "knob", "value"), PLANTED, ids=str)
def test_a_planted_dialect_gets_exactly_its_name(operation, knob, value, precisions):
    algorithmic = get_operation(operation).knobs[knob].algorithmic
    if algorithmic and len(precisions) == 1:
        precisions = BOTH  # only the pair of precisions tells an algorithm from a formula
    named = 0
    for case in cases(operation):
        if not set(precisions) <= set(case.precisions) or case.operation.settings(case.parameters)[knob] == value:
            continue
        try:
            planted(case, {}, precisions)  # where the formula has no answer, no other one is named
            replays = planted(case, {knob: value}, precisions)
        except Undefined:
            continue
        for phase in phases(case):
            judgements = judge(replays, phase)
            verdict = {each.verdict for each in judgements} - {"conforms"}
            if any("cannot be told apart" in each.message for each in judgements):
                assert verdict == {"deviates"}, (case.id, phase, judgements)  # two settings, one result: no name
            elif verdict:
                assert verdict == {"imprecise" if algorithmic else "dialect"}, (case.id, phase, judgements)
                assert together(judgements) == {knob: value}, (case.id, phase)
                named += 1
    published = get_operation(operation).knobs[knob].default == value
    hidden = precisions == ("float32",) and (operation, knob) in IN_FLOAT64_ALONE
    assert named or published or hidden, f"no case of {operation} sees {knob}={value}"


def honest(operation: str) -> Arithmetic:
    """An honest implementation of another kind: extended precision inside, rounded at the end."""
    return plain("float64" if operation in ("gelu", "poisson") else "longdouble")  # SciPy knows no longdouble


@pytest.mark.parametrize("operation", operations())
def test_honest_arithmetic_is_never_accused(operation):
    for seed in range(60):
        replays = [computed(random_task(operation, seed, "float32"))]
        replays.append(computed(random_task(operation, seed, "float64"), arithmetic=honest(operation)))
        for phase in ("train", "predict") if replays[0].task.predict else ("train",):
            for each in judge(replays, phase):
                assert each.verdict == "conforms", (seed, phase, each)


# --- adapters that are wrong on purpose -----------------------------------------------------------------------------


def replies(case, change=lambda task, trace: trace, dialect=None):
    """Trials of an adapter that computes the formula and then spoils every trace."""
    trials = []
    for precision in case.precisions:
        task = with_defaults(case, precision)
        reply = computed(task, dialect).reply
        train = [change(task, dict(trace)) for trace in reply.train]
        predict = change(task, dict(reply.predict)) if reply.predict is not None else None
        trials.append(Trial(task, Reply(reply.parameters, train, predict)))
    return trials


def spoiled(name, function):
    def change(task, trace):
        if name in trace:
            trace[name] = function(trace[name].copy())
        return trace

    return change


def one_element(array):
    array.flat[array.size // 2] += np.asarray(0.5, array.dtype)
    return array


def not_a_number(array):
    array.flat[0] = np.nan
    return array


WRONG = {
    "a wrong sign": spoiled("y", np.negative),
    "one wrong element": spoiled("y", one_element),
    "off by 1e-4": spoiled("y", lambda y: (y * (1 + 1e-4)).astype(y.dtype)),
    "NaN": spoiled("y", not_a_number),
    "infinity": spoiled("y", lambda y: np.full_like(y, np.inf)),
    "a wrong shape": spoiled("y", lambda y: y[..., :1]),
    "transposed": spoiled("y", lambda y: y.T),
    "a wrong format": spoiled("y", lambda y: y.astype(np.float16)),
    "integers": spoiled("y", lambda y: y.astype(np.int64)),
    "missing": lambda task, trace: {name: each for name, each in trace.items() if name != "y"},
    "empty": lambda task, trace: {},
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize(
    "case", ["batch_normalization/train_then_predict[momentum=0.5,axis=-1]", "conv2d/groups", "softmax/axes[axis=1]"]
)
def test_a_spoiled_result_deviates(case, fault):
    found = outcomes(undeclared(find(case)), "spoiled", replies(find(case), WRONG[fault]), {})
    for outcome in found:
        assert (outcome.verdict, outcome.dialect, outcome.as_declared) == ("deviates", None, False), outcome.message


def test_a_wrong_gradient_is_no_wrong_result():
    case = find("dense/square_kernel")
    found = outcomes(case, "spoiled", replies(case, spoiled("x.gradient", np.negative)), {})
    verdicts = {row.name: row.verdict for row in found[0].tensors}
    assert verdicts.pop("x.gradient") == "deviates"
    assert set(verdicts.values()) == {"conforms"}
    assert found[1].verdict == "conforms"


def test_a_float32_stage_inside_is_imprecise():
    case = undeclared(find("batch_normalization/train_then_predict[momentum=0.5,axis=-1]"))
    found = outcomes(case, "spoiled", replies(case, spoiled("y", lambda y: y.astype(np.float32).astype(y.dtype))), {})
    assert [each.verdict for each in found] == ["imprecise", "imprecise"]
    assert "float32 stage" in found[0].message
    assert not found[0].as_declared


@pytest.mark.parametrize("answer", [np.float32, lambda y: np.float32(np.round(y))])
def test_an_answer_in_float32_is_imprecise_as_far_as_its_numbers_are(answer):
    case = undeclared(find("softmax/axes[axis=1]"))

    def narrowed(y):
        return answer(y) if y.dtype == np.float64 else y

    for outcome in outcomes(case, "narrow", replies(case, spoiled("y", narrowed)), {}):
        expected = "imprecise" if answer is np.float32 else "deviates"
        assert (outcome.verdict, outcome.as_declared) == (expected, False), outcome.message
        double = next(each for each in outcome.tensors if (each.name, each.dtype) == ("y", "float64"))
        assert "computed in float32, expected float64" in double.notes


def swapped_weights(task, names):
    one, other = names
    tensors = {**task.tensors, one: task.tensors[other], other: task.tensors[one]}
    return replace(task, tensors=tensors)


@pytest.mark.parametrize("seed", range(5))
def test_gamma_and_beta_swapped_deviate(seed):
    replays = []
    for precision in BOTH:
        task = replace(random_task("batch_normalization", seed, precision), train=None)
        replays.append(Replay(task, computed(swapped_weights(task, ("gamma", "beta"))).reply))
    assert {each.name: each.verdict for each in judge(replays, "predict")}["y"] == "deviates"


def test_transposed_weights_are_named():
    case = find("dense/square_kernel")
    found = outcomes(undeclared(case), "transposed", replies(case, dialect={"kernel": "transposed"}), {})
    assert [each.dialect for each in found] == [{"kernel": "transposed"}] * 2


def test_a_stale_state_deviates():
    """A state that is not updated is not the frozen dialect: the batch's statistics were used."""
    case = undeclared(find("batch_normalization/train_then_predict[momentum=0.5,axis=-1]"))

    def stale(task, trace):
        return {**trace, **({"moving_mean": task.tensors["moving_mean"]} if "moving_mean" in trace else {})}

    found = outcomes(case, "stale", replies(case, stale), {})
    verdicts = {row.name: (row.verdict, row.dialect) for row in found[0].tensors}
    assert verdicts["y"] == ("conforms", {})
    assert verdicts["moving_mean"][0] in ("dialect", "deviates")
    assert not found[0].as_declared


def test_a_deviation_is_charged_once():
    """A wrong gamma after the first step is told there; the steps from it conform."""
    case = undeclared(find("batch_normalization/train_then_predict[momentum=0.5,axis=-1]"))
    trials = []
    for precision in case.precisions:
        task = with_defaults(case, precision)
        first = computed(task).reply.train[0]
        first["gamma"] = first["gamma"] * np.asarray(2, first["gamma"].dtype)
        went_on = replace(task, tensors={name: first[name] for name in task.tensors})
        rest = computed(replace(went_on, train=replace(task.train, batches=task.train.batches[1:]))).reply
        trials.append(Trial(task, Reply(rest.parameters, [first, *rest.train], rest.predict)))
    train, predict = outcomes(case, "once", trials, {})
    assert {row.name for row in train.tensors if row.verdict != "conforms"} == {"gamma"}
    assert all(row.step == 1 for row in train.tensors if row.name == "gamma")
    assert predict.verdict == "conforms"
    assert next(row.drift for row in predict.tensors if row.name == "y") > 0.1


def failed(case, failure):
    return [Trial(task_of(case, "float32"), failure=failure)]


@pytest.mark.parametrize(
    ("failure", "verdict"),
    [(WorkerCrashed("ended with code 3", "last words"), "crash"), (WorkerTimeout("1 s"), "timeout")],
)
def test_a_broken_conversation_is_no_deviation(failure, verdict):
    case = find("relu/random")
    for outcome in outcomes(case, "dying", failed(case, failure), {}):
        assert (outcome.verdict, outcome.as_declared) == (verdict, False)
        assert str(failure) in outcome.message


def raising(case, phase="train", step=1):
    raised = Raised(phase, step, "ValueError", "no")
    return [Trial(task_of(case, precision), Reply(raised=raised)) for precision in case.precisions]


def test_raising_where_the_formula_is_defined_is_an_error():
    case = find("relu/random")
    assert [each.verdict for each in outcomes(case, "raising", raising(case), {})] == ["error", "error"]


def test_raising_where_the_formula_is_undefined_conforms_and_answering_is_an_error():
    case = find("conv2d/kernel_larger_than_input")
    (outcome,) = outcomes(case, "raising", raising(case, "predict", 0), {})
    assert (outcome.verdict, outcome.as_declared) == ("conforms", True)
    y = np.zeros((1, 0, 0, 1), np.float32)
    (outcome,) = outcomes(case, "answering", [Trial(task_of(case, "float32"), Reply(predict={"y": y}))], {})
    assert (outcome.verdict, outcome.as_declared) == ("error", False)


def test_unsupported_is_as_declared_and_no_verdict_on_the_formula():
    case = find("relu/random")
    trials = [Trial(task_of(case, "float32"), Reply(unsupported="no counterpart of relu"))]
    for outcome in outcomes(case, "lacking", trials, {}):
        assert (outcome.verdict, outcome.as_declared) == ("unsupported", True)


def test_a_precision_without_a_kernel_is_left_out():
    case = find("relu/random")
    able, _ = replies(case)
    lacking = Trial(task_of(case, "float64"), Reply(unsupported="no kernel", untrained="no gradient"))
    train, predict = outcomes(case, "lacking", [able, lacking], {})
    for outcome, reason in ((train, "no gradient"), (predict, "no kernel")):
        assert (outcome.verdict, outcome.as_declared) == ("conforms", True)
        assert outcome.message == f"judged in float32 alone; float64 is unsupported: {reason}"
        assert {row.dtype for row in outcome.tensors} == {"float32"}


def test_what_is_left_is_judged_as_strictly():
    case = find("relu/random")
    wrong, _ = replies(case, spoiled("y", one_element))
    lacking = Trial(task_of(case, "float64"), Reply(unsupported="no kernel"))
    assert [each.verdict for each in outcomes(case, "lacking", [wrong, lacking], {})] == ["deviates", "deviates"]
    raising = Trial(wrong.task, Reply(raised=Raised("predict", 0, "ValueError", "no"), untrained="no gradient"))
    assert [each.verdict for each in outcomes(case, "lacking", [raising, lacking], {})] == ["unsupported", "error"]


def test_each_precision_tells_its_own_reason():
    case = find("relu/special_values")
    trials = [Trial(task_of(case, each), Reply(unsupported=f"not in {each}")) for each in case.precisions]
    (outcome,) = outcomes(case, "lacking", trials, {})
    assert outcome.message == "float32: not in float32; float64: not in float64"


class Untrainable(NumPy):
    """Predicts, and trains nothing."""

    def open(self, task):
        if task.train:
            raise Unsupported("no gradient")
        return super().open(task)


def test_what_cannot_be_trained_is_judged_from_the_weights_that_the_case_gives():
    case = find("dense/square_kernel")
    trials = [Trial(task, Untrainable().run(task)) for task in (task_of(case, each) for each in case.precisions)]
    train, predict = outcomes(case, "untrainable", trials, {})
    assert (train.verdict, train.message) == ("unsupported", "no gradient")
    assert (predict.verdict, predict.message) == ("conforms", "not trained before: no gradient")
    assert predict.learned == {}
    for row in predict.tensors:  # beside the formula's own prediction from these weights
        assert row.drift is not None
        assert row.drift < 1e-5


def test_digits_that_were_printed_after_training_are_not_expected_without_it():
    case = find("relu/kink")
    untrained = [replace(each, reply=replace(each.reply, train=[], untrained="no gradient")) for each in replies(case)]
    assert case.predict is not None
    elsewhere = {"y": replace(case.predict.expect["y"], values=case.predict.expect["y"].values + 1)}
    case = replace(case, predict=replace(case.predict, expect=elsewhere))
    assert [each.as_declared for each in outcomes(case, "untrained", untrained, {})] == [True, True]
    assert [each.as_declared for each in outcomes(case, "trained", replies(case), {})] == [True, False]


def test_a_parameter_that_is_held_in_float32_moves_the_digits_expected():
    case = undeclared(find("batch_normalization/published_answer_in_numpy"))
    held = {"epsilon": float(np.float32(0.001))}

    def trials(parameters):
        task = with_defaults(case, "float64")
        computing = replace(task, parameters={**task.parameters, "epsilon": held["epsilon"]})
        return [Trial(task, replace(computed(computing).reply, parameters=parameters))]

    (outcome,) = outcomes(case, "holding", trials(held), {})
    assert (outcome.verdict, outcome.as_declared) == ("conforms", True)
    (outcome,) = outcomes(case, "hiding", trials({}), {})
    assert not outcome.as_declared


# --- declarations ---------------------------------------------------------------------------------------------------


def declaring(case, **fields):
    from conformance.case import Declaration
    from conformance.errors import Place

    made = {
        "adapters": ("mine",),
        "tensor": "*",
        "dialect": None,
        "verdict": None,
        "error_ratio": {},
        "phase": None,
        "modes": (),
        "cases": (),
        "versions": {},
        "reason": "because",
        "reference": "none found",
        "place": Place("x.yaml"),
    }
    return replace(case, declarations=(Declaration(**{**made, **fields}),))


BN = "batch_normalization/train_then_predict[momentum=0.5,axis=-1]"
UNBIASED = {"variance_correction": 1}


def test_a_declared_dialect_is_held_to_its_own_formula():
    case = declaring(find(BN), tensor="moving_variance", dialect=UNBIASED)

    def only_the_state(task, trace):
        return trace

    def mixed(spoil):
        trials = []
        for precision in case.precisions:
            task = with_defaults(case, precision)
            honest, other = computed(task).reply, computed(task, UNBIASED).reply
            train = []
            state = dict(task.tensors)
            for step, (one, two) in enumerate(zip(honest.train, other.train, strict=True), 1):
                trace = {
                    **one,
                    "moving_variance": two["moving_variance"] * np.asarray(spoil if step == 3 else 1, precision),
                }
                train.append(trace)
                state.update(trace)
            predict = computed(replace(task, tensors={name: state[name] for name in task.tensors}, train=None)).reply
            trials.append(Trial(task, Reply(honest.parameters, train, predict.predict)))
        return outcomes(case, "mine", trials, {})

    train, predict = mixed(1.0)
    assert (train.verdict, train.dialect, train.as_declared) == ("dialect", UNBIASED, True), train.message
    assert (predict.verdict, predict.as_declared) == ("conforms", True)
    train, _ = mixed(1.001)
    assert not train.as_declared
    assert "declared as variance_correction=1" in train.message


def test_a_declared_dialect_that_no_longer_shows_fails():
    case = declaring(find(BN), tensor="moving_variance", dialect=UNBIASED)
    train, _ = outcomes(case, "mine", replies(case), {})
    assert (train.verdict, train.as_declared) == ("conforms", False)
    assert "no longer shows" in train.message


def test_a_declared_dialect_that_the_case_cannot_see_is_fine():
    case = declaring(find("batch_normalization/large_moving_mean"), tensor="y", dialect={"momentum": "batch"})
    (predict,) = outcomes(case, "mine", replies(case), {})
    assert (predict.verdict, predict.as_declared) == ("conforms", True)


def test_a_declared_verdict_is_strict_and_so_is_its_band():
    spoil = spoiled("y", lambda y: (y * (1 + 1e-4)).astype(y.dtype))
    case = find("softmax/axes[axis=1]")
    declared = declaring(case, tensor="y", phase="predict", verdict="deviates")
    found = outcomes(declared, "mine", replies(case, spoil), {})
    assert found[1].as_declared
    assert not found[0].as_declared
    assert not outcomes(declared, "mine", replies(case), {})[1].as_declared
    banded = declaring(case, tensor="y", phase="predict", verdict="deviates", error_ratio={"float32": (1.0, 2.0)})
    assert "declared within [1.0, 2.0]" in outcomes(banded, "mine", replies(case, spoil), {})[1].message


def test_a_declaration_of_another_version_adapter_or_mode_does_not_apply():
    for fields in ({"versions": {"mine": "<2"}}, {"adapters": ("yours",)}, {"modes": ("xla",)}):
        case = declaring(find(BN), tensor="moving_variance", dialect=UNBIASED, **fields)
        train, _ = outcomes(case, "mine", replies(case), {"mine": "2.1"})
        assert train.as_declared


def test_expected_digits_are_compared():
    case = find("batch_normalization/published_answer")
    assert outcomes(case, "mine", replies(case), {})[0].as_declared
    printed = case.predict.expect["y"]
    moved = replace(printed, values=printed.values + 1e-4)
    wrong = replace(case, predict=replace(case.predict, expect={"y": moved}))
    (outcome,) = outcomes(wrong, "mine", replies(case), {})
    assert (outcome.verdict, outcome.as_declared) == ("conforms", False)
    assert "expected 0.79529051" in outcome.message


def test_another_formula_with_a_float32_stage_inside_is_named_beside_imprecise():
    case = undeclared(find("adam/large_epsilon"))
    trials = []
    for precision in case.precisions:
        task = with_defaults(case, precision)
        coarse = computed(with_defaults(case, "float32"), {"epsilon": "hat"}).reply
        train = [{name: each.astype(precision) for name, each in trace.items()} for trace in coarse.train]
        trials.append(Trial(task, Reply(coarse.parameters, train)))
    (outcome,) = outcomes(case, "coarse", trials, {})
    assert (outcome.verdict, outcome.as_declared) == ("imprecise", False)
    assert {row.dialect["epsilon"] for row in outcome.tensors if row.name == "variable"} == {"hat"}
    assert "float32 stage" in outcome.message


def test_a_slot_that_an_adapter_hides_is_carried_on_by_the_formula():
    replays = []
    for precision in BOTH:
        replay = computed(random_task("dense", 3, precision))
        train = [{name: each for name, each in trace.items() if "velocity" not in name} for trace in replay.reply.train]
        replays.append(Replay(replay.task, Reply(replay.reply.parameters, train, replay.reply.predict)))
    assert {each.verdict for each in judge(replays, "train")} == {"conforms"}


@pytest.mark.parametrize("operation", ["batch_normalization", "layer_normalization"])
def test_overflow_of_an_intermediate_result_in_float32_is_no_deviation(operation):
    replays = []
    for precision in BOTH:
        task = random_task(operation, 1, precision)
        large = [{"x": task.inputs["x"] * np.asarray(1e20, precision)}] * 2
        replays.append(computed(replace(task, train=replace(task.train, batches=large), predict=None)))
    assert {each.verdict for each in judge(replays, "train")} == {"conforms"}


# --- what is shown of each tensor and of each training ---------------------------------------------------------------

UNIT = 2.0**-24
"""Half the distance of 1 from the next number of float32."""


def written_case(tmp_path, text):
    (tmp_path / "case.yaml").write_text(text)
    (case,) = load([tmp_path / "case.yaml"])
    return case


def answered(case, change, precisions=BOTH):
    """What comes of the right answer with a change."""
    trials = [Trial(task, change(NumPy().run(task))) for task in (task_of(case, each) for each in precisions)]
    return outcomes(case, "changed", trials, {})


def answering(y):
    return lambda reply: replace(reply, predict={"y": np.array(y, reply.predict["y"].dtype)})


@pytest.fixture
def kink(tmp_path):
    return written_case(
        tmp_path, "operation: relu\ncases:\n  - {name: kink, predict: {x: [[-1, 2, 4], [8, -1, .inf]]}}\n"
    )


def test_the_error_of_every_element_is_shown_with_its_sign(kink):
    off = [[0, 2 * (1 - 8 * UNIT), 4 * (1 + 16 * UNIT)], [8, 0, np.inf]]
    (outcome,) = answered(kink, answering(off), ("float32",))
    (row,) = outcome.tensors
    assert row.verdict == "deviates"
    assert row.shape == (2, 3)
    assert row.errors == (0.0, -8.0, 16.0, 0.0, 0.0, 0.0)
    worst, second = row.elements
    assert (worst.index, worst.expected, worst.actual) == (row.index, row.expected, row.actual)
    assert (worst.index, worst.expected, worst.actual, worst.bound) == ((0, 2), 4.0, off[0][2], pytest.approx(4 * UNIT))
    assert (second.index, second.expected, second.actual) == ((0, 1), 2.0, off[0][1])


@pytest.mark.parametrize(("number", "sign"), [(np.inf, np.inf), (-np.inf, -np.inf), (np.nan, np.nan)])
def test_what_is_not_finite_is_seen_where_the_formula_is(kink, number, sign):
    (outcome,) = answered(kink, answering([[0, number, 4], [8, 0, np.inf]]))
    for row in outcome.tensors:
        assert repr(row.errors) == repr((0.0, float(sign), 0.0, 0.0, 0.0, 0.0))
        assert [each.index for each in row.elements] == [row.index] == [(0, 1)]


def test_what_the_formula_makes_infinite_is_seen_where_it_is_not(kink):
    (outcome,) = answered(kink, answering([[0, 2, 4], [8, 0, 1]]))
    assert outcome.tensors[0].errors[-1] == -np.inf


def test_of_what_conforms_the_errors_are_short_and_no_element_is_shown(kink):
    off = [[0, 2 * (1 + 2 * UNIT), 4], [8, 0, np.inf]]
    (outcome,) = answered(kink, answering(off), ("float32",))
    (row,) = outcome.tensors
    assert (row.verdict, row.errors, row.elements) == ("conforms", (0.0, 2.0, 0.0, 0.0, 0.0, 0.0), ())
    nobodys = Printed(np.full((2, 3), 77.0), np.zeros((2, 3)), kink.place)
    faulty = replace(kink, predict=replace(kink.predict, expect={"y": nobodys}))
    (outcome,) = answered(faulty, answering(off), ("float32",))
    assert not outcome.as_declared
    assert [each.index for each in outcome.tensors[0].elements] == [(0, 1)]


@pytest.mark.parametrize("change", [lambda y: y.T, lambda y: y.astype("float16"), lambda y: y[:0]])
def test_of_another_shape_or_format_there_are_no_errors(kink, change):
    (outcome,) = answered(kink, lambda reply: replace(reply, predict={"y": change(reply.predict["y"])}))
    assert {(row.verdict, row.errors, row.elements) for row in outcome.tensors} == {("deviates", (), ())}


def test_of_a_large_tensor_only_the_worst_elements_are_shown(tmp_path):
    case = written_case(
        tmp_path, "operation: relu\ncases:\n  - {name: wide, predict: {x: {shape: [4097], uniform: [1, 2], seed: 1}}}\n"
    )

    def change(reply):
        y = reply.predict["y"].copy()
        y[:20] += np.arange(20)
        return replace(reply, predict={"y": y})

    (outcome,) = answered(case, change)
    row = outcome.tensors[0]
    assert (row.shape, row.errors) == ((4097,), ())
    sizes = [abs(each.actual - each.expected) / each.bound for each in row.elements]
    assert len(sizes) == 10
    assert sizes == sorted(sizes, reverse=True)


def test_errors_are_measured_from_the_formula_that_the_tensor_is_held_to():
    case = next(each for each in cases("batch_normalization") if each.train and each.train.steps > 1)
    knob = {"variance_correction": 1}
    trials = [Trial(each.task, each.reply) for each in planted(case, knob, BOTH)]
    distances = []
    for declared in (case, undeclared(case)):
        train = outcomes(declared, "torch", trials, {})[0]
        distances.append([each.distance for each in train.tensors if each.name == "moving_variance"])
        for row in (each for each in train.tensors if each.name == "moving_variance"):
            assert (row.verdict, row.held_to) == ("dialect", knob if declared is case else {})
            assert max(map(abs, row.errors)) == pytest.approx(row.error_ratio, rel=0.01)
            assert (row.error_ratio < 64) == (declared is case)
            assert (row.published is None) == (declared is not case)
        assert train.error_ratio == max(distances[-1]) > 1e6
    assert distances[0] == distances[1]  # from the published formula, whatever is declared


DESCENT = """
operation: dense
cases:
  - name: descent
    parameters: {use_bias: false}
    tensors: {kernel: [[1]]}
    train:
      x: [[1]]
      target: [[0]]
      loss: mean_squared_error
      optimizer: {sgd: {learning_rate: 0.125, momentum: 0.5}}
      steps: STEPS
"""


def test_a_curve_follows_the_element_that_ends_farthest(tmp_path):
    """The loss is k², its gradient 2k, so that v' = v/2 - k/4 and k' = k + v'."""
    case = written_case(tmp_path, DESCENT.replace("STEPS", "3"))

    def change(reply):
        last = {**reply.train[2], "kernel": reply.train[2]["kernel"] + 1}
        return replace(reply, train=[*reply.train[:2], last])

    (outcome,) = answered(case, change)
    curves = {each.name: each for each in outcome.curves}
    assert set(curves) == {"loss", "kernel", "kernel.velocity"}
    assert curves["kernel"].expected == (0.75, 0.4375, 0.171875)
    assert curves["kernel"].actual == (0.75, 0.4375, 1.17188)
    assert curves["kernel"].index == (0, 0)
    assert curves["loss"].expected == curves["loss"].actual == (1.0, 0.5625, 0.191406)
    assert curves["loss"].index == ()


def test_there_is_no_curve_of_one_step_or_of_what_is_not_shown_in_each(tmp_path):
    (outcome,) = answered(written_case(tmp_path, DESCENT.replace("STEPS", "1")), lambda reply: reply)
    assert outcome.curves == ()

    def hides(reply):
        hidden = {name: each for name, each in reply.train[0].items() if "velocity" not in name}
        return replace(reply, train=[hidden, *reply.train[1:]])

    (outcome,) = answered(written_case(tmp_path, DESCENT.replace("STEPS", "2")), hides)
    assert {each.name for each in outcome.curves} == {"loss", "kernel"}


def test_the_formulas_own_runs_do_not_pile_up(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "LARGEST_OWN_RUNS", 1)
    for steps in ("2", "3", "4"):
        answered(written_case(tmp_path, DESCENT.replace("STEPS", steps)), lambda reply: reply)
    assert len(evidence._own_runs) == 1
