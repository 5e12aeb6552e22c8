import pytest

from residua.base.errors import MissingExtraError, ResiduaError, UnknownNameError
from residua.base.nearest import nearest, normalize


def test_names_are_compared_without_case_dashes_and_underscores():
    assert normalize("SE_ResNet50-vd") == normalize("se-resnet50_VD") == "seresnet50vd"


def test_the_nearest_names_come_first():
    known = ["ResNet18", "ResNet18_vd", "ResNet50_vd", "Res2Net50_26w_4s"]
    assert nearest("resnet18vd_", known)[0] == "ResNet18_vd"
    assert len(nearest("ResNet", known, count=2)) == 2


def test_five_are_offered_even_for_a_name_like_no_other():
    assert len(nearest("zzz", [f"ResNet{depth}" for depth in range(9)])) == 5


def test_an_error_says_what_was_given_and_what_to_do():
    error = UnknownNameError("model", "ResNet51", ["ResNet50", "ResNet101"])
    assert error.suggestions[0] == "ResNet50"
    assert "'ResNet51'" in str(error)
    assert "ResNet50" in error.next_step
    assert "pip install 'residua[demo]'" in str(MissingExtraError("scikit-learn", "demo"))


@pytest.mark.parametrize("kind", ResiduaError.__subclasses__())
def test_every_error_of_the_family_is_drawn_in_the_docstring(kind):
    import residua.base.errors as module

    if kind.__module__ == module.__name__:
        assert kind.__name__ in module.__doc__
