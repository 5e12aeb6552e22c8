"""residua paddleclas: the options of the package of that name, and its lines."""

from typing import Annotated

import typer

from residua.cli.predict import UNREADABLE


def paddleclas(
    infer_imgs: Annotated[
        str, typer.Option("--infer_imgs", help="A file, a folder, a list, or an https address.")
    ] = "",
    model_name: Annotated[
        str, typer.Option("--model_name", help="A network: residua models.")
    ] = "",
    inference_model_dir: Annotated[
        str,
        typer.Option("--inference_model_dir", help="An exported model instead of a name."),
    ] = "",
    topk: Annotated[int, typer.Option("--topk", min=1, help="Classes a picture.")] = 5,
    batch_size: Annotated[int, typer.Option("--batch_size", min=1)] = 1,
    class_id_map_file: Annotated[
        str, typer.Option("--class_id_map_file", help="Names of the classes: lines 'id name'.")
    ] = "",
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Leave out smaller probabilities.")
    ] = None,
    resize_short: Annotated[int | None, typer.Option("--resize_short", min=1)] = None,
    crop_size: Annotated[int | None, typer.Option("--crop_size", min=1)] = None,
    use_gpu: Annotated[str, typer.Option("--use_gpu", metavar="BOOL")] = "True",
    cpu_num_threads: Annotated[int | None, typer.Option("--cpu_num_threads", min=1)] = None,
    use_fp16: Annotated[str, typer.Option("--use_fp16", metavar="BOOL")] = "False",
    use_tensorrt: Annotated[str, typer.Option("--use_tensorrt", metavar="BOOL")] = "False",
    save_dir: Annotated[
        str, typer.Option("--save_dir", help="Write the answers to results.json in this folder.")
    ] = "",
    predict_type: Annotated[str, typer.Option("--predict_type", help="cls.")] = "cls",
    override: Annotated[
        list[str] | None,
        typer.Option("-o", "--override", metavar="KEY=VALUE", help="A key of the configuration."),
    ] = None,
    enable_mkldnn: Annotated[str, typer.Option("--enable_mkldnn", hidden=True)] = "",  # noqa: ARG001
    gpu_mem: Annotated[int | None, typer.Option("--gpu_mem", hidden=True)] = None,  # noqa: ARG001
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
        model_name=model_name or None, inference_model_dir=inference_model_dir or None, topk=topk,
        batch_size=batch_size, class_id_map_file=class_id_map_file or None, threshold=threshold,
        resize_short=resize_short, crop_size=crop_size, use_gpu=read_bool(use_gpu, "--use_gpu"),
        cpu_num_threads=cpu_num_threads, use_fp16=read_bool(use_fp16, "--use_fp16"),
        use_tensorrt=read_bool(use_tensorrt, "--use_tensorrt"), save_dir=save_dir or None,
        override=override,
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
