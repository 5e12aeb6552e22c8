"""residua train --fix: a bundle fitted to other sizes of pictures, and how it did before."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from residua.data.source import Parts
    from residua.train.recipe.tree import Recipe
    from residua.train.run import Trained


def tell_before(bundle: str, size: int) -> "Callable[..., Trained]":
    """Return what trains, and says beforehand how the bundle does at ``size`` as it is."""

    def train_after(recipe: "Recipe", parts: "Parts", **how: Any) -> "Trained":
        from residua.evaluate.resolution import sweep
        from residua.train.run import train as run_plainly
        from residua.zoo.weights.resolve import open_bundle

        opened = open_bundle(bundle)
        if opened.manifest.classes.names == parts.validation.classes.names:
            (trial,) = sweep(
                opened, parts.validation, [size], device=how["device"], ranks=how["ranks"]
            )
            found = trial.evaluation.metrics
            value = found.map if found.top1 is None else found.top1
            how["display"].say(f"Before, at {size} pixels: {value:.2%} of {found.images} pictures.")
        return run_plainly(recipe, parts, **how)

    return train_after


def fit_to_size(
    bundle: str, size: int | None, config: str, flags: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return recipe and flags that fit ``bundle`` to ``size`` pixels; as they are without both."""
    from residua.base.errors import SettingError
    from residua.zoo.weights.resolve import open_bundle

    if not bundle and not size:
        return config, flags
    if not bundle or not size:
        raise SettingError(
            "--fix and --size go together.",
            next_step="residua train DATA --fix YOUR.bundle --size 320",
        )
    if flags["augment.image_size"]:
        raise SettingError("--size says already how large pictures are: leave --image-size.")
    if flags["model.pretrained"] or flags["model.name"]:
        raise SettingError(
            "--fix says already which network it is: leave --pretrained and --model."
        )
    row = open_bundle(bundle).manifest.architecture
    given = {"model.pretrained": bundle, "augment.image_size": size}
    last = flags["model.freeze"] or f"stage{len(row.depths)}"
    return config or "fix-size", flags | given | {"model.freeze": last}
