"""What mining must not lose, and what it must find again: files, names, scores, processes."""

import json
from pathlib import Path

import pytest

from making import make_bundle, save_noise
from residua.base.errors import DataError, SettingError
from residua.data.sources.unlabelled import find_unlabelled, open_unlabelled
from residua.distil.mine import asking
from residua.distil.mine import run as running
from residua.distil.mine.run import Wanted, mine
from residua.evaluate.ranks import Ranks
from residua.predict.classifier import Classifier


@pytest.fixture(scope="module")
def classifier(teacher):
    return Classifier(teacher, engine="openvino", threads=1)


@pytest.fixture
def web(more, tmp_path):
    root = tmp_path / "web"
    root.mkdir()
    for number, path in enumerate(sorted(more.rglob("*.png"))[:20]):
        (root / f"{number:03}.png").write_bytes(path.read_bytes())
    return root


def list_files(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_of_other_things_stays(classifier, web, tmp_path):
    mine_here = tmp_path / "project"
    save_noise(mine_here / "train" / "a.png")
    before = list_files(tmp_path)
    for target in (mine_here, tmp_path, web):
        for overwrite in (False, True):
            with pytest.raises(SettingError, match=r"holds other things|read from"):
                mine(str(web), classifier, target, Wanted(), overwrite=overwrite)
    assert list_files(tmp_path) == before


def test_the_list_that_is_read_stays(classifier, web, tmp_path):
    listed = tmp_path / "all.txt"
    listed.write_text("".join(f"web/{path.name}\n" for path in sorted(web.iterdir())))
    before = listed.read_bytes()
    with pytest.raises(SettingError, match="read from"):
        mine(str(listed), classifier, listed, Wanted(), overwrite=True)
    assert listed.read_bytes() == before


@pytest.mark.parametrize("name", ["notes.txt", "notes.json", "notes.html"])
def test_files_of_no_earlier_choice_stay_unless_asked(classifier, web, tmp_path, name):
    (tmp_path / name).write_text("mine")
    output = tmp_path / "notes.txt"
    with pytest.raises(SettingError, match="exists already, and is of no earlier choice"):
        mine(str(web), classifier, output, Wanted())
    assert (tmp_path / name).read_text() == "mine"
    mine(str(web), classifier, output, Wanted(), overwrite=True)
    mine(str(web), classifier, output, Wanted(2))  # an earlier choice is replaced


def test_a_device_is_no_target(classifier, web):
    with pytest.raises(SettingError, match=r"neither a file nor a folder"):
        mine(str(web), classifier, Path("/dev/null"), Wanted())
    assert Path("/dev/null").is_char_device()


def test_names_of_any_bytes_come_back(classifier, web, tmp_path):
    strange = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    (web / "000.png").rename(web / strange)
    (web / "001.png").rename(web / "a\tb.png")
    (web / "002.png").rename(web / " c .png")
    output = tmp_path / "mined.txt"
    report = mine(str(web), classifier, output, Wanted())
    source = open_unlabelled(output, classifier.classes)
    assert sum(name.endswith(strange) for name in source.names) == 1
    assert len(source) == report.chosen - 1 == 19
    assert all(source.read(index) for index in range(len(source)))
    assert "1 of the chosen have a tab" in report.spell()
    assert json.loads(output.with_suffix(".json").read_bytes())["not_to_be_listed"] == 1


def test_what_comes_while_scores_are_found_moves_no_name(classifier, web, tmp_path, monkeypatch):
    undisturbed = tmp_path / "a.txt"
    mine(str(web), classifier, undisturbed, Wanted())

    real = running._choose

    def choose(*given, **how):
        save_noise(web / "0.png")  # the first of all, from now on
        return real(*given, **how)

    monkeypatch.setattr(running, "_choose", choose)
    mine(str(web), classifier, tmp_path / "b.txt", Wanted())
    assert (tmp_path / "b.txt").read_text() == undisturbed.read_text()


def test_pictures_that_have_gone_are_forgotten(classifier, web, tmp_path):
    output = tmp_path / "mined.txt"
    mine(str(web), classifier, output, Wanted(), chunk=4)
    for path in sorted(web.iterdir())[6:]:
        path.unlink()
    report = mine(str(web), classifier, output, Wanted(), chunk=4)
    assert report.seen == 6


def test_another_engine_asks_again(classifier, teacher, web, tmp_path, monkeypatch):
    output = tmp_path / "mined.txt"
    mine(str(web), classifier, output, Wanted())
    asked, real = [], asking.score
    monkeypatch.setattr(asking, "score", lambda *given: asked.append(1) or real(*given))
    mine(str(web), classifier, output, Wanted())
    assert not asked
    other = Classifier(teacher, engine="torch", threads=1)
    report = mine(str(web), other, output, Wanted())
    assert asked
    assert report.as_record()["engine"] == other.engine.name != classifier.engine.name


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut", None])
def test_damaged_scores_are_found_anew(classifier, web, tmp_path, damage):
    output = tmp_path / "mined.txt"
    mine(str(web), classifier, output, Wanted())
    whole = output.read_text()
    path = tmp_path / "mined.txt.mine" / "0000000.npz"
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    mine(str(web), classifier, output, Wanted())
    assert output.read_text() == whole
    (path.parent / "mine.json").write_text("{cut")
    mine(str(web), classifier, output, Wanted())
    assert output.read_text() == whole


def test_lists_of_paddleclas(classifier, web, tmp_path):
    listed = tmp_path / "unlabelled.txt"
    listed.write_text("".join(f"web/{path.name} 0\n" for path in sorted(web.iterdir())))
    assert mine(str(listed), classifier, tmp_path / "mined.txt", Wanted()).chosen == 20
    assert len(open_unlabelled(listed, classifier.classes)) == 20


def test_nothing_chosen_is_an_error_with_its_reasons(classifier, web, tmp_path):
    for path in web.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"None of 20 pictures(.|\n)*20 could not be read"):
        mine(str(web), classifier, tmp_path / "mined.txt", Wanted())
    assert (tmp_path / "mined.html").is_file()


def test_processes_share_the_chunks(classifier, web, tmp_path):
    alone = tmp_path / "alone.txt"
    mine(str(web), classifier, alone, Wanted(), chunk=4)
    output = tmp_path / "mined.txt"
    work = tmp_path / "mined.txt.mine"
    work.mkdir()
    run = asking.Run(find_unlabelled(str(web)), work, 4, classifier, None)
    run.score(Ranks(rank=1, world=2))
    assert sorted(path.name for path in work.iterdir()) == ["0000001.npz", "0000003.npz"]
    run.begin(str(web))  # another note: what was there is of nobody
    run.score(Ranks(rank=1, world=2))
    run.score(Ranks(rank=0, world=2))
    mine(str(web), classifier, output, Wanted(), chunk=4)
    assert output.read_text() == alone.read_text()


def test_answers_that_are_no_distribution_choose_nothing(web, tmp_path):
    bundle = make_bundle(tmp_path / "several.bundle")
    manifest = bundle.manifest.model_copy(update={"task": "multi-label"})
    classifier = Classifier(type(bundle)(bundle.path, manifest), engine="openvino", threads=1)
    with pytest.raises(SettingError, match="multi-label"):
        mine(str(web), classifier, tmp_path / "mined.txt", Wanted())


def test_scores_that_another_machine_keeps_are_missed(classifier, web, tmp_path):
    """Processes that do not see one folder must not end in a shorter list."""
    work = tmp_path / "mined.txt.mine"
    work.mkdir()
    run = asking.Run(find_unlabelled(str(web)), work, 4, classifier, None)
    assert run.score(Ranks(rank=0, world=2)) == 5
    with pytest.raises(DataError, match=r"0000001\.npz is not there"):
        list(run.read(5))
