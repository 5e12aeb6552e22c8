"""The same pictures and engine behind LitServe: python litserve_app.py BUNDLE PRECISION PORT."""

import base64
import sys

import litserve
import numpy as np

from residua.bundle.store import read_bundle
from residua.engines.open import make_demand, open_runtime
from residua.pixels.prepare import prepare
from residua.predict.results import rank

MAX_BATCH = 8


class Api(litserve.LitAPI):
    """Decoding, batching and computing as LitServe's documentation has them."""

    def __init__(self, bundle: str, precision: str) -> None:
        """Remember what to open in the worker."""
        super().__init__(max_batch_size=MAX_BATCH, batch_timeout=0.0)
        self._given = (bundle, precision)

    def setup(self, device: str) -> None:  # noqa: ARG002  # LitServe's signature
        """Open the engine in the worker's process."""
        from pathlib import Path

        path, precision = self._given
        self.bundle = read_bundle(Path(path))
        self.engine = open_runtime("openvino", make_demand(self.bundle, "openvino", precision))

    def decode_request(self, request: dict) -> np.ndarray:
        """Base64 → crop."""
        return prepare(base64.b64decode(request["image"]), self.bundle.manifest.preprocess)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        """Crops → batch."""
        return np.stack(inputs)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Batch → probabilities; one crop alone comes without a batch's axis."""
        return self.engine.run(x if x.ndim == 4 else x[None])

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        """Probabilities → rows."""
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict:
        """Row → record."""
        classes = self.bundle.manifest.classes
        return rank(output, classes, filename="", top_k=5, threshold=0.0).to_dict()


if __name__ == "__main__":
    server = litserve.LitServer(Api(*sys.argv[1:3]), accelerator="cpu", timeout=2.0)
    server.run(port=int(sys.argv[3]), host="127.0.0.1", generate_client_file=False,
               log_level="warning")  # fmt: skip
