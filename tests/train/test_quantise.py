"""Training for int8: ranges as NNCF measures them, runs that are exact, and an effect."""

import numpy as np
import pytest
import torch

from data.shapes import write_shapes
from making import make_bundle
from making_recipes import fine_tune, from_scratch
from residua.base.errors import DataError, SettingError
from residua.bundle.store import Bundle
from residua.data.settings import DataPart
from residua.data.sources.folder import read_folder
from residua.data.sources.parts import open_parts
from residua.data.view import EvaluationView
from residua.evaluate.validation import Validation
from residua.pixels.graph import Normalize
from residua.train.display import Display
from residua.train.plan.find_lr import try_rates
from residua.train.recipe.compose import Wishes, compose_recipe
from residua.train.recipe.file import change
from residua.train.run import train
from residua.train.update import quantise as quantising
from residua.train.update import rounding
from residua.train.update.quantise import measure_ranges, quantise
from residua.train.update.rounding import Grid
from residua.zoo.load import load_network

_CPU = torch.device("cpu")
_WIDTHS = {"model.widths": (8, 8, 16, 16), "model.stem_width": 8}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = write_shapes(tmp_path_factory.mktemp("quantise") / "shapes", count=40)
    return open_parts(folder, DataPart(val_fraction=0.2, split_seed=0))


@pytest.fixture(scope="module")
def parent(parts, tmp_path_factory):
    """A bundle that has learnt the shapes, in float32."""
    recipe = from_scratch("ResNet18_vd", epochs=6, batch_size=16, image_size=24)
    values = {"optimiser.lr": 0.1, "augment.crop.scale": (0.7, 1.0), "precision.compute": "fp32"}
    output = tmp_path_factory.mktemp("parent") / "shapes.bundle"
    return train(change(recipe, _WIDTHS | values), parts, output=output).bundle


def _recipe(parent, **changes):
    recipe = fine_tune(str(parent.path), epochs=2, batch_size=16, image_size=24)
    values = {
        "precision.quantise": True, "precision.compute": "fp32", "optimiser.lr": 0.003,
        "augment.crop.scale": (0.7, 1.0), "schedule.warmup_epochs": 0,
    }  # fmt: skip
    return change(recipe, values | changes)


def _crops(source, preprocess):
    """Normalised crops of all pictures: float32 [N, 3, H, W]."""
    view = EvaluationView(source, preprocess)
    crops = np.empty((len(source), *view.shape), np.uint8)
    for place, crop in enumerate(crops):
        view.fill(place, crop)
    return crops, Normalize(preprocess.mean, preprocess.std)(torch.from_numpy(crops))


class TestRanges:
    def test_they_are_means_of_each_pictures_extremes(self, parts, parent):
        network = load_network(parent).train()
        before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        preprocess = parent.manifest.preprocess
        ranges = measure_ranges(network, parts.training, preprocess, _CPU, seed=0)
        assert network.training
        assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
        _, pictures = _crops(parts.training, preprocess)
        network.eval()
        with torch.no_grad():
            expected = {
                "stem.0.conv in": pictures,
                "head in": network.embed(pictures),
                "features": network.features(pictures)["stage4"],
            }
        for name, values in expected.items():
            extremes = [(float(x.min()), float(x.max())) for x in values]
            assert ranges[name] == pytest.approx(np.mean(extremes, axis=0), rel=1e-5, abs=1e-6)

    def test_the_first_of_an_epoch_are_looked_at(self, parts, parent, monkeypatch):
        network, preprocess = load_network(parent), parent.manifest.preprocess
        whole = measure_ranges(network, parts.training, preprocess, _CPU, seed=0)
        monkeypatch.setattr(quantising, "PICTURES", 10)
        few = [measure_ranges(network, parts.training, preprocess, _CPU, seed=s) for s in (0, 0, 1)]
        assert few[0] == few[1]
        assert whole["head in"] != few[0]["head in"] != few[2]["head in"]

    def test_broken_pictures_are_left_out(self, parent, tmp_path):
        folder = write_shapes(tmp_path / "shapes", count=3)
        network, preprocess = load_network(parent), parent.manifest.preprocess
        expected = measure_ranges(network, read_folder(folder), preprocess, _CPU, seed=0)
        (folder / "disc" / "broken.png").write_bytes(b"no picture")
        found = measure_ranges(network, read_folder(folder), preprocess, _CPU, seed=0)
        for name, pair in expected.items():
            assert found[name] == pytest.approx(pair, rel=1e-5, abs=1e-6)
        for file in folder.rglob("*.png"):
            file.write_bytes(b"no picture")
        with pytest.raises(DataError, match="None of 10 pictures"):
            measure_ranges(network, read_folder(folder), preprocess, _CPU, seed=0)

    def test_one_process_measures_for_all(self, parts, parent, monkeypatch):
        class Second:
            first = False

            @staticmethod
            def share(value):
                assert value is None
                return dict.fromkeys(rounding.list_points(network), (0.0, 1.0)), 63

        network = load_network(parent)
        monkeypatch.setattr(quantising, "measure_ranges", None)
        preprocess = parent.manifest.preprocess
        quantise(network, parts.training, preprocess, _CPU, seed=0, ranks=Second())
        assert network.head.highest == 63


@pytest.mark.slow
@pytest.mark.parametrize(
    ("row", "widths"), [("ResNet18", (16, 16, 32, 32)), ("SE_ResNet18_vd", (32, 32, 32, 64))]
)
def test_rounding_is_that_of_nncf(row, widths, parts, tmp_path, monkeypatch):
    """Against the int8 graph that an export makes: the same levels nearly everywhere."""
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    from residua.export.quantise import for_openvino

    monkeypatch.setattr(quantising, "has_int8_dots", lambda: True)
    bundle = make_bundle(tmp_path / "x.bundle", row, widths=widths, num_classes=3)
    preprocess, source = bundle.manifest.preprocess, parts.validation
    crops, pictures = _crops(source, preprocess)
    backend = for_openvino()
    model = backend.build(bundle)
    exact = backend.run(model)(crops)
    advanced = AdvancedQuantizationParameters(
        overflow_fix=OverflowFix.DISABLE, disable_bias_correction=True
    )
    model = nncf.quantize(
        model, nncf.Dataset(list(crops), lambda crop: {"image": crop[None]}),
        preset=nncf.QuantizationPreset.MIXED, subset_size=len(crops),
        advanced_parameters=advanced,
    )  # fmt: skip
    theirs = backend.run(model)(crops)
    network = load_network(bundle)
    ranges = measure_ranges(network, source, preprocess, _CPU, seed=0)
    _assert_ranges(model, ranges)
    quantise(network, source, preprocess, _CPU, seed=0)
    with torch.no_grad():
        ours = network(pictures).softmax(1).numpy()
    assert np.abs(ours - theirs).mean() < 0.25 * np.abs(exact - theirs).mean()


def _assert_ranges(model, ranges):
    """Every range is one that NNCF has found."""
    found = []
    for node in model.get_ops():
        if node.get_type_name() == "FakeQuantize":
            low, high = (node.input_value(i).get_node().data.item() for i in (1, 2))
            found.append((low, high))
    for name, pair in ranges.items():
        if pair == (0, 0):  # NNCF gives it a range of 0.0008
            continue
        grid = Grid(*pair)
        low, high = -grid.zero * grid.scale, (255 - grid.zero) * grid.scale
        near = [abs(low - lo) + abs(high - hi) for lo, hi in found]
        assert min(near) < 1e-3 * (high - low), name


class TestRuns:
    def test_the_bundle_is_an_ordinary_one_with_its_own_figures(self, parts, parent, tmp_path):
        trained = train(_recipe(parent), parts, output=tmp_path / "x.bundle")
        tensors = trained.bundle.tensors()
        shapes = {name: array.shape for name, array in parent.tensors().items()}
        assert {name: array.shape for name, array in tensors.items()} == shapes
        network = load_network(trained.bundle)
        preprocess = trained.bundle.manifest.preprocess
        plain = Validation(network, preprocess, parts.validation).run()
        assert trained.metrics.loss == pytest.approx(plain.loss, rel=1e-6)
        [best] = [r.metrics for r in trained.epochs if r.epoch == trained.epoch]
        assert (
            f"With the rounding of int8: top-1 {best.top1:.2%}, loss {best.loss:.4f}."
            in (trained.notes[-1])
        )
        assert best.loss != plain.loss
        assert "round as int8 does" in trained.notes[0]
        assert trained.bundle.manifest.recipe["precision"]["quantise"]

    @pytest.mark.parametrize("average", ["none", "ema", "uniform"])
    def test_a_run_that_goes_on_ends_the_same_bit_by_bit(
        self, parts, parent, tmp_path, monkeypatch, average
    ):
        recipe = _recipe(parent, **{"average.kind": average, "output.checkpoint_every": 2})
        whole = train(recipe, parts, output=tmp_path / "a.bundle", run_folder=tmp_path / "a.run")
        from residua.train import loop

        real, count = loop.run_backward_within_memory, iter(range(100))

        def die(*arguments, **options):
            if next(count) == 8:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        monkeypatch.setattr(loop, "run_backward_within_memory", die)
        cut = {"output": tmp_path / "b.bundle", "run_folder": tmp_path / "b.run"}
        with pytest.raises(KeyboardInterrupt):
            train(recipe, parts, **cut)
        monkeypatch.setattr(loop, "run_backward_within_memory", real)
        resumed = train(recipe, parts, **cut)
        expected = whole.bundle.tensors()
        for name, array in resumed.bundle.tensors().items():
            np.testing.assert_array_equal(array, expected[name], err_msg=name)
        assert [r.metrics for r in resumed.epochs] == [r.metrics for r in whole.epochs]

    def test_micro_batches_have_the_same_ranges(self, parts, parent, tmp_path, monkeypatch):
        seen = []
        real = quantising.measure_ranges

        def note(*arguments, **options):
            seen.append(real(*arguments, **options))
            return seen[-1]

        monkeypatch.setattr(quantising, "measure_ranges", note)
        for micro in (16, 4):
            recipe = _recipe(parent, **{"loop.micro_batch": micro, "loop.epochs": 1})
            train(recipe, parts, output=tmp_path / f"{micro}.bundle")
        assert seen[0] == seen[1]

    def test_rates_are_tried_with_the_rounding(self, parts, parent, monkeypatch):
        seen = []
        real = quantising.quantise
        monkeypatch.setattr(
            "residua.train.setup.quantise", lambda *a, **o: seen.append(real(*a, **o)) or seen[-1]
        )
        found = try_rates(_recipe(parent), parts, device="cpu", display=Display(quiet=True))
        assert len(seen) == 1
        assert 1e-6 <= found.suggestion <= 10


def test_it_makes_a_network_lose_less(parts, parent, tmp_path, monkeypatch):
    """With weights of three levels, which a tiny network feels; plain fine-tuning does not help."""
    monkeypatch.setattr(quantising, "_HIGHEST", {True: 1, False: 1})

    def cost(bundle):
        """The loss with the rounding."""
        network, preprocess = load_network(bundle), bundle.manifest.preprocess
        quantise(network, parts.training, preprocess, _CPU, seed=0)
        return Validation(network, preprocess, parts.validation).run().loss

    before = cost(parent)
    after = {}
    for wanted in (True, False):
        recipe = _recipe(parent, **{"precision.quantise": wanted, "average.kind": "none"})
        output = tmp_path / f"{wanted}.bundle"
        after[wanted] = cost(train(recipe, parts, output=output).bundle)
    assert after[True] < 0.5 * before
    assert after[True] < 0.5 * after[False]
    assert parent.manifest.metrics[0].loss < 0.1 * before


class TestRecipe:
    def _compose(self, parts, flags, *overrides):
        wishes = Wishes("", {"precision.quantise": True} | flags, overrides)
        return compose_recipe(wishes, parts.training, gpu=False)

    def test_it_is_short_at_a_low_rate_and_at_the_sizes_of_the_bundle(self, parts, parent):
        choice = self._compose(parts, {"model.pretrained": str(parent.path)})
        recipe = choice.recipe
        assert "Recipe quantise, from" in choice.notes[0]
        assert recipe.precision.quantise
        assert recipe.precision.compute == "fp32"
        assert recipe.loop.epochs == 5  # of few pictures
        assert recipe.optimiser.lr == pytest.approx(0.001 * recipe.loop.batch_size / 32)
        assert recipe.augment.image_size == recipe.evaluate.image_size == 24
        assert recipe.evaluate.short_side == parent.manifest.preprocess.short_side

    def test_augmentation_and_loss_are_the_bundles(self, parts, parent):
        recipe = self._compose(parts, {"model.pretrained": str(parent.path)}).recipe
        own = parent.manifest.recipe
        assert recipe.augment.model_dump(mode="json") == own["augment"]
        assert recipe.augment.crop.scale == (0.7, 1.0)
        assert recipe.loss.model_dump(mode="json") == own["loss"]

    def test_what_grew_in_its_training_has_its_last_size(self, parts, parent, monkeypatch):
        augment = parent.manifest.recipe["augment"] | {
            "progressive": {"start_size": 16, "end_size": 24, "start_epoch": 2, "end_epoch": 5}
        }
        recipe = parent.manifest.recipe | {"augment": augment}
        manifest = parent.manifest.model_copy(update={"recipe": recipe})
        monkeypatch.setattr(
            "residua.train.recipe.defaults.open_bundle",
            lambda *_, **__: Bundle(parent.path, manifest),
        )
        found = self._compose(parts, {"model.pretrained": str(parent.path)}).recipe
        assert found.augment.progressive is None
        assert found.augment.image_size == 24

    def test_what_is_said_stays(self, parts, parent):
        flags = {"model.pretrained": str(parent.path), "loop.epochs": 2, "optimiser.lr": 0.02,
                 "augment.image_size": 48}  # fmt: skip
        recipe = self._compose(parts, flags, "evaluate.image_size=64").recipe
        assert (recipe.loop.epochs, recipe.optimiser.lr) == (2, 0.02)
        assert (recipe.augment.image_size, recipe.evaluate.image_size) == (48, 64)

    @pytest.mark.parametrize(
        ("config", "overrides"), [("", ("precision.quantise=true",)), ("quantise", ())]
    )
    def test_an_override_or_the_recipes_name_says_it_too(self, parts, parent, config, overrides):
        wishes = Wishes(config, {"model.pretrained": str(parent.path)}, overrides)
        recipe = compose_recipe(wishes, parts.training, gpu=False).recipe
        assert recipe.evaluate.image_size == 24
        assert recipe.optimiser.lr < 0.002

    def test_weights_without_a_training_are_taken_at_their_crops(self, parts, tmp_path):
        bundle = make_bundle(tmp_path / "x.bundle", widths=(8, 8, 8, 8))
        recipe = self._compose(parts, {"model.pretrained": str(bundle.path)}).recipe
        assert recipe.augment.image_size == recipe.evaluate.image_size == 64

    def test_from_scratch_is_refused_with_the_way(self, parts):
        with pytest.raises(SettingError, match=r"--pretrained YOUR\.bundle --quantise"):
            self._compose(parts, {"model.name": "ResNet18"})

    def test_compiling_is_refused(self, parts, parent):
        with pytest.raises(SettingError, match=r"precision\.compile do not go together"):
            self._compose(parts, {"model.pretrained": str(parent.path)}, "precision.compile=true")
