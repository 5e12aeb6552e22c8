"""What a request to /v1/predict may hold: an encoded picture as it is, a form, or JSON."""

import asyncio
import base64
import binascii
import sys
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from residua.serve.answering.pictures import Picture
from residua.serve.refusals import Kind, Refusal

_LARGE = 200_000  # bytes of JSON that are parsed in a thread, so that others are held up less


class Asked(BaseModel):
    """Of which model, and how soon: said in the address, or in a form or JSON, which come first."""

    model_config = ConfigDict(extra="forbid")

    model: str = ""
    version: str = ""
    timeout: Annotated[float | None, Field(gt=0)] = None


class Options(Asked):
    """Those of /v1/predict."""

    top_k: Annotated[int | None, Field(ge=1)] = None
    threshold: Annotated[float | None, Field(ge=0, le=1)] = None


class ExplainOptions(Asked):
    """Those of /v1/explain."""

    class_id: int | None = None


class Encoded(BaseModel):
    """One picture: base64 of a file (a data: address too), or an https address."""

    model_config = ConfigDict(extra="forbid")

    b64: str | None = None
    url: str | None = None
    name: str = ""


Wanted = TypeVar("Wanted", bound=Asked)
Parsed = TypeVar("Parsed")


class PredictBody(Options):
    """The JSON body of /v1/predict."""

    images: list[Encoded | str]


class ExplainBody(ExplainOptions):
    """The JSON body of /v1/explain."""

    images: Annotated[list[Encoded | str], Field(min_length=1, max_length=1)]


_JSON: dict[type[Asked], type[PredictBody | ExplainBody]] = {
    Options: PredictBody,
    ExplainOptions: ExplainBody,
}


class _InMemory(MultiPartParser):
    """Uploads never touch the disk: their size is bounded before they come here."""

    spool_max_size = sys.maxsize


async def read_request(
    request: Request, max_images: int, options: type[Wanted]
) -> tuple[list[Picture], Wanted]:
    """Return the pictures of a request and how the answer is wanted. Raises Refusal."""
    given = {key: value for key, value in request.query_params.items() if value}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        pictures, said = await _read_form(request, max_images, options)
        return pictures, check(options, given | said)
    body = await request.body()
    if kind == "application/json":
        pictures, said = await parse(body, _read_json, _JSON[options])
        return pictures, check(options, given | said)
    if not body:
        raise Refusal(
            Kind.INVALID, "The request has no body: send a picture (curl -T cat.jpg ADDRESS)."
        )
    return [Picture("", body)], check(options, given)


async def parse(body: bytes, read: Callable[..., Parsed], *more: Any) -> Parsed:
    """Return ``read(body, *more)``, done in a thread where the body is large."""
    if len(body) > _LARGE:
        return await asyncio.to_thread(read, body, *more)
    return read(body, *more)


async def _read_form(
    request: Request, max_images: int, options: type[Asked]
) -> tuple[list[Picture], dict[str, Any]]:
    _refuse_cut(await request.body(), request.headers["content-type"])
    parser = _InMemory(
        request.headers, request.stream(), max_files=max_images, max_fields=20, max_part_size=4096
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        said = str(error).rstrip(".")
        kind = Kind.TOO_LARGE if said.startswith("Too many") else Kind.INVALID
        raise Refusal(kind, f"The form cannot be read: {said}.") from error
    pictures: list[Picture] = []
    fields: dict[str, Any] = {}
    for key, value in form.multi_items():
        if isinstance(value, UploadFile):
            pictures.append(Picture(value.filename or key, await value.read()))
        elif key in options.model_fields:
            fields[key] = value
        else:
            raise Refusal(
                Kind.INVALID,
                f"The part {key[:64]!r} of the form has no file name, so it is no picture, and is "
                f"none of the options {', '.join(options.model_fields)}.",
            )
    await form.close()
    return pictures, fields


def _refuse_cut(body: bytes, content_type: str) -> None:
    """Refuse a form without its end, which would lose pictures without a word."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if boundary and b"--" + boundary + b"--" not in body:
        raise Refusal(Kind.INVALID, "The form is cut short: its last boundary is missing.")


def _read_json(
    body: bytes, kind: type[PredictBody | ExplainBody]
) -> tuple[list[Picture], dict[str, Any]]:
    try:
        wanted = kind.model_validate_json(body)
    except ValidationError as error:
        raise Refusal(Kind.INVALID, spell(error)) from error
    pictures = [
        read_encoded(one if isinstance(one, Encoded) else Encoded(b64=one), f"images[{index}]")
        for index, one in enumerate(wanted.images)
    ]
    return pictures, wanted.model_dump(exclude={"images"}, exclude_unset=True)


def read_encoded(one: Encoded, place: str) -> Picture:
    """Return the picture of a record. Raises Refusal that names ``place``."""
    name = one.name or place
    if (one.b64 is None) == (one.url is None):
        raise Refusal(Kind.INVALID, f"{place} needs either b64 or url.")
    if one.url is not None:
        return Picture(name, one.url)
    return Picture(name, decode_base64(one.b64 or "", place))


def decode_base64(text: str, place: str) -> bytes:
    """Return the bytes that base64 spells, after the head of a data: address. Raises Refusal."""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    if "\n" in text:  # RFC 2045 breaks lines
        text = "".join(text.split())
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(Kind.INVALID, f"{place} is no base64: {error}.") from error


def check(kind: type[Wanted], values: dict[str, Any]) -> Wanted:
    """Return the options that ``values`` spell. Raises Refusal."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise Refusal(Kind.INVALID, spell(error)) from error


def spell(error: ValidationError) -> str:
    """Return the first complaint in a sentence."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "the body"
    return f"{place}: {first['msg']}."
