"""Files and ``-o key=value`` as PaddleClas reads them; what nobody explains is refused."""

import pytest

from paddle_configurations import deployment, plain, write
from residua.base.errors import SettingError
from residua.compat.config.read import is_configuration, read_configuration
from residua.compat.config.values import read_literal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("True", True), ("None", None), ("1e-4", 1e-4), ("[1, 2]", [1, 2]), ("(3, 4)", [3, 4]),
        ("1.0/255.0", 1 / 255), ("[1/4, 3.0*2]", [0.25, 6.0]), ("-3", -3), ("'a b'", "a b"),
        ("output/ResNet50/best_model", "output/ResNet50/best_model"), ("1/0", "1/0"), ("", ""),
        ("__import__('os').getcwd()", "__import__('os').getcwd()"), ("a*2", "a*2"),
        ("'a'*99", "'a'*99"), ("{'size': 3}", {"size": 3}), ("true", "true"),
    ],
)  # fmt: skip
def test_literals(text, value):
    assert read_literal(text) == value


def test_overrides_reach_into_lists(tmp_path):
    path = write(tmp_path, plain("ResNet18"))
    said = [
        "DataLoader.Train.dataset.transform_ops.1.RandCropImage.size=320",
        "Arch.use_sync_bn=true", "Global.pretrained_model=a=b", "Optimizer.lr.values.1=0.02",
        "EMA.decay=0.99",
    ]  # fmt: skip
    configuration = read_configuration(path, said)
    whole = configuration.whole.content
    steps = whole["DataLoader"]["Train"]["dataset"]["transform_ops"]
    assert steps[1] == {"RandCropImage": {"size": 320}}
    assert whole["Arch"]["use_sync_bn"] is True
    assert whole["Global"]["pretrained_model"] == "a=b"
    assert whole["Optimizer"]["lr"]["values"] == [0.1, 0.02, 0.001, 0.0001]
    assert whole["EMA"] == {"decay": 0.99}
    assert configuration.says("DataLoader.Train.dataset.transform_ops")
    assert not configuration.says("DataLoader.Eval")
    (note,) = configuration.findings.notes
    assert "Arch.use_sync_bn is True" in note
    assert "PaddleClas takes it for a text" in note


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("Global.epochs", "sets nothing"), ("=3", "sets nothing"),
        ("DataLoader.Train.dataset.transform_ops.9.X.y=1", "no position in a list of 4"),
        ("DataLoader.Train.dataset.transform_ops.RandCropImage.size=1", "no position in a list"),
        ("Global.epochs.x=1", "nothing can be set below it"),
    ],
)  # fmt: skip
def test_overrides_that_fit_nowhere(tmp_path, said, problem):
    with pytest.raises(SettingError, match=problem):
        read_configuration(write(tmp_path, plain("ResNet18")), [said])


def test_a_misplaced_operator_is_found(tmp_path):
    said = "DataLoader.Train.dataset.transform_ops.RandCropImage.size=1"
    with pytest.raises(SettingError) as caught:
        read_configuration(write(tmp_path, plain("ResNet18")), [said])
    assert "RandCropImage is number 1" in caught.value.next_step


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a: [1", "is not YAML"), ("- 1", "keys and values"), ("\xff\xfe", "is no configuration")],
)
def test_files_that_are_none(tmp_path, text, problem):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(SettingError, match=problem):
        read_configuration(path)


def test_aliases_cannot_fill_the_memory(tmp_path):
    lines = ["Global: {}", "Arch: {}", "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path = tmp_path / "bomb.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(SettingError, match="more than 100,000 values"):
        read_configuration(path)


def test_what_a_configuration_is(tmp_path):
    assert is_configuration(write(tmp_path, plain("ResNet18")))
    assert is_configuration(write(tmp_path, deployment(), "inference_cls.yaml"))
    ours = tmp_path / "ours.yaml"
    ours.write_text("model: {name: ResNet18}\noptimiser: {lr: 0.1}\n")
    assert not is_configuration(ours)
    assert not is_configuration(tmp_path / "absent.yaml")
    assert not is_configuration(write(tmp_path, plain("ResNet18"), "config.txt"))


def test_findings_stand_together(tmp_path):
    configuration = read_configuration(write(tmp_path, plain("ResNet18")))
    findings = configuration.findings
    findings.ignore("Global.a", "why")
    findings.ignore("Global.b", "why")
    findings.ignore("Global.a", "another")
    findings.note("once")
    findings.note("once")
    assert findings.spell() == ["once", "Ignored: Global.{a, b}: why."]


def test_a_folder_and_what_holds_itself(tmp_path):
    with pytest.raises(SettingError, match="is a folder"):
        read_configuration(tmp_path)
    path = tmp_path / "self.yaml"
    path.write_text("Global: &z [*z]\nArch: {name: x}\n")
    with pytest.raises(SettingError, match="holds itself"):
        read_configuration(path)


def test_quoted_keys_are_parts_too(tmp_path):
    path = tmp_path / "quoted.yaml"
    path.write_text('"Global": {epochs: 3}\n"Arch": {name: ResNet18}\n')
    assert is_configuration(path)
    assert read_configuration(path).whole.part("Global").whole("epochs") == 3
