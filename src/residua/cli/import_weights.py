"""``residua weights import``: a bundle of any weight file or inference archive."""

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    Path,
    typer.Argument(
        help="The file: .safetensors, .pth, .pdparams, or a .tar of them; or Paddle's inference "
        "archive, as .tar or folder."
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="The bundle to write.")]
Model = Annotated[
    str | None,
    typer.Option("--model", "--architecture", "-m", help="The network [default: by the tensors]."),
]
Head = Annotated[str, typer.Option(help="keep the file's classifier, or put a new one in place.")]
ClassNames = Annotated[
    Path | None, typer.Option(help="Class names, one a line, in the order of the outputs.")
]
Outputs = Annotated[int | None, typer.Option(min=1, help="Outputs of a new, unnamed classifier.")]
Licence = Annotated[str, typer.Option(help="The licence of the weights.")]
CropSize = Annotated[int | None, typer.Option(min=1, help="Pixels that the network sees.")]
ShortSide = Annotated[int | None, typer.Option(min=1, help="Short side of the resized picture.")]
Resampler = Annotated[str | None, typer.Option(help="pillow or opencv.")]
Interpolation = Annotated[str | None, typer.Option(help="bilinear or bicubic.")]
Aspect = Annotated[str | None, typer.Option(help="crop, squash or pad.")]
Colour = Annotated[str | None, typer.Option(help="RGB, grey or RGBA.")]
Mean = Annotated[str | None, typer.Option(help="Mean of each channel, as 0.485,0.456,0.406.")]
Std = Annotated[str | None, typer.Option(help="Standard deviation of each channel.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a bundle of that name.")]


def import_weights(
    file: File,
    output: Output,
    model: Model = None,
    head: Head = "keep",
    classes: ClassNames = None,
    num_classes: Outputs = None,
    licence: Licence = "",
    crop_size: CropSize = None,
    short_side: ShortSide = None,
    resampler: Resampler = None,
    interpolation: Interpolation = None,
    aspect: Aspect = None,
    colour: Colour = None,
    mean: Mean = None,
    std: Std = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a bundle of a weight file.

    The file may come from Paddle, torchvision, timm or residua. Its tensors must be those of the
    network, every one; where they are not, a table shows the differences. Nothing in a file is ever
    run. The preprocessing is that of the published weights named by --model, else that of the
    file's family (256 to 224 pixels; Paddle's by OpenCV, the others' by Pillow); what lies in an
    inference archive beside the program (inference.yml) counts for more, and the options change
    single settings of it.

    For example:

      residua weights import resnet50-11ad3fa6.pth -m ResNet50.tv2 -o r.bundle

      residua weights import best.pdparams --classes flowers.txt -o f.bundle

      residua weights import ResNet50_vd_infer.tar -o r.bundle

      residua weights import r18.pth --head new --classes pets.txt -o p.bundle
    """
    from residua.zoo.weights.resolve import import_file

    settings = {
        "crop_size": crop_size, "short_side": short_side, "resampler": resampler,
        "interpolation": interpolation, "aspect": aspect, "colour": colour,
        "mean": _read_numbers("--mean", mean), "std": _read_numbers("--std", std),
    }  # fmt: skip
    bundle = import_file(
        file,
        output=output,
        model=model,
        head=head,
        classes=classes,
        num_classes=num_classes,
        preprocess={name: value for name, value in settings.items() if value is not None},
        licence=licence,
        overwrite=overwrite,
    )
    row = bundle.manifest.architecture
    typer.echo(f"{bundle.path}: {row.name}, {row.num_classes} classes")
    for note in bundle.manifest.provenance.notes:
        typer.echo(f"  {note}")


def _read_numbers(option: str, text: str | None) -> tuple[float, ...] | None:
    from residua.base.errors import SettingError

    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise SettingError(
            f"{option} {text!r} is no list of numbers.",
            next_step=f"For example: {option} 0.485,0.456,0.406",
        ) from error
