"""Messages that go there and back, bit by bit, and bytes that are none."""

from __future__ import annotations

import contextlib
import json
import math
import os
import tempfile
from typing import Any

import numpy as np
import pytest

from conformance import messages, wire
from conformance.adapter import Part, Raised, Reply, Task, Train
from conformance.messages import Answer


def sent(message: object) -> bytes:
    with tempfile.TemporaryFile() as file:
        wire.send(file.fileno(), wire.Outgoing({"id": 7, "is": message}))
        file.seek(0)
        return file.read()


def received(data: bytes, step: int = 1 << 16, largest: int = 1 << 20) -> Any:
    """What comes out of a pipe into which these bytes went, so many at a time; None if it is not whole."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    incoming = wire.Incoming(largest)
    with open(reader, "rb"), open(writer, "wb"):
        for start in range(0, len(data), step):
            os.write(writer, data[start : start + step])
            with contextlib.suppress(BlockingIOError):
                while not incoming.complete:
                    incoming.read(reader)
    return incoming.message["is"] if incoming.complete else None


def there_and_back(message: object, step: int = 1 << 16) -> Any:
    return received(sent(message), step)


@pytest.mark.parametrize("step", [1, 1 << 16])
@pytest.mark.parametrize("dtype", sorted(wire.DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3, 5)])
def test_arrays_come_back_bit_by_bit(dtype: str, shape: tuple[int, ...], step: int) -> None:
    size = math.prod(shape) * np.dtype(dtype).itemsize
    bits = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 256, size, np.uint8)
    array = np.frombuffer(bits.tobytes(), dtype).reshape(shape)
    before, back, after = there_and_back([np.zeros(3, bool), array, np.ones(5)], step)
    assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert back.flags.writeable
    assert back.flags.aligned
    assert back.flags.owndata
    assert (before.any(), after.all()) == (False, True)


def test_more_arrays_than_a_system_call_takes() -> None:
    arrays = [np.full(3, each, np.int16) for each in range(5000)]
    for there, back in zip(arrays, there_and_back(arrays, 4096), strict=True):
        assert np.array_equal(there, back)


def test_arrays_in_any_layout_and_byte_order() -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for each in (
        array.T,
        array[:, ::-2],
        array.astype(">f8"),
        np.asfortranarray(array),
        np.broadcast_to(array, (5, 2, 3, 4)),
    ):
        back = there_and_back(each)
        assert back.dtype == np.float64
        np.testing.assert_array_equal(back, each)


def test_special_values_of_arrays_survive() -> None:
    array = np.array([math.nan, math.inf, -math.inf, -0.0, 5e-324])
    assert there_and_back(array).tobytes() == array.tobytes()


def test_plain_values_come_back_as_they_were() -> None:
    message: Any = {
        "none": None,
        "flags": [True, False],
        "numbers": [0, -1, 2**63, 0.1, -0.0, 1e308, 5e-324],
        "tuple": (1, (2.5, "text"), []),
        "text": 'ä "quoted" \n \u2028 \\ $array',
        "empty": {},
        "inf": (math.inf, -math.inf),
    }
    back = there_and_back(message)
    assert back == message
    assert repr(back) == repr(message)
    assert math.isnan(there_and_back(math.nan))
    assert there_and_back(np.float32(0.1)) == float(np.float32(0.1))
    assert there_and_back([np.int8(3), np.bool_(True)]) == [3, True]


def test_a_task_comes_back_whole() -> None:
    batch, target = {"x": np.ones((2, 3), np.float32)}, np.zeros(2)
    train = Train([batch] * 100, [target] * 100, Part("mean_squared_error", {}), Part("sgd", {"learning_rate": 0.5}))
    task = Task(
        "c[a=1]", "o", "f", "float32", {"axis": (1, -1)}, {"gamma": np.ones(3)}, train, {"x": np.ones(1)}, ("x",)
    )
    line = sent(task)
    assert line.count(b"$array") == 4  # the batch, the target, gamma and x: none of them twice
    assert line.count(b"$again") == 198
    back = messages.to_task(received(line))
    assert repr(back) == repr(task)
    assert back.train is not None
    assert back.train.batches[0]["x"] is back.train.batches[99]["x"]
    assert repr(messages.to_task(there_and_back(Task("c", "o", "f", "float64", {})))) == repr(
        Task("c", "o", "f", "float64", {})
    )


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply({"epsilon": 1e-3, "axis": (1,)}, [{"y": np.ones(2), "loss": np.array(3, np.float32)}], {"y": np.ones(2)}),
        Reply(raised=Raised("train", 2, "ValueError", "no\nway")),
        Reply(unsupported="no counterpart of selu"),
        Reply(predict={"y": np.ones(2)}, untrained="no gradient"),
    ],
)
def test_a_reply_comes_back_whole(reply: Any) -> None:
    answer = Answer(reply, 0.25)
    assert repr(messages.to_answer(there_and_back(answer))) == repr(answer)


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, {"$float": 1}, np.ones(1, complex), np.array(["a"]), {1}, b"bytes"]
)
def test_what_cannot_be_sent_says_so(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        sent(value)


def test_a_line_that_is_too_long_says_so_on_either_side(monkeypatch: pytest.MonkeyPatch) -> None:
    line = sent("x" * 1000)
    monkeypatch.setattr(wire, "LONGEST_LINE", 1000)
    with pytest.raises(TypeError, match="cannot be sent"):
        sent("x" * 1000)
    with pytest.raises(ValueError, match="too long"):
        received(line)


def an_answer(**changes: Any) -> Any:
    reply: dict[str, Any] = vars(Reply())
    return {"reply": reply | changes, "seconds": 0.5}


RAISED = {"phase": "train", "step": 1, "kind": "ValueError", "message": ""}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        an_answer(more=1),
        an_answer(parameters=[]),
        an_answer(train={}),
        an_answer(train=[1]),
        an_answer(predict={"x": 1}),
        an_answer(predict=[np.ones(1)]),
        an_answer(unsupported=1),
        an_answer(untrained=1),
        an_answer(raised="ValueError"),
        an_answer(raised=RAISED | {"phase": "test"}),
        an_answer(raised=RAISED | {"step": "1"}),
        {"reply": an_answer()["reply"], "seconds": -1.0},
        {"reply": an_answer()["reply"], "seconds": math.nan},
        {"reply": an_answer()["reply"], "seconds": math.inf},
        {"reply": an_answer()["reply"], "seconds": None},
    ],
)
def test_an_answer_with_a_field_of_another_kind_is_refused(answer: Any) -> None:
    messages.to_answer(there_and_back(an_answer(raised=RAISED)))
    with pytest.raises(ValueError, match=r"must"):
        messages.to_answer(there_and_back(answer))


@pytest.mark.parametrize(
    ("about", "data"),
    [
        (["object", [1]], bytes(8)),
        (["complex128", [1]], bytes(16)),
        ([["float32"], [1]], bytes(4)),
        (["float32"], bytes(4)),
        (["float32", [1], 1], bytes(4)),
        (["float32", 1], bytes(4)),
        (["float32", [2]], bytes(4)),
        (["float32", [1]], bytes(5)),
        (["float64", []], bytes(4)),
        (["float32", [10**9, 10**9]], bytes(4)),
        (["float32", [1 << 32, 1 << 32]], b""),
        (["float32", [0, 10**30]], b""),
        (["float32", [0, 1 << 62, 1 << 62]], b""),
        (["float32", [-1]], b""),
        (["float32", [-1, -1]], bytes(4)),
        (["float32", [1.0]], bytes(4)),
        (["float32", [True]], bytes(4)),
        (["float32", [1] * 65], bytes(4)),
        (["float32", [1 << 18]], bytes(4)),
        (["bool", [1]], b"\2"),
    ],
)
def test_an_array_that_does_not_add_up_is_refused(about: Any, data: bytes) -> None:
    def frame(about: Any, data: bytes) -> bytes:
        return json.dumps({"id": 7, "is": {"$array": about}}).encode() + b"\n" + data + b'{"end": 7}\n'

    assert received(frame(["float32", [1]], bytes(4))) == np.zeros(1)
    with pytest.raises(ValueError):  # noqa: PT011 (any will do, and nothing else)
        received(frame(about, data) + b"another message")


def test_sizes_are_checked_before_memory_is_taken() -> None:
    half = {"$array": ["uint8", [1 << 29]]}
    line = json.dumps({"id": 7, "is": [half, half, half]}).encode() + b"\n"
    with pytest.raises(ValueError, match="too long"):
        received(line, largest=1 << 30)


@pytest.mark.parametrize(
    "message",
    [
        '{"$again": 0}',
        '{"$again": -1}',
        '{"$array": ["bool", [0]], "x": 1}',
        '{"$x": 1}',
        '{"$tuple": 1}',
        '{"$float": "1"}',
        '{"a": 1, "a": 1}',
        "NaN",
        "9" * 10_000,
        "",
        "}",
    ],
)
def test_a_message_without_meaning_is_refused(message: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        received(b'{"id": 7, "is": %s}\n{"end": 7}\n' % message.encode())


@pytest.mark.parametrize("line", ["[]", "null", "{}", '{"id": "7"}', '{"id": true}', '{"id": 7.0}', '{"id": null}'])
def test_a_message_without_a_number_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="an object with an id"):
        received(line.encode() + b'\n{"end": 7}\n')


def test_a_damaged_message_is_a_value_error_at_most() -> None:
    random = np.random.default_rng(0)
    whole = sent(Answer(Reply({"x": (1, math.nan)}, [{"y": np.ones((2, 3))}], None, Raised("train", 1, "E", "")), 1.0))
    for _ in range(3000):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[place] = random.choice(bytearray(whole)) if random.random() < 0.9 else random.integers(256)
        with contextlib.suppress(ValueError, KeyError):  # KeyError: the message is not called "is"
            messages.to_answer(received(bytes(damaged)))
