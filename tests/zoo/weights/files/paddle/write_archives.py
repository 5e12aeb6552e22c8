"""Inference archives written by Paddle, and what Paddle's own inference makes of given crops.

    PYTHON write_archives.py ROWS.json CROPS.npy FOLDER

For a Python that has paddlepaddle 3. ``ROWS.json`` lists rows as ``networks.py`` takes them, each
with a ``file``, an ``ending``, perhaps an ``input_size`` and ``settle`` (see ``networks.py``);
``CROPS.npy`` are normalised pictures [N, 3, H, W]. Each row becomes FOLDER/FILE.FORMAT/inference.*
for both formats ("json", "pdmodel"), with the answers of Paddle's inference beside it in
answers.npy. Each comes from a process of its own: FLAGS_enable_pir_api is read at the start, and
names of parameters exist once a process.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def write(row, seed, crops_path, folder, form):
    import numpy as np
    import paddle
    from networks import ResNet, randomise, settle
    from paddle import inference

    paddle.set_device("cpu")
    if form == "pdmodel":
        paddle.nn.functional.sigmoid = _sigmoid
    network = ResNet(row, row["ending"])
    randomise(network, seed)
    if row.get("settle"):
        settle(network, np.load(crops_path), seed)
    network.eval()
    target = folder / f"{row['file']}.{form}" / "inference"
    shape = [None, row.get("input_channels", 3), *row.get("input_size", [224, 224])]
    spec = paddle.static.InputSpec(shape=shape, dtype="float32")
    paddle.jit.save(paddle.jit.to_static(network, input_spec=[spec]), str(target))
    if form == "pdmodel":
        _take_out_traces(Path(f"{target}.pdmodel"))
    config = inference.Config(f"{target}.{form}", f"{target}.pdiparams")
    config.disable_gpu()
    config.disable_mkldnn()
    config.switch_ir_optim(False)
    predictor = inference.create_predictor(config)
    predictor.get_input_handle(predictor.get_input_names()[0]).copy_from_cpu(np.load(crops_path))
    predictor.run()
    handle = predictor.get_output_handle(predictor.get_output_names()[0])
    np.save(target.parent / "answers.npy", handle.copy_to_cpu())


def _sigmoid(x, name=None):
    """Paddle 3.3.1's own refuses to be exported to the old format."""
    import paddle
    from paddle.base.layer_helper import LayerHelper

    if paddle.in_dynamic_mode():
        return paddle._C_ops.sigmoid(x)
    helper = LayerHelper("sigmoid")
    out = helper.create_variable_for_type_inference(x.dtype)
    helper.append_op(type="sigmoid", inputs={"X": x}, outputs={"Out": out})
    return out


def _take_out_traces(path):
    """Take out the stack of calls that Paddle notes for an operation: it names local files."""
    from paddle.base import core

    program = core.ProgramDesc(path.read_bytes())
    block = program.block(0)
    for index in range(block.op_size()):
        if block.op(index).has_attr("op_callstack"):
            block.op(index).remove_attr("op_callstack")
    path.write_bytes(program.serialize_to_string())


def main():
    rows_path, crops_path, folder = map(Path, sys.argv[1:4])
    rows = json.loads(rows_path.read_text())
    if len(sys.argv) == 6:
        seed, form = int(sys.argv[4]), sys.argv[5]
        write(rows[seed], seed, crops_path, folder, form)
        return
    for seed in range(len(rows)):
        for form, flag in (("json", "1"), ("pdmodel", "0")):
            subprocess.run(
                [sys.executable, __file__, *sys.argv[1:4], str(seed), form],
                check=True,
                env=os.environ | {"FLAGS_enable_pir_api": flag},
            )


if __name__ == "__main__":
    main()
