"""The reports of a folder in a browser, for this machine only; an open page reloads when a run has replaced it.

Nothing is written: the script that reloads a page is added to what is sent, and the page's own Content-Security-Policy
is widened by that script's hash and no more.  A request that names another host is refused: a name that leads here from
elsewhere (DNS rebinding) must not make the reports readable to the page that it came from.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import html
import mimetypes
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

from conformance.errors import UsageError

ADDRESS = "127.0.0.1"
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_SIGNS_OF_LIFE = 10.0
RELOAD = "/.reload"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".jsonl": "application/x-ndjson; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}


# --- what there is to be shown --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """A folder as pages: what an address leads to."""

    root: Path

    @classmethod
    def of(cls, folder: str) -> Self:
        """The site of a folder; raises `UsageError` if there is none."""
        root = Path(folder)
        if not root.is_dir():
            what = "it is no folder" if root.exists() else "there is no such folder"
            raise UsageError(f"{folder}: {what}; conformance run makes 'reports', or name the folder of a report")
        return cls(root.resolve())

    def find(self, address: str) -> Path | None:
        """The file or folder behind a path of an address; None for what is hidden, outside or not there."""
        parts = [part for part in unquote(address, errors="surrogateescape").split("/") if part]
        if any(part.startswith(".") or "\0" in part or "\\" in part for part in parts):
            return None
        try:
            found = self.root.joinpath(*parts).resolve()
            readable = found.is_dir() or found.is_file()
        except OSError:
            return None
        inside = found.is_relative_to(self.root)
        hidden = inside and any(part.startswith(".") for part in found.relative_to(self.root).parts)
        return found if inside and readable and not hidden else None

    def page(self, place: Path) -> Path:
        """What is shown for a place: a folder whose only page is its index.html shows that."""
        index = place / "index.html"
        return index if place.is_dir() and index.is_file() and len(_pages(place)) == 1 else place

    def stamp(self, place: Path) -> str:
        """What changes when a place is replaced."""
        page = self.page(place)
        seen = _listed(page) if page.is_dir() else []
        with suppress(OSError):
            about = page.stat()
            seen += [] if page.is_dir() else [str(about.st_mtime_ns), str(about.st_size), str(about.st_ino)]
        return hashlib.blake2b(repr((str(page), seen)).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()

    def content(self, place: Path) -> bytes:
        """The page of a place, or the list of what is in a folder."""
        page = self.page(place)
        return _list(page, self.root).encode("utf-8") if page.is_dir() else page.read_bytes()


def _pages(folder: Path) -> list[str]:
    return [name for name in _listed(folder) if name.endswith(".html")]


def _listed(folder: Path) -> list[str]:
    """The pages and run files of a folder, and the folders in it."""
    found = []
    with suppress(OSError):
        for each in sorted(folder.iterdir()):
            if not each.name.startswith("."):
                found += [f"{each.name}/"] if each.is_dir() else []
                found += [each.name] if each.suffix in (".html", ".jsonl") else []
    return found


_LIST = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'">
<title>{title}</title>
<h1>{title}</h1>
{entries}
</html>
"""


def _list(folder: Path, root: Path) -> str:
    names = _listed(folder)
    links = "".join(f'<li><a href="./{quote(os.fsencode(name), safe="/")}">{_escaped(name)}</a>\n' for name in names)
    entries = f"<ul>\n{links}</ul>" if links else "<p>There is no page here yet: conformance run writes one.</p>"
    up = "" if folder == root else '<p><a href="../">up</a></p>\n'
    return _LIST.format(title=_escaped(folder.name or "reports"), entries=up + entries)


def _escaped(name: str) -> str:
    return html.escape(name.encode("utf-8", "backslashreplace").decode("utf-8"))


# --- a page that reloads --------------------------------------------------------------------------------------------

_SCRIPT = 'new EventSource("{address}").onmessage = () => location.reload()'
_POLICY = re.compile(
    rb"""(<meta\s+http-equiv=["']?Content-Security-Policy["']?\s+content=)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE
)


def reloading(page: bytes, address: str, stamp: str) -> bytes:
    """A page with the script that reloads it once it is no longer what it was, and a policy that allows just that."""
    query = f"{RELOAD}?path={quote(address, safe='')}&seen={stamp}"
    script = _SCRIPT.format(address=query).encode("ascii")
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode('ascii')}'"
    end = re.search(rb"</head\s*>", page, re.IGNORECASE)
    place = end.start() if end else len(page)

    def widen(found: re.Match[bytes]) -> bytes:
        policy = html.unescape((found[2] or found[3] or b"").decode("utf-8", "replace"))
        return found[1] + b'"' + html.escape(widened(policy, allowed)).encode("utf-8") + b'"'

    return _POLICY.sub(widen, page[:place]) + page[place:] + b"<script>" + script + b"</script>\n"


def widened(policy: str, allowed: str) -> str:
    """A policy that allows one script more, and connections to where the page came from.

    >>> widened("default-src 'none'; script-src 'sha256-a'", "'sha256-b'")
    "default-src 'none'; script-src 'sha256-a' 'sha256-b'; connect-src 'self'"
    """
    directives: dict[str, list[str]] = {}
    for text in policy.split(";"):
        name, *sources = text.split() or [""]
        if name:
            directives.setdefault(name.lower(), sources)
    if not directives:
        return policy
    for name in ("script-src", *(["script-src-elem"] if "script-src-elem" in directives else [])):
        _allow(directives, name, allowed)
    _allow(directives, "connect-src", "'self'")
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


def _allow(directives: dict[str, list[str]], name: str, source: str) -> None:
    """Add a source to a directive; one that is not there starts from what it falls back on."""
    base = directives.get(name, directives.get("default-src"))
    if base is None:
        return  # everything is allowed
    kept = [each for each in base if each.lower() != "'none'"]
    by_hash = any(each.startswith("'sha") for each in kept)
    allowed = source in kept or ("'unsafe-inline'" in kept and not by_hash)  # a hash would forbid what is allowed now
    directives[name] = kept if allowed else [*kept, source]


# --- the server -----------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Shows a site to this machine, until it is closed."""

    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.closing = threading.Event()
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            why = "another program uses it" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
            raise UsageError(f"--port {port}: {why}; name another, --port 0 picks one that is free") from None

    @property
    def address(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def server_bind(self) -> None:
        """Bind, without asking a name server for our own name."""
        super(ThreadingHTTPServer, self).server_bind()

    def server_close(self) -> None:
        """End open connections too."""
        self.closing.set()
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "conformance"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if not self._is_for_us():
            self._refuse(HTTPStatus.FORBIDDEN, "this server is for this machine: ask localhost")
            return
        parts = urlsplit(self.path)
        if parts.path == RELOAD:
            self._tell_changes(parse_qs(parts.query))
            return
        address = "/" + re.sub(r"^/+", "", parts.path)
        place = self.server.site.find(address)
        if place is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such page")
        elif place.is_dir() and not address.endswith("/"):
            self._send(b"", "text/plain", HTTPStatus.MOVED_PERMANENTLY, {"Location": f"{address}/"})
        elif place.is_file() and address.endswith("/"):
            self._refuse(HTTPStatus.NOT_FOUND, "there is no such folder")
        else:
            self._show(place, address)

    def _is_for_us(self) -> bool:
        port = self.server.server_port
        hosts = {"localhost", ADDRESS, "[::1]"}
        known = {f"{host}:{port}" for host in hosts} | (hosts if port == 80 else set())
        return (
            self.headers.get_all("Host", []) != []
            and {each.strip().lower() for each in self.headers.get_all("Host", [])} <= known
        )

    def _show(self, place: Path, address: str) -> None:
        site = self.server.site
        stamp = site.stamp(place)  # before it is read: what is replaced in between is reloaded once too often
        try:
            content = site.content(place)
        except OSError:
            self._refuse(HTTPStatus.NOT_FOUND, "the page cannot be read")
            return
        shown = ".html" if place.is_dir() else place.suffix.lower()
        kind = _TYPES.get(shown) or mimetypes.guess_type(place.name)[0] or "application/octet-stream"
        self._send(reloading(content, address, stamp) if shown == ".html" else content, kind)

    def _tell_changes(self, query: Mapping[str, list[str]]) -> None:
        """Server-sent events: one when a page is no longer what it was; ends with the server, or with the browser."""
        address, seen = (query.get(name, [""])[0] for name in ("path", "seen"))
        self._begin(HTTPStatus.OK, {"Content-Type": "text/event-stream; charset=utf-8"})
        if self.command == "HEAD":
            return
        quiet = time.monotonic()
        self.wfile.write(b"retry: 1000\n\n")
        while not self.server.closing.wait(SECONDS_BETWEEN_LOOKS):
            place = self.server.site.find(quote(address))
            stamp = self.server.site.stamp(place) if place else seen  # one that is gone may come back
            if stamp != seen:
                seen = stamp
                self.wfile.write(b"data: changed\n\n")
            elif time.monotonic() - quiet > SECONDS_BETWEEN_SIGNS_OF_LIFE:
                quiet = time.monotonic()
                self.wfile.write(b": here\n\n")  # fails if the browser went away

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._send(f"{reason}\n".encode(), "text/plain; charset=utf-8", status)

    def _send(
        self,
        content: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._begin(status, {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _begin(self, status: HTTPStatus, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        safe = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        safe |= {"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY"}
        for name, value in {**headers, **safe}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses: an unknown method, a request that is no HTTP."""
        unknown = code == HTTPStatus.NOT_IMPLEMENTED
        status = HTTPStatus.METHOD_NOT_ALLOWED if unknown else HTTPStatus(code)
        content = (f"{message or status.phrase}\n").encode("utf-8", "backslashreplace")
        self._send(content, "text/plain; charset=utf-8", status, {"Allow": "GET, HEAD"} if unknown else None)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: what is asked for is of no interest."""
