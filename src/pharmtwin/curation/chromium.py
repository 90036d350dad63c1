"""Headless Chromium over its debugging pipe (Chrome DevTools Protocol), with nothing but the standard library.

No port is opened, and no network is reached: every request other than ``file:``, ``data:`` and ``blob:`` is refused.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--hide-scrollbars", "--allow-file-access-from-files=false",
         "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"]  # fmt: skip
LOCAL = ("file:", "data:", "blob:", "about:", "chrome:")


class Chromium:
    """A browser with one page. Use it as a context manager."""

    def __init__(self, program: str = "chromium", timeout: float = 120.0) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._timeout, self._next, self._buffer = timeout, 0, b""
        self.events: list[dict[str, Any]] = []
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()

        def pipes() -> None:  # Chromium reads commands at 3 and writes answers at 4
            a, b = os.dup(to_read), os.dup(to_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        command = [program, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"]
        self._process = subprocess.Popen(
            command, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_read)
        os.close(to_write)
        pages = self._call("Target.getTargets")["targetInfos"]
        target = next(p["targetId"] for p in pages if p["type"] == "page")
        self._session = ""
        self._session = str(self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def _send(self, message: dict[str, Any]) -> None:
        os.write(self._write, json.dumps(message).encode() + b"\0")

    def _receive(self, until: float) -> dict[str, Any] | None:
        while b"\0" not in self._buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                return None
            self._buffer += os.read(self._read, 1 << 20)
        text, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(text))

    def _call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        self._next += 1
        mine = self._next
        message: dict[str, Any] = {"id": mine, "method": method, "params": params}
        self._send(message | ({"sessionId": session} if session else {}))
        until = time.monotonic() + self._timeout
        while (answer := self._receive(until)) is not None:
            if answer.get("id") == mine:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])
            if "method" in answer:
                self.events.append(answer)
        raise TimeoutError(f"{method}: no answer of the browser in {self._timeout:g} s")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command to the page; what happens meanwhile is added to ``events``. Raises RuntimeError, TimeoutError."""
        return self._call(method, self._session, **params)

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression (a promise is waited for); raises RuntimeError if it throws."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"].get("exception", {}).get("description", answer)))
        return answer["result"].get("value")

    def width(self, pixels: int, height: int = 900) -> None:
        """Set the width of the page as a device has it (below 600 px: a telephone)."""
        self.call("Emulation.setDeviceMetricsOverride", width=pixels, height=height, deviceScaleFactor=1,
                  mobile=pixels < 600)  # fmt: skip

    def open(self, page: Path | str) -> list[str]:
        """Open a page and wait until it is drawn; what went wrong, in words: requests, errors, console."""
        self.events.clear()
        self.call("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        self._loaded(str(page))
        return self.faults()

    def click(self, selector: str) -> str:
        """Click the first element of a CSS selector that leads to another page; address of where it leads to."""
        self.events.clear()
        self.run(f"void setTimeout(() => document.querySelector({json.dumps(selector)}).click(), 50)")
        self._loaded(selector)
        return str(self.run("location.href"))

    def _loaded(self, what: str) -> None:
        """Wait until a page is loaded and drawn."""
        until = time.monotonic() + self._timeout
        while not any(e["method"] == "Page.loadEventFired" for e in self.events):
            event = self._receive(until)
            if event is None:
                raise TimeoutError(f"{what}: nothing loaded in {self._timeout:g} s")
            self.events.append(event)
        self.run("new Promise(done => requestAnimationFrame(() => setTimeout(done, 150)))")

    def faults(self) -> list[str]:
        """Requests that left the machine or failed, uncaught errors and console errors since the page was opened."""
        out = []
        for event in self.events:
            what, given = event.get("method", ""), event.get("params", {})
            if what == "Network.requestWillBeSent" and not given["request"]["url"].startswith(LOCAL):
                out.append(f"request to {given['request']['url'][:120]}")
            elif what == "Network.loadingFailed" and not given.get("canceled"):
                out.append(f"request failed: {given.get('errorText', '')} {given.get('blockedReason', '')}")
            elif what == "Runtime.exceptionThrown":
                out.append(f"error: {given['exceptionDetails'].get('exception', {}).get('description', '')[:300]}")
            elif what == "Log.entryAdded" and given["entry"]["level"] == "error":
                out.append(f"console: {given['entry']['text'][:300]}")
            elif what == "Runtime.consoleAPICalled" and given["type"] == "error":
                out.append(f"console: {json.dumps(given['args'])[:300]}")
        return out

    def picture(self, path: Path, most: int = 16000) -> None:
        """PNG of the whole page, at most ``most`` pixels high."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))
