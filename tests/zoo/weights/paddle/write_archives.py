"""Inference archives written by Paddle, and what Paddle's own inference makes of given crops.

    PYTHON write_archives.py ROWS.json CROPS.npy FOLDER

For a Python that has paddlepaddle 3. ``ROWS.json`` lists rows as ``networks.py`` takes them, each
with a ``file`` and an ``ending``; ``CROPS.npy`` are normalised pictures [N, 3, H, W]. Each row
becomes FOLDER/FILE.FORMAT/inference.* for both formats ("json", "pdmodel") with the answers of
Paddle's inference beside it in answers.npy. The old format comes from a process of its own, since
FLAGS_enable_pir_api is read at the start.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def write(rows, crops_path, folder, form):
    import numpy as np
    import paddle
    from networks import ResNet, randomise
    from paddle import inference

    paddle.set_device("cpu")
    crops = np.load(crops_path)
    for seed, row in enumerate(rows):
        with paddle.utils.unique_name.guard():
            network = ResNet(row, row["ending"])
        randomise(network, seed)
        network.eval()
        target = folder / f"{row['file']}.{form}" / "inference"
        shape = [None, row["input_channels"], *row.get("input_size", [224, 224])]
        static = paddle.jit.to_static(
            network, input_spec=[paddle.static.InputSpec(shape=shape, dtype="float32")],
            full_graph=True,
        )  # fmt: skip
        paddle.jit.save(static, str(target))
        program = f"{target}.{form}"
        config = inference.Config(program, f"{target}.pdiparams")
        config.disable_gpu()
        config.disable_mkldnn()
        config.switch_ir_optim(False)
        predictor = inference.create_predictor(config)
        predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(crops)
        predictor.run()
        handle = predictor.get_output_handle(predictor.get_output_names()[0])
        np.save(target.parent / "answers.npy", handle.copy_to_cpu())


def main():
    rows_path, crops_path, folder = map(Path, sys.argv[1:4])
    if len(sys.argv) == 5:
        write(json.loads(rows_path.read_text()), crops_path, folder, sys.argv[4])
        return
    for form, flag in (("json", "1"), ("pdmodel", "0")):
        subprocess.run(
            [sys.executable, __file__, *sys.argv[1:4], form],
            check=True,
            env=os.environ | {"FLAGS_enable_pir_api": flag},
        )


if __name__ == "__main__":
    main()
