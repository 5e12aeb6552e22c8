"""The plain routes: /v1/predict, /v1/explain, and Paddle Serving's form of a prediction."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from residua.base.errors import SettingError
from residua.predict.results import Prediction, choose_cut, rank
from residua.serve.bodies import ExplainOptions, Options, PredictBody, decode_base64, read_request
from residua.serve.core import Core
from residua.serve.explain import Explainer
from residua.serve.model import Model
from residua.serve.pictures import Picture, Row
from residua.serve.refusals import Kind, Refusal

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODIES = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": _BINARY,
            "application/octet-stream": _BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "format": "binary"},
                }
            },
            "application/json": {"schema": PredictBody.model_json_schema()},
        },
    },
    "parameters": [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in Options.model_json_schema()["properties"].items()
    ],
}


def make_routes(core: Core) -> APIRouter:
    """Return the routes of the plain protocol."""
    router = APIRouter(tags=["predict"])
    _add_predict(router, core)
    _add_paddle(router, core)
    return router


def _add_predict(router: APIRouter, core: Core) -> None:
    explainer = Explainer(core.answerer)

    @router.post("/v1/predict", openapi_extra=_BODIES)
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

    @router.post("/v1/explain", openapi_extra=_BODIES)
    async def explain(request: Request) -> JSONResponse:
        """Where in the picture the evidence for class_id lies; for the best one, if none is named.

        ``map`` holds rows from top to bottom; its mean plus ``bias`` is the class's logit. It lies
        over ``box``, the part of the picture that the network sees: left, top, width, height in
        shares of the upright picture.
        """
        pictures, options = await read_request(request, 1, ExplainOptions)
        with core.repository.use(options.model, options.version) as model:
            found = await explainer.explain(model, pictures[0], options.class_id, options.timeout)
        return JSONResponse(found)


def _add_paddle(router: APIRouter, core: Core) -> None:
    @router.post("/{name}/prediction", tags=["Paddle Serving"])
    async def paddle(name: str, request: Request) -> JSONResponse:
        """A prediction as Paddle Serving's clients ask for it: {"key": ["image"], "value": […]}."""
        try:
            texts = _read_paddle(await request.json())
            pictures = [
                Picture(f"value[{index}]", decode_base64(text, f"value[{index}]"))
                for index, text in enumerate(texts)
            ]
            with core.repository.use(name) as model:
                rows = await core.answerer.answer(model, pictures)
        except (Refusal, ValueError) as error:
            http = error.kind.http if isinstance(error, Refusal) else 400
            return JSONResponse(_spell_paddle(8, str(error)), http)
        if bad := [row for row in rows if isinstance(row, Refusal)]:
            return JSONResponse(_spell_paddle(8, str(bad[0])), bad[0].kind.http)
        good = [row for row in rows if not isinstance(row, Refusal)]
        names = [model.manifest.classes.names[int(row.argmax())] for row in good]
        scores = [float(row.max()) for row in good]
        return JSONResponse(_spell_paddle(0, "", ["label", "prob"], [str(names), str(scores)]))


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


def _read_paddle(body: Any) -> list[str]:
    if isinstance(body, dict) and isinstance(body.get("value"), list):
        keys, values = body.get("key"), body["value"]
        if isinstance(keys, list) and len(keys) == len(values) and set(keys) == {"image"}:
            return [str(value) for value in values]
    raise ValueError('The body must be {"key": ["image"], "value": [base64 of a picture]}.')


def _spell_paddle(
    number: int, message: str, keys: list[str] | None = None, values: list[str] | None = None
) -> dict[str, Any]:
    return {
        "err_no": number, "err_msg": message, "key": keys or [], "value": values or [],
        "tensors": [],
    }  # fmt: skip
