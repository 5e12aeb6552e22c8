"""The records of ``bundle.json``: everything a classifier is, except its tensors.

The records are frozen, refuse unknown fields and know no torch. ``SCHEMA_VERSION`` counts changes
of their meaning; ``bundle/upgrade.py`` brings older files up to it.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 3

Positive = Annotated[int, Field(gt=0)]
Side = Annotated[int, Field(gt=0, le=8192)]  # pixels
Fraction = Annotated[float, Field(ge=0, lt=1)]
Precision = Literal["fp32", "bf16", "fp16", "int8"]
Takes = Literal["crop", "image"]  # what an export takes: crops, or whole pictures of any size


class Record(BaseModel):
    """The root of the records: frozen, exact about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Architecture(Record):
    """One row of the table of networks; ``zoo.resnet.ResNet`` is assembled from it.

    ``widths`` are the inner widths of the stages of a plain bottleneck (64, 128, 256, 512); a
    bottleneck gives out four times that. Within a block the 3x3 convolutions have
    ``width * base_width / 64 * groups`` channels (Res2Net: ``width * base_width / 64`` for each of
    ``scale`` branches). Where pruning left fewer, ``inner_widths`` says how many in each block.
    """

    name: str
    block: Literal["basic", "bottleneck", "res2net"]
    depths: tuple[Positive, ...]
    widths: tuple[Positive, ...] = (64, 128, 256, 512)
    inner_widths: tuple[Positive, ...] = ()
    # "7x7": one 7x7 of stride 2; "deep": three 3x3, the first of stride 2 (vc, vd); both are
    # followed by a 3x3 max pool of stride 2. "3x3": one 3x3 of stride 1, no pool (small images).
    stem: Literal["7x7", "deep", "3x3"] = "7x7"
    stem_widths: tuple[Positive, ...] = (64,)
    # "projection": 1x1 convolution with the stride; "average": 2x2 average pool, then a 1x1 of
    # stride 1 (vd); "padding": subsample and pad with zero channels (option A, no parameters).
    shortcut: Literal["projection", "average", "padding"] = "projection"
    # A projection in the first block of stage 1 even where the shapes agree (as PaddleClas).
    first_projection: bool = True
    groups: Positive = 1
    base_width: Positive = 64
    scale: Positive = 1
    se_reduction: Annotated[int, Field(ge=0)] = 0
    drop_path: Fraction = 0.0
    input_channels: Positive = 3
    num_classes: Positive = 1000

    @model_validator(mode="after")
    def _shapes_agree(self) -> Self:
        if len(self.depths) != len(self.widths):
            raise ValueError("depths and widths name different numbers of stages")
        if len(self.stem_widths) != (3 if self.stem == "deep" else 1):
            raise ValueError("a deep stem has three widths, the others one")
        if self.block == "basic" and (self.groups, self.base_width) != (1, 64):
            raise ValueError("a basic block has neither groups nor a base width")
        if self.inner_widths and len(self.inner_widths) != sum(self.depths):
            raise ValueError(f"inner_widths are {sum(self.depths)}, one for each block")
        if odd := [width for width in self.inner_widths if width % self.units]:
            raise ValueError(f"inner_widths are multiples of {self.units}: {odd}")
        return self

    @property
    def units(self) -> int:
        """The equal parts of the inside of a block: groups, or Res2Net's branches."""
        return self.scale if self.block == "res2net" else self.groups

    def list_inner_widths(self) -> tuple[int, ...]:
        """Return the channels inside each block, from input to output."""
        return self.inner_widths or tuple(
            width if self.block == "basic" else width * self.base_width // 64 * self.units
            for depth, width in zip(self.depths, self.widths, strict=True)
            for _ in range(depth)
        )


class Preprocess(Record):
    """How bytes become the network's pixels; the one definition for every command and export.

    ``short_side`` and ``crop_size`` are in pixels. ``rounding`` is the rule for the long side and
    for the offset of the crop: torchvision truncates the one and rounds the other half to even,
    Paddle rounds the one and floors the other. ``mean`` and ``std`` are of values in 0…1.
    """

    crop_size: Side = 224
    short_side: Side = 256
    resampler: Literal["pillow", "opencv"] = "pillow"
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    rounding: Literal["torchvision", "paddle"] = "torchvision"
    aspect: Literal["crop", "squash", "pad"] = "crop"
    colour: Literal["RGB", "grey", "RGBA"] = "RGB"
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (0.229, 0.224, 0.225)

    @model_validator(mode="after")
    def _channels_agree(self) -> Self:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need {self.channels} values for {self.colour}")
        return self

    @property
    def channels(self) -> int:
        """The number of channels of a crop."""
        return {"grey": 1, "RGB": 3, "RGBA": 4}[self.colour]


class Classes(Record):
    """The classes in the order of the network's outputs; ``ids`` are synsets or the like."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    ids: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ids_agree(self) -> Self:
        if self.ids and len(self.ids) != len(self.names):
            raise ValueError("ids and names differ in number")
        return self

    def __len__(self) -> int:
        """The number of classes."""
        return len(self.names)


class Calibration(Record):
    """What turns logits into honest probabilities: they are divided by ``temperature``.

    Where it was fitted, ``data`` (with its fingerprint and number of pictures) says on what, and
    loss and expected calibration error there, before (at temperature 1) and after.
    """

    temperature: Annotated[float, Field(gt=0)] = 1.0
    data: str = ""
    data_sha256: str | None = None
    images: Annotated[int, Field(ge=0)] | None = None
    loss_before: float | None = None
    loss: float | None = None
    ece_before: float | None = None
    ece: float | None = None


class Metrics(Record):
    """Figures of one evaluation. Fractions lie in 0…1; ``data_sha256`` fingerprints the data.

    ``precision``, ``recall`` and ``f1`` are means over the classes that have pictures, the
    ``weighted`` ones by the number of pictures; ``ece`` is the expected calibration error (15
    bins). Of multi-label data, ``map`` is the mean over the classes of the average precision,
    ``micro_map`` that of all pairs of picture and class together, ``exact`` the share of pictures
    whose every class is right; precision, recall and F1 are those at a probability of 0.5.
    ``per_class`` is the accuracy of each class, of multi-label data its average precision.
    """

    source: Literal["measured", "published"]
    data: str
    top1: float | None = None
    top5: float | None = None
    loss: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    weighted_precision: float | None = None
    weighted_f1: float | None = None
    map: float | None = None
    micro_map: float | None = None
    micro_f1: float | None = None
    exact: float | None = None
    ece: float | None = None
    images: Annotated[int, Field(ge=0)] | None = None
    image_size: Positive | None = None
    data_sha256: str | None = None
    per_class: dict[str, float] = Field(default_factory=dict)


class Provenance(Record):
    """Where a bundle comes from. Times are ISO 8601 in UTC.

    Of a bundle that was trained, ``source_sha256`` is the fingerprint of the listing that a
    validation part was split off from (empty where the parts were given), ``training_sha256`` that
    of the pictures trained on.
    """

    created: str
    residua: str
    made_by: str
    source: str = ""
    source_sha256: str = ""
    training_sha256: str = ""
    parent: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class FileRecord(Record):
    """One file of the bundle: its size in bytes and its SHA-256."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Parity(Record):
    """How an artefact answered beside the reference network (``engines/parity.py`` has the rules).

    ``inputs`` crops were compared, ``pictures`` of them of real pictures. ``agreement`` is the
    share with the same best class, where the reference's two best classes are not closer than the
    precision can tell; ``difference`` the largest of a probability, ``cosine`` the least between
    two answers. ``machine`` is the processor, ``checked`` a time in ISO 8601.
    """

    inputs: Positive
    pictures: Annotated[int, Field(ge=0)] = 0
    agreement: Annotated[float, Field(ge=0, le=1)]
    difference: Annotated[float, Field(ge=0)]
    cosine: Annotated[float, Field(ge=-1, le=1.000001)]
    machine: str = ""
    checked: str = ""


class Drop(Record):
    """What an int8 artefact costs: its score beside float32's on the same pictures, in 0…1.

    ``score`` is "top-1", "mean average precision", or "agreement" with float32's best class where
    the pictures have no labels. ``kept`` of ``layers`` stayed in float32 to hold ``allowed``.
    """

    data: str
    images: Positive
    score: Literal["top-1", "mean average precision", "agreement"]
    fp32: float
    int8: float
    allowed: Annotated[float, Field(ge=0, le=1)]
    layers: Positive
    kept: Annotated[int, Field(ge=0)]
    calibrated_on: Positive
    reduced_range: bool

    @property
    def drop(self) -> float:
        """How much of the score is lost; negative where it rose."""
        return self.fp32 - self.int8


class Export(Record):
    """One exported artefact: its files, what it takes, and the figures of its parity gate.

    ``entry`` is the file that a runtime opens; it and ``files`` are relative to the bundle. Input
    ``crop`` is [N, crop_size, crop_size, C], ``image`` a whole decoded picture [N, H, W, C] of any
    size. ``pixels`` float32 means values 0…255 as well. ``layout`` NCHW has the channels second.
    ``batch`` is the number of pictures of a run where it is fixed.
    """

    format: str
    precision: Precision = "fp32"
    entry: str
    files: dict[str, FileRecord]
    input: Takes = "crop"
    pixels: Literal["uint8", "float32"] = "uint8"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    batch: Positive | None = None
    parity: Parity | None = None
    drop: Drop | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Manifest(Record):
    """All of ``bundle.json``. ``files`` is filled in by the store."""

    schema_version: int = SCHEMA_VERSION
    architecture: Architecture
    classes: Classes
    preprocess: Preprocess
    task: Literal["single-label", "multi-label"] = "single-label"
    calibration: Calibration = Calibration()
    metrics: tuple[Metrics, ...] = ()
    recipe: dict[str, Any] | None = None
    provenance: Provenance
    licence: str = "unknown"
    files: dict[str, FileRecord] = Field(default_factory=dict)
    exports: dict[str, Export] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if len(self.classes) != self.architecture.num_classes:
            raise ValueError(
                f"{len(self.classes)} class names for {self.architecture.num_classes} outputs"
            )
        if self.preprocess.channels != self.architecture.input_channels:
            raise ValueError(
                f"crops of {self.preprocess.channels} channels for a network of "
                f"{self.architecture.input_channels}"
            )
        return self
