"""Class names from text files, in the forms that people keep them in."""

import pytest

from residua.base.errors import SettingError
from residua.zoo.weights.labels import read_classes


@pytest.mark.parametrize(
    ("text", "names", "ids"),
    [
        ("cat\ndog\n", ("cat", "dog"), ()),
        (
            "\ufeffgolden retriever\r\n\r\n  Egyptian cat \r\n",
            ("golden retriever", "Egyptian cat"),
            (),
        ),
        ("0 tench, Tinca tinca\n1 goldfish", ("tench, Tinca tinca", "goldfish"), ()),
        ("0\ttench\n1\tgoldfish", ("tench", "goldfish"), ()),
        ("n01440764 tench\nn01443537 goldfish", ("tench", "goldfish"), ("n01440764", "n01443537")),
        ("a1\tred rose\nb2\ttulip", ("red rose", "tulip"), ("a1", "b2")),
        ("7 up\n8 ball", ("7 up", "8 ball"), ()),
        ("0\n1\n2", ("0", "1", "2"), ()),
    ],
)
def test_class_names(tmp_path, text, names, ids):
    path = tmp_path / "names.txt"
    path.write_text(text, encoding="utf-8")
    classes = read_classes(path)
    assert (classes.names, classes.ids) == (names, ids)


def test_files_without_names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\n  \n")
    with pytest.raises(SettingError, match="names no classes"):
        read_classes(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingError, match="UTF-8"):
        read_classes(path)
    with pytest.raises(SettingError, match="cannot be read"):
        read_classes(tmp_path / "absent.txt")
