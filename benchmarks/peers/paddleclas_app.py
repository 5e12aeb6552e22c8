r"""PaddleClas's own wheel, for ``benchmarks/paddleclas_wheel.py``; run by a Python that has it.

    pip install paddlepaddle==3.3.1 faiss-cpu six easydict prettytable scikit-learn ujson gast \
        tqdm opencv-python-headless pillow pyyaml requests scipy 'numpy<2.3'
    pip install --no-deps paddleclas==2.6.0

    PYTHON paddleclas_app.py write TENSORS.npz NETWORK FOLDER
    PYTHON paddleclas_app.py predict FOLDER PHOTOS BATCH ROUNDS

``write`` puts tensors (by the names of PaddleClas's layers) into a network of the wheel and exports
it; without tensors the network is random, its normalisations settled by noise. ``predict`` prints a
JSON line: the records of all photos, and the pictures a second of each round.
"""

import json
import os
import sys
import time
from pathlib import Path


def write(tensors: str, network: str, folder: str) -> None:
    """Write FOLDER/inference.pdmodel and .pdiparams."""
    import numpy as np
    import paddle
    from paddleclas.ppcls.arch.backbone.legendary_models import resnet

    paddle.set_device("cpu")
    paddle.seed(0)
    made = getattr(resnet, network)()
    if Path(tensors).is_file():
        given = dict(np.load(tensors))
        state = {name: given.pop(name) for name in made.state_dict() if name in given}
        missing, _ = made.set_state_dict(state)
        if missing or given:
            raise SystemExit(f"missing {missing[:3]}, left {list(given)[:3]}")
    else:
        made.train()
        for _ in range(12):
            made(paddle.randn([4, 3, 224, 224]))

    class Export(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.base = made

        def forward(self, x: object) -> object:
            return paddle.nn.functional.softmax(self.base(x), axis=-1)

    whole = Export()
    whole.eval()
    spec = paddle.static.InputSpec(shape=[None, 3, 224, 224], dtype="float32")
    paddle.jit.save(paddle.jit.to_static(whole, input_spec=[spec]), str(Path(folder) / "inference"))


def predict(folder: str, photos: str, batch: int, rounds: int) -> None:
    """Predict PHOTOS ``rounds`` times after a first time."""
    from paddleclas import PaddleClas

    made = PaddleClas(
        inference_model_dir=folder, use_gpu=False, batch_size=batch, topk=5, cpu_num_threads=2,
        enable_mkldnn=True,
    )  # fmt: skip
    records = [record for found in made.predict(photos) for record in found]
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        count = sum(len(found) for found in made.predict(photos))
        rates.append(count / (time.perf_counter() - began))
    print("JSON " + json.dumps({"records": records, "rates": rates}, default=float))


if __name__ == "__main__":
    # The wheel reads the older format.
    os.environ["FLAGS_enable_pir_api"] = "0"  # noqa: SIM112  # as Paddle spells it
    if sys.argv[1] == "write":
        write(*sys.argv[2:5])
    else:
        predict(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
