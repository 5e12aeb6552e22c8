"""The page at /, in a real browser: photos in, labels and maps out."""

import asyncio
import os
from pathlib import Path

import pytest

from making import save_noise
from serve.browser import CHROMIUM, Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium to look at the page with"),
]
BARS = "[...document.querySelectorAll('.row')].map(row => row.textContent)"
# Where the pictures of the page go, for who wants to look at them.
SHOTS = os.environ.get("RESIDUA_SCREENSHOTS", "")


@pytest.fixture
def pictures(tmp_path):
    return [save_noise(tmp_path / f"{seed}.jpg", seed=seed, size=(320, 200)) for seed in (1, 2)]


def visit(server, folder, steps, size=(900, 1000)):
    async def go():
        async with Browser(folder / "profile", size) as tab:
            await tab.send("Page.navigate", url=f"http://127.0.0.1:{server.port}/")
            await tab.wait_for("document.readyState === 'complete'")
            found = await steps(tab)
            if SHOTS:
                await tab.save(Path(SHOTS) / f"{steps.__name__}.png")
            return found

    return asyncio.run(go())


def test_photos_that_are_chosen_get_labels_and_maps(server, pictures, tmp_path):
    async def choose(tab):
        await tab.wait_for("document.getElementById('model').value === 'net'")
        await tab.give_files("#files", pictures)
        await tab.wait_for("document.querySelectorAll('article .row').length === 10")
        bars = await tab.run(BARS)
        await tab.run("document.querySelector('.row').click()")
        map_size = await tab.wait_for(
            "(c => c && [c.offsetWidth, c.offsetHeight])(document.querySelector('.photo canvas'))"
        )
        photo = await tab.run(
            "(i => [i.clientWidth, i.clientHeight])(document.querySelector('.photo img'))"
        )
        return bars, map_size, photo

    bars, map_size, photo = visit(server, tmp_path, choose)
    answer = server.ask("POST", "/v1/predict", pictures[1].read_bytes()).json["predictions"][0]
    assert bars[0] == f"{answer['label_names'][0]}{100 * answer['scores'][0]:.1f} %"
    # The map covers the crop: 64 of 72 pixels of the short side, in the middle.
    assert map_size[0] == pytest.approx(map_size[1], abs=2)
    assert map_size[1] == pytest.approx(photo[1] * 64 / 72, abs=3)


def test_a_photo_that_is_dropped_and_one_that_is_none(server, pictures, tmp_path):
    async def drop(tab):
        await tab.wait_for("document.getElementById('model').value === 'net'")
        await tab.run("""(async () => {
            const canvas = Object.assign(document.createElement('canvas'), {width: 90, height: 80});
            canvas.getContext('2d').fillRect(10, 10, 30, 30);
            const blob = await new Promise(done => canvas.toBlob(done, 'image/png'));
            const carried = new DataTransfer();
            carried.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
            carried.items.add(new File(['no picture'], 'bad.png', {type: 'image/png'}));
            dispatchEvent(new DragEvent('drop', {dataTransfer: carried, cancelable: true}));
        })()""")
        await tab.wait_for("document.querySelectorAll('.row').length === 5")
        said = await tab.wait_for("document.querySelector('.bad')?.textContent")
        names = await tab.run(
            "[...document.querySelectorAll('.name')].map(name => name.textContent).sort()"
        )
        return said, names

    said, names = visit(server, tmp_path, drop)
    assert "is no picture" in said
    assert names == ["bad.png", "dropped.png"]


def test_a_photo_from_the_camera_on_a_phone(server, tmp_path):
    async def shoot(tab):
        await tab.wait_for("document.getElementById('model').value === 'net'")
        await tab.run("document.getElementById('shoot').click()")
        await tab.wait_for("document.getElementById('video').videoWidth > 0")
        await tab.run("document.getElementById('take').click()")
        await tab.wait_for("document.querySelectorAll('.row').length === 5")
        hidden = await tab.run("document.getElementById('camera').hidden")
        wide = await tab.run("document.documentElement.scrollWidth <= innerWidth")
        return hidden, wide

    assert visit(server, tmp_path, shoot, size=(390, 844)) == (True, True)


TYPE = """(input => { input.value = '%s';
    input.dispatchEvent(new Event('change')); })(document.getElementById('token'))"""


def test_a_server_with_tokens_asks_for_one(start, served_bundle, pictures, tmp_path):
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("secret\n")
    guarded = start(
        served_bundle.path, "--engine", "openvino", "--threads", "1", "--token-file", tokens
    )

    async def unlock(tab):
        await tab.wait_for("!document.getElementById('locked').hidden")
        await tab.run(TYPE % "guess")
        await tab.wait_for("document.getElementById('wrong').textContent.includes('not known')")
        if SHOTS:
            await tab.save(Path(SHOTS) / "wrong_token.png")
        await tab.run(TYPE % "secret")
        await tab.wait_for("document.getElementById('model').value === 'net'")
        await tab.give_files("#files", pictures[:1])
        await tab.wait_for("document.querySelectorAll('.row').length === 5")
        return await tab.run("document.getElementById('locked').hidden")

    assert visit(guarded, tmp_path, unlock)


def test_an_older_version_can_be_chosen(start, served_bundle, pictures, tmp_path):
    source = served_bundle.path
    server = start(f"net:1={source}", f"net:2={source}", "--engine", "openvino", "--threads", "1")

    async def choose_version(tab):
        await tab.wait_for("document.getElementById('model').options.length === 2")
        await tab.run("document.getElementById('model').selectedIndex = 1")
        await tab.give_files("#files", pictures[:1])
        await tab.wait_for("document.querySelectorAll('.row').length === 5")
        return await tab.run("document.querySelector('article').textContent")

    assert "net, version 1;" in visit(server, tmp_path, choose_version)
