"""What residua export refuses before any work: options that make no sense together."""

from typing import Any


def check_formats(
    model: str, first: list[str] | None, more: list[str] | None, takes: str, *, formless: bool
) -> list[str]:
    """Return the names of the formats; refuse what makes no sense. ``formless``: none is needed."""
    from residua.base.errors import SettingError, UnknownNameError

    if takes not in {"crop", "image"}:
        raise UnknownNameError("input", takes, ("crop", "image"))
    names = [part for word in first or () for part in word.split(",")] + list(more or ())
    if not model:
        raise SettingError("Nothing to export was given.", next_step="See: residua export --help")
    if not names and not formless:
        raise SettingError(
            "No format was given.", next_step="Add --format onnx, or see: residua export --list"
        )
    if more and not first:
        raise SettingError(f"{more[0]!r} stands alone.", next_step=f"Write: --format {more[0]}")
    return names


def check_options(
    names: list[str],
    precision: str,
    takes: Any,
    *,
    calibrate: str,
    pruned: bool,
    epochs: int | None,
    verify: bool,
) -> None:
    """Refuse before hours of training what would fail after them, or would not be heard."""
    from residua.base.errors import SettingError

    if calibrate and not pruned and precision != "int8":
        raise SettingError(
            "--calibrate is for --precision int8 and for --prune.",
            next_step="Pictures for the comparison alone: --pictures",
        )
    if epochs is not None and not pruned:
        raise SettingError("--epochs is of the training after --prune.", next_step="Drop it.")
    if pruned and verify:
        raise SettingError("--prune and --verify do not go together.", next_step="Drop one.")
    if pruned:
        from residua.export.run import check_format
        from residua.export.write import require_libraries

        for name in names:
            check_format(name, precision, takes)
            require_libraries(name, precision)


def refuse_with_verify(**options: Any) -> None:
    """Refuse what --verify, which writes nothing, would not heed."""
    from residua.base.errors import SettingError

    for name, value in options.items():
        if value:
            raise SettingError(f"--verify writes nothing: --{name} has no meaning beside it.")
