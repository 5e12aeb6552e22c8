"""List files as PaddleClas users have them."""

import pytest

from making import save_noise
from making_recipes import from_scratch
from residua.base.errors import DataError
from residua.bundle.schema import Classes
from residua.data.settings import DataPart
from residua.data.sources.listfile import read_list
from residua.data.sources.open import open_source
from residua.train.recipe.file import override


def _write(folder, *lines, name="list.txt", files=()):
    """A list of ``lines``, and a file for each first word (or for each of ``files``)."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in files or [line.split()[0] for line in lines]:
        picture = folder / line
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(line.encode())
    return path


def test_the_shared_list_is_read_as_it_stands(shared_data):
    path = shared_data / "list-format" / "train_list.txt"
    expected = [line.split(" ") for line in path.read_text().splitlines()]
    source = open_source(path)
    assert list(source.names) == [name for name, _ in expected]
    assert source.labels.tolist() == [int(number) for _, number in expected]
    assert source.classes.names == tuple(str(number) for number in range(995))  # 994 is the largest
    assert source.read(3) == (path.parent / expected[3][0]).read_bytes()
    assert source.file(3) == path.parent / expected[3][0]
    assert any("no pictures of 966 of 995 classes" in note for note in source.notes)


@pytest.mark.parametrize("mark", [" ", "\t", ",", ";", ", ", "  "])
def test_every_usual_delimiter_is_found(tmp_path, mark):
    path = _write(tmp_path, f"a/1.jpg{mark}0", f"b/2.PNG{mark}1", files=["a/1.jpg", "b/2.PNG"])
    source = read_list(path, DataPart())
    assert source.names == ("a/1.jpg", "b/2.PNG")
    assert source.labels.tolist() == [0, 1]


def test_paths_may_hold_what_divides(tmp_path):
    names = ["my pictures/a, b.jpg", "c; d.jpg", "e.jpg copy.png"]
    path = _write(tmp_path, *(f"{name} {i}" for i, name in enumerate(names)), files=names)
    source = read_list(path, DataPart())
    assert source.names == tuple(names)
    assert source.labels.tolist() == [0, 1, 2]
    assert source.read(0) == names[0].encode()


def test_labels_may_be_names_with_blanks(tmp_path):
    path = _write(tmp_path, "x.jpg golden retriever", "y.jpg cat")
    source = read_list(path, DataPart())
    assert source.classes.names == ("cat", "golden retriever")
    assert source.labels.tolist() == [1, 0]


def test_files_without_a_suffix_are_divided_from_the_right(tmp_path):
    path = _write(tmp_path, "of mine/0001 1", "of mine/0002 0", files=["of mine/0001"])
    assert read_list(path, DataPart()).names == ("of mine/0001", "of mine/0002")


def test_a_given_delimiter_wins(tmp_path):
    path = _write(tmp_path, "x.jpg~1", "y.jpg~0", files=["x.jpg", "y.jpg"])
    with pytest.raises(DataError, match="no delimiter divides"):
        read_list(path, DataPart())
    assert read_list(path, DataPart(delimiter="~")).labels.tolist() == [1, 0]
    tabbed = _write(tmp_path, "x.jpg\t1", name="tabbed.txt")
    assert read_list(tabbed, DataPart(delimiter="\\t")).names == ("x.jpg",)


def test_a_broken_line_is_named(tmp_path):
    lines = [f"{number}.jpg 0" for number in range(150)] + ["", "alone.jpg"]
    path = _write(tmp_path, *lines, files=["0.jpg"])
    with pytest.raises(DataError, match=r"line 152: 'alone.jpg'"):
        read_list(path, DataPart())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map.txt", "0 tench, Tinca tinca\n1 gold fish\n"),
        ("map.json", '{"gold fish": 1, "tench, Tinca tinca": 0}'),
    ],
)
def test_a_label_map_names_the_numbers(tmp_path, name, text):
    path = _write(tmp_path, "x.jpg 1", "y.jpg 1")
    (tmp_path / name).write_text(text)
    source = read_list(path, DataPart(label_map=name))
    assert source.classes.names == ("tench, Tinca tinca", "gold fish")
    assert source.labels.tolist() == [1, 1]
    other = Classes(names=("gold fish", "shark", "tench, Tinca tinca"))
    assert read_list(path, DataPart(label_map=name), other).labels.tolist() == [0, 0]


def test_a_class_of_two_names_alike_is_kept_apart_by_number(tmp_path):
    """ImageNet has two cranes and two maillots."""
    path = _write(tmp_path, "x.jpg 0", "y.jpg 2")
    (tmp_path / "map.txt").write_text("0 crane\n1 owl\n2 crane\n")
    source = read_list(path, DataPart(label_map="map.txt"))
    assert source.labels.tolist() == [0, 2]
    swapped = Classes(names=("owl", "crane", "crane"))
    assert read_list(path, DataPart(label_map="map.txt"), swapped).labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 a\n2 b\n", "not class 1"),
        ("0 a\n0 b\n", "class 0 twice"),
        ("daisy\n", "line 1: 'daisy' is no 'index name'"),
        ("", "names no class"),
    ],
)
def test_a_label_map_with_holes_is_refused(tmp_path, text, message):
    path = _write(tmp_path, "x.jpg 0")
    (tmp_path / "map.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_list(path, DataPart(label_map="map.txt"))


def test_numbers_beyond_the_map_are_refused(tmp_path):
    path = _write(tmp_path, "x.jpg 0", "y.jpg 2", "z.jpg -1")
    (tmp_path / "map.txt").write_text("0 a\n1 b\n")
    with pytest.raises(DataError, match=r"no numbers of 2 classes \(0 to 1\): 2, -1"):
        read_list(path, DataPart(label_map="map.txt"))


def test_classes_beside_the_list_are_found(tmp_path):
    path = _write(tmp_path, "x.jpg 1", "y.jpg 1")
    (tmp_path / "classes.json").write_text('["a", "b", "c"]')
    source = read_list(path, DataPart())
    assert source.classes.names == ("a", "b", "c")
    assert "classes.json" in source.notes[0]


def test_multi_label_lines_of_zeros_and_ones(tmp_path):
    path = _write(tmp_path, "x.jpg\t0,1,0,1", "y.jpg\t0,0,0,0", "z.jpg\t1,1,0,0")
    source = read_list(path, DataPart(multi_label=True))
    assert source.labels.dtype == bool
    assert source.labels.astype(int).tolist() == [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 0]]
    assert source.classes.names == ("0", "1", "2", "3")
    assert "1 of 3 pictures" in source.notes[0]
    with pytest.raises(DataError, match="multi_label=true"):
        read_list(path, DataPart())


def test_multi_label_lines_of_names(tmp_path):
    path = _write(tmp_path, "x.jpg,red,round", "y.jpg,round", files=["x.jpg", "y.jpg"])
    source = read_list(path, DataPart(multi_label=True))
    assert source.classes.names == ("red", "round")
    assert source.labels.tolist() == [[True, True], [False, True]]
    assert [source.spell_label(i) for i in range(2)] == ["red,round", "round"]
    again = read_list(path, DataPart(multi_label=True), Classes(names=("blue", "round", "red")))
    assert again.labels.tolist() == [[False, True, True], [False, True, False]]


def test_paths_are_relative_to_the_root_that_is_given(tmp_path):
    (tmp_path / "lists").mkdir()
    path = _write(tmp_path / "lists", "x.jpg 0", files=["elsewhere.jpg"])
    with pytest.raises(DataError, match="None of the files") as caught:
        read_list(path, DataPart())
    assert "data.root" in caught.value.next_step
    (tmp_path / "x.jpg").write_bytes(b"there")
    assert read_list(path, DataPart(root=str(tmp_path))).read(0) == b"there"


def test_missing_and_repeated_files_are_told(tmp_path):
    path = _write(tmp_path, "x.jpg 0", "gone.jpg 1", "x.jpg 0", files=["x.jpg"])
    notes = "\n".join(read_list(path, DataPart()).notes)
    assert "1 of 3 files looked for are missing" in notes
    assert "names 1 pictures more than once" in notes


def test_numbers_are_positions_in_the_classes_of_a_model_and_this_is_said(tmp_path):
    path = _write(tmp_path, "x.jpg 1")
    source = read_list(path, DataPart(), Classes(names=("cat", "dog")))
    assert source.labels.tolist() == [1]
    assert "numbers without names" in source.notes[0]


def test_numbers_that_are_names_are_matched_as_names(tmp_path):
    """Classes of which only 3 and 5 exist: number 5 is the second of them, not the sixth."""
    path = _write(tmp_path, "x.jpg 5")
    assert read_list(path, DataPart(), Classes(names=("3", "5"))).labels.tolist() == [1]
    (tmp_path / "0.txt").write_text("x.jpg 0\n")
    with pytest.raises(DataError, match="none of the 2 known classes: 0"):
        read_list(tmp_path / "0.txt", DataPart(), Classes(names=("3", "5")))


def test_numbers_that_are_no_class_numbers_are_refused(tmp_path):
    path = _write(tmp_path, "x.jpg 20260101")
    with pytest.raises(DataError, match="no numbers of 100000 classes"):
        read_list(path, DataPart())


def test_what_is_no_list_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("Pictures\nof\nflowers\n")
    with pytest.raises(DataError, match="no list of pictures and labels"):
        read_list(tmp_path / "readme.txt", DataPart())
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match="lists no pictures"):
        read_list(tmp_path / "empty.txt", DataPart())
    (tmp_path / "gbk.txt").write_bytes("花.jpg 0".encode("gbk"))
    with pytest.raises(DataError, match="UTF-8"):
        read_list(tmp_path / "gbk.txt", DataPart())
    with pytest.raises(DataError, match="no file") as caught:
        read_list(tmp_path / "readm.txt", DataPart())
    assert "readme.txt" in caught.value.next_step


@pytest.mark.parametrize("given", ["", "|"])
def test_a_bar_divides_too(tmp_path, given):
    for number in range(3):
        save_noise(tmp_path / f"pic {number}, x;y.jpg", seed=number)
    (tmp_path / "list.txt").write_text("".join(f"pic {n}, x;y.jpg|{n}\n" for n in range(3)))
    source = open_source(tmp_path / "list.txt", DataPart(delimiter=given))
    assert source.names == tuple(f"pic {n}, x;y.jpg" for n in range(3))
    assert source.labels.tolist() == [0, 1, 2]


def test_a_bar_can_be_said_on_the_command_line():
    assert override(from_scratch("ResNet18", epochs=1), ["data.delimiter=|"]).data.delimiter == "|"
