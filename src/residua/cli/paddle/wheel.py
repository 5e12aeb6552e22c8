"""residua paddleclas: the options of the package of that name, and its lines."""

from typing import Annotated

import typer

from residua.cli.predict import UNREADABLE

Images = Annotated[
    str, typer.Option("--infer_imgs", help="A file, a folder, a list, or an https address.")
]
Name = Annotated[str | None, typer.Option("--model_name", help="A network: residua models.")]
Folder = Annotated[
    str | None, typer.Option("--inference_model_dir", help="An exported model instead of a name.")
]
TopK = Annotated[int, typer.Option("--topk", min=1, help="Classes a picture.")]
BatchSize = Annotated[int, typer.Option("--batch_size", min=1, help="Pictures at a time.")]
Labels = Annotated[
    str | None, typer.Option("--class_id_map_file", help="Names of the classes: lines 'id name'.")
]
Threshold = Annotated[
    float | None, typer.Option("--threshold", help="Leave out smaller probabilities.")
]
ShortSide = Annotated[
    int | None, typer.Option("--resize_short", min=1, help="Pixels [default: the model's own].")
]
CropSize = Annotated[
    int | None, typer.Option("--crop_size", min=1, help="Pixels [default: the model's own].")
]
Gpu = Annotated[str, typer.Option("--use_gpu", metavar="BOOL", help="Where there is one.")]
Threads = Annotated[int | None, typer.Option("--cpu_num_threads", min=1, help="Of the network.")]
Half = Annotated[str, typer.Option("--use_fp16", metavar="BOOL", help="In float16.")]
TensorRT = Annotated[str, typer.Option("--use_tensorrt", metavar="BOOL", help="By TensorRT.")]
Save = Annotated[
    str | None, typer.Option("--save_dir", help="Write the answers to results.json there.")
]
Kind = Annotated[str, typer.Option("--predict_type", help="cls, and nothing else here.")]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "-o", "--override", metavar="KEY=VALUE", help="A key of the package's configuration."
    ),
]
Mkldnn = Annotated[str | None, typer.Option("--enable_mkldnn", hidden=True)]
Memory = Annotated[int | None, typer.Option("--gpu_mem", hidden=True)]


def paddleclas(
    infer_imgs: Images = "",
    model_name: Name = None,
    inference_model_dir: Folder = None,
    topk: TopK = 5,
    batch_size: BatchSize = 1,
    class_id_map_file: Labels = None,
    threshold: Threshold = None,
    resize_short: ShortSide = None,
    crop_size: CropSize = None,
    use_gpu: Gpu = "True",
    cpu_num_threads: Threads = None,
    use_fp16: Half = "False",
    use_tensorrt: TensorRT = "False",
    save_dir: Save = None,
    predict_type: Kind = "cls",
    override: Override = None,
    enable_mkldnn: Mkldnn = None,
    gpu_mem: Memory = None,
) -> None:
    """Predict as the package paddleclas does: the same options, the same lines.

    For example: residua paddleclas --model_name=ResNet50 --infer_imgs=photo.jpg
    """
    from residua.base.errors import SettingError
    from residua.compat.lines import spell_wheel
    from residua.compat.wheel import PaddleClas, read_bool

    if not infer_imgs:
        raise SettingError("--infer_imgs is missing.", next_step="Give a picture or a folder.")
    clas = PaddleClas(
        model_name=model_name, inference_model_dir=inference_model_dir, topk=topk,
        batch_size=batch_size, class_id_map_file=class_id_map_file, threshold=threshold,
        resize_short=resize_short, crop_size=crop_size, use_gpu=read_bool(use_gpu, "--use_gpu"),
        cpu_num_threads=cpu_num_threads, use_fp16=read_bool(use_fp16, "--use_fp16"),
        use_tensorrt=read_bool(use_tensorrt, "--use_tensorrt"), save_dir=save_dir,
        override=override, enable_mkldnn=enable_mkldnn, gpu_mem=gpu_mem,
    )  # fmt: skip
    for note in clas.notes:
        typer.echo(note, err=True)
    unreadable = 0
    for batch in clas.answer(infer_imgs, predict_type=predict_type):
        for prediction in batch:
            unreadable += not prediction.ok
            typer.echo(spell_wheel(prediction).encode("utf-8", "backslashreplace").decode())
    typer.echo("Predict complete!")
    if unreadable:
        raise typer.Exit(UNREADABLE)
