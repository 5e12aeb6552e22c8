"""The models that are served: loaded beside the old ones, swapped, drained, never half there."""

import asyncio
import gc
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from residua.base.errors import ResiduaError, SettingError
from residua.serve.metrics import Metrics
from residua.serve.models.model import Model, Opened, make_model, open_model, signature
from residua.serve.refusals import Kind, Refusal
from residua.serve.settings import Settings

_LOG = logging.getLogger("residua.serve")
_NAME = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,64}")
_WATCH_SECONDS = 1.0
State = Literal["LOADING", "READY", "UNAVAILABLE"]


@dataclass(eq=False)
class Place:
    """Where one version of a model comes from, and how it stands."""

    name: str
    version: str
    source: str
    model: Model | None = None
    state: State = "LOADING"
    reason: str = ""
    unloaded: bool = False
    seen: tuple[int, ...] | None = None
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)


def read_places(given: Sequence[str]) -> list[Place]:
    """Return the models that ``given`` spells: SOURCE, NAME=SOURCE or NAME:VERSION=SOURCE.

    Without a name it is that of the bundle; versions of one name count from 1. Raises SettingError.
    """
    places: list[Place] = []
    for text in given:
        name, equals, source = text.partition("=")
        if not equals:
            name, source = Path(text).name.removesuffix(".bundle"), text
        name, _, version = name.partition(":")
        taken = [each.version for each in places if each.name == name]
        version = version or str(1 + max((int(v) for v in taken if v.isdigit()), default=0))
        for part in (name, version):
            if not _NAME.fullmatch(part):
                raise SettingError(
                    f"{part!r} cannot be the name or version of a model that is served.",
                    next_step="Letters, digits, '.', '_' and '-' only: residua serve flowers=PATH",
                )
        if version in taken:
            raise SettingError(f"Version {version} of {name} was given twice.")
        places.append(Place(name, version, source))
    if not places:
        raise SettingError("Nothing to serve was given.", next_step="residua serve flowers.bundle")
    return places


class Repository:
    """The models by name and version. Belongs to one event loop."""

    def __init__(self, places: Sequence[Place], settings: Settings, metrics: Metrics) -> None:
        """Nothing is loaded yet."""
        self._places = {(place.name, place.version): place for place in places}
        self._settings = settings
        self._metrics = metrics
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether every model can answer but those that were taken out."""
        return all(place.model or place.unloaded for place in self._places.values())

    def list_places(self) -> list[Place]:
        """Return all models in the order in which they were given, the default version first."""
        names = dict.fromkeys(name for name, _ in self._places)
        return [self._places[name, each] for name in names for each in self.versions(name)]

    def versions(self, name: str) -> list[str]:
        """Return the versions of a model, the one that answers by default first."""
        found = [version for each, version in self._places if each == name]
        return sorted(found, key=lambda v: (v.isdigit(), int(v) if v.isdigit() else 0, v))[::-1]

    def find(self, name: str = "", version: str = "") -> Place:
        """Return a model; without a name the only one, without a version the highest.

        Raises Refusal where there is none.
        """
        names = list(dict.fromkeys(each for each, _ in self._places))
        if not name and len(names) == 1:
            [name] = names
        if name not in names:
            what = f"There is no model {name[:64]!r}" if name else "Several models are served"
            raise Refusal(
                Kind.UNKNOWN if name else Kind.INVALID, f"{what}; name one of: {', '.join(names)}."
            )
        known = self.versions(name)
        place = self._places.get((name, version or known[0]))
        if place is None:
            raise Refusal(
                Kind.UNKNOWN, f"{name} has no version {version[:64]!r}; it has {', '.join(known)}."
            )
        return place

    @contextmanager
    def use(self, name: str = "", version: str = "") -> Iterator[Model]:
        """Hold a model while a request is answered. Raises Refusal where it cannot answer."""
        place = self.find(name, version)
        model = place.model
        if model is None:
            raise Refusal(
                Kind.UNAVAILABLE, f"{place.name} is not ready: {place.reason or 'it is loading'}.",
                retry_after=2,
            )  # fmt: skip
        model.users += 1
        try:
            yield model
        finally:
            model.users -= 1
            if not model.users:
                model.idle.set()

    async def load_all(self) -> None:
        """Load every model; raises what the first failure raised."""
        for place in self._places.values():
            await self.load(place)

    async def load(self, place: Place) -> None:
        """Load a model anew beside the old one, which answers until the new one is warm.

        Where that fails the old one stays, and ``place.reason`` says why. Raises ResiduaError.
        """
        async with place.loading:
            place.seen = signature(place.source)
            try:
                opened: Opened = await asyncio.to_thread(open_model, place.source, self._settings)
            except (ResiduaError, OSError) as error:
                place.reason = str(error).replace("\n", " ")
                place.state = "READY" if place.model else "UNAVAILABLE"
                _LOG.error("model %s version %s: %s", place.name, place.version, place.reason)
                raise
            old, place.model = place.model, make_model(
                place.name, place.version, opened, self._settings, self._metrics
            )  # fmt: skip
            place.state, place.reason, place.unloaded = "READY", "", False
            _LOG.info(
                "model %s version %s: %s, ready after %.1f s",
                place.name, place.version, opened.engine.name, opened.seconds,
            )  # fmt: skip
        if old is not None:
            self._retire(old)
            old.forget(self._metrics)
        place.model.tell(self._metrics)

    async def unload(self, place: Place) -> None:
        """Take a model out; requests under way are still answered."""
        async with place.loading:
            model, place.model = place.model, None
            place.state, place.reason, place.unloaded = "UNAVAILABLE", "it was unloaded", True
        if model is not None:
            self._retire(model)
            model.forget(self._metrics)

    def _retire(self, model: Model) -> None:
        task = asyncio.get_running_loop().create_task(model.retire())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        task.add_done_callback(lambda _: gc.collect())  # an engine may hang in a cycle with errors

    async def watch(self) -> None:
        """Load bundles again whenever they have been written anew, until cancelled."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for place in self._places.values():
                now = signature(place.source)
                if place.model is None or now is None or now == place.seen:
                    continue
                _LOG.info("model %s version %s has changed", place.name, place.version)
                try:
                    await self.load(place)
                except (ResiduaError, OSError):
                    continue  # logged, and the old one serves on
                except Exception:  # noqa: BLE001  # a runtime's own: the watch goes on
                    _LOG.exception("model %s version %s", place.name, place.version)

    async def close(self) -> None:
        """Wait until nothing is under way."""
        for place in self._places.values():
            await self.unload(place)
        if self._retiring:
            await asyncio.wait(self._retiring)


@asynccontextmanager
async def watching(repository: Repository) -> AsyncIterator[None]:
    """Watch the bundles as long as the context lasts."""
    task = asyncio.create_task(repository.watch())
    try:
        yield
    finally:
        task.cancel()
