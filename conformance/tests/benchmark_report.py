"""What the page of a large run costs: ``python -m conformance.tests.benchmark_report [RUN]``.

The outcomes are those of a real run, RUN (``reports/run.jsonl``, or else a small run made for this), as many as are
wanted: see `conformance.tests.many`.  Every figure stands beside its target; none is a test.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from conformance import history, report, runfile
from conformance.operation import operations
from conformance.results import Run
from conformance.sharding import Shard
from conformance.tests.benchmark_memory import peak
from conformance.tests.many import write_many

ROOT = Path(__file__).parents[2]
FEW, MANY = 10_000, 100_000
SHARDS = 8
QUERIES = ("torch:dialect", "ratio>10 declared:yes", "@adam", "a", "!verdict:conforms", "")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


# --- the run --------------------------------------------------------------------------------------------------------


@contextmanager
def _source(given: Path | None, folder: Path) -> Iterator[Run]:
    """The run that is meant, or a small one made for this."""
    known = given or ROOT / "reports"
    if given or (known / runfile.FILE_NAME).exists():
        yield runfile.read(known)
        return
    adapters = ["numpy", *(["torch"] if find_spec("torch") else [])]
    print(f"a run of {' and '.join(adapters)} ...", flush=True)
    program = [sys.executable, "-c", "from conformance.cli import main; main()", "run", str(ROOT / "cases")]
    options = ["--output", str(folder / "source"), *(part for name in adapters for part in ("--adapter", name))]
    subprocess.run([*program, *options], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield runfile.read(folder / "source")


# --- the page on disk -----------------------------------------------------------------------------------------------


def _be_measured(source: str, target: str, profiled: bool) -> None:
    """Write a page, and say what it took."""
    begin = time.perf_counter()
    from conformance.report import html

    operations()
    imported = time.perf_counter()
    made = runfile.read(source)
    read = time.perf_counter()
    busy = time.process_time()
    profile = cProfile.Profile()
    if profiled:
        profile.runcall(report.write, made, target)
    else:
        report.write(made, target)
    written, busy = time.perf_counter(), time.process_time() - busy
    said = io.StringIO()
    if profiled:
        pstats.Stats(profile, stream=said).sort_stats("tottime").print_stats(25)
    assert html.__name__ in sys.modules
    took = {"import": imported - begin, "read": read - imported, "write": written - read, "busy": busy, "peak": peak()}
    print(json.dumps({**took, "profile": said.getvalue()}))


def _write_page(source: Path, target: Path, profiled: bool = False) -> dict[str, Any]:
    command = [sys.executable, "-m", "conformance.tests.benchmark_report", "--write", str(source), str(target)]
    command += ["--profile"] if profiled else []
    made: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return made


def where(page: str) -> dict[str, int]:
    """The parts of a page, with their bytes; of the blocks of operations, the three largest too."""
    patterns = {
        "style": r"<style>.*?</style>",
        "script": r'<script type="?module"?>.*?</script>',
        "matrix": r'<table class="?matrix"?>.*?</table>',
        "sections of operations": r'<section class="?operation"? .*?</section>',
        "block": r'<script type="application/octet-stream" id="([^"]+)">.*?</script>',
    }
    found: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for name, pattern in patterns.items():
        for each in re.finditer(pattern, page, re.DOTALL):
            size = len(each[0].encode("utf-8", "surrogatepass"))
            if name == "block":
                blocks[each[1]] = size
            else:
                found[name] = found.get(name, 0) + size
    for name in ("page-summary", "page-texts"):
        found[name] = blocks.pop(name, 0)
    found["blocks of operations"] = sum(blocks.values())
    rest = len(page.encode("utf-8", "surrogatepass")) - sum(found.values())
    largest = dict(sorted(blocks.items(), key=lambda pair: -pair[1])[:3])
    return {**found, "all else": rest, **{f"  {name}": size for name, size in largest.items()}}


# --- the page in a browser ------------------------------------------------------------------------------------------

WATCH = """
new MutationObserver(() => {
  if (document.documentElement?.dataset.shown === undefined || window.interactive) return;
  window.interactive = performance.now();
  void document.body.offsetHeight;
  window.laidOut = performance.now();
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-shown"] });
"""
ASK = """
async (query) => {
  const field = document.getElementById("query");
  field.value = query;
  void document.body.offsetHeight;
  const begin = performance.now();
  field.dispatchEvent(new Event("input"));
  const handled = performance.now();
  void document.body.offsetHeight;
  const answered = performance.now();
  const { dataset } = document.documentElement;
  while (dataset.shown !== location.hash) await new Promise((resolve) => setTimeout(resolve));
  void document.body.offsetHeight;
  return [handled - begin, answered - begin, performance.now() - begin];
}
"""
OPEN = """
async (address) => {
  const link = document.createElement("a");
  link.setAttribute("href", address);
  document.body.append(link);
  const shown = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      observer.disconnect();
      void document.body.offsetHeight;
      resolve(performance.now());
    });
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-shown"] });
  });
  const begin = performance.now();
  link.click();
  link.remove();
  return (await shown) - begin;
}
"""


@contextmanager
def _browser() -> Iterator[Any]:
    """Chromium; None where it or Playwright is not installed."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found or not find_spec("playwright"):
        yield None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield launched
        launched.close()


@contextmanager
def _opened(browser: Any, page: Path) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    tab = context.new_page()
    tab.set_default_timeout(60_000)
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-shown]", state="attached")
    yield tab
    context.close()


def _interactive(browser: Any, page: Path, rounds: int) -> tuple[list[float], list[float]]:
    """The seconds until the page is interactive, and until it is laid out too."""
    found = []
    for _ in range(rounds):
        with _opened(browser, page) as tab:
            found.append(tab.evaluate("[window.interactive / 1e3, window.laidOut / 1e3]"))
    return [each[0] for each in found], [each[1] for each in found]


def _queries(tab: Any, rounds: int) -> dict[str, list[tuple[float, ...]]]:
    """The milliseconds of each query: of its handler, with the layout that follows, and with all that is off screen."""
    found: dict[str, list[tuple[float, ...]]] = {query: [] for query in QUERIES}
    for _ in range(rounds):
        for query in QUERIES:
            found[query].append(tuple(tab.evaluate(ASK, query)))
    return found


def _cases(tab: Any, source: Run) -> tuple[list[float], list[float]]:
    """The milliseconds to open a case: the first of its operation, and another time."""
    firsts: dict[str, str] = {}
    for outcome in source.outcomes:
        firsts.setdefault(str(source.header.cases[outcome.case].get("operation")), outcome.case)
    step = max(1, len(firsts) // 10)
    chosen = [f"#?case={case}" for case in list(firsts.values())[::step]]
    first = [tab.evaluate(OPEN, address) for address in chosen]
    return first, [tab.evaluate(OPEN, address) for address in chosen]


def _traced(browser: Any, page: Path) -> dict[str, float]:
    """Where the milliseconds of the main thread go until the page stands: by kind of event, each without its parts."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    tab = context.new_page()
    browser.start_tracing(page=tab, categories=["devtools.timeline", "v8", "disabled-by-default-devtools.timeline"])
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-shown]", state="attached")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    context.close()
    parse = [each for each in events if each["name"] == "ParseHTML" and each.get("dur")]
    main = max(parse, key=lambda each: each["dur"])
    mine = [each for each in events if (each["pid"], each["tid"]) == (main["pid"], main["tid"]) and each.get("dur")]
    spent: dict[str, float] = {}
    stack: list[Any] = []
    for each in sorted(mine, key=lambda event: (event["ts"], -event["dur"])):
        while stack and stack[-1]["ts"] + stack[-1]["dur"] <= each["ts"]:
            stack.pop()
        if stack:
            spent[stack[-1]["name"]] -= each["dur"] / 1e3
        spent[each["name"]] = spent.get(each["name"], 0.0) + each["dur"] / 1e3
        stack.append(each)
    return dict(sorted(spent.items(), key=lambda pair: -pair[1])[:12])


# --- telling --------------------------------------------------------------------------------------------------------


def _tell(what: str, value: str, target: str = "", met: bool | None = None) -> None:
    mark = {True: "met", False: "MISSED", None: ""}[met]
    print(f"  {what:48} {value:>22}   {target:14} {mark}".rstrip(), flush=True)


def _tell_below(what: str, value: float, unit: str, limit: float | None = None, more: str = "") -> None:
    shown = f"{value:,.2f} {unit}{more}" if unit != "ms" else f"{value:,.1f} {unit}{more}"
    _tell(what, shown, f"< {limit:g} {unit}" if limit else "", value < limit if limit else None)


def _measure(source: Run, folder: Path, count: int, browser: Any, targets: bool, profiled: bool, rounds: int) -> None:
    """Print the figures of a run of so many outcomes."""
    kept, page = folder / f"{count}.jsonl", folder / f"{count}.html"
    write_many(kept, source, count)
    print(f"\n{count:,} outcomes with tensors, a run file of {kept.stat().st_size / 1e6:.1f} MB", flush=True)
    took = [_write_page(kept, page) for _ in range(rounds if targets else 1)]

    def limit(value: float) -> float | None:
        return value if targets else None

    _tell_below("page", page.stat().st_size / 1e6, "MB", limit(2))
    _tell_below("writing it", median(each["write"] for each in took), "s", limit(2))
    _tell_below("  of the processor", median(each["busy"] for each in took), "s")
    _tell_below("reading the run", median(each["read"] for each in took), "s")
    _tell_below("imports", median(each["import"] for each in took), "s")
    _tell_below("peak memory", max(each["peak"] for each in took), "MiB", limit(300))
    if browser is None:
        print("  no Chromium, or no Playwright: nothing is told of a browser")
    else:
        try:
            _measure_browser(runfile.read(kept), page, browser, limit, rounds)
        except Exception as error:  # Playwright's, which may not be installed
            print(f"  the page does not open: {str(error).partition(chr(10))[0]}")
    if targets:
        print(f"\nwhere the bytes of the page of {count:,} outcomes go")
        for name, size in where(page.read_text("utf-8")).items():
            print(f"  {name:48} {size:12,}")
    if profiled:
        print(_write_page(kept, page, profiled=True)["profile"])
        for name, spent in _traced(browser, page).items() if browser else ():
            print(f"  {name:48} {spent:12.1f} ms of the main thread until the page stands")


def _measure_browser(
    source: Run, page: Path, browser: Any, limit: Callable[[float], float | None], rounds: int
) -> None:
    interactive, laid_out = _interactive(browser, page, rounds)
    _tell_below("interactive", median(interactive), "s", limit(1), f" ({max(interactive):.2f})")
    _tell_below("  and laid out", median(laid_out), "s", None, f" ({max(laid_out):.2f})")
    with _opened(browser, page) as tab:
        asked = _queries(tab, rounds)
        every = [answered for each in asked.values() for _, answered, _ in each]
        _tell_below("a query, median (worst)", median(every), "ms", None, f" ({max(every):.1f})")
        for query, each in asked.items():
            answered = [both for _, both, _ in each]
            more = f" ({max(answered):.1f})"
            _tell_below(f"  {query or 'no query'}", median(answered), "ms", limit(50), more)
        _tell_below("  without the layout, median", median(own for each in asked.values() for own, _, _ in each), "ms")
        whole = [each for several in asked.values() for *_, each in several]
        _tell_below("  with the rows below the screen", median(whole), "ms", None, f" ({max(whole):.1f})")
        first, again = _cases(tab, source)
        _tell_below("a case, first of its operation, median (worst)", median(first), "ms", None, f" ({max(first):.1f})")
        _tell_below("a case, another time", median(again), "ms", None, f" ({max(again):.1f})")


def _measure_merge(source: Run, folder: Path, count: int) -> None:
    files = []
    for number in range(1, SHARDS + 1):
        files.append(folder / f"shard_{number}.jsonl")
        write_many(files[-1], source, count, Shard(number, SHARDS))
    begin = time.perf_counter()
    merged = history.merge([runfile.read(file) for file in files], [str(file) for file in files])
    one = time.perf_counter()
    report.write(merged, folder / "merged.html")
    end = time.perf_counter()
    print(f"\n{SHARDS} shards of {count:,} outcomes")
    assert len(merged.outcomes) == count
    _tell_below("reading and merging", one - begin, "s")
    _tell_below("with writing the page", end - begin, "s", 5)


def _measure_share(given: Path, folder: Path, seconds: float) -> None:
    took = _write_page(runfile.located(given), folder / "share.html")
    print(f"\nthe run itself: a page of {(folder / 'share.html').stat().st_size / 1e6:.2f} MB")
    _tell_below("writing it", took["write"], "s")
    if seconds:
        _tell_below(f"its share of {seconds:g} s", 100 * took["write"] / seconds, "%", 5)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, or write the page whose writing is measured."""
    parser = argparse.ArgumentParser(prog="benchmark report", description="What the page of a large run costs.")
    parser.add_argument("run", nargs="?", type=Path, help="a run file or folder; reports/ by default")
    parser.add_argument("--run-seconds", type=float, default=0.0, help="how long RUN took: tells the page's share")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--few", action="store_true", help=f"leave {MANY:,} outcomes out")
    parser.add_argument("--profile", action="store_true", help="tell where the time goes: in Python, and in Chromium")
    parser.add_argument("--write", nargs=2, metavar=("RUN", "PAGE"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.write:
        _be_measured(*given.write, profiled=given.profile)
        return
    print(f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name, _browser() as browser, suppress(BrokenPipeError):
        folder = Path(name)
        with _source(given.run, folder) as source:
            _measure(source, folder, FEW, browser, True, given.profile, given.rounds)
            _measure_merge(source, folder, FEW)
            if given.run:
                _measure_share(given.run, folder, given.run_seconds)
            if not given.few:
                _measure(source, folder, MANY, browser, False, given.profile, min(given.rounds, 2))
    print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
