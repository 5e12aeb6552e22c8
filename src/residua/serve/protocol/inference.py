"""What the open protocol's questions mean here: pictures in, probabilities or labels out."""

from typing import Any

import numpy as np

from residua.base.version import __version__
from residua.serve.answering.pictures import Picture
from residua.serve.core import Core
from residua.serve.models.model import Model
from residua.serve.models.repository import Place
from residua.serve.protocol.tensors import Answer, Question, Tensor, Wanted
from residua.serve.refusals import Kind, Refusal

INPUT, OUTPUT = "image", "probabilities"
_LONGEST = 10**15  # microseconds: beyond any timeout that is allowed, and still a float
EXTENSIONS = ("classification", "binary_tensor_data", "model_repository", "encoded_pictures")


def describe_server() -> dict[str, Any]:
    """Return the server's metadata."""
    return {"name": "residua", "version": __version__, "extensions": list(EXTENSIONS)}


def describe_model(core: Core, place: Place) -> dict[str, Any]:
    """Return a model's metadata. Raises Refusal where it is not ready.

    The input takes BYTES as well: encoded pictures, [N].
    """
    with core.repository.use(place.name, place.version) as model:
        preprocess, classes = model.manifest.preprocess, model.manifest.classes
    side = preprocess.crop_size
    return {
        "name": place.name,
        "versions": core.repository.versions(place.name),
        "platform": f"residua_{model.engine.name.split()[0]}",
        "inputs": [
            {"name": INPUT, "datatype": "UINT8", "shape": [-1, side, side, preprocess.channels]}
        ],
        "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [-1, len(classes)]}],
    }


async def infer(core: Core, place: Place, question: Question) -> Answer:
    """Answer a question. Raises Refusal; one bad picture refuses the whole."""
    wanted = question.outputs or (Wanted(OUTPUT),)
    if len(wanted) > 1:  # each is as large as the others: a few bytes could ask for gigabytes
        raise Refusal(Kind.INVALID, f"{len(wanted)} outputs; there is one, {OUTPUT}.")
    for each in wanted:
        if each.name != OUTPUT:
            raise Refusal(Kind.INVALID, f"There is no output {each.name[:64]!r}, only {OUTPUT}.")
    with core.repository.use(place.name, place.version) as model:
        pictures = read_pictures(question, model)
        rows = await core.answerer.answer(model, pictures, question.timeout)
        good: list[np.ndarray] = []
        for picture, row in zip(pictures, rows, strict=True):
            if isinstance(row, Refusal):
                said = str(row)
                text = said if picture.name in said else f"{picture.name}: {said}"
                raise Refusal(row.kind, text, retry_after=row.retry_after)
            good.append(row)
        probabilities = np.stack(good).astype(np.float32)
        outputs = tuple(spell_output(each, probabilities, model) for each in wanted)
    return Answer(model.name, model.version, outputs, question.id)


def read_pictures(question: Question, model: Model) -> list[Picture]:
    """Return the pictures of a question: encoded ones, or pixels of any size. Raises Refusal."""
    if len(question.inputs) != 1 or question.inputs[0].name != INPUT:
        names = ", ".join(each.name[:64] for each in question.inputs) or "none"
        raise Refusal(Kind.INVALID, f"The one input is {INPUT!r}; given: {names}.")
    [tensor] = question.inputs
    if isinstance(tensor.data, list):
        return [Picture(f"picture {i}", content) for i, content in enumerate(tensor.data)]
    channels, shape = model.manifest.preprocess.channels, tensor.shape
    if tensor.datatype != "UINT8" or len(shape) != 4 or shape[3] != channels:
        raise Refusal(
            Kind.INVALID,
            f"{INPUT} is {tensor.datatype} {list(shape)}; send BYTES [N] of encoded pictures, or "
            f"UINT8 [N, height, width, {channels}] of pixels in RGB, 0 to 255.",
        )
    return [Picture(f"picture {i}", pixels) for i, pixels in enumerate(tensor.data)]


def spell_output(wanted: Wanted, probabilities: np.ndarray, model: Model) -> Tensor:
    """Return the probabilities, or of each picture the best classes as "value:index:label"."""
    if not wanted.top:
        return Tensor(OUTPUT, "FP32", probabilities.shape, probabilities)
    names = model.manifest.classes.names
    top = min(wanted.top, len(names))
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    texts = [
        f"{row[index]:f}:{index}:{names[index]}".encode()
        for row, best in zip(probabilities, order, strict=True)
        for index in best
    ]
    return Tensor(OUTPUT, "BYTES", (len(probabilities), top), texts)


def read_timeout(microseconds: Any) -> float | None:
    """Return the seconds of a request's parameter ``timeout``. Raises Refusal."""
    if microseconds is None or microseconds == 0:
        return None
    if isinstance(microseconds, bool) or not isinstance(microseconds, int) or microseconds < 0:
        raise Refusal(Kind.INVALID, "The parameter timeout is a whole number of microseconds.")
    return min(microseconds, _LONGEST) / 1e6


def list_models(core: Core, *, ready_only: bool = False) -> list[dict[str, str]]:
    """Return the index of the repository."""
    return [
        {"name": each.name, "version": each.version, "state": each.state, "reason": each.reason}
        for each in core.repository.list_places()
        if each.model or not ready_only
    ]
