"""The plain routes: /v1/predict, /v1/explain, and Paddle Serving's form of a prediction."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from residua.base.errors import SettingError
from residua.predict.results import Prediction, choose_cut, rank
from residua.serve.answering.explain import Explainer
from residua.serve.answering.pictures import Picture, Row
from residua.serve.core import Core
from residua.serve.http.bodies import (
    Asked,
    ExplainBody,
    ExplainOptions,
    Options,
    PredictBody,
    decode_base64,
    parse,
    read_request,
)
from residua.serve.http.document import (
    BINARY,
    EXPLAINED,
    PADDLE,
    PREDICTED,
    spell_body,
    spell_schema,
)
from residua.serve.models.model import Model
from residua.serve.refusals import Kind, Refusal


def _spell(options: type[Asked], body: type[Asked]) -> dict[str, Any]:
    """Return what a route takes, for the OpenAPI document."""
    said = spell_schema(options)["properties"]
    form = {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}}
    content = {
        "image/*": BINARY,
        "application/octet-stream": BINARY,
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": spell_schema(body)},
    }
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": [
            {"name": name, "in": "query", "schema": schema} for name, schema in said.items()
        ],
    }


def make_routes(core: Core) -> APIRouter:
    """Return the routes of the plain protocol."""
    router = APIRouter(tags=["predict"])
    explainer = Explainer(core.answerer)

    @router.put("/v1/predict", include_in_schema=False)  # what curl -T sends
    @router.post("/v1/predict", openapi_extra=_spell(Options, PredictBody), responses=PREDICTED)
    async def predict(request: Request) -> JSONResponse:
        """Classes of pictures: a picture as the body, a form of several, or JSON with base64.

        The answer holds a record for each picture, in order; one that could not be used has the
        reason. A request of one picture that could not be used has the status of that reason.
        """
        pictures, options = await read_request(request, core.settings.max_images, Options)
        with core.repository.use(options.model, options.version) as model:
            rows = await core.answerer.answer(model, pictures, options.timeout)
            records = [
                describe(model, picture, row, options)
                for picture, row in zip(pictures, rows, strict=True)
            ]
        bad = rows[0] if len(rows) == 1 and isinstance(rows[0], Refusal) else None
        answer = {"model": model.name, "version": model.version, "predictions": records}
        return JSONResponse(answer, bad.kind.http if bad else 200)

    @router.put("/v1/explain", include_in_schema=False)
    @router.post(
        "/v1/explain", openapi_extra=_spell(ExplainOptions, ExplainBody), responses=EXPLAINED
    )
    async def explain(request: Request) -> JSONResponse:
        """Where in the picture the evidence for class_id lies; for the best one, if none is named.

        ``map`` holds rows from top to bottom; its mean plus ``bias`` is the class's logit. It lies
        over ``box``, the part of the picture that the network sees: left, top, width, height in
        shares of the upright picture.
        """
        pictures, options = await read_request(request, 1, ExplainOptions)
        if len(pictures) != 1:
            raise Refusal(Kind.INVALID, "One picture is explained at a time.")
        with core.repository.use(options.model, options.version) as model:
            found = await explainer.explain(model, pictures[0], options.class_id, options.timeout)
        return JSONResponse(found)

    return router


def make_paddle_route(core: Core) -> APIRouter:
    """Return the route that takes /NAME/prediction: after all others, which it would hide."""
    router = APIRouter(tags=["Paddle Serving"])

    @router.post("/{name}/prediction", responses=PADDLE, openapi_extra=spell_body(_Paddle))
    async def paddle(name: str, request: Request) -> JSONResponse:
        """A prediction as Paddle Serving's clients ask for it: {"key": ["image"], "value": […]}."""
        try:
            texts = await parse(await request.body(), _read_paddle)
            pictures = [
                Picture(f"value[{index}]", decode_base64(text, f"value[{index}]"))
                for index, text in enumerate(texts)
            ]
            with core.repository.use(name) as model:
                rows = await core.answerer.answer(model, pictures)
        except Refusal as refusal:
            return JSONResponse(_spell_paddle(8, str(refusal)), refusal.kind.http)
        if bad := [row for row in rows if isinstance(row, Refusal)]:
            return JSONResponse(_spell_paddle(8, str(bad[0])), bad[0].kind.http)
        good = [row for row in rows if not isinstance(row, Refusal)]
        names = [model.manifest.classes.names[int(row.argmax())] for row in good]
        scores = [float(row.max()) for row in good]
        return JSONResponse(_spell_paddle(0, "", ["label", "prob"], [str(names), str(scores)]))

    return router


def describe(model: Model, picture: Picture, row: Row, options: Options) -> dict[str, Any]:
    """Return the record of one picture: its classes, or why there are none. Raises Refusal."""
    if isinstance(row, Refusal):
        return Prediction(picture.name, error=str(row), reason=row.kind.reason).to_dict()
    try:
        top_k, threshold = choose_cut(model.manifest, options.top_k, options.threshold)
    except SettingError as error:
        raise Refusal(Kind.INVALID, str(error)) from error
    classes = model.manifest.classes
    return rank(row, classes, filename=picture.name, top_k=top_k, threshold=threshold).to_dict()


class _Paddle(BaseModel):
    key: list[str]
    value: list[str]


def _read_paddle(body: bytes) -> list[str]:
    try:
        said = _Paddle.model_validate_json(body)
    except ValidationError:
        said = _Paddle(key=[], value=[])
    if len(said.key) != len(said.value) or set(said.key) != {"image"}:
        raise Refusal(
            Kind.INVALID, 'The body must be {"key": ["image"], "value": [base64 of a picture]}.'
        )
    return said.value


def _spell_paddle(
    number: int, message: str, keys: list[str] | None = None, values: list[str] | None = None
) -> dict[str, Any]:
    return {
        "err_no": number, "err_msg": message, "key": keys or [], "value": values or [],
        "tensors": [],
    }  # fmt: skip
