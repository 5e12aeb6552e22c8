"""Inference archives as folders and tar files: which files belong together, and what is refused."""

import io
import tarfile

import numpy as np
import pytest

from residua.base.errors import UnsafeFileError, WeightsError
from residua.zoo.table import find_row
from residua.zoo.weights.files import inference
from residua.zoo.weights.files.read import read_tensors, read_weights
from residua.zoo.weights.names.convert import convert
from zoo.weights.files import written
from zoo.weights.names import published
from zoo.weights.program import exported
from zoo.weights.program.exported import write_folder, write_tar

ROW = published.shrink(find_row("ResNet18"))
OURS = published.random_tensors(ROW)
FORMATS = ["pdmodel", "json"]


def files_of(form, namer=published.generated, **options):
    return exported.archive(ROW, OURS, namer, form, **options)


def check(path):
    """Read the archive at ``path``; its tensors are the row's."""
    file = read_weights(path)
    found = convert(file.tensors, ROW, program=file.inference.program)
    assert all(np.array_equal(found.tensors[key], array) for key, array in OURS.items())
    assert all(array.flags.writeable for array in file.tensors.values())
    return file


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("namer", [published.generated, published.static])
def test_a_folder_a_tar_and_each_file_of_it(tmp_path, form, namer):
    files = files_of(form, namer) | {
        "inference.pdiparams.info": b"\x80\x04cos\nsystem\n.",
        "._inference.pdmodel": b"a companion file of macOS",
        "README.md": b"hello",
    }
    folder = write_folder(tmp_path / "ResNet18_infer", files)
    check(folder)
    check(folder / f"inference.{form}")
    check(folder / "inference.pdiparams")
    check(write_tar(tmp_path / "ResNet18_infer.tar", files))
    assert list(read_tensors(folder)) == sorted(published.rename(ROW, OURS, namer))


def test_other_names_of_the_files(tmp_path):
    files = files_of("pdmodel")
    program, tensors = files["inference.pdmodel"], files["inference.pdiparams"]
    check(write_folder(tmp_path / "a", {"best.pdmodel": program, "best.pdiparams": tensors}))
    check(write_folder(tmp_path / "b", {"__model__": program, "__params__": tensors}))
    check(tmp_path / "b" / "__model__")


def test_both_formats_beside_each_other_are_one_archive(tmp_path):
    """Paddle's hubs ship both programs for one file of tensors; the newer one is read."""
    folder = write_folder(tmp_path / "both", files_of("pdmodel") | files_of("json"))
    assert check(folder).inference.program.format == ".json"


def test_several_programs_ask_which(tmp_path):
    files = files_of("json")
    files |= {name.replace("inference", "other"): content for name, content in files.items()}
    folder = write_folder(tmp_path / "two", files)
    with pytest.raises(
        WeightsError, match=r"holds 2 programs \(inference\.json, other\.json\)"
    ) as e:
        read_weights(folder)
    assert str(folder / "inference.json") in e.value.next_step
    check(folder / "other.json")
    with pytest.raises(WeightsError, match="none, or more than one"):
        read_weights(write_tar(tmp_path / "two.tar", files))


@pytest.mark.parametrize("name", ["inference.pdmodel", "inference.pdiparams"])
def test_half_of_an_archive_says_what_is_missing(tmp_path, name):
    folder = write_folder(tmp_path / "half", {name: files_of("pdmodel")[name]})
    with pytest.raises(WeightsError, match="no program with its tensors") as caught:
        read_weights(folder / name)
    assert "exported together" in caught.value.next_step
    with pytest.raises(WeightsError, match=r"part of an inference archive|no inference archive"):
        read_weights(folder)


def test_a_program_without_its_tensors_in_a_tar(tmp_path):
    path = write_tar(
        tmp_path / "x.tar", {"inference.pdmodel": files_of("pdmodel")["inference.pdmodel"]}
    )
    with pytest.raises(WeightsError, match=r"not its tensors.*inference\.pdiparams") as caught:
        read_weights(path)
    assert "pdparams" in caught.value.next_step


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: b"", "ends in the middle"),
        (lambda data: data[:-1], "ends in the middle"),
        (lambda data: data + b"\0", "1 bytes are left over"),
        (lambda data: b"\0" * len(data), ""),
        (lambda data: b"\x80\x04}." + data, "does not begin like a tensor"),
    ],
)
def test_tensors_that_do_not_fit_the_program(tmp_path, form, change, words):
    files = files_of(form)
    files["inference.pdiparams"] = change(files["inference.pdiparams"])
    with pytest.raises(WeightsError, match=f"that residua cannot read .*{words}"):
        read_weights(write_folder(tmp_path / "x", files))


@pytest.mark.parametrize("form", FORMATS)
def test_tensors_in_another_order_are_noticed_by_their_shapes(tmp_path, form):
    theirs = published.rename(ROW, OURS, published.generated)
    files = files_of(form) | {
        "inference.pdiparams": b"".join(written.lod_record(array) for array in theirs.values())
    }
    with pytest.raises(WeightsError, match=r"has the shape .* in inference.pdiparams, and"):
        read_weights(write_folder(tmp_path / "x", files))


def test_limits_are_looked_at_before_anything_is_read(tmp_path, monkeypatch):
    files = files_of("json")
    monkeypatch.setattr(inference, "_PROGRAM_LIMIT", len(files["inference.json"]) - 1)
    with pytest.raises(WeightsError, match="the limit is"):
        read_weights(write_folder(tmp_path / "x", files))
    monkeypatch.undo()
    monkeypatch.setattr(inference, "TEXT_LIMIT", 10)
    with pytest.raises(WeightsError, match=r"inference\.yml in .* has 11 bytes; the limit is 10"):
        read_weights(write_folder(tmp_path / "y", files | {"inference.yml": "a" * 11}))


def test_a_record_that_claims_more_than_there_is_takes_no_memory(tmp_path):
    shapes = {"a": (1 << 20, 1 << 20)}
    head = written.lod_record(np.zeros((1, 1), np.float32))[:-4]
    huge = written.varint(1 << 20)
    description = b"\x08\x05\x10" + huge + b"\x10" + huge
    record = head[:16] + len(description).to_bytes(4, "little") + description + b"\0" * 16
    files = {"i.json": exported.json_text([], shapes), "i.pdiparams": record}
    with pytest.raises(WeightsError, match="ends in the middle of a tensor"):
        read_weights(write_folder(tmp_path / "x", files))


def test_settings_must_be_text(tmp_path):
    files = files_of("json") | {"inference.yml": b"\xff\xfe"}
    with pytest.raises(WeightsError, match="is no text in UTF-8"):
        read_weights(write_folder(tmp_path / "x", files))


def test_label_lists_are_only_looked_for_beside_the_program(tmp_path):
    files = files_of("json") | {"inference.yml": "a: 1", "names.txt": "one\ntwo"}
    (tmp_path / "elsewhere.txt").write_text("three")
    for path in (write_folder(tmp_path / "x", files), write_tar(tmp_path / "x.tar", files)):
        found = read_weights(path).inference
        assert (found.settings_name.rpartition("/")[2], found.settings) == ("inference.yml", "a: 1")
        assert found.read_label_list("names.txt") == "one\ntwo"
        assert found.read_label_list("elsewhere.txt") is None


def test_which_settings_are_read_where_there_are_several(tmp_path):
    files = files_of("json") | {"inference_cls.yaml": "a: 1"}
    assert read_weights(write_folder(tmp_path / "x", files)).inference.settings == "a: 1"
    files["inference.yml"] = "b: 2"
    assert read_weights(write_folder(tmp_path / "y", files)).inference.settings == "b: 2"


def test_links_in_a_folder_are_followed_in_a_tar_refused(tmp_path):
    """Caches of hubs keep a folder of links; an archive has no business with them."""
    real = write_folder(tmp_path / "blobs", files_of("json"))
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("inference.json", "inference.pdiparams"):
        (linked / name).symlink_to(real / name)
    check(linked)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(linked, "x")
    (tmp_path / "linked.tar").write_bytes(buffer.getvalue())
    with pytest.raises(UnsafeFileError, match="no plain file"):
        read_weights(tmp_path / "linked.tar")


def test_a_folder_of_other_things_is_no_archive(tmp_path):
    with pytest.raises(WeightsError, match="is a folder, and no inference archive"):
        read_weights(write_folder(tmp_path / "x", {"config.json": b"{}", "notes.txt": b""}))
    (tmp_path / "y" / "inference.json").mkdir(parents=True)
    (tmp_path / "y" / "inference.pdiparams").mkdir()
    with pytest.raises(WeightsError, match=r"inference\.json in .* is no plain file"):
        read_weights(tmp_path / "y")


def test_a_tar_within_a_tar_is_refused(tmp_path):
    inner = write_tar(tmp_path / "inner.tar", files_of("json")).read_bytes()
    with pytest.raises(WeightsError, match="an archive within an archive"):
        read_weights(write_tar(tmp_path / "outer.tar", {"model.pth": inner}))


def test_half_precision_becomes_float32(tmp_path):
    theirs = published.rename(ROW, OURS, published.generated)
    files = files_of("json")
    records = []
    for name in sorted(theirs):
        array = np.ascontiguousarray(theirs[name], "<f2")
        whole = written.lod_record(array)
        place = whole.index(b"\x08\x05", 16)
        cut = len(whole) - 4 * array.size
        records.append(whole[:place] + b"\x08\x04" + whole[place + 2 : cut] + array.tobytes())
    files["inference.pdiparams"] = b"".join(records)
    found = read_tensors(write_folder(tmp_path / "x", files))
    for name, array in theirs.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array.astype(np.float16).astype(np.float32))
