import numpy as np
import pytest
import torch

from residua.base.errors import WeightsError, WeightsMismatchError
from residua.zoo.table import find_row
from residua.zoo.weights.names.convert import convert
from zoo.weights.names import published
from zoo.weights.names.running import load, logits


def test_classes_and_channels_are_taken_from_the_file():
    row = published.shrink(find_row("ResNet18_vd"))
    file_row = row.model_copy(update={"num_classes": 5, "input_channels": 4})
    theirs = published.rename(file_row, published.random_tensors(file_row), published.current)
    found = convert(theirs, row)
    assert (found.row.num_classes, found.row.input_channels) == (5, 4)
    assert found.tensors["head.weight"].shape == (5, 128)
    assert found.tensors["stem.0.conv.weight"].shape[1] == 4


class TestIdentityProjection:
    ROWS = ("ResNet18", "ResNet34", "ResNet18_vd", "ResNet34_vd")

    def published(self, name):
        row = published.shrink(find_row(name)).model_copy(update={"first_projection": False})
        ours = published.random_tensors(row)
        for key, array in ours.items():
            if key.endswith("running_var"):
                ours[key] = np.abs(array) + 0.5
        return row, ours, published.rename(row, ours, published.torch_names)

    @pytest.mark.parametrize("name", ROWS)
    def test_is_exact_bit_for_bit(self, name):
        row, ours, theirs = self.published(name)
        with_projection = row.model_copy(update={"first_projection": True})
        found = convert(theirs, with_projection)
        assert any("identity" in note for note in found.notes)
        assert len(found.tensors) == len(ours) + 5
        assert torch.equal(logits(ours, row), logits(found.tensors, with_projection))

    def test_divides_by_exactly_one_in_float32_and_after_float64(self):
        row, _, theirs = self.published("ResNet18")
        found = convert(theirs, row.model_copy(update={"first_projection": True}))
        variance = found.tensors["stages.0.0.shortcut.norm.running_var"]
        eps = 1e-5
        assert np.all(np.sqrt(variance + np.float32(eps)) == np.float32(1))
        assert np.all(np.float32(1 / np.sqrt(variance.astype(np.float64) + eps)) == np.float32(1))

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    def test_gives_any_activation_back(self, layout):
        row, _, theirs = self.published("ResNet18")
        row = row.model_copy(update={"first_projection": True})
        shortcut = load(convert(theirs, row).tensors, row).stages[0][0].shortcut
        draw = np.random.default_rng(3)
        values = np.exp(draw.uniform(-80, 80, (2, 16, 9, 11))).astype(np.float32)
        values[:, 0] = 0
        given = torch.from_numpy(values).contiguous(memory_format=layout)
        with torch.inference_mode():
            assert torch.equal(shortcut(given), given)

    def test_is_not_put_into_a_paddle_file_that_lost_it(self):
        row = published.shrink(find_row("ResNet18"))
        theirs = published.rename(row, published.random_tensors(row), published.current)
        theirs = {k: v for k, v in theirs.items() if not k.startswith("blocks.0.short")}
        with pytest.raises(WeightsMismatchError, match=r"missing     stages\.0\.0\.shortcut"):
            convert(theirs, row)


class TestRefusals:
    @pytest.fixture
    def file(self):
        row = published.shrink(find_row("ResNet50"))
        return row, published.rename(row, published.random_tensors(row), published.torch_names)

    def test_missing_unexpected_and_reshaped_stand_in_one_table(self, file):
        row, theirs = file
        theirs["layer9.0.conv1.weight"] = theirs.pop("layer2.1.conv2.weight")
        theirs["bn1.bias"] = theirs["bn1.bias"][:3]
        with pytest.raises(WeightsMismatchError) as caught:
            convert(theirs, row)
        assert caught.value.differences == (
            "missing     stages.1.1.conv1.conv.weight  [32, 32, 3, 3]",
            "unexpected  layer9.0.conv1.weight",
            "shape       bn1.bias  is [3], ResNet50 has [16]",
        )

    def test_another_row(self, file):
        _, theirs = file
        with pytest.raises(WeightsMismatchError):
            convert(theirs, published.shrink(find_row("ResNet101")))
        with pytest.raises(WeightsMismatchError):
            convert(theirs, published.shrink(find_row("ResNet50_vd")))

    def test_missing_classifier_is_refused_unless_a_new_one_is_wanted(self, file):
        row, theirs = file
        theirs = {k: v for k, v in theirs.items() if not k.startswith("fc.")}
        with pytest.raises(WeightsMismatchError, match=r"missing     head\.weight"):
            convert(theirs, row)
        found = convert(theirs, row, head="new")
        assert found.row.num_classes == row.num_classes

    def test_new_head_leaves_out_the_classifier_and_nothing_else(self, file):
        row, theirs = file
        found = convert(theirs, row.model_copy(update={"num_classes": 3}), head="new")
        assert found.row.num_classes == 3
        assert not any(name.startswith("head.") for name in found.tensors)
        assert any("classifier" in note for note in found.notes)
        del theirs["layer1.0.bn1.bias"]
        with pytest.raises(WeightsMismatchError, match=r"stages\.0\.0\.conv0\.norm\.bias"):
            convert(theirs, row, head="new")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_no_numbers(self, file, value):
        row, theirs = file
        theirs["bn1.bias"] = np.full(16, value, np.float32)
        with pytest.raises(WeightsMismatchError, match=r"bn1\.bias  is not finite"):
            convert(theirs, row)

    def test_integers_where_floats_belong(self, file):
        row, theirs = file
        theirs["conv1.weight"] = theirs["conv1.weight"].astype(np.int8)
        with pytest.raises(WeightsMismatchError, match=r"conv1\.weight  is of type int8"):
            convert(theirs, row)

    def test_names_of_no_known_kind(self):
        tensors = {f"transformer.{i}.weight": np.zeros((2, 2), np.float32) for i in range(9)}
        with pytest.raises(WeightsError, match="of no kind"):
            convert(tensors, find_row("ResNet18"))

    def test_counters_are_dropped(self, file):
        row, theirs = file
        theirs |= {
            k.replace("running_mean", "num_batches_tracked"): np.array(7)
            for k in theirs
            if k.endswith("running_mean")
        }
        assert len(convert(theirs, row).tensors) == len(published.our_shapes(row))

    @pytest.mark.parametrize(
        ("published_name", "row_name"),
        [("ResNet50_vd", "ResNet50_vc"), ("ResNet50_vc", "ResNet50_vd")],
    )
    def test_vc_and_vd_are_told_apart_where_timm_names_them(self, published_name, row_name):
        given, asked = (
            published.shrink(find_row(published_name)),
            published.shrink(find_row(row_name)),
        )
        theirs = published.rename(given, published.random_tensors(given), published.torch_names)
        with pytest.raises(WeightsMismatchError, match="shortcut    the file"):
            convert(theirs, asked)

    def test_current_paddle_names_are_never_vc(self):
        row = published.shrink(find_row("ResNet50_vd"))
        theirs = published.rename(row, published.random_tensors(row), published.current)
        with pytest.raises(WeightsMismatchError, match="shortcut    the file"):
            convert(theirs, published.shrink(find_row("ResNet50_vc")))

    def test_res2net_of_timm_is_another_network(self):
        row = published.shrink(find_row("Res2Net50_26w_4s"))
        theirs = {}
        for name, array in published.random_tensors(row).items():
            parts = name.split(".")
            if "split" in parts:
                kind = "convs" if parts[5] == "conv" else "bns"
                new = f"layer{int(parts[1]) + 1}.{parts[2]}.{kind}.{parts[4]}.{parts[6]}"
            else:
                new = published.torch_names(row, name)
            theirs[new] = array
        with pytest.raises(WeightsMismatchError, match="Res2Net of timm"):
            convert(theirs, row)

    def test_legacy_senet_is_another_network(self):
        row = published.shrink(find_row("SE_ResNeXt50_32x4d"))
        theirs = {
            key.replace(".se.", ".se_module.").replace("fc.", "last_linear."): array
            for key, array in published.rename(
                row, published.random_tensors(row), published.torch_names
            ).items()
        }
        theirs["layer0.conv1.weight"] = theirs.pop("conv1.weight")
        with pytest.raises(WeightsMismatchError, match="max pool"):
            convert(theirs, row)
