"""What a bundle's network answers to the probes: computed once by torch in float32, then kept.

An exported bundle carries the answers, so that a machine without torch can check an artefact too;
those of a bundle of weights alone are kept in the cache.
"""

from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse
from safetensors.numpy import save as serialize

from residua.base.errors import BundleDamagedError
from residua.base.files import write_atomic
from residua.bundle.exports import ANSWERS, REFERENCE
from residua.bundle.schema import Export, Manifest, Takes
from residua.bundle.store import WEIGHTS, Bundle
from residua.engines.probes import EDITION, make_probes
from residua.zoo.weights.cache import cache_folder


def identify(manifest: Manifest, takes: Takes = "crop") -> str:
    """Return a fingerprint of all that decides the answers to crops, or to whole pictures."""
    preprocess = manifest.preprocess
    parts = [
        str(EDITION), manifest.files[WEIGHTS].sha256, manifest.architecture.model_dump_json(),
        str(preprocess.crop_size), str(preprocess.mean), str(preprocess.std),
        str(manifest.calibration.temperature), manifest.task,
    ]  # fmt: skip
    if takes == "image":
        parts.append(preprocess.model_dump_json())
    return sha256("\n".join(parts).encode()).hexdigest()


def find_reference(bundle: Bundle, takes: Takes = "crop") -> np.ndarray | None:
    """Return the kept answers [probes, classes] to the probes, or None. Imports no torch.

    Answers whose file is missing or damaged are none: they can be computed again.
    """
    name = identify(bundle.manifest, takes)
    kept = None
    if REFERENCE in bundle.manifest.files and _is_whole(bundle, REFERENCE):
        kept = _read(bundle.path / REFERENCE, name)
    return kept if kept is not None else _read(_cached(name), name)


def make_reference(bundle: Bundle) -> np.ndarray | None:
    """Return the answers to the probes, computed by torch if need be; None where it is missing."""
    kept = find_reference(bundle)
    if kept is not None or find_spec("torch") is None:
        return kept
    from residua.engines.pytorch import compute_reference

    answers = compute_reference(bundle, make_probes(bundle.manifest.preprocess))
    name = identify(bundle.manifest)
    try:
        write_atomic(_cached(name), pack_reference({"crop": answers}, bundle.manifest))
    except OSError:
        return answers  # a cache that cannot be written costs time, not the answer
    return answers


def find_answers(bundle: Bundle, export: Export) -> np.ndarray | None:
    """Return an int8 artefact's own answers to the probes where it was made, or None.

    The probes lie outside the ranges that its calibration saw, so float32's answers say nothing of
    it; its own must be the same on every machine, but for rounding.
    """
    name = f"{export.entry.rpartition('/')[0]}/{ANSWERS}"
    if name not in export.files:
        return None
    bundle.verify(name)
    return _read(bundle.path / name, identify(bundle.manifest, export.input))


def pack_reference(answers: Mapping[Takes, np.ndarray], manifest: Manifest) -> bytes:
    """Return the content of a file of answers to either kind of probes."""
    return serialize({identify(manifest, takes): each for takes, each in answers.items()})


def _is_whole(bundle: Bundle, name: str) -> bool:
    """Tell whether a file can be trusted; one that cannot is as good as none."""
    try:
        bundle.verify(name)
    except BundleDamagedError:
        return False
    return True


def _cached(name: str) -> Path:
    return cache_folder() / "references" / f"{name[:32]}.safetensors"


def _read(path: Path, name: str) -> np.ndarray | None:
    """Return the answers kept in ``path`` under ``name``, or None where there are none such."""
    try:
        return parse(path.read_bytes()).get(name)
    except (OSError, SafetensorError):
        return None
