"""A job of predictions as a folder, before any cluster is there."""

import json
from dataclasses import replace

import pytest

from making import make_bundle, save_noise
from residua.base.errors import DataError, ResiduaError, SettingError
from residua.cluster.predict.job import OWN, Wanted, opened
from residua.cluster.storage import locate

from .test_parts import write_part


@pytest.fixture
def inputs(tmp_path):
    for number in range(3):
        save_noise(tmp_path / "pictures" / f"{number}.png", seed=number)
    return [str(tmp_path / "pictures")]


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "net.bundle", widths=(4, 4, 4, 4))


def test_a_job_is_listed_once_and_goes_on(inputs, bundle, tmp_path):
    output = locate(tmp_path / "results")
    with opened(inputs, bundle, output, Wanted()) as job:
        assert (job.total, job.finished) == (3, False)
        with pytest.raises(ResiduaError, match="holds 0 of 3 pictures"):
            job.conclude()
    save_noise(tmp_path / "pictures" / "later.png")
    write_part(tmp_path / "results" / "a.parquet", [0, 1, 2], [None, None, "damaged"])
    with opened(inputs, bundle, output, Wanted()) as job:
        assert job.total == 3
        assert job.conclude().reasons == {"damaged": 1}
    with opened(inputs, bundle, output, Wanted(engines=(3, 5))) as job:  # the same, however done
        assert job.finished


def test_another_job_is_refused_or_takes_the_place(inputs, bundle, tmp_path):
    output = locate(tmp_path / "results")
    with opened(inputs, bundle, output, Wanted()):
        pass
    write_part(tmp_path / "results" / "a.parquet", [0, 1, 2], [None] * 3)
    (tmp_path / "results" / "notes.txt").write_text("mine")
    other = replace(Wanted(), top_k=1)
    with (
        pytest.raises(SettingError, match="another job: top_k differ"),
        opened(inputs, bundle, output, other),
    ):
        pass
    with opened(inputs, bundle, output, other, overwrite=True) as job:
        assert not job.finished
        assert json.loads((tmp_path / "results" / OWN / "job.json").read_text())["of"]["top_k"] == 1
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == [OWN, "notes.txt"]  # what is not of a job stays


def test_a_folder_of_something_else_is_left_alone(inputs, bundle, tmp_path):
    place = tmp_path / "theirs"
    place.mkdir()
    (place / "thesis.txt").write_text("years")
    for overwrite in (False, True):
        with (
            pytest.raises(SettingError, match="holds no job"),
            opened(inputs, bundle, locate(place), Wanted(), overwrite=overwrite),
        ):
            pass
    assert [path.name for path in place.iterdir()] == ["thesis.txt"]


def test_what_cannot_be_listed_leaves_a_place_for_what_can(inputs, bundle, tmp_path):
    output = locate(tmp_path / "results")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError), opened([f"file://{empty}"], bundle, output, Wanted()):
        pass
    with opened(inputs, bundle, output, Wanted()) as job:
        assert job.total == 3
