"""Exported programs of every row, in both formats: what they compute tells what each tensor is."""

import hashlib

import numpy as np
import pytest

from residua.base.errors import WeightsMismatchError
from residua.zoo.table import ROWS, find_row
from residua.zoo.weights.names.convert import convert
from residua.zoo.weights.names.detect import detect_row
from residua.zoo.weights.names.program import name_program
from residua.zoo.weights.program.desc import read_program_desc
from residua.zoo.weights.program.pir import read_program_json
from zoo.weights.names import published
from zoo.weights.program import exported

READERS = {"pdmodel": read_program_desc, "json": read_program_json}
SERIES = [
    pytest.param(
        name, marks=pytest.mark.slow if sum(row.depths) > 16 and name != "ResNet101" else ()
    )
    for name, row in ROWS.items()
    if row.stem != "3x3"
]
SMALL = ["ResNet18", "ResNet18_vd", "ResNet50", "SE_ResNet18_vd", "ResNeXt50_64x4d",
         "Res2Net50_vd_26w_4s", "Res2Net50_14w_8s"]  # fmt: skip


def opaque(row, name):
    """A name that tells nothing; not even the order of the names is that of the layers."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:12]


def program_of(row, form, *, namer=opaque, change=None, ending="softmax", **options):
    theirs = published.rename(row, published.empty_tensors(row), namer)
    ops = exported.operations(row, namer, ending)
    if change is not None:
        change(ops)
    shapes = {name: array.shape for name, array in theirs.items()}
    return theirs, READERS[form](exported.FORMATS[form](ops, shapes, **options))


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("name", SERIES)
def test_every_row_is_found_by_what_its_program_computes(name, form):
    row = ROWS[name]
    theirs, program = program_of(row, form)
    assert detect_row(theirs, "ResNet18_vc_infer.tar", program) == row
    assert program.input_shape == (-1, 3, 224, 224)


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("name", SMALL)
def test_every_tensor_is_put_where_the_program_uses_it(name, form):
    row = published.shrink(find_row(name))
    ours = published.random_tensors(row)
    _, program = program_of(row, form)
    found = convert(published.rename(row, ours, opaque), row, program=program)
    assert found.tensors.keys() == ours.keys()
    assert all(np.array_equal(found.tensors[key], array) for key, array in ours.items())
    assert found.naming == f"Paddle's program (.{form})"


@pytest.mark.parametrize("namer", [published.generated, published.static])
def test_names_that_would_tell_more_are_of_no_account(namer):
    """The tensors of two blocks of equal shapes have changed places: names follow the program."""
    row = published.shrink(find_row("ResNet18"))
    ours = published.random_tensors(row)

    def swapped(row, name):
        places = {"stages.0.0.conv0": "stages.0.1.conv1", "stages.0.1.conv1": "stages.0.0.conv0"}
        for place, other in places.items():
            if name.startswith(f"{place}."):
                return namer(row, name.replace(place, other))
        return namer(row, name)

    _, program = program_of(row, "json", namer=swapped)
    found = convert(published.rename(row, ours, swapped), row, program=program)
    assert all(np.array_equal(found.tensors[key], array) for key, array in ours.items())


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("name", ["ResNet18", "ResNet34_vd"])
def test_a_first_block_without_projection_gets_the_identity(name, form):
    row = find_row(name)
    theirs, program = program_of(row.model_copy(update={"first_projection": False}), form)
    assert detect_row(theirs, program=program) == row
    found = convert(theirs, row, program=program)
    assert any("identity" in note for note in found.notes)


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize(("ending", "many"), [("softmax", False), ("sigmoid", True), ("", False)])
def test_how_the_program_ends(ending, many, form):
    _, program = program_of(find_row("ResNet18"), form, ending=ending)
    assert name_program(program).multi_label is many


def test_classes_and_channels_come_from_the_tensors():
    row = find_row("ResNet50").model_copy(update={"num_classes": 12, "input_channels": 1})
    theirs, program = program_of(row, "json", input_shape=(-1, 1, 96, 96))
    assert detect_row(theirs, program=program) == row
    assert program.input_shape == (-1, 1, 96, 96)


@pytest.mark.parametrize("form", READERS)
def test_the_last_stage_without_stride_is_another_network(form):
    """PaddleClas's ResNet50_last_stage_stride1 has all shapes and names of ResNet50."""
    row = find_row("ResNet50")

    def change(ops):
        for op in ops:
            named = op.inputs.get("Filter", [""])[0]
            if named in {opaque(row, f"stages.3.0.{layer}.conv.weight")
                         for layer in ("conv1", "shortcut")}:  # fmt: skip
                op.attributes["strides"] = [1, 1]

    theirs, program = program_of(row, form, change=change)
    for find in (lambda: detect_row(theirs, program=program),
                 lambda: convert(theirs, row, program=program)):  # fmt: skip
        with pytest.raises(WeightsMismatchError, match="ResNet50") as caught:
            find()
        assert (
            "computes    stages.3.0.conv1.conv  stride 1, padding 1, dilation 1, groups 1, "
            "ResNet50 stride 2, padding 1, dilation 1, groups 1"
        ) in caught.value.differences
        assert len(caught.value.differences) == 2


def test_another_row_is_refused_with_what_differs():
    theirs, program = program_of(find_row("ResNet50_vd"), "json")
    with pytest.raises(
        WeightsMismatchError, match=r"\(Paddle's program \(.json\)\) do not fit"
    ) as e:
        convert(theirs, find_row("ResNet50_vc"), program=program)
    assert "shortcut    the file pools before its projections, ResNet50_vc does not" in (
        e.value.differences
    )
