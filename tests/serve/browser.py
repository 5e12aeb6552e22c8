"""A headless Chromium that is driven over its DevTools protocol."""

import asyncio
import base64
import json
import shutil
import subprocess
import time

import aiohttp

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
    "--remote-debugging-port=0",
)  # fmt: skip


class Browser:
    """One tab; ``async with Browser(folder) as tab``."""

    def __init__(self, folder, size=(900, 1000)):
        self._folder, self._size = folder, size
        self._number = 0

    def _start(self):
        size = f"--window-size={self._size[0]},{self._size[1]}"
        return subprocess.Popen(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={self._folder}", size, "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def __aenter__(self):
        self._process = self._start()
        port_file, end = self._folder / "DevToolsActivePort", time.monotonic() + 60
        while not (port_file.is_file() and port_file.read_text().count("\n")):
            assert time.monotonic() < end, "Chromium did not start"
            await asyncio.sleep(0.05)
        port = port_file.read_text().splitlines()[0]
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            tabs = await answer.json(content_type=None)
        pages = [each for each in tabs if each["type"] == "page"]
        self._socket = await self._session.ws_connect(
            pages[0]["webSocketDebuggerUrl"], max_msg_size=0
        )
        for domain in ("Page", "Runtime", "DOM", "Log"):
            await self.send(f"{domain}.enable")
        return self

    async def __aexit__(self, *_):
        await self._socket.close()
        await self._session.close()
        self._process.terminate()
        self._process.wait(20)

    async def send(self, method, **parameters):
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = json.loads((await self._socket.receive(timeout=30)).data)
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    async def run(self, script):
        """Return the value of a JavaScript expression, awaited."""
        found = await self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True,
            userGesture=True,
        )  # fmt: skip
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def wait_for(self, script, seconds=20):
        end = time.monotonic() + seconds
        while not (value := await self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            await asyncio.sleep(0.05)
        return value

    async def give_files(self, selector, paths):
        """Choose files in an <input type=file>."""
        root = await self.send("DOM.getDocument")
        node = await self.send(
            "DOM.querySelector", nodeId=root["root"]["nodeId"], selector=selector
        )
        await self.send(
            "DOM.setFileInputFiles", files=[str(path) for path in paths], nodeId=node["nodeId"]
        )

    async def save(self, path):
        """Write what is seen as a PNG file."""
        shot = await self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
