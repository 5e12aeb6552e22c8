"""The help of residua train: every option once, in groups, without rich."""

import re
import subprocess
import sys

import typer.main
from typer.testing import CliRunner

from residua.cli.main import app

_GROUPS = ["Arguments", "Pictures", "Network", "Recipe", "Result and run", "Machine"]
_GROUPS += ["On a cluster", "Others"]


def _sections(text):
    """The names of the options by the heading that they stand under."""
    found, heading = {}, ""
    for line in text.splitlines():
        if title := re.fullmatch(r"([A-Z][a-z ]+):", line):
            heading = title[1]
            found[heading] = []
        elif option := re.match(r"  (?:-\w, )?(--[\w-]+)", line):
            found[heading].append(option[1])
    return found


def test_each_option_stands_in_one_group():
    sections = _sections(CliRunner().invoke(app, ["train", "--help"]).stdout)
    assert list(sections) == _GROUPS
    listed = [name for names in sections.values() for name in names]
    parameters = typer.main.get_command(app).commands["train"].params
    given = {name for p in parameters for name in p.opts if name.startswith("--")}
    assert sorted(listed) == sorted(given | {"--help"})
    assert "--model" in sections["Network"]
    assert "--lr" in sections["Recipe"]
    assert sections["Others"] == ["--help"]


def test_the_texts_of_all_groups_stand_below_each_other():
    lines = CliRunner().invoke(app, ["train", "--help"]).stdout.splitlines()
    short = [line for line in lines if re.match(r"  (-\w, )?--", line)]
    texts = {len(re.match(r"  \S+(?: \S+)*  +", line)[0]) for line in short}
    assert len(short) == 34
    assert len(texts) == 1


def test_groups_need_no_rich():
    code = (
        "import sys\nfrom residua.cli.main import app\n"
        "app(['train', '--help'], standalone_mode=False)\n"
        "assert 'rich' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
