"""The conversation with a worker, with real processes that misbehave in every way we could think of."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.adapter import Raised, Task
from conformance.connection import Connection, HarnessError
from conformance.discovery import get_adapter
from conformance.errors import UsageError, WorkerCrashed, WorkerError, WorkerMissing, WorkerNonsense, WorkerTimeout

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def miniature(name: str) -> str:
    return f"{HERE / 'miniatures.py'}:{name}"


def a_task(case: str = "good", x: Any = None, **parameters: Any) -> Task:
    x = np.array([1, 2, 3], np.float32) if x is None else x
    return Task(case, "double", "activation", "float32", parameters, predict={"x": x})


def works(connection: Connection) -> bool:
    predict = connection.run(a_task()).reply.predict
    return predict is not None and predict["x"].tolist() == [2, 4, 6]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def soon(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def ends(connection: Connection) -> bool:
    process = connection._process
    return process is not None and soon(lambda: not process.is_waiting())


@pytest.fixture(scope="module")
def whichever() -> Iterator[Connection]:
    with Connection(miniature("Whichever"), restarts=1000, largest=1 << 20) as connection:
        yield connection


def costs(connection: Connection, error: type[WorkerError], task: Task, timeout: float | None = None) -> WorkerError:
    """The error that a task costs, between two others that work."""
    assert works(connection)
    with pytest.raises(error) as caught:
        connection.run(task, timeout)
    assert works(connection)
    return caught.value


# --- the sunshine case ----------------------------------------------------------------------------------------------


def test_a_worker_says_what_it_is_and_answers() -> None:
    with Connection(miniature("Echo")) as connection:
        hello = connection.start()
        assert hello.versions == {"python": sys.version.split()[0], "numpy": np.__version__}
        assert (hello.device, hello.precisions, hello.operations) == ("cpu", ("float32", "float64"), ("double",))
        assert 0 <= hello.seconds < 10
        assert connection.start() is hello  # not a second process
        answer = connection.run(a_task(epsilon=math.inf, axes=(1, 2)))
        assert answer.reply.parameters == {"epsilon": math.inf, "axes": (1, 2)}
        assert answer.reply.predict is not None
        assert answer.reply.predict["x"].dtype == np.float32
        assert 0 <= answer.seconds < 10
        assert works(connection)


def test_a_worker_starts_by_itself_and_again_after_close() -> None:
    connection = Connection(miniature("Echo"))
    connection.close()
    assert works(connection)
    connection.close()
    connection.close()
    assert works(connection)
    connection.close()


def test_scalars_of_numpy_in_a_trace_keep_their_dtype() -> None:
    with Connection(miniature("RepliesWithScalars")) as connection:
        reply = connection.run(a_task()).reply
    assert reply.parameters == {"rate": 0.5}
    assert repr(reply.train[0]["loss"]) == "array(0.1, dtype=float32)"


def test_a_worker_is_lean_and_the_same_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('the working folder must not matter')")
    monkeypatch.chdir(tmp_path)
    seen = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        with Connection(miniature("TellsModules"), threads=3) as connection:
            seen.append(connection.run(a_task()).reply.parameters)
    first, second = seen
    assert first["stdin"] == "/dev/null"
    assert first["threads"] == ["3", "3", 3]
    assert first["hash"] == second["hash"]
    ours = {each for each in first["modules"] if each.startswith("conformance.")}
    ours_alone = ("adapter", "adapters", "discovery", "errors", "messages", "spelling", "wire", "worker", "writing")
    assert ours == {f"conformance.{each}" for each in ours_alone}
    roots = {each.partition(".")[0] for each in first["modules"]}
    assert not roots & {"autograd", "pydantic", "scipy", "torch", "tensorflow", "keras", "yaml", "click", "rich"}


def test_big_arrays_both_ways() -> None:
    x = np.random.default_rng(0).random(64 << 17)  # 64 MiB
    with Connection(miniature("Echo")) as connection:
        predict = connection.run(a_task(x=x)).reply.predict
    assert predict is not None
    assert np.array_equal(predict["x"], 2 * x)


def test_several_at_once() -> None:
    connections = [Connection(miniature("Echo")) for _ in range(3)]
    results: list[bool] = []

    def use(connection: Connection) -> None:
        with connection:
            results.extend(works(connection) for _ in range(20))

    threads = [threading.Thread(target=use, args=(each,)) for each in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 60


def test_no_worker_holds_the_pipes_of_another() -> None:
    def pipes(connection: Connection) -> set[str]:
        pid = connection.run(a_task()).reply.parameters["pid"]
        links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
        return {link for link in links if link.startswith("pipe:")}

    with Connection(miniature("TellsModules")) as one, Connection(miniature("TellsModules")) as other:
        assert len(pipes(one)) == len(pipes(other)) == 4
        assert not pipes(one) & pipes(other)
        one.run(a_task())
        start = time.monotonic()
        one.close()  # and so it sees at once that there are no more questions
        assert time.monotonic() - start < 1.5


def test_descriptors_are_given_back() -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = held()
    with Connection(miniature("ExitsAtOnce")) as connection:
        assert works(connection)
        with pytest.raises(WorkerCrashed):
            connection.run(a_task("bad"))
        assert works(connection)
    with pytest.raises(WorkerMissing):
        Connection(miniature("Echo"), python="/nowhere/python").start()
    assert held() == before


@pytest.mark.parametrize("condition", ["os.closerange(0, 3)", "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"])
def test_a_parent_that_is_odd(condition: str, tmp_path: Path) -> None:
    """Without standard descriptors, or one whose children the kernel forgets."""
    script = f"""if True:
        import os, signal
        from conformance.tests.test_connection import Connection, Path, a_task, miniature, works
        {condition}
        with Connection({miniature("Echo")!r}) as connection:
            Path({str(tmp_path / "works")!r}).write_text(str(works(connection)))
    """
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, timeout=60)
    assert (tmp_path / "works").read_text() == "True"


# --- those that end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ExitsAtOnce", "the process ended with exit code 3"),
        ("Exits", "the process ended with exit code 4"),
        ("Interrupts", "the process ended with exit code 1"),
        ("Aborts", "the process was ended by signal 6 (Aborted)"),
        ("ReadsNull", "the process was ended by signal 11 (Segmentation fault)"),
        ("ForksAndDies", "the process ended with exit code 5"),
        ("HangsUp", "the worker hung up without ending"),
    ],
)
def test_one_that_ends_costs_one_case(whichever: Connection, name: str, message: str) -> None:
    error = costs(whichever, WorkerCrashed, a_task(name))
    assert str(error) == message
    if name == "ExitsAtOnce":
        assert error.printed.splitlines() == [f"line {each}" for each in range(80, 100)]
    if name == "ReadsNull":
        assert "before the end" in error.printed
        assert "Segmentation fault" in error.printed
        assert "in misbehave" in error.printed
        assert "in serve" not in error.printed  # the stack began there, far from the fault


def test_one_that_dies_between_two_cases_costs_none() -> None:
    with Connection(miniature("DiesLater")) as connection:
        assert connection.run(a_task("bad")).reply.predict
        assert ends(connection)
        assert works(connection)


def test_an_answer_counts_though_the_process_ends_with_it(whichever: Connection) -> None:
    for _ in range(10):
        assert whichever.run(a_task("AnswersAndDies")).reply.predict == {"x": np.zeros(1)}
        assert ends(whichever)


def test_one_that_is_deaf_to_its_end_is_killed() -> None:
    connection = Connection(miniature("IgnoresTheEnd"))
    assert connection.run(a_task("bad")).reply.predict
    pid = _pid(connection)
    connection.close()
    assert not lives(pid)


# --- those that hang ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Hangs", {}),
        ("HangsInC", {}),
        ("HangsInAnAnswer", {"until": 20}),  # in its line
        ("HangsInAnAnswer", {"until": -16}),  # in an array
        ("HangsInAnAnswer", {"until": -1}),
        ("LeavesAChild", {}),
        ("Stops", {}),
    ],
)
def test_one_that_hangs_costs_one_case(whichever: Connection, name: str, parameters: dict[str, Any]) -> None:
    start = time.monotonic()
    timeout = 1.5 if name == "LeavesAChild" else 0.5
    error = costs(whichever, WorkerTimeout, a_task(name, **parameters), timeout)
    assert str(error) == f"no answer within {timeout} s"
    assert time.monotonic() - start < 20
    if name == "Hangs":
        assert error.printed == "so far so good"
    if name == "LeavesAChild":
        pids = [int(each) for each in error.printed.split()[1:]]
        assert len(pids) == 2
        assert soon(lambda: not any(map(lives, pids)))


def test_the_deadline_holds_while_the_question_is_sent() -> None:
    with Connection(miniature("Echo"), timeout=0.3) as connection:
        pid = _pid(connection)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(WorkerTimeout):
            connection.run(a_task(x=np.zeros(4 << 20)))
        assert not lives(pid)
        assert works(connection)


def _pid(connection: Connection) -> int:
    connection.start()
    assert connection._process is not None
    return connection._process.pid


# --- those that take memory -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow() -> Iterator[Connection]:
    with Connection(miniature("Whichever"), restarts=1000, memory=200 << 20) as connection:
        yield connection


@pytest.mark.parametrize("name", ["TakesMemory", "TakesMemoryInC", "TakesMemoryInAChild"])
def test_one_that_takes_too_much_memory_costs_one_case(narrow: Connection, name: str) -> None:
    error = costs(narrow, WorkerCrashed, a_task(name))
    assert str(error) == "it took more than 200 MiB of memory"
    if name == "TakesMemory":
        assert error.printed == "before the feast"
    if name == "TakesMemoryInAChild":
        child = int(error.printed.split()[1])
        assert soon(lambda: not lives(child))


def test_one_that_takes_less_than_the_limit_costs_none(narrow: Connection) -> None:
    pid = _pid(narrow)
    assert narrow.run(a_task("TakesALittle")).reply.predict
    assert _pid(narrow) == pid
    narrow.close()


def test_one_that_takes_too_much_memory_while_it_loads_is_missing() -> None:
    with (
        Connection(miniature("TakesMemoryInLoad"), memory=200 << 20) as connection,
        pytest.raises(WorkerMissing, match="cannot be loaded: it took more than 200 MiB of memory: before the feast"),
    ):
        connection.start()


# --- those that talk nonsense ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "because"),
    [
        ("garbage", "ascii"),
        ("no newline", "Expecting value"),
        ("empty lines", "Expecting value"),
        ("twice", "does not end where it should"),
        ("no end", "does not end where it should"),
        ("no array", "does not end where it should"),
        ("too much of an array", "does not end where it should"),
        ("another end", "does not end where it should"),
        ("half an array more", "does not end where it should"),
        ("wrong id", "not to the question"),
        ("id true", "an object with an id"),
        ("no object", "an object with an id"),
        ("no id", "an object with an id"),
        ("too little", "Reply must have exactly"),
        ("too much", "expected answer or fault"),
        ("wrong kind", "expected answer or fault"),
        ("a key twice", "a key stands twice"),
        ("NaN", "NaN is not JSON"),
        ("infinite seconds", "seconds must be"),
        ("a negative size", "[-1] is no shape"),
        ("an overflow", "it is too long: float64 of shape [4294967296, 4294967296]"),
        ("an overflow with nothing in it", "array is too big"),
        ("a size without end", "it is too long"),
        ("many dimensions", "is no shape"),
        ("a large array", "it is too long: float64 of shape [1048576]"),
        ("large arrays", "it is too long: uint8 of shape [524288]"),
        ("a bool of 2", "a bool is 0 or 1"),
        ("an object", "object is no dtype"),
        ("deep", "nested too deeply"),
        ("deep objects", "nested too deeply"),
        ("long", "too long"),
    ],
)
def test_one_that_talks_nonsense_costs_one_case(whichever: Connection, says: str, because: str) -> None:
    assert because in str(costs(whichever, WorkerNonsense, a_task("Says", says=says)))


def test_a_line_without_end_costs_one_case_and_little_memory() -> None:
    with Connection(miniature("NeverEnds"), largest=1 << 40) as connection:
        with pytest.raises(WorkerNonsense, match="too long"):
            connection.run(a_task("bad"))
        assert works(connection)


def test_an_answer_that_comes_before_its_question_costs_none() -> None:
    with Connection(miniature("SpeaksFirst")) as connection:
        assert connection.run(a_task("bad")).reply.predict
        pid = _pid(connection)
        time.sleep(0.3)
        assert works(connection)
        assert _pid(connection) != pid


@pytest.mark.parametrize("name", ["Drips", "ClosesItsOutput"])
def test_one_that_is_odd_costs_none(name: str) -> None:
    with Connection(miniature(name)) as connection:
        predict = connection.run(a_task("bad", x=np.arange(500.0))).reply.predict
        assert predict is not None
        assert predict["x"].tolist() == list(range(0, 1000, 2))
        pid = _pid(connection)
        assert works(connection)
        assert _pid(connection) == pid


def test_the_numbers_of_questions_go_on_after_a_restart() -> None:
    """Numbers go on after a restart, so that nothing can be taken for an answer to an earlier process."""
    with Connection(miniature("Exits")) as connection:
        connection.start()
        with pytest.raises(WorkerCrashed):
            connection.run(a_task("bad"))
        connection.start()
        assert connection._asked == 3  # hello, task, hello


# --- those that print, and those that fail --------------------------------------------------------------------------


def test_a_flood_neither_blocks_nor_costs_memory_nor_the_case() -> None:
    with Connection(miniature("Floods")) as connection:
        assert connection.run(a_task("bad")).reply.predict
        process = connection._process
        assert process is not None
        assert len(process.printed()) < 20_000
        assert works(connection)
        assert connection._process is process


def test_what_is_printed_to_standard_output_costs_nothing() -> None:
    with Connection(miniature("Prints")) as connection:
        assert connection.run(a_task("bad")).reply.predict
        assert works(connection)
        with pytest.raises(WorkerCrashed) as caught:
            connection.run(a_task("bad", then="exit"))
        expected = ["from Python", "an umlaut: ä", "from the descriptor", "from C"]
        assert caught.value.printed.splitlines() == expected


def test_what_the_framework_raises_is_an_observation() -> None:
    with Connection(miniature("Raises")) as connection:
        pid = _pid(connection)
        raised = connection.run(a_task("bad")).reply.raised
        assert raised == Raised("predict", 0, "ValueError", "the framework says no")
        assert works(connection)
        assert _pid(connection) == pid


def test_a_fault_of_an_adapter_from_outside_costs_the_case() -> None:
    with Connection(miniature("RepliesWithAnObject")) as connection:
        with pytest.raises(WorkerNonsense, match=r"the adapter itself failed: .*builtins.object cannot be sent"):
            connection.run(a_task("bad"))
        assert works(connection)


def test_a_fault_of_our_own_is_no_verdict() -> None:
    with Connection("numpy") as connection:
        with pytest.raises(HarnessError, match=r"(?s)Traceback.*Train must have exactly"):
            connection.run(replace(a_task(), train={"steps": 3}))  # type: ignore[arg-type]
        assert not issubclass(HarnessError, WorkerError)


# --- those that are missing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (
            miniature("NotInstalled"),
            "conformance-framework-that-is-nowhere is not installed: pip install conformance-fr",
        ),
        (miniature("FailsToLoad"), "miniatures.py:FailsToLoad cannot be loaded: no driver found"),
        (miniature("ExitsInLoad"), "cannot be loaded: the process ended with exit code 7: SystemExit: 7"),
        (miniature("HangsInLoad"), "cannot be loaded: no answer within 0.25 s"),
        ("no_such_package:Nobody", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_package'"),
        ("torhc", "there is no adapter 'torhc'; did you mean 'torch'?"),
    ],
)
def test_a_framework_that_is_missing_says_why_in_a_line(adapter: str, message: str) -> None:
    timeout = 0.25 if "Hangs" in adapter else 60
    with Connection(adapter, start_timeout=timeout) as connection:
        for attempt in (connection.start, lambda: connection.run(a_task())):
            with pytest.raises(WorkerMissing) as caught:
                attempt()
            assert message in str(caught.value)
            assert "\n" not in str(caught.value)
        assert connection._process is None


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        (miniature("NotAnAdapter"), "miniatures.py has no Adapter named 'NotAnAdapter'"),
        (miniature("Nobody"), "miniatures.py has no Adapter named 'Nobody'"),
        ("nowhere.py:Nobody", "there is no file nowhere.py"),
        ("json:JSONDecoder", "json has no Adapter named 'JSONDecoder'"),
        ("json:", "json has no Adapter named ''"),
    ],
)
def test_an_adapter_that_is_not_there(adapter: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        get_adapter(adapter)
    assert message in str(caught.value)


def test_an_adapter_may_be_named_by_its_module() -> None:
    assert type(get_adapter("conformance.adapters.torch:Torch")).__name__ == "Torch"
    assert get_adapter(miniature("Echo")).name == "miniatures"


def test_a_built_in_adapter_that_is_not_installed_tells_the_command(tmp_path: Path) -> None:
    """With an interpreter that has NumPy and nothing else: the worker brings this package along."""
    numpy = Path(np.__file__).parents[1]
    for each in ("numpy", "numpy.libs", f"numpy-{np.__version__}.dist-info"):
        (tmp_path / each).symlink_to(numpy / each)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(WorkerMissing) as caught:
        Connection("torch", python=str(python)).start()
    assert str(caught.value) == "torch is not installed: pip install 'conformance[torch]'"
    with Connection(miniature("Echo"), python=str(python)) as connection:
        assert works(connection)


def test_an_interpreter_that_is_missing() -> None:
    with pytest.raises(WorkerMissing, match="cannot run /nowhere/python: No such file"):
        Connection("torch", python="/nowhere/python").start()


def test_a_flood_while_loading() -> None:
    with Connection(miniature("FloodsInLoad")) as connection:
        assert works(connection)


def test_restarts_are_bounded() -> None:
    with Connection(miniature("ExitsAtOnce"), restarts=2) as connection:
        for _ in range(3):
            with pytest.raises(WorkerCrashed):
                connection.run(a_task("bad"))
        for _ in range(2):
            with pytest.raises(WorkerMissing, match="gave up after 2 restarts"):
                connection.run(a_task())


def test_a_restart_that_fails_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_TEST_FILE", str(tmp_path / "file"))
    with Connection(miniature("FailsToLoadAgain")) as connection:
        with pytest.raises(WorkerCrashed):
            connection.run(a_task("bad"))
        with pytest.raises(WorkerMissing, match="ImportError: not again"):
            connection.run(a_task())


# --- no orphans -----------------------------------------------------------------------------------------------------


def test_close_leaves_nobody_behind() -> None:
    with Connection(miniature("LeavesAChild")) as connection:
        worker = _pid(connection)
        assert connection.run(a_task("bad", hang=False)).reply.predict
        assert connection._process is not None
        child = int(connection._process.printed().split()[-1])
        assert lives(worker)
        assert lives(child)
    assert soon(lambda: not lives(worker) and not lives(child))


@pytest.mark.parametrize("hang", [True, False])
def test_a_parent_that_is_killed_leaves_nobody_behind(hang: bool, tmp_path: Path) -> None:
    """Not even a worker that hangs in C and holds the GIL, nor its child."""
    file = tmp_path / "pids"
    script = f"""if True:
        import numpy as np, time
        from conformance.adapter import Task
        from conformance.connection import Connection
        connection = Connection({miniature("LeavesAChild")!r})
        parameters = {{"file": {str(file)!r}, "hang": {hang}}}
        connection.run(Task("bad", "double", "activation", "float32", parameters, predict={{"x": np.zeros(1)}}))
        time.sleep(1000)
    """
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    assert soon(file.exists)
    pids = [int(each) for each in file.read_text().split()]
    assert all(map(lives, pids))
    parent.kill()
    parent.wait()
    assert soon(lambda: not any(map(lives, pids)), 5)


def test_a_worker_does_not_mind_the_end_of_the_thread_that_started_it() -> None:
    connection = Connection(miniature("Echo"))
    thread = threading.Thread(target=connection.start)
    thread.start()
    thread.join()
    pid = _pid(connection)
    assert works(connection)
    assert _pid(connection) == pid
    connection.close()


def test_ctrl_c_is_the_parents_to_decide_on() -> None:
    with Connection(miniature("Echo")) as connection:
        pid = _pid(connection)
        os.kill(pid, signal.SIGINT)
        assert works(connection)
        assert _pid(connection) == pid


def test_an_interrupted_conversation_is_over() -> None:
    """The answer that comes after Ctrl-C must not be taken for the next one's."""
    with Connection(miniature("Hangs")) as connection:
        pid = _pid(connection)
        timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            connection.run(a_task("bad"))
        assert not lives(pid)
        assert works(connection)


def test_another_thread_can_end_it_for_good() -> None:
    connection = Connection(miniature("HangsInC"))
    pid = _pid(connection)
    threading.Timer(0.3, connection.kill).start()
    with pytest.raises(WorkerCrashed):
        connection.run(a_task("bad"))
    assert soon(lambda: not lives(pid))
    with pytest.raises(WorkerMissing, match="was ended"):
        connection.run(a_task())
