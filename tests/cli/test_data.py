"""residua data: check, pack and show from the command line."""

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from data.scenes import draw_scene, encode, write_files
from residua.base.errors import SettingError, UnknownNameError
from residua.cli.data import _read_size
from residua.cli.main import app
from residua.data.sources.open import open_source
from residua.data.sources.parts import open_parts


@pytest.fixture
def root(tmp_path):
    return write_files(tmp_path / "data", {
        f"{part}/{name}/{number}.jpg": encode(draw_scene(1000 * p + 50 * k + number, 80, 64))
        for p, part in enumerate(("train", "val"))
        for k, name in enumerate(("cat", "dog"))
        for number in range(10)
    })  # fmt: skip


def _run(*arguments, expect=0):
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result


def test_check_finds_nothing_in_healthy_data(root):
    text = _run("check", root, "--image-size", 64).stdout
    assert "data/train (train): 20 pictures of 2 classes" in text
    assert "data/val (val): 20 pictures" in text
    assert "Nothing was found" in text


def test_check_exits_with_3_where_there_are_errors(root, tmp_path):
    (root / "val" / "dog" / "0.jpg").write_bytes((root / "train" / "dog" / "3.jpg").read_bytes())
    (root / "train" / "cat" / "0.jpg").write_bytes(b"no picture")
    page = tmp_path / "findings.html"
    result = _run("check", root, "--image-size", 64, "--json", "--sheet", page, expect=3)
    record = json.loads(result.stdout)
    assert {finding["code"]: finding["count"] for finding in record["findings"]} == {
        "not-an-image": 1, "leak": 1,
    }  # fmt: skip
    assert "train/cat/0.jpg" in page.read_text(encoding="utf-8")
    text = _run("check", root, "--image-size", 64, expect=3).stdout
    assert "error         1  validation pictures that are in training as well" in text
    assert "train/dog/3.jpg  =  val/dog/0.jpg: the same file" in text


def test_check_takes_list_files_and_a_place_for_validation(root, tmp_path):
    for part in ("train", "val"):
        lines = [f"{path.relative_to(root)} {path.parent.name}\n"
                 for path in sorted((root / part).rglob("*.jpg"))]  # fmt: skip
        (root / f"{part}-pictures.txt").write_text("".join(lines))
    record = json.loads(
        _run("check", root / "train-pictures.txt", "--val", root / "val-pictures.txt", "--json",
             "--image-size", 64).stdout
    )  # fmt: skip
    assert [part["pictures"] for part in record["parts"]] == [20, 20]
    assert record["errors"] == record["warnings"] == 0


def test_check_refuses_a_sheet_of_unknown_kind_before_it_begins(root):
    with pytest.raises(SettingError, match=r"\.html"):
        _run("check", root, "--sheet", "findings.doc")


def test_pack_and_pack_again(root, tmp_path):
    out = tmp_path / "packed"
    text = _run("pack", root, out, "--short-side", 32, "--shard-size", "20kB").stdout
    assert "train: 20 pictures in" in text
    assert "val: 20 pictures in" in text
    assert "A training crop takes" in text
    packed = open_parts(out)
    assert len(packed.training) == len(packed.validation) == 20
    assert packed.training.classes.names == ("cat", "dog")
    again = _run("pack", root, out, "--short-side", 32, "--shard-size", "20kB")
    assert "train: 20 of 20 pictures are packed already." in again.stderr
    with pytest.raises(SettingError, match="short-side was 32, now 48"):
        _run("pack", root, out, "--short-side", 48, "--shard-size", "20kB")


def test_pack_of_an_undivided_set_is_one_part_and_bad_pictures_make_exit_code_3(root, tmp_path):
    (root / "train" / "cat" / "0.jpg").write_bytes(b"no picture")
    result = _run("pack", root / "train", tmp_path / "packed", expect=3)
    assert "cannot be used: 1" in result.stdout
    assert len(open_source(tmp_path / "packed")) == 19
    assert not list((tmp_path / "packed").glob("val*"))


def test_show_writes_a_sheet_of_a_recipe(root, tmp_path):
    sheet = tmp_path / "sheet.png"
    _run("show", root, "--output", sheet, "-c", "cifar", "--augment", "autoaugment",
         "--augment", "mixup", "--count", 3, "--copies", 2)  # fmt: skip
    with Image.open(sheet) as image:
        assert image.width == 8 + 3 * 188
        assert image.height > 4 * 200  # three pictures and a row of mixed pairs
    with pytest.raises(UnknownNameError, match="randaugment"):
        _run("show", root, "--output", sheet, "--augment", "randaugmnt")
    with pytest.raises(SettingError, match=r"cutout and erasing are both augment\.erase\.kind"):
        _run("show", root, "--output", sheet, "--augment", "cutout", "--augment", "erasing")
    with pytest.raises(SettingError, match=r"\.png"):
        _run("show", root, "--output", tmp_path / "sheet")


def test_the_same_command_shows_the_same(root, tmp_path):
    for name in ("a.png", "b.png"):
        _run("show", root, "--output", tmp_path / name, "-c", "rsb-a3", "--count", 2,
             "--copies", 2)  # fmt: skip
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("text", "size"),
    [("256MB", 256_000_000), ("1.5 gb", 1_500_000_000), ("64MiB", 1 << 26), ("20000", 20_000)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert _read_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "1 X", "10iB", "-5MB", "5kB"])
def test_other_sizes_are_refused(text):
    with pytest.raises(SettingError):
        _read_size(text)
