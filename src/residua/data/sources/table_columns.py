"""Which columns of a table hold pictures and labels: by their usual names, or as given."""

from collections.abc import Sequence

from residua.base.errors import DataError, UnknownNameError

IMAGES = (
    "image", "img", "path", "image_path", "img_path", "file", "filename", "file_name", "filepath",
    "file_path", "jpg", "jpeg", "png", "webp", "bytes", "image_bytes",
)  # fmt: skip
LABELS = (
    "label", "labels", "class", "classes", "target", "targets", "class_name", "class_id",
    "category", "cls", "fine_label",
)  # fmt: skip


def choose_image(columns: Sequence[str], given: str, place: str) -> str:
    """Return the column of pictures: ``given``, or the first usual name among ``columns``."""
    return _choose(columns, given, IMAGES, "pictures", "data.image_column", place)


def choose_label(columns: Sequence[str], given: str, place: str) -> str:
    """Return the column of labels: ``given``, or the first usual name among ``columns``."""
    return _choose(columns, given, LABELS, "labels", "data.label_column", place)


def refuse_column(place: str, column: str, expected: str) -> DataError:
    """Return the error for a column that holds something else than ``expected``."""
    return DataError(
        f"{place}: column {column!r} does not hold {expected}.",
        next_step="Choose other columns with data.image_column and data.label_column.",
    )


def _choose(
    columns: Sequence[str], given: str, usual: Sequence[str], what: str, key: str, place: str
) -> str:
    if given:
        if given not in columns:
            raise UnknownNameError("column", given, columns, next_step=f"It was to be in {place}.")
        return given
    by_name = {column.casefold().strip(): column for column in reversed(columns)}
    for name in usual:
        if name in by_name:
            return by_name[name]
    raise DataError(
        f"{place} has no column of {what} with a usual name; its columns are: "
        f"{', '.join(columns) or 'none'}.",
        next_step=f"Name it with {key}. A list without a header is read with data.format=list.",
    )
