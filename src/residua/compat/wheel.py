"""``PaddleClas``: the Python class of the package paddleclas, on residua's classifiers.

>>> clas = PaddleClas(model_name="ResNet50")          # doctest: +SKIP
>>> print(next(clas.predict("whl_demo.jpg")))         # doctest: +SKIP
[{'class_ids': [8, 7, 86, 82, 80], 'scores': [0.97968, …], 'label_names': ['hen', …], …}]
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from residua.base.errors import SettingError
from residua.bundle.store import Bundle
from residua.compat.config.values import read_word
from residua.compat.lines import as_wheel, in_batches, spell_wheel
from residua.compat.lists import rename
from residua.compat.weights import resolve
from residua.data.sources.class_lists import read_classes
from residua.predict.classifier import Classifier
from residua.predict.results import Prediction
from residua.zoo.weights.resolve import open_bundle

_SHITU = "residua classifies; PP-ShiTu (retrieval) is not there"
# Options that speed up Paddle's own engines, or belong to its other tasks.
_LEFT = {
    "enable_mkldnn", "gpu_mem", "use_xpu", "color_threshold", "type_threshold", "index_dir",
    "data_file", "gallery_image_root", "gallery_data_file", "override",
}  # fmt: skip


class PaddleClas:
    """A classifier that answers as PaddleClas's class of this name does."""

    def __init__(
        self,
        build_gallery: bool = False,
        *,
        model_name: str | None = None,
        inference_model_dir: str | None = None,
        topk: int | None = 5,
        batch_size: int | None = 1,
        class_id_map_file: str | None = None,
        threshold: float | None = None,
        resize_short: int | None = None,
        crop_size: int | None = None,
        use_gpu: bool | None = True,
        cpu_num_threads: int | None = None,
        use_fp16: bool | None = False,
        use_tensorrt: bool | None = False,
        save_dir: str | None = None,
        **others: Any,
    ) -> None:
        """Open a model of the series by its name, or an exported one by its folder.

        ``inference_model_dir`` is a bundle or an inference folder of Paddle. ``resize_short`` and
        ``crop_size`` are in pixels; without them the model's own are taken (320 of
        Fix_ResNet50_vd_ssld). ``threshold`` leaves out smaller probabilities. ``save_dir`` takes
        results.json. ``others`` are options of Paddle's engines, which change no answer.

        Raises UnknownNameError with the nearest names, SettingError for what residua has not.
        """
        if build_gallery:
            raise SettingError(f"build_gallery is set: {_SHITU}.")
        if unknown := sorted(set(others) - _LEFT):
            raise TypeError(f"PaddleClas has no option {unknown[0]!r}.")
        if not model_name and not inference_model_dir:
            raise SettingError(
                "Neither model_name nor inference_model_dir is given.",
                next_step="Names: residua models, for example model_name='ResNet50'.",
            )
        bundle = open_bundle(model_name or resolve(str(inference_model_dir)))
        self.batch_size = int(batch_size or 1)
        self._top_k, self._threshold = topk or 5, threshold
        self._save = Path(save_dir) if save_dir else None
        self.classifier = Classifier(
            _fit(bundle, class_id_map_file, resize_short, crop_size),
            engine="tensorrt" if use_tensorrt and use_gpu else "auto",
            device="auto" if use_gpu in (True, None) else "cpu",
            precision="fp16" if use_fp16 else "fp32", threads=cpu_num_threads,
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
            raise SettingError(f"input_data is a {type(input_data).__name__}, not a path or array.")
        predictions = self.classifier.predict(
            input_data, top_k=self._top_k, threshold=self._threshold, batch_size=self.batch_size,
            allow_urls=True,
        )  # fmt: skip
        kept: list[dict[str, Any]] = []
        for batch in in_batches(predictions, self.batch_size):
            kept += [as_wheel(prediction) for prediction in batch] if self._save else []
            yield batch
        if self._save:
            write_results(self._save, kept)


def write_results(folder: Path, records: list[dict[str, Any]]) -> Path:
    """Write ``results.json`` into ``folder`` and return its path."""
    from json import dumps

    from residua.base.files import write_atomic

    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "results.json", dumps(records, ensure_ascii=False).encode())
    return folder / "results.json"


def read_bool(text: str, option: str) -> bool:
    """Return what a truth value of the command line means: True, t, 1, or False, f, 0."""
    value, known = read_word({"t": "true", "1": "true", "f": "false", "0": "false"}.get(
        text.strip().lower(), text))  # fmt: skip
    if not known or value is None:
        raise SettingError(f"{option} is {text!r}, where True or False is expected.")
    return bool(value)


def _fit(
    bundle: Bundle, class_id_map_file: str | None, resize_short: int | None, crop_size: int | None
) -> Bundle:
    """Return ``bundle`` with names and sizes as they are given."""
    manifest, changes = bundle.manifest, dict[str, Any]()
    if class_id_map_file:
        names = read_classes(Path(class_id_map_file), numbered=True).names
        changes["classes"] = rename(manifest.classes, names)
    sizes = {"short_side": resize_short, "crop_size": crop_size}
    fitted = manifest.preprocess.model_copy(
        update={name: side for name, side in sizes.items() if side}
    )
    if fitted.crop_size > fitted.short_side:
        raise SettingError(
            f"crop_size {fitted.crop_size} is larger than resize_short {fitted.short_side}.",
            next_step="Give both: resize_short=366, crop_size=320.",
        )
    if not changes and fitted == manifest.preprocess:
        return bundle
    return Bundle(bundle.path, manifest.model_copy(update=changes | {"preprocess": fitted}))
