"""The open protocol over HTTP."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError

from residua.base.errors import ResiduaError
from residua.serve.core import Core
from residua.serve.http.bodies import parse, spell
from residua.serve.http.document import spell_body, spell_body_with_tail
from residua.serve.protocol.inference import describe_model, describe_server, infer, list_models
from residua.serve.protocol.json_form import InferBody, read_question, write_answer
from residua.serve.refusals import Kind, Refusal

_LENGTH = "Inference-Header-Content-Length"
_INFER = spell_body_with_tail(InferBody, _LENGTH)


class _IndexBody(BaseModel):
    ready: bool = False


def make_routes(core: Core) -> APIRouter:
    """Return the routes below /v2."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    _add_health(router, core)
    _add_models(router, core)
    _add_repository(router, core)
    return router


def _add_health(router: APIRouter, core: Core) -> None:
    @router.head("/health/live", include_in_schema=False)
    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        """Whether the process answers."""
        return {"live": True}

    @router.head("/health/ready", include_in_schema=False)
    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        """Whether requests should be sent here: all models are loaded, and it is not stopping."""
        return JSONResponse({"ready": core.ready, "live": True}, 200 if core.ready else 503)

    @router.get("")
    async def server() -> dict[str, Any]:
        """Name, version and extensions of the server."""
        return describe_server()


def _add_models(router: APIRouter, core: Core) -> None:
    @router.get("/models")
    async def models() -> dict[str, list[str]]:
        """The names of the models."""
        return {"models": list(dict.fromkeys(p.name for p in core.repository.list_places()))}

    @router.get("/models/{name}")
    @router.get("/models/{name}/versions/{version}")
    async def metadata(name: str, version: str = "") -> dict[str, Any]:
        """Inputs and outputs of a model."""
        return describe_model(core, core.repository.find(name, version))

    @router.get("/models/{name}/ready")
    @router.get("/models/{name}/versions/{version}/ready")
    async def model_ready(name: str, version: str = "") -> JSONResponse:
        """Whether a model can answer."""
        ready = core.repository.find(name, version).model is not None
        return JSONResponse({"name": name, "ready": ready}, 200 if ready else 503)

    @router.post("/models/{name}/infer", openapi_extra=_INFER)
    @router.post("/models/{name}/versions/{version}/infer", openapi_extra=_INFER)
    async def model_infer(request: Request, name: str, version: str = "") -> Response:
        """Probabilities, or with the parameter classification the best classes."""
        place = core.repository.find(name, version)
        question = await parse(
            await request.body(), read_question, request.headers.get(_LENGTH),
            core.settings.max_body,
        )  # fmt: skip
        answer = await infer(core, place, question)
        body, length = write_answer(answer, question.outputs)
        if length is None:
            return Response(body, media_type="application/json")
        return Response(body, media_type="application/octet-stream", headers={_LENGTH: str(length)})


def _add_repository(router: APIRouter, core: Core) -> None:
    @router.post("/repository/index", openapi_extra=spell_body(_IndexBody))
    async def index(request: Request) -> list[dict[str, str]]:
        """All models with their state."""
        try:
            said = _IndexBody.model_validate_json(await request.body() or b"{}")
        except ValidationError as error:
            raise Refusal(Kind.INVALID, spell(error)) from error
        return list_models(core, ready_only=said.ready)

    @router.post("/repository/models/{name}/load")
    async def load(name: str) -> dict[str, Any]:
        """Load every version of a model anew, beside the old one, and swap. Needs an admin token.

        Where that fails the old one serves on, and the answer says why.
        """
        done = []
        for version in core.repository.versions(core.repository.find(name).name):
            place = core.repository.find(name, version)
            try:
                await core.repository.load(place)
            except (ResiduaError, OSError) as error:
                kept = "The old one serves on." if place.model else "Nothing serves."
                raise Refusal(
                    Kind.INVALID, f"{name} version {version} was not loaded. {kept} {error}"
                ) from error
            done.append({"version": version, "sha256": place.model.sha256 if place.model else ""})
        return {"name": name, "loaded": done}

    @router.post("/repository/models/{name}/unload")
    async def unload(name: str) -> dict[str, str]:
        """Take a model out; what is under way is still answered. Needs an admin token."""
        for version in core.repository.versions(core.repository.find(name).name):
            await core.repository.unload(core.repository.find(name, version))
        return {"name": name}
