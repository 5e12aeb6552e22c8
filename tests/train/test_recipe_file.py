"""Recipe files: what they extend, what overrides do, and what is said about mistakes."""

import pytest
import yaml

from residua.base.errors import SettingError, UnknownNameError
from residua.train.recipe.book import describe, find_recipe, list_recipes
from residua.train.recipe.file import change, list_keys, override, read_recipe_file, spell_recipe
from residua.train.recipe.tree import Recipe

SMALLEST = "optimiser:\n  lr: 0.1\nloop:\n  epochs: 10\n"


def write(folder, name="mine.yaml", text=SMALLEST):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def mine(tmp_path):
    return write(tmp_path)


def test_a_file_says_only_what_differs_from_what_it_extends(tmp_path):
    path = write(tmp_path, text="extends: ResNet50_vd\nloop: {epochs: 30}\n")
    recipe = read_recipe_file(path)
    assert recipe == change(find_recipe("imagenet/ResNet50_vd"), {"loop.epochs": 30})


def test_paths_are_relative_to_the_file_that_extends(tmp_path, monkeypatch):
    write(tmp_path, "bases/base.yaml", SMALLEST)
    write(
        tmp_path, "runs/middle.yml", "extends: ../bases/base.yaml\nloss: {label_smoothing: 0.2}\n"
    )
    path = write(tmp_path, "top.yaml", "extends: runs/middle.yml\n")
    monkeypatch.chdir("/")
    recipe = read_recipe_file(path)
    assert (recipe.optimiser.lr, recipe.loss.label_smoothing) == (0.1, 0.2)


def test_of_several_the_later_wins_and_the_file_itself_over_all(tmp_path):
    write(tmp_path, "a.yaml", SMALLEST + "loss: {label_smoothing: 0.3, gamma: 1}\n")
    write(tmp_path, "b.yaml", "loss: {label_smoothing: 0.2}\nschedule: {milestones: [1, 2, 3]}\n")
    text = "extends: [a.yaml, b.yaml]\nloop: {epochs: 7}\nschedule: {milestones: [4]}\n"
    recipe = read_recipe_file(write(tmp_path, "c.yaml", text))
    assert (recipe.loss.label_smoothing, recipe.loss.gamma) == (0.2, 1.0)
    assert recipe.loop.epochs == 7
    assert recipe.schedule.milestones == (4.0,)  # lists are replaced


def test_a_circle_is_refused_with_its_chain(tmp_path):
    for name, parent in (("a", "b"), ("b", "c"), ("c", "b")):
        write(tmp_path, f"{name}.yaml", f"extends: {parent}.yaml\n")
    with pytest.raises(SettingError, match=r"b\.yaml → \S+c\.yaml → \S+b\.yaml\.") as caught:
        read_recipe_file(tmp_path / "a.yaml")
    assert "a.yaml" not in caught.value.problem


def test_the_same_base_twice_is_no_circle(tmp_path):
    write(tmp_path, "base.yaml", SMALLEST)
    write(tmp_path, "left.yaml", "extends: base.yaml\n")
    write(tmp_path, "right.yaml", "extends: base.yaml\n")
    path = write(tmp_path, "both.yaml", "extends: [left.yaml, right.yaml]\n")
    assert read_recipe_file(path).optimiser.lr == 0.1


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("extends: ResNet50_vdd\n", UnknownNameError, r"ResNet50_vd[\s\S]*mine\.yaml, line 1"),
        ("extends: nowhere.yaml\n", SettingError, r"no recipe file \S+nowhere\.yaml"),
        ("extends: {a: 1}\n", SettingError, r"mine\.yaml, line 1: extends names a recipe"),
    ],
)
def test_what_is_extended_must_exist(tmp_path, text, error, message):
    with pytest.raises(error, match=message):
        read_recipe_file(write(tmp_path, text=text))


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("optimiser.lr=1e-4", "optimiser.lr", 1e-4),
        ("optimiser.lr=5E-2", "optimiser.lr", 0.05),
        ("optimiser.lr=.5", "optimiser.lr", 0.5),
        ("optimizer.lr=1", "optimiser.lr", 1.0),
        ("average.warmup=false", "average.warmup", False),
        ("precision.compile=true", "precision.compile", True),
        ("optimiser.clip_norm=null", "optimiser.clip_norm", None),
        ("evaluate.image_size=~", "evaluate.image_size", None),
        ("schedule.milestones=[30, 6e1, 90.5]", "schedule.milestones", (30.0, 60.0, 90.5)),
        ("schedule.milestones=[]", "schedule.milestones", ()),
        ("augment.crop.scale=[0.2, 1]", "augment.crop.scale", (0.2, 1.0)),
        ("model.pretrained=", "model.pretrained", ""),
        ("model.pretrained=a=b.bundle", "model.pretrained", "a=b.bundle"),
        ("data.delimiter=' '", "data.delimiter", " "),
        ("data.label_column=no", "data.label_column", "no"),
        ("output.track=[tensorboard]", "output.track", ("tensorboard",)),
        ("loss.class_weights=[1, 2.5]", "loss.class_weights", (1.0, 2.5)),
        ("loss.class_weights=balanced", "loss.class_weights", "balanced"),
        ("optimiser.lr_multipliers.stem=0.1", "optimiser.lr_multipliers", {"stem": 0.1}),
        ("optimiser.lr_multipliers={head: 2}", "optimiser.lr_multipliers", {"head": 2.0}),
        ("augment.mix={mixup: 0.4}", "augment.mix.mixup", 0.4),
    ],
)
def test_overrides_are_read_as_yaml(tmp_path, text, key, value):
    base = SMALLEST.replace("lr: 0.1", "lr: 0.1\n  clip_norm: 1")
    recipe = read_recipe_file(write(tmp_path, text=base), [text])
    found = recipe
    for name in key.split("."):
        found = getattr(found, name)
    assert found == value
    assert type(found) is type(value)
    assert recipe == override(read_recipe_file(tmp_path / "mine.yaml"), [text])


def test_null_takes_a_part_away_and_a_key_below_brings_it_back(tmp_path):
    path = write(tmp_path, text="extends: imagenet/budget/ResNet50-16\n")
    assert read_recipe_file(path).augment.progressive is not None
    assert read_recipe_file(path, ["augment.progressive=null"]).augment.progressive is None
    sizes = ["augment.progressive.start_size=96", "augment.progressive={end_size: 128}"]
    grown = read_recipe_file(
        path, ["augment.progressive=null", *sizes, "augment.progressive.end_epoch=5"]
    )
    assert grown.augment.progressive.start_size == 96
    assert grown.augment.progressive.end_size == 128


def test_the_last_override_of_a_key_wins(mine):
    assert read_recipe_file(mine, ["loop.epochs=3", "loop.epochs=4"]).loop.epochs == 4


def test_changing_leaves_what_is_none_and_reaches_parts_that_are_absent(mine):
    recipe = read_recipe_file(mine, ["optimiser.clip_norm=1"])
    assert change(recipe, {"optimiser.clip_norm": None}).optimiser.clip_norm == 1
    values = {"start_size": 96, "end_size": 128, "end_epoch": 4}
    grown = change(recipe, {f"augment.progressive.{key}": value for key, value in values.items()})
    assert grown.augment.progressive.end_size == 128


@pytest.mark.parametrize(
    ("text", "given", "first"),
    [
        ("optimiser.rl=1", "optimiser.rl", "optimiser.lr"),
        ("optimizer.rl=1", "optimiser.rl", "optimiser.lr"),
        ("lr=0.1", "lr", "optimiser.lr"),
        ("schedul={}", "schedul", "schedule"),
        ("schedule.milestone=1", "schedule.milestone", "schedule.milestones"),
        ("train.epochs=3", "train.epochs", "loop.epochs"),
        ("augment.mix={mix_up: 1, mixop: 2}", "augment.mix.mix_up", "augment.mix.mixup"),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest(mine, text, given, first):
    with pytest.raises(UnknownNameError, match=f"recipe key named '{given}'") as caught:
        read_recipe_file(mine, [text])
    assert caught.value.suggestions[0] == first


def test_an_unknown_key_is_found_in_its_file_and_line(tmp_path):
    write(
        tmp_path, "base.yaml", f"# a head\n{SMALLEST}\n\nschedule:\n  curve: cosine\n  warmup: 5\n"
    )
    path = write(tmp_path, text="extends: base.yaml\nloss:\n  label_smoothing: 0.1\n")
    with pytest.raises(UnknownNameError, match=r"base\.yaml, line 10") as caught:
        read_recipe_file(path)
    assert "schedule.warmup_epochs" in caught.value.suggestions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "loss:\n  kind: bcee\n",
            r"loss\.kind has to be .*'bce', 'focal' or .*given: \"bcee\".*mine\.yaml, line 6",
        ),
        ("optimiser:\n  lr: -1\n", r"optimiser\.lr has to be above 0 \(given: -1.*line 6"),
        ("optimizer:\n  lr: fast\n", r"optimiser\.lr has to be a number .*line 6"),
        ("optimiser: {lr: .inf}\n", r"optimiser\.lr has to be a number .*\.inf.*line 5"),
        ("optimiser: {lr: 1e999}\n", r"optimiser\.lr has to be a finite number .*line 5"),
        ("augment:\n  crop:\n    scale: [0.5, 0.2]\n", r"scale must rise.*line 6"),
        (
            "schedule: {warmup_epochs: 10}\n",
            r"leaves nothing of the 10 .*mine\.yaml, line 5 and .*base\.yaml, line \d+\.$",
        ),
        ("loop: null\n", r"loop has to hold keys and values \(given: null.*line 5"),
        ("loop: 3\n", r"loop has to hold keys and values \(given: 3.*line 5"),
        ("average: {decay: null}\n", r"average\.decay has to be a number \(given: null"),
        ("loop: {epochs: 1.5}\n", r"loop\.epochs has to be a whole number"),
        (
            "loss: {class_weights: [1, x]}\n",
            r"class_weights has to be .*'ratio' or a number .*\[1, \"x\"\]",
        ),
        (
            "loop: {epochs: 0}\nloss: {kind: bcee}\n",
            r"sense:\n  loss\.kind .*line 6\.\n  loop\.epochs has to be above 0 .*line 5\.$",
        ),
    ],
)
def test_senseless_values_are_refused_with_key_and_line(tmp_path, text, message):
    """The given text begins on line 5; what it extends has lines of its own."""
    write(tmp_path, "base.yaml", SMALLEST)
    path = write(tmp_path, text=f"extends: base.yaml\n# 2\n# 3\n# 4\n{text}")
    with pytest.raises(SettingError, match=message):
        read_recipe_file(path)


def test_a_wrong_override_is_named(mine):
    with pytest.raises(SettingError, match=r"the override optimiser\.lr=fast"):
        read_recipe_file(mine, ["optimiser.lr=fast"])
    with pytest.raises(SettingError, match="key=value"):
        read_recipe_file(mine, ["optimiser.lr"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("loop: {epochs: 3\n", r"mine\.yaml, line 2"),
        ("loop:\n\tepochs: 3\n", r"mine\.yaml, line 2"),
        ("- 1\n- 2\n", "no recipe"),
        ("just words\n", "no recipe"),
        ("loop: {epochs: 3}\nloss: {}\nloop: {seed: 1}\n", r"loop stands twice.*line 1 and line 3"),
        ("a: &x {b: 1}\nc: *x\n", "no aliases"),
        ("loop: !!python/object:os.system {}\n", r"mine\.yaml, line 1: .*no tag"),
        ("loop: {epochs: !!python/name:os.system x}\n", r"mine\.yaml, line 1: "),
        ("optimiser: {lr: 1}\noptimizer: {lr: 2}\n", "optimizer is optimiser"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path, content, message):
    with pytest.raises((SettingError, UnknownNameError), match=message):
        read_recipe_file(write(tmp_path, text=content))


def test_a_file_of_bytes_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"loop: \xff\xfe\n")
    with pytest.raises(SettingError, match="UTF-8"):
        read_recipe_file(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SettingError, match="no recipe file"):
        read_recipe_file(tmp_path / "none.yaml")


def test_numbers_in_files_are_numbers_and_words_are_words(tmp_path):
    text = "optimiser: {lr: 1e-4, weight_decay: 2E-5}\nloop: {epochs: 010}\nmodel: {name: yes}\n"
    recipe = read_recipe_file(write(tmp_path, text=text))
    assert (recipe.optimiser.lr, recipe.optimiser.weight_decay) == (1e-4, 2e-5)
    assert (recipe.loop.epochs, recipe.model.name) == (10, "yes")


def test_the_american_spelling_is_understood_in_files(tmp_path):
    write(tmp_path, "base.yaml", "optimizer: {lr: 0.3, momentum: 0.5}\nloop: {epochs: 2}\n")
    path = write(tmp_path, text="extends: base.yaml\noptimiser: {lr: 0.2}\n")
    recipe = read_recipe_file(path)
    assert (recipe.optimiser.lr, recipe.optimiser.momentum) == (0.2, 0.5)


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("ResNet50_vd", "imagenet/ResNet50_vd"),
        ("resnet50-VD", "imagenet/ResNet50_vd"),
        ("imagenet/ResNet50_vd", "imagenet/ResNet50_vd"),
        ("augment/cutmix", "imagenet/augment/Cutmix"),
        ("budget/ResNet18-16", "imagenet/budget/ResNet18-16"),
        ("cifar", "cifar"),
    ],
)
def test_a_recipe_is_found_by_its_tail(given, whole):
    assert describe(given).name == whole


def test_an_unknown_recipe_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="recipe named 'ResNet5O_vd'") as caught:
        find_recipe("ResNet5O_vd")
    assert "ResNet50_vd" in caught.value.suggestions
    with pytest.raises(UnknownNameError) as caught:
        find_recipe("imagenet/ResNet51")
    assert "imagenet/ResNet50" in caught.value.suggestions


def test_bases_are_in_no_list():
    assert not [name for name in list_recipes() if "/_" in name or name.startswith("_")]
    with pytest.raises(UnknownNameError):
        find_recipe("_paddle")


def test_the_keys_include_those_of_parts_that_may_be_absent():
    keys = list_keys()
    assert {"optimiser.lr", "augment.crop.scale", "augment.progressive.start_size"} <= set(keys)
    assert "augment.progressive" in keys
    assert "optimiser" not in keys
    assert len(keys) == len(set(keys))


def test_spelling_shows_what_differs_or_everything(mine):
    recipe = read_recipe_file(mine, ["optimiser.weight_decay=7e-5", "schedule.milestones=[1, 2]"])
    short = yaml.safe_load(spell_recipe(recipe))
    assert short == {
        "optimiser": {"lr": 0.1, "weight_decay": 7e-5},
        "schedule": {"milestones": [1.0, 2.0]},
        "loop": {"epochs": 10},
    }
    whole = yaml.safe_load(spell_recipe(recipe, full=True))
    assert whole.keys() == Recipe.model_fields.keys()
    assert whole["augment"]["progressive"] is None


def test_milestones_rise():
    with pytest.raises(SettingError, match=r"milestones rise: \[10"):
        override(
            read_recipe_file("scratch"),
            ["schedule.curve=multistep", "schedule.milestones=[30, 10]"],
        )
