"""A headless Chromium that the tests look at pages with, driven by its own protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic", "--remote-debugging-port=0", "--window-size=1400,1000",
)  # fmt: skip


class Page:
    """One open page. Every call waits for its answer."""

    def __init__(self, address: str) -> None:
        from tornado.websocket import WebSocketClientConnection, websocket_connect

        self._loop = asyncio.new_event_loop()
        self._numbers = count(1)
        self.requests: list[str] = []

        async def connect() -> WebSocketClientConnection:
            return await websocket_connect(address, max_message_size=2**28)

        self._socket = self._loop.run_until_complete(connect())
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the protocol."""
        number = next(self._numbers)

        async def talk() -> dict[str, Any]:
            await self._socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
            while True:
                message = await asyncio.wait_for(self._socket.read_message(), 60)
                answer = json.loads(message or '{"id": -1}')
                if answer.get("method") == "Network.requestWillBeSent":
                    self.requests.append(answer["params"]["request"]["url"])
                if answer.get("id") == number:
                    assert "error" not in answer, answer
                    result: dict[str, Any] = answer["result"]
                    return result

        return self._loop.run_until_complete(talk())

    def open(self, path: Path) -> None:
        """Open a file and wait until it is there."""
        self.call("Page.navigate", url=path.as_uri())
        end = time.monotonic() + 60
        while self.evaluate("document.readyState") != "complete" or self.evaluate("location.href") == "about:blank":
            assert time.monotonic() < end, "the page does not load"
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key as a person does."""
        number = {"Enter": 13, "Escape": 27}.get(key, 0)
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        told = {"key": key, "code": key if number else "", "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        box = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + Math.min(b.width, 60) / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        """What a person sees, as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser() -> Iterator[Page]:
    """A browser with an empty profile and one page."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Page(_address(Path(profile) / "DevToolsActivePort"))
        finally:
            process.kill()
            process.wait()


def _address(told: Path) -> str:
    from urllib.request import urlopen

    end = time.monotonic() + 60
    while not (told.exists() and len(told.read_text().splitlines()) > 1):
        assert time.monotonic() < end, "Chromium does not start"
        time.sleep(0.05)
    port = told.read_text().splitlines()[0]
    while True:
        with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
            pages = [one for one in json.load(answer) if one["type"] == "page"]
        if pages:
            return str(pages[0]["webSocketDebuggerUrl"])
        assert time.monotonic() < end, "Chromium has no page"
        time.sleep(0.05)
