"""The folder of a run, which explains itself, and tells an interrupted run from a finished one.

flowers.run/
    README.md               what this is, how to go on, what the files are
    recipe.yaml             the whole recipe: residua train DATA -c flowers.run/recipe.yaml
    run.json                the data's fingerprint, the classes, settings chosen for this machine
    metrics.jsonl           the run line by line
    checkpoints/            see checkpoint.py; removed when the run has ended well
    best/                   weights and figures of the best validation so far; removed likewise
flowers.bundle/             written at the end, beside it
"""

import json
import shutil
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError

from residua.base.errors import BundleDamagedError, CheckpointError, SettingError
from residua.base.files import replacing_folder, sha256_of, try_lock, write_atomic
from residua.base.version import __version__
from residua.bundle.schema import Classes
from residua.data.source import Parts
from residua.train.recipe.tree import Recipe
from residua.train.storage.checkpoint import list_checkpoints, spell_reason

_README = """# A training run of residua

`residua train` {state}.

- `recipe.yaml` is the whole recipe; `residua train DATA -c {name}/recipe.yaml` trains by it again.
- `metrics.jsonl` has a line for every logging step and every epoch.
- `run.json` says which data, classes and settings of the machine the run began with.
- `checkpoints/` and `best/` are what an interrupted run goes on from; a finished run removes them.

{next}
"""
_RUNNING = "is running, or was interrupted"
_GO_ON = "The same command again goes on exactly where the last checkpoint was written."


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes two runs the same: the recipe, the pictures and the classes."""

    recipe: Recipe
    data_sha256: str
    validation_sha256: str
    classes: Classes

    def as_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "data_sha256": self.data_sha256,
            "validation_sha256": self.validation_sha256,
            "classes": self.classes.model_dump(mode="json"),
        }

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Return what is different in the record of another run, as dotted keys or in words."""
        own = self.as_record()
        found = _differing(own["recipe"], other.get("recipe", {}))
        if own["data_sha256"] != other.get("data_sha256"):
            found.append("the pictures or their labels")
        elif own["validation_sha256"] != other.get("validation_sha256"):
            found.append("the validation pictures")
        elif own["classes"] != other.get("classes"):
            found.append("the classes")
        return found


def identify(recipe: Recipe, parts: Parts) -> Identity:
    """Return what makes a training by ``recipe`` on ``parts`` the same run as another."""
    training, validation = parts.training, parts.validation
    return Identity(
        recipe, training.listing_sha256(), validation.listing_sha256(), training.classes
    )


class RunFolder:
    """The files of one run below ``path``."""

    def __init__(self, path: Path) -> None:
        """Nothing is written yet."""
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.best = path / "best"
        self.metrics = path / "metrics.jsonl"
        self._identity = path / "run.json"
        self._lock = path / ".lock"
        self._release: weakref.finalize[..., RunFolder] | None = None

    def lock(self) -> None:
        """Keep other runs out until this object is gone, however the process ends.

        Raises SettingError where another is training here now.
        """
        unlock = try_lock(self._lock)
        if unlock is None:
            raise SettingError(
                f"Another process is training in {self.path} now.",
                next_step="Wait for it, stop it, or choose another --output.",
            )
        self._release = weakref.finalize(self, unlock)

    def unlock(self) -> None:
        """Let others in, and leave no trace of the lock."""
        if self._release is not None:
            self._release()

    def is_unfinished(self) -> bool:
        """Tell whether an interrupted run lies here."""
        return self._identity.is_file() and not self._read().get("finished", False)

    def has_something_to_lose(self) -> bool:
        """Tell whether a checkpoint lies here."""
        return bool(list_checkpoints(self.checkpoints))

    def is_of(self, identity: Identity) -> bool:
        """Tell whether the run here is the same."""
        return not identity.differences(self._read())

    def refuse_another(self, identity: Identity) -> None:
        """Refuse to go on with a run of other settings or other data; name what differs."""
        differing = identity.differences(self._read())
        if differing:
            shown = ", ".join(differing[:6]) + (", …" if len(differing) > 6 else "")
            raise SettingError(
                f"{self.path} holds an interrupted run that differs in: {shown}.",
                next_step="Give the same command to go on with it, --restart to begin anew, or "
                "another --output.",
            )

    def begin(self, identity: Identity) -> None:
        """Start an empty folder; what an earlier run has left is removed, but for the lock."""
        self.path.mkdir(parents=True, exist_ok=True)
        left = [entry for entry in self.path.iterdir() if entry != self._lock]
        if left and not self._identity.is_file():
            raise SettingError(
                f"{self.path} exists and is no run of residua.",
                next_step="Choose another --output.",
            )
        for entry in sorted(left, key=self._identity.__eq__):  # what makes it a run goes last
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        content = yaml.safe_dump(
            identity.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True
        )
        head = f"# The recipe of this run, whole (residua {__version__}).\n"
        write_atomic(self.path / "recipe.yaml", (head + content).encode())
        self._describe(_RUNNING, _GO_ON)
        self._write({"residua": __version__, **identity.as_record(), "chosen": {}})

    def chosen(self) -> dict[str, Any]:
        """Return the settings that were chosen for the machine when the run began."""
        chosen: dict[str, Any] = self._read()["chosen"]
        return chosen

    def choose(self, **settings: Any) -> None:
        """Note settings chosen for the machine; whoever resumes takes the same."""
        content = self._read()
        content["chosen"] |= settings
        self._write(content)

    def finish(self, bundle: Path) -> None:
        """Mark the run as done and remove what only an interrupted run needs."""
        self._write(self._read() | {"finished": True, "bundle": str(bundle)})
        self._describe("has ended well", f"Its result is `{bundle}`.")
        for folder in (self.checkpoints, self.best):
            shutil.rmtree(folder, ignore_errors=True)
        self.unlock()

    def write_best(self, epoch: int, tensors: Any) -> None:
        """Keep the weights of the best validation so far; raises CheckpointError on a full disk."""
        from safetensors.numpy import save_file

        try:
            with replacing_folder(self.best) as scratch:
                save_file(tensors, scratch / "weights.safetensors")
                facts = {"epoch": epoch, "sha256": sha256_of(scratch / "weights.safetensors")}
                (scratch / "best.json").write_text(json.dumps(facts), encoding="utf-8")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(
                f"The best weights could not be kept in {self.best}: {spell_reason(error)}.",
                next_step="Free some space.",
            ) from error

    def read_best(self, epoch: int) -> Any:
        """Return the tensors of the best validation, which was after ``epoch``.

        Raises BundleDamagedError where they are missing or altered.
        """
        from safetensors.numpy import load_file

        file = self.best / "weights.safetensors"
        try:
            facts = json.loads((self.best / "best.json").read_text(encoding="utf-8"))
            if facts["epoch"] == epoch and facts["sha256"] == sha256_of(file):
                return load_file(file)
        except (OSError, ValueError, KeyError):
            pass
        raise BundleDamagedError(
            f"The weights of the best epoch, {epoch}, in {self.best} are missing or altered."
        )

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._identity.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{self._identity} cannot be read ({error}).",
                next_step="Begin anew with --restart, or choose another --output.",
            ) from error
        return content

    def _write(self, content: dict[str, Any]) -> None:
        write_atomic(self._identity, json.dumps(content, indent=1).encode())

    def _describe(self, state: str, following: str) -> None:
        text = _README.format(state=state, next=following, name=self.path.name)
        write_atomic(self.path / "README.md", text.encode())


def _differing(own: Any, other: Any, place: str = "") -> list[str]:
    """Return the dotted keys at which two trees of plain values differ."""
    if not (isinstance(own, dict) and isinstance(other, dict)):
        return [] if own == other else [place]
    found = []
    for key in sorted(own.keys() | other.keys()):
        found += _differing(own.get(key), other.get(key), f"{place}.{key}" if place else str(key))
    return found
