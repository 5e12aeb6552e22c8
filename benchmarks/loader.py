"""The training loader against torch's DataLoader with Pillow and against DALI, on two cores.

    python benchmarks/loader.py [--photos FOLDER] [--dali PYTHON]

All give batches of random resized crops of 224 pixels, mirrored with probability 1/2, as uint8,
from JPEG files in the page cache; nothing is kept decoded but where it says "cached". ``--photos``:
JPEGs of a size like ImageNet's (default: the photos of the test data). ``--dali``: an interpreter
of an environment that has nvidia-dali-cuda120, whose CPU pipelines need no GPU; else DALI is left
out.

The photos of 12 megapixels are real ones enlarged to 4000 x 3000, JPEG quality 90, about 1 MB each,
and the same with grain of 2 levels as sensors have it, 1.7 MB each: what takes longest in the end
is to read the compressed coefficients, which no decoder can skip.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from recording import summarise, write_result
from residua.bundle.schema import Classes, Preprocess
from residua.data.cache import PixelCache
from residua.data.loader import batches, cut
from residua.data.settings import AugmentPart
from residua.data.source import Source
from residua.data.view import TrainingView

CORES = 2
EPOCHS = 10
Run = Callable[[int], float]  # from a number of pictures to the seconds that they take


def load_ours(paths: list[Path], batch: int, *, budget: int = 0, threads: int = CORES) -> Run:
    """Return residua's loader; every picture asked for is a ticket of its own."""
    epochs = iter(range(10**6))
    views: dict[int, TrainingView] = {}

    def run(count: int) -> float:
        if count not in views:
            files = [paths[index % len(paths)] for index in range(count)]
            source = Source(
                title="photos",
                classes=Classes(names=("all",)),
                names=tuple(map(str, files)),
                labels=np.zeros(count, np.int64),
                read=lambda index: files[index].read_bytes(),
            )
            cache = PixelCache(budget)
            views[count] = TrainingView(source, Preprocess(), AugmentPart(), seed=0, cache=cache)
        view, epoch = views[count], next(epochs)
        order = np.random.default_rng(epoch).permutation(count)
        started = time.perf_counter()
        fill = partial(view.fill, epoch)
        loaded = batches(fill, cut(order, batch), shape=view.shape, threads=threads)
        assert sum(len(part.images) for part in loaded) == count
        return time.perf_counter() - started

    return run


class PillowPhotos(Dataset[torch.Tensor]):
    """The crops as torchvision's RandomResizedCrop and RandomHorizontalFlip make them."""

    def __init__(self, paths: list[Path]) -> None:
        """``paths``: the file of each picture."""
        self.paths = paths

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Return a crop, uint8 [224, 224, 3]."""
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        crop = image.crop(self._draw(*image.size)).resize((224, 224), Image.Resampling.BILINEAR)
        if torch.rand(()).item() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(crop))

    @staticmethod
    def _draw(width: int, height: int) -> tuple[int, int, int, int]:
        for _ in range(10):
            share, form, x, y = torch.rand(4).tolist()
            area, ratio = width * height * (0.08 + 0.92 * share), (4 / 3) ** (2 * form - 1)
            wide, high = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if wide <= width and high <= height:
                left, top = int(x * (width - wide + 1)), int(y * (height - high + 1))
                return (left, top, left + wide, top + high)
        return (0, 0, width, height)


def load_with_torch(paths: list[Path], batch: int, count: int) -> Run:
    """Return torch's DataLoader with as many worker processes as there are cores."""
    data = PillowPhotos([paths[index % len(paths)] for index in range(count)])
    loader = DataLoader(
        data, batch, shuffle=True, num_workers=CORES, persistent_workers=True, prefetch_factor=2
    )

    def run(count: int) -> float:
        started = time.perf_counter()
        assert sum(len(part) for part in loader) == count
        return time.perf_counter() - started

    return run


@contextmanager
def load_with_dali(python: str, folder: Path, batch: int) -> Iterator[Run]:
    """Give DALI's pipeline, in a process of its own that waits between the runs."""
    script = Path(__file__).with_name("loader_dali.py")
    process = subprocess.Popen(
        [python, str(script), str(folder), str(CORES), str(batch)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def run(count: int) -> float:
        print(count, file=stdin, flush=True)
        for line in stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        raise SystemExit("DALI's process ended: run loader_dali.py by hand to see why.")

    yield run
    # Closing its input is not enough: torch's workers have copies of the pipe.
    print(0, file=stdin, flush=True)
    process.wait()


def compare(runs: dict[str, Run], count: int, rounds: int) -> dict[str, Any]:
    """Measure all in turn, ``rounds`` times; return images a second and ours over theirs."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(count)  # warm up
    names = list(runs)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            rates[name].append(count / runs[name](count))
    ours, *others = names
    figures: dict[str, Any] = {name: summarise(values) for name, values in rates.items()}
    for name in others:
        ratios = [a / b for a, b in zip(rates[ours], rates[name], strict=True)]
        figures[f"{ours} over {name}"] = summarise(ratios)
        print(f"  {ours} over {name}: {figures[f'{ours} over {name}']['median']}", flush=True)
    return figures


def compare_folder(folder: Path, dali: str, batch: int, count: int, rounds: int) -> dict[str, Any]:
    """Compare the three on the JPEGs of ``folder``, and ours once more with its cache filled.

    ``count`` pictures, a multiple of ``batch``, are loaded by each ``rounds`` times.
    """
    paths = sorted(folder.glob("*.[jJ]*"))
    print(f"{len(paths)} JPEGs, {count} pictures a run", flush=True)
    runs = {
        "residua": load_ours(paths, batch),
        "torch with Pillow": load_with_torch(paths, batch, count),
    }
    with ExitStack() as stack:
        if dali:
            runs["DALI"] = stack.enter_context(load_with_dali(dali, folder, batch))
        figures = compare(runs, count, rounds)
    cached = load_ours(paths, batch, budget=1 << 32)
    for _ in range(3):
        cached(count)
    rates = [count / cached(count) for _ in range(rounds)]
    return {"batch": batch, "pictures a run": count, **figures, "residua, cached": summarise(rates)}


def enlarge(photos: Path, folder: Path, count: int, grain: float) -> None:
    """Write ``count`` photos of 12 megapixels with noise of ``grain`` levels."""
    generator = np.random.default_rng(0)
    written = 0
    for path in sorted(photos.glob("*.[jJ]*")):
        with Image.open(path) as file:
            photo = file.convert("RGB")
        if photo.width < 450 or photo.height < 330 or written == count:
            continue
        factor = max(4000 / photo.width, 3000 / photo.height)
        size = (round(photo.width * factor), round(photo.height * factor))
        large = photo.resize(size, Image.Resampling.BICUBIC).crop((0, 0, 4000, 3000))
        noise = np.rint(generator.normal(0, grain, (3000, 4000, 1))).astype(np.int16)
        pixels = np.clip(np.asarray(large).astype(np.int16) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{written}.jpg", quality=90)
        written += 1


def print_memory(folder: Path, threads: int, count: int) -> None:
    """Print the resident memory in MiB after each of ten epochs; run in a fresh process."""
    run = load_ours(sorted(folder.glob("*.[jJ]*")), 32, threads=threads)
    sizes = []
    for _ in range(EPOCHS):
        run(count)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        sizes.append(round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1))
    print(json.dumps(sizes))


def measure_memory(folder: Path, threads: int, count: int) -> dict[str, Any]:
    """Return resident memory over ten epochs, and the last over the third."""
    command = [sys.executable, __file__, "--memory", str(folder), str(threads), str(count)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    sizes = json.loads(finished.stdout)
    print(f"  MiB after each epoch, {threads} threads: {sizes}", flush=True)
    growth = round(sizes[-1] / sizes[2], 3)
    return {"threads": threads, "MiB after each epoch": sizes, "last over third": growth}


def main() -> None:
    """Measure and write results/loader.json."""
    parser = argparse.ArgumentParser()
    data = os.environ.get("RESIDUA_TEST_DATA", "../shared/data")
    parser.add_argument("--photos", type=Path, default=Path(data, "photos"))
    parser.add_argument("--dali", default="")
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    if given.memory:
        place, threads, count = given.memory
        print_memory(Path(place), int(threads), int(count))
        return
    figures: dict[str, Any] = {"unit": "images a second", "cores": CORES}
    figures["photos"] = compare_folder(given.photos, given.dali, 64, 1920, 7)
    for name, grain in (("12 megapixels", 0), ("12 megapixels with grain", 2)):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            enlarge(given.photos, folder, 12, grain)
            figures[name] = compare_folder(folder, given.dali, 16, 96, 5)
            sizes = [path.stat().st_size for path in folder.iterdir()]
            figures[name]["megabytes a file"] = round(sum(sizes) / len(sizes) / 1e6, 2)
            if grain:
                memory = [measure_memory(folder, threads, 48) for threads in (1, 2, 4)]
                figures[f"memory, {name}"] = memory
    figures["memory, photos"] = [measure_memory(given.photos, n, 960) for n in (1, 2, 4)]
    write_result(
        "loader",
        "training crops of 224 pixels from JPEG files on two cores, against torch's DataLoader "
        "with Pillow and DALI's CPU pipeline; resident memory over ten epochs",
        "python benchmarks/loader.py" + (" --dali PYTHON" if given.dali else ""),
        figures,
    )


if __name__ == "__main__":
    main()
