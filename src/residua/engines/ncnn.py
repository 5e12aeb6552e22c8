"""ncnn: an engine for phones and boards without any dependency, one picture at a time."""

import ncnn
import numpy as np

from residua.base.errors import EngineError
from residua.base.machine import usable_cores
from residua.engines.engine import Demand

_FORMATS = {
    1: ncnn.Mat.PixelType.PIXEL_GRAY,
    3: ncnn.Mat.PixelType.PIXEL_RGB,
    4: ncnn.Mat.PixelType.PIXEL_RGBA,
}


class NcnnEngine:
    """A net that any number of extractors share; each of them runs one picture."""

    def __init__(self, demand: Demand) -> None:
        """Load the export. Raises EngineError where ncnn does not take the files."""
        path, _ = demand.open_export()
        self.precision = demand.precision
        self._net = ncnn.Net()
        options = self._net.opt
        options.num_threads = demand.threads or usable_cores()
        # float32 throughout: ncnn would keep values between layers in fewer bits where it can.
        half = demand.precision == "fp16"
        options.use_fp16_packed = options.use_fp16_storage = half
        options.use_fp16_arithmetic = half
        options.use_bf16_storage = False
        if self._net.load_param(str(path)) or self._net.load_model(str(path.with_suffix(".bin"))):
            raise EngineError(f"ncnn does not open {path}.")
        self.lanes = 1
        self.good_batch = 1

    @property
    def name(self) -> str:
        """Runtime, precision and device in words."""
        return f"ncnn {self.precision} on the processor"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """uint8 [N, H, W, C] crops → float32 [N, classes] probabilities."""
        return np.stack([self._run_one(crop) for crop in np.ascontiguousarray(batch)])

    def _run_one(self, crop: np.ndarray) -> np.ndarray:
        """uint8 [H, W, C] → float32 [classes]; ncnn turns it to float32 [C, H, W] itself."""
        height, width, channels = crop.shape
        extractor = self._net.create_extractor()
        image = ncnn.Mat.from_pixels(crop, _FORMATS[channels], width, height)
        extractor.input("image", image)
        failed, answers = extractor.extract("probabilities")
        if failed:
            raise EngineError(f"ncnn could not run a crop of {height}x{width}x{channels}.")
        return np.array(answers)
