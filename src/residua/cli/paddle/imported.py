"""residua recipe import: a PaddleClas configuration as the text of a recipe."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from residua.compat.translate.whole import Translation


def spell_import(path: Path, overrides: list[str], *, cards: int) -> str:
    """Return the recipe as YAML; comments before it say its command and what was found."""
    from residua.cli.paddle.reading import read
    from residua.compat.training import settle
    from residua.compat.translate.whole import translate
    from residua.train.recipe.file import spell_recipe

    configuration, ours = read(path, overrides)
    translation = translate(configuration, cards=cards)
    recipe = settle(translation.recipe, ours, opened=False)
    verb = "train" if recipe.distil.method == "none" else "distil"
    places = f"{translation.training.path} --val {translation.validation.path}"
    head = [
        f"{recipe.model.name}, from a PaddleClas configuration.", "",
        f"Source: {path}{''.join(f' -o {text}' for text in overrides)}",
        f"Command: residua {verb} {places} -c THIS.yaml",
        f"An update sees {recipe.loop.batch_size} pictures; cards: {cards} (--cards).",
        *_tell_roots(translation), "",
        *configuration.findings.spell(),
    ]  # fmt: skip
    whole = ("Command: ", "Source: ")  # to be copied
    lines = [
        part
        for line in head
        for part in ([line] if line.startswith(whole) else textwrap.wrap(line, 98) or [""])
    ]
    return "\n".join([*(f"# {line}".rstrip() for line in lines), "", spell_recipe(recipe)])


def _tell_roots(translation: "Translation") -> list[str]:
    """Say where the validation pictures are, if that is elsewhere: a recipe has one root."""
    root = translation.validation.root
    if root == translation.training.root:
        return []
    told = (
        f"The validation pictures are below {root}: a recipe has one data.root, so train by the "
        "configuration itself, or write whole paths into the lists."
    )
    return [told]
