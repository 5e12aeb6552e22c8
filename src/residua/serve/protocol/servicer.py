"""The open protocol over gRPC.

Each method takes one message and returns one, but is handled as if a stream came in: so a call is
refused (its token, its rate, a full house) before its message is read. gRPC reads a message whole
before it can be counted, therefore only so many are read at a time.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError

from residua.base.errors import ResiduaError
from residua.serve.core import Core, let_in
from residua.serve.protocol.inference import (
    describe_model,
    describe_server,
    infer,
    list_models,
    read_timeout,
)
from residua.serve.protocol.messages import METHODS, SERVICE, message_class
from residua.serve.protocol.tensors import (
    Question,
    Tensor,
    Wanted,
    count_elements,
    find_datatype,
    from_raw,
    to_raw,
)
from residua.serve.refusals import Kind, Refusal

_OPEN = ("ServerLive", "ServerReady")
_ADMIN = ("RepositoryModelLoad", "RepositoryModelUnload")
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents",
    "INT32": "int_contents", "INT64": "int64_contents", "UINT8": "uint_contents",
    "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip
_LOG = logging.getLogger("residua.serve")
_ACCESS = logging.getLogger("residua.access")
_LARGE = ("ModelInfer",)  # messages that may be; those of others wait for none
_READING = 64  # large messages that are read at a time
Context = Any  # grpc.aio.ServicerContext: gRPC ships no types


class Servicer:
    """Answers the methods of the service; each takes a message and returns one."""

    def __init__(self, core: Core) -> None:
        """Everything is asked of ``core``."""
        self._core = core
        self._answer = {name: message_class(f"{name}Response") for name in METHODS}
        self._reading = asyncio.Semaphore(_READING)

    def make_handler(self) -> Any:
        """Return what a gRPC server is given."""
        handlers = {
            name: grpc.stream_unary_rpc_method_handler(
                self._guard(name, getattr(self, _snake(name))),
                response_serializer=lambda message: message.SerializeToString(),
            )
            for name in METHODS
        }
        return grpc.method_handlers_generic_handler(SERVICE, handlers)

    def _guard(
        self, name: str, method: Callable[[Any, Context], Awaitable[Any]]
    ) -> Callable[[AsyncIterator[bytes], Context], Awaitable[Any]]:
        """Check token and rate, read the message, count, and spell refusals as gRPC does."""
        core, parse = self._core, message_class(f"{name}Request").FromString

        async def call(messages: AsyncIterator[bytes], context: Context) -> Any:
            begun, code = time.perf_counter(), "OK"
            try:
                self._let_in(name, context)
                with core.house.admit_bytes() as luggage:
                    luggage.grow(1)  # a full house reads nothing more
                    message = await self._read(messages, name)
                    luggage.grow(len(message))
                    return await method(parse(message), context)
            except (Refusal, DecodeError) as error:
                refusal = error if isinstance(error, Refusal) else _spell_unreadable(name)
                code = refusal.kind.grpc
                core.metrics.rejected.labels(refusal.kind.reason).inc()
                await _abort(context, refusal)
            except asyncio.CancelledError:
                code = "CANCELLED"
                core.metrics.rejected.labels(Kind.LEFT.reason).inc()
                raise
            except grpc.aio.AbortError:
                raise
            except Exception:  # noqa: BLE001  # ours; its text is not for clients
                _LOG.exception("%s failed", name)
                failed = Refusal(Kind.INTERNAL, "The server failed on this request.")
                code = failed.kind.grpc
                core.metrics.rejected.labels(failed.kind.reason).inc()
                await _abort(context, failed)
            finally:
                self._note(name, code, time.perf_counter() - begun, context)

        return call

    def _note(self, name: str, code: str, seconds: float, context: Context) -> None:
        metrics = self._core.metrics
        metrics.requests.labels("grpc", name, code).inc()
        metrics.seconds.labels("grpc", name).observe(seconds)
        client = _name_peer(context)
        _ACCESS.info(
            "%s %s", name, code,
            extra={"client": client, "status": code, "milliseconds": round(1000 * seconds, 1)},
        )  # fmt: skip

    def _let_in(self, name: str, context: Context) -> None:
        """Raise Refusal where the token is wrong or the client asks too often."""
        if name in _OPEN:
            return
        said = str(dict(context.invocation_metadata() or ()).get("authorization", "")).encode()
        let_in(said, _name_peer(context), self._core, admin=name in _ADMIN)

    async def _read(self, messages: AsyncIterator[bytes], name: str) -> bytes:
        """Return the one message of a call. Raises Refusal."""
        seconds = self._core.settings.body_timeout
        turn = self._reading if name in _LARGE else contextlib.nullcontext()
        try:
            async with asyncio.timeout(seconds), turn:
                return await anext(messages)
        except TimeoutError:
            raise Refusal(Kind.SLOW_BODY, f"The message took more than {seconds:g} s.") from None
        except StopAsyncIteration:
            raise Refusal(Kind.INVALID, "The call has no message.") from None

    async def server_live(self, _: Any, __: Context) -> Any:
        """Whether the process answers."""
        return self._answer["ServerLive"](live=True)

    async def server_ready(self, _: Any, __: Context) -> Any:
        """Whether requests should be sent here."""
        return self._answer["ServerReady"](ready=self._core.ready)

    async def model_ready(self, request: Any, _: Context) -> Any:
        """Whether a model can answer."""
        place = self._core.repository.find(request.name, request.version)
        return self._answer["ModelReady"](ready=place.model is not None)

    async def server_metadata(self, _: Any, __: Context) -> Any:
        """Name, version and extensions of the server."""
        return self._answer["ServerMetadata"](**describe_server())

    async def model_metadata(self, request: Any, _: Context) -> Any:
        """Inputs and outputs of a model."""
        place = self._core.repository.find(request.name, request.version)
        return self._answer["ModelMetadata"](**describe_model(self._core, place))

    async def model_infer(self, request: Any, context: Context) -> Any:
        """Probabilities, or with the parameter classification the best classes."""
        place = self._core.repository.find(request.model_name, request.model_version)
        question = read_question(request, context, self._core)
        answer = await infer(self._core, place, question)
        message = self._answer["ModelInfer"](
            model_name=answer.model, model_version=answer.version, id=answer.id
        )
        for tensor in answer.outputs:
            message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
            message.raw_output_contents.append(to_raw(tensor))
        return message

    async def repository_index(self, request: Any, _: Context) -> Any:
        """All models with their state."""
        return self._answer["RepositoryIndex"](
            models=list_models(self._core, ready_only=request.ready)
        )

    async def repository_model_load(self, request: Any, _: Context) -> Any:
        """Load every version of a model anew, and swap."""
        repository = self._core.repository
        for version in repository.versions(repository.find(request.model_name).name):
            try:
                await repository.load(repository.find(request.model_name, version))
            except (ResiduaError, OSError) as error:
                raise Refusal(Kind.INVALID, f"Not loaded: {error}") from error
        return self._answer["RepositoryModelLoad"]()

    async def repository_model_unload(self, request: Any, _: Context) -> Any:
        """Take a model out."""
        repository = self._core.repository
        for version in repository.versions(repository.find(request.model_name).name):
            await repository.unload(repository.find(request.model_name, version))
        return self._answer["RepositoryModelUnload"]()


def _name_peer(context: Context) -> str:
    """Return the address of a client: "ipv4:127.0.0.1:5000" → "127.0.0.1"."""
    return str(context.peer()).partition(":")[2].rpartition(":")[0]


def _spell_unreadable(name: str) -> Refusal:
    return Refusal(Kind.INVALID, f"The message is no {name}Request.")


async def _abort(context: Context, refusal: Refusal) -> None:
    """End a call with the status of a refusal, and when it is worth another try."""
    if refusal.retry_after is not None:
        pushback = str(1000 * refusal.retry_after)
        context.set_trailing_metadata((("grpc-retry-pushback-ms", pushback),))
    await context.abort(getattr(grpc.StatusCode, refusal.kind.grpc), str(refusal))


def read_question(request: Any, context: Context, core: Core) -> Question:
    """Return the question of a ModelInferRequest. Raises Refusal."""
    most, raw = core.settings.max_body, request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise Refusal(
            Kind.INVALID, f"{len(raw)} raw_input_contents for {len(request.inputs)} inputs."
        )
    inputs = tuple(
        from_raw(each.name, each.datatype, tuple(each.shape), raw[place], most)
        if raw
        else _read_contents(each, most)
        for place, each in enumerate(request.inputs)
    )
    outputs = tuple(
        Wanted(each.name, max(0, each.parameters["classification"].int64_param))
        if "classification" in each.parameters
        else Wanted(each.name)
        for each in request.outputs
    )
    timeout = read_timeout(_read_parameter(request.parameters, "timeout"))
    left = context.time_remaining()
    if left is not None and (timeout is None or left < timeout):
        timeout = min(max(left, 1e-3), core.settings.longest_timeout)
    return Question(inputs, outputs, request.id, timeout)


def _read_parameter(parameters: Any, name: str) -> Any:
    """Return a parameter, of whatever kind it is; None: not said."""
    if name not in parameters:
        return None
    said = parameters[name]
    kind = said.WhichOneof("parameter_choice")
    return getattr(said, kind) if kind else None


def _read_contents(tensor: Any, most: int) -> Tensor:
    """Return a tensor whose numbers stand in ``contents``. Raises Refusal."""
    shape, contents = tuple(tensor.shape), tensor.contents
    count = count_elements(tensor.name, shape, most)
    if tensor.datatype == "BYTES":
        values: Any = list(contents.bytes_contents)
    else:
        find_datatype(tensor.name, tensor.datatype)
        values = getattr(contents, _CONTENTS.get(tensor.datatype, ""), ())
    if len(values) != count:
        raise Refusal(
            Kind.INVALID,
            f"{tensor.name}: {len(values)} values where {tensor.datatype} {list(shape)} has "
            f"{count}.",
        )
    if tensor.datatype == "BYTES":
        return Tensor(tensor.name, "BYTES", shape, values)
    kind = find_datatype(tensor.name, tensor.datatype)
    given = np.array(values)
    if kind.kind in "iu" and given.size:
        bounds = np.iinfo(kind)
        if given.min() < bounds.min or given.max() > bounds.max:
            raise Refusal(Kind.INVALID, f"{tensor.name}: a value is no {tensor.datatype}.")
    return Tensor(tensor.name, tensor.datatype, shape, given.astype(kind).reshape(shape))


def _snake(name: str) -> str:
    """ModelReady → model_ready."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]
