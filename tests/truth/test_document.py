"""Every command block of PaddleClas's ResNet document, with only the program's name changed.

The document is read from the reference beside the test data; a command in it that has no
equivalent below fails the test. The equivalents run in its order, in a tree like its own, on its
list format: two epochs, evaluation, inference, export, prediction from the export.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from making import make_bundle
from paddle_configurations import deployment, plain, write

CONFIG = "ppcls/configs/ImageNet/ResNet/ResNet50.yaml"
BEST = "output/ResNet50/best_model"
DEMO = "docs/images/inference_deployment/whl_demo.jpg"
INFER = "models/ResNet50_infer"
DEPLOYED = f"residua predict -c configs/inference_cls.yaml -o Global.inference_model_dir={INFER}"
# The document's command → ours, or None where there is nothing to do: installing another library,
# choosing a folder of a repository, a download.
EQUIVALENTS: dict[str, str | None] = {
    "python3 -m pip install paddlepaddle-gpu -i https://mirror.baidu.com/pypi/simple": None,
    "python3 -m pip install paddlepaddle -i https://mirror.baidu.com/pypi/simple": None,
    "pip3 install paddleclas": None,
    f'paddleclas --model_name=ResNet50 --infer_imgs="{DEMO}"':
        f'residua paddleclas --model_name=ResNet50 --infer_imgs="{DEMO}"',
    "cd path_to_PaddleClas": None,
    "export CUDA_VISIBLE_DEVICES=0,1,2,3": None,
    f'python3 -m paddle.distributed.launch --gpus="0,1,2,3" tools/train.py -c {CONFIG}':
        f"torchrun --nproc-per-node 4 -m residua train -c {CONFIG}",
    f"python3 tools/eval.py -c {CONFIG} -o Global.pretrained_model={BEST}":
        f"residua evaluate -c {CONFIG} -o Global.pretrained_model={BEST}",
    f"python3 tools/infer.py -c {CONFIG} -o Global.pretrained_model={BEST}":
        f"residua predict -c {CONFIG} -o Global.pretrained_model={BEST}",
    f"python3 tools/export_model.py -c {CONFIG} -o Global.pretrained_model={BEST} "
    f"-o Global.save_inference_dir=deploy/{INFER}":
        f"residua export -c {CONFIG} -o Global.pretrained_model={BEST} "
        f"-o Global.save_inference_dir=deploy/{INFER}",
    "cd deploy/models": None,
    "wget https://paddle-imagenet-models-name.bj.bcebos.com/dygraph/inference/ResNet50_infer.tar "
    "&& tar -xf ResNet50_infer.tar": None,
    "cd ../": None,
    DEPLOYED.replace("residua predict", "python3 python/predict_cls.py"): DEPLOYED,
    DEPLOYED.replace("residua predict", "python3 python/predict_cls.py")
    + " -o Global.use_gpu=False": f"{DEPLOYED} -o Global.use_gpu=False",
    DEPLOYED.replace("residua predict", "python3 python/predict_cls.py")
    + " -o Global.infer_imgs=images/ImageNet/": f"{DEPLOYED} -o Global.infer_imgs=images/ImageNet/",
}  # fmt: skip
PYTHON = """\
from residua.compat import PaddleClas
clas = PaddleClas(model_name='ResNet50')
infer_imgs = 'docs/images/deployment/whl_demo.jpg'
result = clas.predict(infer_imgs)
print(next(result))
"""
# On two cores, on 29 pictures: fewer processes, a batch that they fill, smaller crops.
SMALLER = {"--nproc-per-node 4": "--nproc-per-node 2"}
SHORT = (
    " -o Global.epochs=2 -o Global.device=cpu -o DataLoader.Train.sampler.batch_size=8"
    " -o DataLoader.Train.dataset.transform_ops.1.RandCropImage.size=64"
    " -o DataLoader.Eval.dataset.transform_ops.1.ResizeImage.resize_short=72"
    " -o DataLoader.Eval.dataset.transform_ops.2.CropImage.size=64"
)


def list_commands(document: Path) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+", " ", line).strip() for line in lines if line and line[0] != "#"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory, shared_data):
    """A folder as the document's: configurations, data, pictures, and published weights."""
    root = tmp_path_factory.mktemp("PaddleClas")
    write(root / "ppcls/configs/ImageNet/ResNet", plain("ResNet50"), "ResNet50.yaml")
    write(root / "deploy/configs", deployment(), "inference_cls.yaml")
    (root / "dataset").mkdir()
    (root / "dataset/ILSVRC2012").symlink_to(shared_data / "list-format")
    pictures = sorted((shared_data / "list-format/val").glob("*.JPEG"))
    demo = root / DEMO
    demo.parent.mkdir(parents=True)
    shutil.copy(pictures[0], demo)
    folder = root / "deploy/images/ImageNet"
    folder.mkdir(parents=True)
    for picture in pictures[:3]:
        shutil.copy(picture, folder)
    shutil.copy(pictures[0], folder / "ILSVRC2012_val_00000010.jpeg")
    return root


def run(tree, command, cwd=".", *, code=0):
    for theirs, ours in SMALLER.items():
        command = command.replace(theirs, ours)
    words = [word.strip('"') for word in command.replace('="', "=").replace('" ', " ").split()]
    if words[0] == "residua":
        words = [sys.executable, "-m", *words]
    else:
        words = [sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:]]
    environment = os.environ | {
        "RESIDUA_CACHE": str(tree / "cache"), "OMP_NUM_THREADS": "1",
        "RESIDUA_WEIGHTS_PATH": str(tree / "published"),
    }  # fmt: skip
    done = subprocess.run(
        words, cwd=tree / cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_every_command_has_an_equivalent(shared_data):
    document = shared_data.parent / "reference" / "resnet-series.md"
    if not document.is_file():
        pytest.skip(f"the reference is not here: looked for {document}")
    assert set(list_commands(document)) == set(EQUIVALENTS)


@pytest.mark.slow
def test_the_document_from_training_to_deployment(tree):
    ours = [command for command in EQUIVALENTS.values() if command]
    train, evaluate, predict, export = (
        next(command for command in ours if f" {verb} -c ppcls" in command)
        for verb in ("train", "evaluate", "predict", "export")
    )
    _, told = run(tree, train + SHORT)
    assert "begins from scratch, as the published figures did" in told
    assert (tree / f"{BEST}.bundle" / "bundle.json").is_file()

    out, _ = run(tree, evaluate)
    last = out.strip().splitlines()[-1]
    assert re.fullmatch(
        r"\[Eval\]\[Epoch 0\]\[Avg\]CELoss: [\d.]+, loss: [\d.]+, top1: [\d.]+, top5: [\d.]+", last
    )

    out, _ = run(tree, predict)
    (record,) = ast.literal_eval(out.strip())
    assert list(record) == ["class_ids", "scores", "file_name", "label_names"]
    assert record["file_name"] == DEMO
    assert len(record["class_ids"]) == 5
    out, _ = run(tree, f"{predict} -o Infer.PostProcess.topk=2 -o Infer.infer_imgs=deploy/images")
    (batch,) = [ast.literal_eval(line) for line in out.strip().splitlines()]
    assert [len(each["class_ids"]) for each in batch] == [2, 2, 2, 2]

    run(tree, export)
    assert (tree / "deploy/models/ResNet50_infer/exports/onnx/model.onnx").is_file()

    single, on_cpu, folder = (command for command in ours if "inference_cls" in command)
    first, _ = run(tree, single, "deploy")
    pattern = (
        r"ILSVRC2012_val_00000010\.jpeg:\tclass id\(s\): \[[\d, ]+\], score\(s\): "
        r"\[(\d\.\d\d(, )?){5}\], label_name\(s\): \[.*\]\n"
    )
    assert re.fullmatch(pattern, first)
    assert ast.literal_eval(re.search(r"class id\(s\): (\[.*?\])", first)[1]) == record["class_ids"]
    assert run(tree, on_cpu, "deploy")[0] == first
    lines = run(tree, folder, "deploy")[0].splitlines()
    assert len(lines) == 4
    assert first.strip() in lines


def test_the_python_of_the_document_is_ours(shared_data):
    document = shared_data.parent / "reference" / "resnet-series.md"
    if not document.is_file():
        pytest.skip(f"the reference is not here: looked for {document}")
    (block,) = re.findall(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    assert block.split() == PYTHON.replace("residua.compat", "paddleclas").split()


@pytest.mark.slow
def test_the_package_in_python(tree, monkeypatch, capsys):
    make_bundle(tree / "published" / "ResNet50.bundle", "ResNet50", num_classes=1000)
    monkeypatch.setenv("RESIDUA_WEIGHTS_PATH", str(tree / "published"))
    monkeypatch.chdir(tree)
    shutil.copytree(tree / "docs/images/inference_deployment", tree / "docs/images/deployment")
    exec(PYTHON, {})  # noqa: S102  # it is the document's
    (record,) = ast.literal_eval(capsys.readouterr().out)
    assert list(record) == ["class_ids", "scores", "label_names", "filename"]


@pytest.mark.slow
def test_the_package(tree):
    # The published weights of that name are not here: others of its architecture are.
    if not (tree / "published").exists():
        make_bundle(tree / "published" / "ResNet50.bundle", "ResNet50", num_classes=1000)
    command = next(c for c in EQUIVALENTS.values() if c and c.startswith("residua paddleclas"))
    out, _ = run(tree, command)
    line, end = out.splitlines()
    assert end == "Predict complete!"
    assert re.fullmatch(
        r"class_ids: \[[\d, ]+\], scores: \[[^\]]+\], label_names: \[.*\], "
        r"filename: docs/images/inference_deployment/whl_demo\.jpg",
        line,
    )
