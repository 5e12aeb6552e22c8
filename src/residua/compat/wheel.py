"""``PaddleClas``: the Python class of the package paddleclas, on residua's classifiers.

>>> clas = PaddleClas(model_name="ResNet50")          # doctest: +SKIP
>>> print(next(clas.predict("whl_demo.jpg")))         # doctest: +SKIP
[{'class_ids': [8, 7, 86, 82, 80], 'scores': [0.97968, …], 'label_names': ['hen', …], …}]
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np

from residua.base.errors import SettingError
from residua.base.files import write_atomic
from residua.bundle.store import Bundle
from residua.compat.answers import answer
from residua.compat.config.findings import Findings
from residua.compat.config.read import Configuration, override
from residua.compat.config.section import Section
from residua.compat.config.values import read_word
from residua.compat.inference import adapt, read_deployment
from residua.compat.lines import as_wheel, in_batches, spell_wheel
from residua.compat.weights import open_source, resolve
from residua.predict.classifier import Classifier
from residua.predict.results import Prediction

_SHITU = "residua classifies; PP-ShiTu (retrieval) is not there"
# The package's own configuration, as far as it says something.
_DEFAULTS: dict[str, Any] = {
    "Global": {"batch_size": 1, "use_gpu": True},
    "PostProcess": {"main_indicator": "Topk", "Topk": {"topk": 5}},
}
# Options by the keys of that configuration.
_KEYS = {
    "batch_size": "Global.batch_size", "use_gpu": "Global.use_gpu", "gpu_mem": "Global.gpu_mem",
    "enable_mkldnn": "Global.enable_mkldnn", "cpu_num_threads": "Global.cpu_num_threads",
    "use_fp16": "Global.use_fp16", "use_tensorrt": "Global.use_tensorrt",
    "topk": "PostProcess.Topk.topk", "class_id_map_file": "PostProcess.Topk.class_id_map_file",
}  # fmt: skip
_OF_OTHER_TASKS = {
    "color_threshold", "type_threshold", "index_dir", "data_file", "gallery_image_root",
    "gallery_data_file",
}  # fmt: skip


class PaddleClas:
    """A classifier that answers as PaddleClas's class of this name does."""

    def __init__(
        self,
        build_gallery: bool = False,
        *,
        model_name: str | None = None,
        inference_model_dir: str | None = None,
        threshold: float | None = None,
        resize_short: int | None = None,
        crop_size: int | None = None,
        save_dir: str | None = None,
        override: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        """Open a model of the series by its name, or an exported one by its folder.

        ``inference_model_dir`` is a bundle or an inference folder of Paddle. ``resize_short`` and
        ``crop_size`` are in pixels; without them the model's own are taken (320 of
        Fix_ResNet50_vd_ssld). ``threshold`` leaves out smaller probabilities. ``save_dir`` takes
        results.json. ``override`` are keys of the package's configuration, as
        "PostProcess.Topk.topk=3". ``options``: topk, batch_size, class_id_map_file, use_gpu,
        cpu_num_threads, use_fp16, use_tensorrt, enable_mkldnn, gpu_mem, as the package has them.

        Raises UnknownNameError with the nearest names, SettingError for what residua has not.
        """
        if build_gallery:
            raise SettingError(f"build_gallery is set: {_SHITU}.")
        if not model_name and not inference_model_dir:
            raise SettingError(
                "Neither model_name nor inference_model_dir is given.",
                next_step="Names: residua models, for example model_name='ResNet50'.",
            )
        configuration = _configure(options, override or ())
        _, wanted = read_deployment(configuration)
        opened = open_source(model_name or resolve(str(inference_model_dir)))
        bundle = adapt(opened.bundle, wanted, configuration, own=opened.own)
        bundle = _resize(bundle, resize_short, crop_size)
        self.notes = configuration.findings.spell()
        self.batch_size = wanted.batch_size
        self._top_k, self._threshold = wanted.top_k, threshold
        self._decision = wanted.decision
        self._save = Path(save_dir) if save_dir else None
        self.classifier = Classifier(
            bundle, engine=wanted.engine, device=wanted.device, precision=wanted.precision,
            threads=wanted.threads,
        )  # fmt: skip

    def predict(
        self, input_data: Any, print_pred: bool = False, predict_type: str = "cls"
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield a list of records for each ``batch_size`` pictures.

        ``input_data`` is a file, a folder, an https address, or an array [H, W, 3] in RGB. A record
        has ``class_ids``, ``scores`` (five decimals), ``label_names`` and ``filename``; of a
        picture that cannot be used ``filename``, ``error`` and ``reason``.
        """
        for batch in self.answer(input_data, predict_type=predict_type):
            if print_pred:
                for prediction in batch:
                    print(spell_wheel(prediction))  # noqa: T201  # it is what the option asks for
            yield [as_wheel(prediction) for prediction in batch]

    def answer(self, input_data: Any, *, predict_type: str = "cls") -> Iterator[list[Prediction]]:
        """Yield the predictions of each batch; write them to ``save_dir`` at the end."""
        if predict_type != "cls":
            raise SettingError(f"predict_type is {predict_type!r}: {_SHITU}.")
        if not isinstance(input_data, str | Path | np.ndarray):
            raise SettingError(
                f"input_data is a {type(input_data).__name__}, neither a path nor an array."
            )
        predictions = answer(
            self.classifier, input_data, top_k=self._top_k, threshold=self._threshold,
            decision=self._decision, batch_size=self.batch_size, allow_urls=True,
        )  # fmt: skip
        kept: list[dict[str, Any]] = []
        for batch in in_batches(predictions, self.batch_size):
            kept += [as_wheel(prediction) for prediction in batch] if self._save else []
            yield batch
        if self._save:
            write_results(self._save, kept)


def write_results(folder: Path, records: list[dict[str, Any]]) -> Path:
    """Write ``results.json`` into ``folder`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "results.json", dumps(records, ensure_ascii=False).encode())
    return folder / "results.json"


def read_bool(text: str, option: str) -> bool:
    """Return what a truth value of the command line means: True, t, 1, or False, f, 0."""
    short = {"t": "true", "1": "true", "f": "false", "0": "false"}
    value, known = read_word(short.get(text.strip().lower(), text))
    if not known or value is None:
        raise SettingError(f"{option} is {text!r}, where True or False is expected.")
    return bool(value)


def _configure(options: dict[str, Any], overrides: Sequence[str]) -> Configuration:
    """Return the package's configuration with ``options`` and ``overrides``; None says nothing."""
    content, said = deepcopy(_DEFAULTS), set()
    for name, value in options.items():
        if name not in _KEYS | dict.fromkeys(_OF_OTHER_TASKS):
            raise TypeError(f"PaddleClas has no option {name!r}.")
        if value is None or name in _OF_OTHER_TASKS:
            continue
        *path, key = _KEYS[name].split(".")
        part = content
        for step in path:
            part = part[step]
        part[key] = value
        said.add(_KEYS[name])
    begun = Configuration(Path(), Section(content, "", Findings()), frozenset(said))
    return override(begun, overrides)


def _resize(bundle: Bundle, resize_short: int | None, crop_size: int | None) -> Bundle:
    """Return ``bundle`` with sizes as they are given."""
    given = {"short_side": resize_short, "crop_size": crop_size}
    own = bundle.manifest.preprocess
    fitted = own.model_copy(update={name: side for name, side in given.items() if side})
    if fitted.crop_size > fitted.short_side:
        raise SettingError(
            f"crop_size {fitted.crop_size} is larger than resize_short {fitted.short_side}.",
            next_step="Give both: resize_short=366, crop_size=320.",
        )
    return Bundle(bundle.path, bundle.manifest.model_copy(update={"preprocess": fitted}))
