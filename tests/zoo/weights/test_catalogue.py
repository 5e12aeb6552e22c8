"""The catalogue against the documents it was taken from, and against the table of networks."""

import math
import re
from collections import Counter

import pytest

from residua.base.errors import UnknownNameError, WeightsError
from residua.base.nearest import normalize
from residua.zoo.table import ROWS
from residua.zoo.weights.catalogue import (
    entries,
    entries_of,
    find_architecture,
    find_entry,
    is_known,
    not_equal,
)

BASE = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph"

# The accuracies that the origin document prints for its 19 models: top-1, top-5.
DOCUMENT = {
    "ResNet18": (0.710, 0.899), "ResNet18_vd": (0.723, 0.908), "ResNet34": (0.746, 0.921),
    "ResNet34_vd": (0.760, 0.930), "ResNet34_vd_ssld": (0.797, 0.949),
    "ResNet50": (0.765, 0.930), "ResNet50_vc": (0.784, 0.940), "ResNet50_vd": (0.791, 0.944),
    "ResNet101": (0.776, 0.936), "ResNet101_vd": (0.802, 0.950), "ResNet152": (0.783, 0.940),
    "ResNet152_vd": (0.806, 0.953), "ResNet200_vd": (0.809, 0.953),
    "ResNet50_vd_ssld": (0.830, 0.964), "Fix_ResNet50_vd_ssld": (0.840, 0.970),
    "ResNet101_vd_ssld": (0.837, 0.967), "SE_ResNet18_vd": (0.7333, 0.9138),
    "SE_ResNet34_vd": (0.7651, 0.9320), "SE_ResNet50_vd": (0.7952, 0.9475),
}  # fmt: skip
NEVER_MOVED = {"ResNet50_vc", "SE_ResNet18_vd", "SE_ResNet34_vd", "SE_ResNet50_vd"}

# timm's own figures: size, crop_pct, interpolation, top-1 in per cent.
TIMM = {
    "resnet50.a1_in1k": (224, 0.95, "bicubic", 80.382),
    "resnet50.a3_in1k": (224, 0.95, "bicubic", 78.052),
    "resnet50.ra_in1k": (224, 0.875, "bicubic", 78.820),
    "resnet50d.ra2_in1k": (224, 0.875, "bicubic", 80.546),
    "resnet101d.ra2_in1k": (256, 0.95, "bicubic", 82.254),
    "resnet18d.ra4_e3600_r224_in1k": (224, 0.9, "bicubic", 74.356),
    "resnext101_32x8d.fb_swsl_ig1b_ft_in1k": (224, 0.875, "bilinear", 84.276),
}


@pytest.mark.parametrize("name", DOCUMENT)
def test_the_nineteen_models_of_the_document(name):
    entry = find_entry(name)
    assert (entry.name, entry.source, entry.licence) == (name, "paddleclas", "Apache-2.0")
    assert (entry.top1, entry.top5) == DOCUMENT[name]
    assert entry.row == name.removeprefix("Fix_").removesuffix("_ssld")
    file = f"{name}{'_v2' if name.startswith('Fix') else ''}_pretrained.pdparams"
    moved = name not in NEVER_MOVED and not name.startswith("Fix")
    assert entry.urls[0] == f"{BASE}/{'legendary_models/' if moved else ''}{file}"
    size = 320 if name.startswith("Fix") else 224
    assert entry.preprocess.crop_size == size
    assert entry.preprocess.short_side == (320 if name.startswith("Fix") else 256)
    assert (entry.preprocess.resampler, entry.preprocess.rounding) == ("opencv", "paddle")
    (metrics,) = entry.metrics
    assert (metrics.source, metrics.top1, metrics.image_size) == ("published", entry.top1, size)


def test_the_older_ssld_weights_are_an_entry_of_their_own():
    old, new = find_entry("ResNet50_vd_ssld.v1"), find_entry("ResNet50_vd_ssld")
    assert (old.top1, new.top1) == (0.824, 0.830)
    assert old.urls == (f"{BASE}/ResNet50_vd_ssld_pretrained.pdparams",)
    assert old.urls[0] not in new.urls
    assert old.file != new.file


def test_every_entry_fits_the_table_and_can_be_told_from_the_others():
    names = Counter()
    for entry in entries():
        assert entry.row in ROWS, entry.name
        assert all(url.startswith("https://") for url in entry.urls), entry.name
        assert entry.top1 is None or entry.top1 < entry.top5, entry.name
        assert entry.architecture.num_classes == 1000
        assert entry.preprocess.crop_size <= entry.preprocess.short_side
        names.update({normalize(name) for name in (entry.name, *entry.aliases)})
    assert {name: count for name, count in names.items() if count > 1} == {}
    assert len({entry.file for entry in entries()}) == len(entries()) > 140
    assert sum(entry.top1 is None for entry in entries()) == 1  # timm lists no figure for it


def test_every_row_has_default_weights_or_is_known_to_have_none():
    without = []
    for name in ROWS:
        try:
            assert find_entry(name).row == name
        except WeightsError:
            without.append(name)
    assert without == [
        "ResNet18_vc", "ResNet34_vc", "ResNeXt101_32x16d", "ResNeXt101_32x32d",
        "ResNeXt101_32x48d", "ResNet20", "ResNet32", "ResNet44", "ResNet56", "ResNet110",
    ]  # fmt: skip
    for name in ROWS:
        if name not in without:
            assert "NC" not in find_entry(name).licence


def test_torchvision_file_names_carry_the_digits_that_are_enforced():
    found = [entry for entry in entries() if entry.source == "torchvision"]
    assert len(found) == 17
    for entry in found:
        digits = re.search(r"-([0-9a-f]{8})\.pth$", entry.urls[0])[1]
        assert entry.sha256_prefix == digits
        assert entry.licence == "BSD-3-Clause"
        newer = entry.name.endswith(".tv2") or entry.row == "ResNeXt101_64x4d"
        assert entry.preprocess.short_side == (232 if newer else 256)
        assert entry.preprocess.resampler == "pillow"
    assert (find_entry("ResNet50.tv").top1, find_entry("ResNet50.tv2").top1) == (0.7613, 0.80858)


@pytest.mark.parametrize("name", TIMM)
def test_timm_entries_follow_its_configuration(name):
    size, crop_pct, interpolation, top1 = TIMM[name]
    entry = find_entry(name)
    assert entry.urls == (f"https://huggingface.co/timm/{name}/resolve/main/model.safetensors",)
    assert entry.preprocess.crop_size == size
    assert entry.preprocess.short_side == math.floor(size / crop_pct)
    assert entry.preprocess.interpolation == interpolation
    assert entry.top1 == pytest.approx(top1 / 100)
    assert entry.preprocess.mean[0] == (0.5 if "ra4" in name else 0.485)


def test_weights_for_research_only_say_so():
    found = [entry for entry in entries() if "wsl" in entry.name or ".fb_" in entry.name]
    assert len(found) == 5 + 16
    assert {entry.licence for entry in found} == {"CC-BY-NC-4.0"}


@pytest.mark.parametrize("spelling", ["resnet50-VD_ra2", "ResNet50vd.RA2", "resnet50d.ra2_in1k"])
def test_names_are_forgiven_their_spelling(spelling):
    if "." not in spelling:
        with pytest.raises(UnknownNameError):
            find_entry(spelling)  # the dot is part of a name
        spelling = spelling.replace("_ra2", ".ra2")
    assert find_entry(spelling).name == "ResNet50_vd.ra2"
    assert find_architecture(spelling) is ROWS["ResNet50_vd"]


def test_rows_and_names_of_weights_lead_to_rows():
    assert find_architecture("fix-resnet50-vd-ssld") is ROWS["ResNet50_vd"]
    assert find_architecture("resnet20") is ROWS["ResNet20"]
    assert [entry.name for entry in entries_of("Wide_ResNet101_2")] == [
        "Wide_ResNet101_2.tv", "Wide_ResNet101_2.tv2",
    ]  # fmt: skip
    assert is_known("RESNET-20")
    assert not is_known("flowers")


def test_an_unknown_name_gets_the_nearest_five():
    with pytest.raises(UnknownNameError) as caught:
        find_entry("ResNet50_vd_sld")
    assert len(caught.value.suggestions) == 5
    assert caught.value.suggestions[0] == "ResNet50_vd_ssld"
    assert "residua weights list" in str(caught.value)


def test_networks_without_weights_say_what_to_do():
    with pytest.raises(WeightsError, match="weights import FILE --model ResNet56"):
        find_entry("ResNet56")
    with pytest.raises(WeightsError, match=r"ResNeXt101_32x48d_wsl \(CC-BY-NC-4\.0\)"):
        find_entry("ResNeXt101_32x48d")


def test_weights_of_other_networks_are_named_with_the_reason():
    for other in not_equal():
        assert other.near in ROWS
        for name in other.names:
            assert not is_known(name)
            with pytest.raises(WeightsError, match=re.escape(other.reason)):
                find_entry(name)
    with pytest.raises(WeightsError, match="3, 24, 36, 3"):
        find_entry("resnet200d.ra2_in1k")
