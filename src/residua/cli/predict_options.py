"""The options of residua predict."""

from typing import Annotated

import typer

from residua.cli.cluster.options import PANEL

Images = Annotated[
    list[str],
    typer.Argument(
        help="Files, folders (searched recursively), globs, list files (.txt, a path a line), "
        "https URLs (with --allow-urls), or - for standard input.",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option("--model", "-m", help="A name from `residua models`, a bundle, a weight file."),
]
Row = Annotated[
    str | None, typer.Option(help="The network of a weight file, where its tensors fit several.")
]
TopK = Annotated[
    int | None,
    typer.Option(
        "--top-k", "-k", min=1,
        help="Classes a picture [default: 5; multi-label: all above the threshold].",
    ),
]  # fmt: skip
Threshold = Annotated[
    float | None,
    typer.Option(
        min=0, max=1,
        help="Leave out classes of a smaller probability [default: 0; multi-label: 0.5].",
    ),
]  # fmt: skip
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Pictures a run of the network [default: by engine].")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Csv = Annotated[bool, typer.Option("--csv", help="One CSV row a picture and class.")]
FormatName = Annotated[
    str | None,
    typer.Option(
        help="table, json, csv, or text (the line that PaddleClas prints) "
        "[default: table on a terminal, json in a pipe]; of a cluster parquet or json."
    ),
]
Save = Annotated[
    str | None,
    typer.Option(
        help="Also write the results to this file: .json, .jsonl, .csv or .txt; of a cluster a "
        "folder, or a URL."
    ),
]
Engine = Annotated[str, typer.Option(help="auto, openvino, onnxruntime, torch, …")]
Precision = Annotated[
    str, typer.Option(help="fp32, bf16, fp16, int8 (of an export), or fastest of them.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of the network [default: all cores].")
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Decode very large photos at full size, slower.")
]
MaxBytes = Annotated[int | None, typer.Option(min=1, help="Refuse larger files [default: 64 MB].")]
MaxPixels = Annotated[
    int | None, typer.Option(min=1, help="Refuse pictures of more [default: 100 million].")
]
AllowUrls = Annotated[
    bool, typer.Option("--allow-urls", help="Permit https addresses (public hosts only).")
]
Engines = Annotated[
    str,
    typer.Option(
        metavar="MIN:MAX",
        help="Processes that compute, each with --threads threads or a GPU; all else decodes "
        "[default: as there is room].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
ImageColumn = Annotated[
    str,
    typer.Option(
        help="Of Parquet files: the column of pictures [default: by its usual names].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
NameColumn = Annotated[
    str,
    typer.Option(
        help="Of Parquet files: the column that names pictures [default: file and row].",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace the results of another job.", rich_help_panel=PANEL),
]
