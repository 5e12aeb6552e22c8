"""The policies that AutoAugment found (arXiv 1805.09501, appendix A, tables 7 and 9), as data.

A policy is 25 pairs of operations, each as (name, probability, magnitude 0…9). Where a paper's
magnitude has no meaning (equalize and the like) it is 0 here.
"""

Step = tuple[str, float, int]

_IMAGENET = """
    posterize .4 8, rotate .6 9         | solarize .6 5, autocontrast .6 0
    equalize .8 0, equalize .6 0        | posterize .6 7, posterize .6 6
    equalize .4 0, solarize .2 4        | equalize .4 0, rotate .8 8
    solarize .6 3, equalize .6 0        | posterize .8 5, equalize 1 0
    rotate .2 3, solarize .6 8          | equalize .6 0, posterize .4 6
    rotate .8 8, colour .4 0            | rotate .4 9, equalize .6 0
    equalize 0 0, equalize .8 0         | invert .6 0, equalize 1 0
    colour .6 4, contrast 1 8           | rotate .8 8, colour 1 2
    colour .8 8, solarize .8 7          | sharpness .4 7, invert .6 0
    shear-x .6 5, equalize 1 0          | colour .4 0, equalize .6 0
    equalize .4 0, solarize .2 4        | solarize .6 5, autocontrast .6 0
    invert .6 0, equalize 1 0           | colour .6 4, contrast 1 8
    equalize .8 0, equalize .6 0
"""

_CIFAR10 = """
    invert .1 0, contrast .2 6          | rotate .7 2, translate-x .3 9
    sharpness .8 1, sharpness .9 3      | shear-y .5 8, translate-y .7 9
    autocontrast .5 0, equalize .9 0    | shear-y .2 7, posterize .3 7
    colour .4 3, brightness .6 7        | sharpness .3 9, brightness .7 9
    equalize .6 0, equalize .5 0        | contrast .6 7, sharpness .6 5
    colour .7 7, translate-x .5 8       | equalize .3 0, autocontrast .4 0
    translate-y .4 3, sharpness .2 6    | brightness .9 6, colour .2 8
    solarize .5 2, invert 0 0           | equalize .2 0, autocontrast .6 0
    equalize .2 0, equalize .6 0        | colour .9 9, equalize .6 0
    autocontrast .8 0, solarize .2 8    | brightness .1 3, colour .7 0
    solarize .4 5, autocontrast .9 0    | translate-y .9 9, translate-y .7 9
    autocontrast .9 0, solarize .8 3    | equalize .8 0, invert .1 0
    translate-y .7 9, autocontrast .9 0
"""


def _read(text: str) -> tuple[tuple[Step, Step], ...]:
    pairs = [
        pair.split(",") for line in text.split("\n") for pair in line.split("|") if pair.strip()
    ]
    return tuple((_read_step(first), _read_step(second)) for first, second in pairs)


def _read_step(text: str) -> Step:
    name, probability, magnitude = text.split()
    return name, float(probability), int(magnitude)


TABLES = {"imagenet": _read(_IMAGENET), "cifar10": _read(_CIFAR10)}
