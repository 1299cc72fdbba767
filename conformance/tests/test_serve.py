"""The server of reports: what it shows and to whom, and that an open page learns when it is replaced."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from conformance import report
from conformance.cli import main
from conformance.errors import UsageError
from conformance.runfile import write_whole
from conformance.serve import Server, Site, reloading, widened
from conformance.tests.test_results import failing, outcome, run

POLICY = "default-src 'none'; script-src 'sha256-AAAA='; style-src 'sha256-BBBB='; base-uri 'none'"
PAGE = f"""<!DOCTYPE html>
<html lang="en"><head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>Report</title></head><body><p>the page</p></body></html>
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    (made / "index.html").write_text(PAGE)
    (made / "run.jsonl").write_text('{"schema": 1}\n')
    (tmp_path / "secret.html").write_text("secret")
    return made


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    with Server(Site.of(str(folder)), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Answer:
    def __init__(self, server: Server, path: str, method: str = "GET", host: str | None = None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
        connection.endheaders()
        answer = connection.getresponse()
        self.status, self.headers = answer.status, answer.headers
        self.body = answer.read()
        connection.close()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


# --- what is shown --------------------------------------------------------------------------------------------------


def test_the_address_shows_the_page_and_other_files_as_they_are(folder: Path) -> None:
    with served(folder) as server:
        page = Answer(server, "/")
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "the page" in page.text
        assert page.headers["Cache-Control"] == "no-store"
        run = Answer(server, "/run.jsonl")
        assert run.body == (folder / "run.jsonl").read_bytes()
        assert run.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
        assert Answer(server, "/index.html?query").status == 200
    assert (folder / "index.html").read_text() == PAGE


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("badge.json", "application/json; charset=utf-8"),
        ("junit.xml", "application/xml; charset=utf-8"),
        ("summary.md", "text/markdown; charset=utf-8"),
        ("shot.png", "image/png"),
        ("shot.svg", "image/svg+xml; charset=utf-8"),
        ("unknown", "application/octet-stream"),
    ],
)
def test_every_file_has_its_type(folder: Path, name: str, kind: str) -> None:
    (folder / name).write_text("x")
    with served(folder) as server:
        answer = Answer(server, f"/{name}")
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_several_pages_or_none_are_listed_with_their_names_escaped(folder: Path) -> None:
    (folder / "<b>&'.html").write_text("odd")
    (folder / os.fsdecode(b"\xff.html")).write_text("no encoding's name")
    (folder / "old").mkdir()
    (folder / "old" / "index.html").write_text("an old page")
    with served(folder) as server:
        listing = Answer(server, "/").text
        links = re.findall(r'<a href="([^"]+)">([^<]+)</a>', listing)
        assert [unescape(name) for _, name in links] == [
            "<b>&'.html", "index.html", "old/", "run.jsonl", "\\udcff.html",
        ]  # fmt: skip
        assert "<b>" not in listing
        for link, _ in links:
            assert Answer(server, link.removeprefix(".")).status == 200
        assert Answer(server, "/old").headers["Location"] == "/old/"
        assert "an old page" in Answer(server, "/old/").text
        for each in folder.glob("*.html"):
            each.unlink()
        assert [name for _, name in re.findall(r'<a href="([^"]+)">([^<]+)</a>', Answer(server, "/").text)] == [
            "old/",
            "run.jsonl",
        ]


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert "no page here yet" in Answer(server, "/").text


# --- what is not shown ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.html",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/old/../../secret.html",
        "//../secret.html",
        "/.hidden.html",
        "/%2ehidden.html",
        "/.git/config",
        "/..%5csecret.html",
        "/index.html%00.txt",
        "/index.html/",
        "/nothing.html",
        "/link.html",
        "/out/secret.html",
        "/alias.html",
        "/" + "a" * 5000,
    ],
)
def test_nothing_outside_and_nothing_hidden_is_shown(folder: Path, path: str) -> None:
    (folder / ".hidden.html").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    (folder / "link.html").symlink_to(folder.parent / "secret.html")
    (folder / "alias.html").symlink_to(folder / ".hidden.html")
    (folder / "out").symlink_to(folder.parent)
    with served(folder) as server:
        answer = Answer(server, path)
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_a_redirect_stays_here(folder: Path) -> None:
    (folder / "old").mkdir()
    with served(folder) as server:
        for path in ("//old", "///old"):
            assert Answer(server, path).headers["Location"] == "/old/"


def test_only_this_machine_is_answered(folder: Path) -> None:
    with served(folder) as server:
        assert server.server_address[0] == "127.0.0.1"
        port = server.server_port
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"LOCALHOST:{port}"):
            assert Answer(server, "/", host=host).status == 200
        for host in (f"evil.example:{port}", "localhost", f"localhost:{port + 1}", f"localhost.evil.example:{port}"):
            for path in ("/", "/run.jsonl", "/.reload?path=/&seen=x"):
                refused = Answer(server, path, host=host)
                assert refused.status == 403
                assert b"the page" not in refused.body
        assert _raw(server, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 403")
        two = f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nHost: evil.example\r\n\r\n"
        assert _raw(server, two.encode()).startswith(b"HTTP/1.0 403")


def _raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_nothing_can_be_done_but_to_read(folder: Path, method: str) -> None:
    with served(folder) as server:
        answer = Answer(server, "/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_head_is_get_without_the_body(folder: Path) -> None:
    with served(folder) as server:
        get, head = Answer(server, "/"), Answer(server, "/", "HEAD")
        assert Answer(server, "/.reload?path=/&seen=x", "HEAD").status == 200
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body))


def test_nonsense_is_refused_and_the_server_lives_on(folder: Path) -> None:
    with served(folder) as server:
        _raw(server, b"NONSENSE\x00 \xff\r\n\r\n")
        assert _raw(server, b"GET / HTTP/x\r\n\r\n") == b"Bad request version ('HTTP/x')\n"
        assert b"the page" not in _raw(server, b"GET /\r\n\r\n")
        assert Answer(server, "/").status == 200


# --- reloading ------------------------------------------------------------------------------------------------------


def _policy(page: str) -> str:
    (found,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    return unescape(found)


def test_the_policy_of_a_page_allows_the_script_that_reloads_it_and_no_other(folder: Path) -> None:
    with served(folder) as server:
        page = Answer(server, "/").text
    (script,) = re.findall(r"<script>(.*?)</script>", page)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert _policy(page) == (
        f"default-src 'none'; script-src 'sha256-AAAA=' 'sha256-{digest}'; style-src 'sha256-BBBB='; base-uri 'none'; "
        "connect-src 'self'"
    )
    assert "location.reload()" in script


@pytest.mark.parametrize(
    ("policy", "made"),
    [
        ("default-src 'none'", "default-src 'none'; script-src S; connect-src 'self'"),
        ("default-src 'self'", "default-src 'self'; script-src 'self' S; connect-src 'self'"),
        ("SCRIPT-SRC 'none'; connect-src x:", "script-src S; connect-src x: 'self'"),
        ("script-src 'unsafe-inline'", "script-src 'unsafe-inline'"),
        ("script-src-elem 'none'", "script-src-elem S"),
        ("", ""),
        ("img-src data:", "img-src data:"),
    ],
)
def test_a_policy_is_widened_by_no_more_than_is_needed(policy: str, made: str) -> None:
    assert widened(policy, "'sha256-x'").replace("'sha256-x'", "S") == made


def test_an_address_cannot_break_out_of_the_script() -> None:
    page = reloading(PAGE.encode(), '/"</script><script>alert(1)//', "00").decode()
    assert len(re.findall("<script", page)) == 1
    assert quote('"</script>', safe="") in page


def test_a_policy_is_found_in_the_head_only() -> None:
    shown = '<pre>&lt;meta</pre><meta http-equiv="Content-Security-Policy" content="default-src \'self\'">'
    page = PAGE.replace("<p>the page</p>", shown)
    made = reloading(page.encode(), "/", "00").decode()
    assert shown in made


class Events:
    """An open page, as the server sees it."""

    def __init__(self, server: Server, page: str) -> None:
        (script,) = re.findall(r"<script>(.*?)</script>", page)
        (address,) = re.findall(r'EventSource\("([^"]+)"\)', script)
        self._connection = socket.create_connection(("127.0.0.1", server.server_port), timeout=10)
        self._connection.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost:{server.server_port}\r\n\r\n".encode())
        self._file = self._connection.makefile("rb")

    def head(self) -> list[str]:
        return [line.decode().strip() for line in iter(self._file.readline, b"\r\n")]

    def next(self) -> str:
        """The next event; "" at the end."""
        for line in iter(self._file.readline, b""):
            if line.startswith(b"data:"):
                return line.decode().strip()
        return ""


@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_an_open_page_learns_that_it_was_replaced(folder: Path, path: str) -> None:
    with served(folder) as server:
        events = Events(server, Answer(server, path).text)
        assert "Content-Type: text/event-stream; charset=utf-8" in events.head()
        write_whole(folder / "index.html", [PAGE.replace("the page", "another")])
        assert events.next() == "data: changed"
        assert "another" in Answer(server, path).text


def test_what_was_replaced_before_the_page_asked_is_told_too(folder: Path) -> None:
    with served(folder) as server:
        page = Answer(server, "/").text
        write_whole(folder / "index.html", [PAGE])
        assert Events(server, page).next() == "data: changed"


def test_a_list_learns_of_a_new_page(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        events = Events(server, Answer(server, "/").text)
        write_whole(tmp_path / "index.html", [PAGE])
        assert events.next() == "data: changed"


def test_what_is_not_replaced_is_left_alone_until_the_server_ends(folder: Path) -> None:
    with served(folder) as server:
        events = Events(server, Answer(server, "/").text)
        (folder / "run.jsonl").write_text("another")
        time.sleep(1.2)
    assert events.next() == ""


@pytest.mark.slow
def test_a_page_in_a_browser_reloads_where_it_is(tmp_path: Path) -> None:
    """The page's policy is the real one: it must let the script run, and nothing may be complained of."""
    driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium")
    report.write(run(outcome()), tmp_path / "index.html")
    with served(tmp_path) as server, driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{server.address}#?q=torch")
        with page.expect_event("load", timeout=15_000):
            report.write(run(outcome(), failing()), tmp_path / "index.html")
        assert "softmax" in page.content()
        assert page.url == f"{server.address}#?q=torch"
        browser.close()
    assert complaints == []


# --- the command ----------------------------------------------------------------------------------------------------

PROGRAM = [sys.executable, "-u", "-c", "from conformance.cli import main; main()", "serve"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_with_open_pages(folder: Path, how: int) -> None:
    process = subprocess.Popen(
        [*PROGRAM, str(folder), "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)", said)
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        connection.sendall(f"GET /.reload?path=/&seen= HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.0 200")
        os.kill(process.pid, how)
        _, error = process.communicate(timeout=10)
    assert process.returncode == 0, error
    assert "Traceback" not in error


def test_a_port_in_use_is_told_with_a_hint(folder: Path) -> None:
    with served(folder) as server, pytest.raises(UsageError, match=r"another program uses it.*--port 0"):
        Server(Site.of(str(folder)), server.server_port)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: there is no such folder; conformance run makes 'reports'"),
        ([__file__], "it is no folder"),
        ([], "reports: there is no such folder"),
        ([".", "--port", "70000"], "70000"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["serve", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr
