"""The same pictures and engine behind Ray Serve: python ray_app.py BUNDLE PRECISION PORT."""

import asyncio
import sys
import time
from pathlib import Path

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from residua.bundle.store import read_bundle
from residua.engines.open import make_demand, open_runtime
from residua.pixels.prepare import prepare
from residua.predict.results import rank


@serve.deployment(
    logging_config={"enable_access_log": False, "log_level": "ERROR"},
    max_ongoing_requests=64,
    max_queued_requests=64,
    ray_actor_options={"num_cpus": 1},
)
class Model:
    """Decoding in threads, batching and computing as Ray Serve's documentation has them."""

    def __init__(self, bundle: str, precision: str) -> None:
        """Open the engine in the replica."""
        self.bundle = read_bundle(Path(bundle))
        self.engine = open_runtime(
            "openvino", make_demand(self.bundle, "openvino", precision, threads=2)
        )

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.0)
    async def compute(self, crops: list[np.ndarray]) -> list[np.ndarray]:
        """Crops → rows, in a thread."""
        return list(await asyncio.to_thread(self.engine.run, np.stack(crops)))

    async def __call__(self, request: Request) -> dict:
        """A picture as the body → record."""
        body = await request.body()
        crop = await asyncio.to_thread(prepare, body, self.bundle.manifest.preprocess)
        row = await self.compute(crop)
        classes = self.bundle.manifest.classes
        return rank(row, classes, filename="", top_k=5, threshold=0.0).to_dict()


if __name__ == "__main__":
    bundle, precision, port = sys.argv[1:]
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20,
             logging_level="ERROR")  # fmt: skip
    serve.start(
        http_options={"host": "127.0.0.1", "port": int(port), "request_timeout_s": 2.0},
        logging_config={"enable_access_log": False, "log_level": "ERROR"},
    )
    serve.run(Model.bind(bundle, precision), route_prefix="/")
    while True:
        time.sleep(1)
