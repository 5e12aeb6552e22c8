"""Whether two pictures that look alike are the same to the teacher: by its pooled features."""

import numpy as np
import torch
from numpy.typing import NDArray

from residua.bundle.store import Bundle
from residua.data.source import Source
from residua.pixels.graph import Normalize
from residua.pixels.prepare import prepare
from residua.zoo.load import make_network

COSINE = 0.85


class Confirmer:
    """The teacher's features of a few pictures; those of known ones are remembered."""

    def __init__(self, bundle: Bundle, known: Source) -> None:
        """``known`` are the validation pictures."""
        manifest = bundle.manifest
        self._preprocess = manifest.preprocess
        self._network = make_network(manifest.architecture, bundle.tensors()).eval()
        self._normalize = Normalize(self._preprocess.mean, self._preprocess.std)
        self._known = known
        self._features: dict[int, NDArray[np.float32]] = {}

    def confirms(self, data: bytes, like: int) -> bool:
        """Tell whether the picture ``data`` has the features of the known one at ``like``."""
        theirs = self._features.get(like)
        if theirs is None:
            theirs = self._features[like] = self._embed(self._known.read(like))
        return float(self._embed(data) @ theirs) >= COSINE

    def _embed(self, data: bytes) -> NDArray[np.float32]:
        """Return the pooled feature as a unit vector."""
        crop = torch.from_numpy(prepare(data, self._preprocess))[None]
        with torch.inference_mode():
            found = self._network.embed(self._normalize(crop))[0]
        vector: NDArray[np.float32] = (found / found.norm().clamp(min=1e-12)).numpy()
        return vector
