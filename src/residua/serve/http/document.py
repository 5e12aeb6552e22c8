"""What bodies and answers over HTTP look like, for the OpenAPI document at /openapi.json."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """One picture: its classes, best first, or ``error`` and ``reason``."""

    model_config = ConfigDict(extra="forbid")

    filename: str
    class_ids: list[int] = []
    scores: list[float] = []
    label_names: list[str] = []
    error: str = ""
    reason: str = ""


class PredictAnswer(BaseModel):
    """A record for each picture, in order."""

    model_config = ConfigDict(extra="forbid")

    model: str
    version: str
    predictions: list[Record]


class ExplainAnswer(BaseModel):
    """A class activation map."""

    model: str
    version: str
    class_id: int
    label_name: str
    score: float
    map: list[list[float]] = Field(description="Rows from top to bottom.")
    bias: float = Field(description="What the mean of the map lacks of the class's logit.")
    box: list[float] = Field(
        description="Left, top, width, height of the map in shares of the upright picture."
    )


class PaddleAnswer(BaseModel):
    """What Paddle Serving answers."""

    err_no: int
    err_msg: str
    key: list[str]
    value: list[str]
    tensors: list[Any]


class Refused(BaseModel):
    """Why a request was not answered. Below /v2 there is ``error`` alone."""

    error: str
    reason: str = ""


_RETRY = {"description": "Seconds", "schema": {"type": "integer"}}
REFUSED: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Refused, "description": "The request cannot be answered."},
    429: {
        "model": Refused,
        "description": "More than the server lets in.",
        "headers": {"Retry-After": _RETRY},
    },
    503: {"model": Refused, "description": "Not ready."},
    504: {"model": Refused, "description": "The deadline has passed."},
}
# A request of one picture that cannot be used has the status of its reason.
PREDICTED: dict[int | str, dict[str, Any]] = {
    200: {"model": PredictAnswer, "description": "Classes."},
    "4XX": {"model": Refused | PredictAnswer, "description": "The picture cannot be used."},
}
EXPLAINED: dict[int | str, dict[str, Any]] = {
    200: {"model": ExplainAnswer, "description": "A map."},
}
PADDLE: dict[int | str, dict[str, Any]] = {
    200: {"model": PaddleAnswer, "description": "Labels."},
    "4XX": {"model": Refused | PaddleAnswer, "description": "The picture cannot be used."},
    503: {"model": Refused | PaddleAnswer, "description": "Not ready."},
    504: {"model": Refused | PaddleAnswer, "description": "The deadline has passed."},
}


def spell_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of ``model`` with nothing left to look up elsewhere."""
    schema = model.model_json_schema()
    defined = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, list):
            return [resolve(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolve(defined[part["$ref"].rpartition("/")[2]])
        return {key: resolve(value) for key, value in part.items()}

    resolved: dict[str, Any] = resolve(schema)
    return resolved


BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


def spell_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return what FastAPI is told of a route that takes ``model`` as JSON."""
    return {"requestBody": {"content": {"application/json": {"schema": spell_schema(model)}}}}


def spell_body_with_tail(model: type[BaseModel], header: str) -> dict[str, Any]:
    """Return the same of a route that takes bytes as well, ``header`` saying how many are JSON."""
    said = spell_body(model)
    said["requestBody"]["content"]["application/octet-stream"] = BINARY
    what = "Bytes of JSON before the tensors; 0: the whole body is one encoded picture."
    schema = {"type": "integer", "minimum": 0}
    said["parameters"] = [{"name": header, "in": "header", "description": what, "schema": schema}]
    return said
