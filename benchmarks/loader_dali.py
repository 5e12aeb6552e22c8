"""DALI's CPU pipeline for ``loader.py``, in an environment of its own, which has DALI.

    PYTHON benchmarks/loader_dali.py FOLDER THREADS BATCH

Random resized crops of 224 pixels, mirrored with probability 1/2, of the JPEGs of FOLDER. Each line
on standard input is a number of pictures to load; the seconds that it took are printed. 0 ends it.
"""

import sys
import time
from pathlib import Path

from nvidia.dali import fn, pipeline_def, types

AHEAD = 2  # batches that DALI prepares ahead


def main() -> None:
    """Answer until there is nothing more to load."""
    files = sorted(str(path) for path in Path(sys.argv[1]).glob("*.[jJ]*"))
    threads, batch = int(sys.argv[2]), int(sys.argv[3])

    @pipeline_def(
        batch_size=batch,
        num_threads=threads,
        device_id=None,
        seed=0,
        prefetch_queue_depth=AHEAD,
    )
    def crops():  # noqa: ANN202 - DALI's graph node has no public name
        data, _ = fn.readers.file(files=files, random_shuffle=True)
        picture = fn.decoders.image_random_crop(
            data, device="cpu", random_area=[0.08, 1.0], random_aspect_ratio=[3 / 4, 4 / 3]
        )
        resized = fn.resize(picture, size=[224, 224], interp_type=types.INTERP_LINEAR)
        return fn.flip(resized, horizontal=fn.random.coin_flip())

    pipe = crops()
    pipe.build()
    for line in iter(sys.stdin.readline, "0\n"):
        for _ in range(AHEAD + 1):
            pipe.run()  # what was loaded while it waited
        started = time.perf_counter()
        for _ in range(-(-int(line) // batch)):
            (pictures,) = pipe.run()
            assert pictures.at(0).shape == (224, 224, 3)
        seconds = time.perf_counter() - started
        time.sleep(2 * AHEAD * seconds * batch / int(line))  # it goes on loading ahead
        print(f"seconds {seconds}", flush=True)


if __name__ == "__main__":
    main()
