"""The dashboard as a user sees it: a real Chromium, driven by Playwright."""

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

from tests.conftest import installed
from tests.support.service import PATIENCE

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome")

# Nothing is looked up or fetched but what a test asks for. The last one gives 127.0.0.1 a name that
# browsers trust as little as any other host's.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP monotron.test 127.0.0.1",
]

POLL_MS = 5000
"""How often the page asks."""

BESIDE = re.compile(r"/(readyz|v1|v1/accounts\?.*|v1/activity\?.*|v1/semver\?limit=1)$")
"""What each page asks for besides what it is about."""

COUNT_REQUESTS = """(() => {
  const { setTimeout, clearTimeout, fetch } = window;
  const { decode } = HTMLImageElement.prototype;
  const running = new Set();
  let latest;
  window.setTimeout = (...given) => (latest = setTimeout(...given));
  window.clearTimeout = (timer) => {
    running.delete(timer);
    clearTimeout(timer);
  };
  window.fetch = (...given) => {
    running.add(latest);
    return fetch(...given);
  };
  HTMLImageElement.prototype.decode = function () {
    running.add(this);
    return decode.call(this).finally(() => running.delete(this));
  };
  window.requests = () => running.size;
})()"""
"""Counts the page's requests: each sets a timer first, and clears it when its answer is read. An
image has to be decoded then."""


@dataclass
class Visit:
    """A tab with the dashboard in it, and whatever went wrong there."""

    page: Page
    base: str
    """The dashboard's address, with a slash at its end."""
    allowed: list[str] = field(default_factory=list)
    """Patterns of complaints that belong to what a test is about."""
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """What was asked for below the address, the page's own files aside."""
    statuses: list[int] = field(default_factory=list)
    """What it was answered with."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("request", self._see)
        self.page.on("response", self._answered)

    def open(self, place: str = "") -> Page:
        """Go to a place, such as `#/series/shop`."""
        self.page.goto(self.base + place)
        return self.page

    def open_with_clock(self, place: str = "", *, at: datetime | None = None) -> Page:
        """Go there with a clock that goes on only when the test says so, however slow the test is.

        It stands at the present, or at `at`.
        """
        now = at or datetime.now(timezone.utc)
        # Clocks stop only in their future.
        self.page.clock.install(time=now - timedelta(hours=1))
        self.page.clock.pause_at(now)
        self.page.add_init_script(COUNT_REQUESTS)
        return self.open(place)

    def pass_time(self, milliseconds: int = POLL_MS, *, held: int = 0) -> None:
        """Let time pass in the page, which first gets the answers to all requests but `held`.

        It gets those to requests of the meantime too, however quickly the time passes.
        """
        for passed in range(0, milliseconds, POLL_MS):
            self.answered(held)
            self.page.clock.run_for(min(POLL_MS, milliseconds - passed))

    def polled(self, status: int = 200, *, held: int = 0) -> None:
        """Trigger the next poll of what the page is about, and wait until it has the answer."""

        def is_it(response: Response) -> bool:
            return response.status == status and not BESIDE.search(response.url)

        with self.page.expect_response(is_it):
            self.pass_time(held=held)
        self.answered(held)

    def answered(self, held: int = 0) -> None:
        """Wait until the page has the answers to its requests but `held` of them."""
        self.page.wait_for_function("(held) => window.requests() === held", arg=held)

    def assert_quiet(self) -> None:
        """Fail if the page has complained of something unexpected."""
        left = [
            each
            for each in self.complaints
            if not any(re.search(pattern, each) for pattern in self.allowed)
        ]
        assert not left, "\n".join(left)

    def _listen(self, message: ConsoleMessage) -> None:
        # Whether a caller may choose an account is something that only this call's answer tells.
        expected = "status of 403" in message.text and "/v1/accounts?" in message.location["url"]
        if not expected:
            self._hear(message.type, message.text)

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _see(self, request: Request) -> None:
        if request.url.startswith("blob:"):
            return
        if not request.url.startswith(self.base):
            self.complaints.append(f"asked another host: {request.url}")
        if request.method != "GET":
            self.complaints.append(f"did not only read: {request.method} {request.url}")
        if "/v1/" in request.url:
            self.asked.append(request.url.removeprefix(self.base))

    def _answered(self, response: Response) -> None:
        if "/v1/" in response.url:
            self.statuses.append(response.status)


class Visitor(Protocol):
    """Opens a tab on a dashboard, in a context of its own."""

    def __call__(self, base: str, **options: Any) -> Visit: ...


@contextmanager
def browsers() -> Iterator[Browser]:
    """Run a Chromium, which has to be installed."""
    executable = installed("chromium", "MONOTRON_REQUIRE_BROWSER", *NAMES)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visitors(chromium: Browser) -> Iterator[Visitor]:
    """Open tabs; at the end none of them may have complained."""
    visits: list[Visit] = []
    contexts: list[BrowserContext] = []

    def start(base: str, **options: Any) -> Visit:
        options = {"viewport": {"width": 1200, "height": 750}, "timezone_id": "UTC"} | options
        contexts.append(chromium.new_context(**options))
        visits.append(Visit(contexts[-1].new_page(), base))
        return visits[-1]

    yield start
    for visit in visits:
        # An answer that a test changes would come to a page that is closed.
        visit.page.unroute_all(behavior="wait")
    for context in contexts:
        context.close()
    for each in visits:
        each.assert_quiet()


@dataclass
class Proxy:
    """A reverse proxy that serves monotron below a prefix, and can be slow or out of order."""

    port: int
    prefix: str = "/buildnumber"
    hold: str | None = None
    """Requests whose path has this in it wait until `release` is set."""
    release: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    """Set once one waits."""
    passed_on: threading.Event = field(default_factory=threading.Event)
    """Set once what waited has its answer, or did not want it any more."""
    refuse: dict[str, str] | None = None
    """Where set, calls of the API are answered 503, with these headers."""
    instead: tuple[str, str, bytes] | None = None
    """Answer 200 to requests whose path has the first in it, with this type and body."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}/"


@contextmanager
def proxy_for(backend: int) -> Iterator[Proxy]:
    """Run a proxy in front of the service on this port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{proxy.prefix}/"):
                self.send_error(404)
                return
            # A test may set them meanwhile.
            refuse, instead = proxy.refuse, proxy.instead
            if refuse is not None and "/v1/" in self.path:
                self._answer(503, list(refuse.items()), b"")
                return
            if instead is not None and instead[0] in self.path:
                self._answer(200, [("Content-Type", instead[1])], instead[2])
                return
            connection = http.client.HTTPConnection("127.0.0.1", backend, timeout=PATIENCE)
            try:
                connection.request(
                    "GET", self.path.removeprefix(proxy.prefix), headers=dict(self.headers.items())
                )
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
            hold = proxy.hold
            is_held = hold is not None and hold in self.path
            if is_held:
                proxy.held.set()
                proxy.release.wait(PATIENCE)
            self._answer(answer.status, answer.getheaders(), body)
            if is_held:
                proxy.passed_on.set()

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
            try:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                # The browser did not want it any more.
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet: the service's own log is shown."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = Proxy(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
