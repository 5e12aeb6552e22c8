"""Paddle's inference archives read: an exported program, its tensors, and what lies beside them."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from residua.base.errors import WeightsError
from residua.zoo.weights.files.inference_files import TEXT_LIMIT, Archive, Member
from residua.zoo.weights.files.lodtensor import read_records
from residua.zoo.weights.program.desc import read_program_desc
from residua.zoo.weights.program.pir import read_program_json
from residua.zoo.weights.program.protobuf import RecordError
from residua.zoo.weights.program.record import Program, ProgramError

# Bytes; a program of ResNet200_vd has 0.5 MB as JSON.
_PROGRAM_LIMIT = 64 << 20

_FLOAT_INSTEAD = "Give the training weights (NAME_pretrained.pdparams) instead."


@dataclass(frozen=True, slots=True)
class Inference:
    """What an inference archive holds.

    ``tensors`` have the names of the program. ``settings`` is the text of the file named
    ``settings_name``, both "" if there is none; ``read_label_list`` gives the text of a label list
    beside it, or None where there is none of that name.
    """

    program: Program
    tensors: dict[str, np.ndarray]
    settings_name: str
    settings: str
    read_label_list: Callable[[str], str | None]


def read_inference(members: Mapping[str, Member], archive: Archive, where: str) -> Inference:
    """Read the program, its tensors and what lies beside them; ``where`` names it in errors.

    Raises WeightsError for one that is damaged or that no reader here follows.
    """
    try:
        program = _read_program(_content(members, archive.program, _PROGRAM_LIMIT, where))
        if not program.parameters:
            raise ProgramError("it has no parameters")
        records = _content(members, archive.parameters, sys.maxsize, where)
        tensors = read_records(records, program.saved_order)
        for name, shape in program.parameters.items():
            if tensors[name].shape != shape:
                raise ProgramError(
                    f"{name} has the shape {list(tensors[name].shape)} in {archive.parameters}, "
                    f"and {list(shape)} in {archive.program}"
                )
    except RecordError as error:
        raise WeightsError(
            f"{where} holds an inference program that residua cannot read ({error}).",
            next_step=_FLOAT_INSTEAD,
        ) from error
    settings = archive.settings or ""
    text = _text(members, settings, where) if settings else ""

    def read_label_list(name: str) -> str | None:
        beside = str(PurePosixPath(archive.program).with_name(name))
        return _text(members, beside, where) if beside in members else None

    return Inference(program, tensors, settings, text, read_label_list)


def _read_program(data: bytes) -> Program:
    return read_program_json(data) if data.lstrip()[:1] == b"{" else read_program_desc(data)


def _content(members: Mapping[str, Member], name: str, limit: int, where: str) -> bytes:
    if name not in members:
        raise WeightsError(f"{name} in {where} is no plain file.", next_step=_FLOAT_INSTEAD)
    if members[name].size > limit:
        raise WeightsError(
            f"{name} in {where} has {members[name].size} bytes; the limit is {limit}.",
            next_step="It is no file that PaddleClas writes; take it out, or get it again.",
        )
    return members[name].read()


def _text(members: Mapping[str, Member], name: str, where: str) -> str:
    try:
        return _content(members, name, TEXT_LIMIT, where).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WeightsError(
            f"{name} in {where} is no text in UTF-8 ({error}).",
            next_step="Correct it, or take it out.",
        ) from error
