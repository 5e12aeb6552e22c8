"""``DataLoader``: where the pictures are, how many make an update."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section

_LISTS = {"ImageNetDataset", "CommonDataset", "CustomLabelDataset", "MultiLabelDataset"}
_LOADING = "pictures are decoded in threads, as many as there are cores"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list file, and the folder that its paths are relative to."""

    path: str
    root: str
    delimiter: str = ""
    multi_label: bool = False


def read_listing(dataset: Section) -> Listing:
    """Return where a dataset's pictures are. Raises SettingError for other kinds."""
    kind = dataset.text("name", "ImageNetDataset")
    if kind not in _LISTS:
        raise dataset.refused(
            "name", f"is {kind}, which residua does not read",
            "It reads lists (ImageNetDataset, MultiLabelDataset); residua train takes folders, "
            "tables and shards without a configuration.",
        )  # fmt: skip
    dataset.expect("relabel", False, why="which numbers the classes anew")
    dataset.flag("label_ratio")  # shares are counted where MultiLabelLoss.weight_ratio wants them
    path = dataset.text("cls_label_path")
    if not path:
        raise dataset.refused("cls_label_path", "is missing: it names the list of pictures")
    delimiter = dataset.text("delimiter")
    return Listing(path, dataset.text("image_root"), delimiter, kind == "MultiLabelDataset")


def translate_data(dataset: Section, label_map: str) -> dict[str, Any]:
    """Return the keys of ``data`` for the training list; ``label_map`` names the classes."""
    listing = read_listing(dataset)
    values: dict[str, Any] = {"data.format": "list", "data.root": listing.root}
    if listing.delimiter:
        values["data.delimiter"] = listing.delimiter
    if listing.multi_label:
        values["data.multi_label"] = True
    if label_map:
        values["data.label_map"] = label_map
    return values


def translate_sampler(part: Section) -> dict[str, Any]:
    """Return what the sampler of training says, but for the batch. Raises SettingError."""
    sampler = part.part("sampler")
    part.ignore("loader", reason=_LOADING)
    kind = sampler.text("name", "DistributedBatchSampler")
    if not sampler.flag("drop_last"):
        sampler.findings.note(
            f"{sampler.where('drop_last')} is False: PaddleClas ends an epoch in a smaller batch; "
            "here the pictures that fill none wait for another epoch."
        )
    sampler.expect("shuffle", True, why="and training shuffles")
    match kind:
        case "DistributedBatchSampler" | "BatchSampler":
            return {}
        case "RASampler":
            return {"data.repeats": sampler.whole("num_repeats", 3)}
    raise sampler.refused(
        "name", f"is {kind}, which residua has not",
        "It has DistributedBatchSampler and RASampler; sizes rise by augment.progressive.",
    )  # fmt: skip


def read_batch(part: Section) -> int:
    """Return the pictures of one card's batch."""
    return part.part("sampler").whole("batch_size", 64)


def count_updates(part: Section, batch: int) -> int | None:
    """Return how many updates an epoch of the training list has; None where there is no list."""
    listing = Path(part.part("dataset").text("cls_label_path"))
    if not listing.is_file():
        return None
    with listing.open("rb") as file:
        pictures = sum(bool(line.strip()) for line in file)
    return max(1, pictures // batch)


def ignore_evaluation(part: Section) -> None:
    """Take note of what ``DataLoader.Eval`` says that changes no figure."""
    part.ignore("loader", reason=_LOADING)
    sampler = part.part("sampler")
    sampler.ignore(
        "name",
        "batch_size",
        "drop_last",
        "shuffle",
        "sample_per_id",
        reason="every picture counts once",
    )


def find_label_map(configuration: Configuration, process: Section) -> str:
    """Return the file that names the classes, if there is one.

    ``class_id_map_file`` of ``process`` is relative to where the command runs, or to the
    configuration. PaddleClas's own list of ImageNet is known without the file. Raises SettingError
    where the command line names a file that is not there.
    """
    given = process.text("class_id_map_file")
    if not given:
        return ""
    key = process.where("class_id_map_file")
    for path in (Path(given), configuration.path.parent / given):
        if path.is_file():
            return str(path)
    if configuration.says(key):
        raise process.refused("class_id_map_file", f"is {given}, and there is no such file")
    if Path(given).name != "imagenet1k_label_list.txt":
        configuration.findings.note(f"{key}: there is no file {given}.")
    return ""
