"""One replica: the application of ``residua serve``, with its own house, batcher and limits."""

from typing import Any

from starlette.types import ASGIApp

from residua.cluster.serve.bundles import fetch
from residua.serve.app import make_app
from residua.serve.core import make_core
from residua.serve.memory import give_back_memory
from residua.serve.models.repository import read_places
from residua.serve.settings import Settings


class Replica:
    """Ray Serve makes one in each of its actors, and asks whether it is well."""

    async def __init__(self, models: list[str], settings: Settings) -> None:  # type: ignore[misc]
        """Load ``models``, spelled as for the command, by paths that every machine has, or URLs.

        Ray Serve awaits it: before it has ended no request comes.
        """
        give_back_memory()
        self._core = make_core(read_places([fetch(model) for model in models]), settings)
        await self._core.repository.load_all()

    def __serve_build_asgi_app__(self) -> ASGIApp:  # Ray Serve's name for it
        """Return the application."""
        return make_app(self._core)

    def check_health(self) -> None:
        """Raise where it is not ready: Ray Serve puts another in its place."""
        if not self._core.ready:
            raise RuntimeError("not ready")


def make_deployment(**options: Any) -> Any:
    """Return the deployment, not bound to models yet."""
    from ray import serve

    return serve.deployment(**options)(serve.ingress()(Replica))
