"""``Arch.name: DistillationModel`` with its losses: who teaches whom, and by what.

Sources: ppcls/arch/__init__.py and ppcls/loss of PaddleClas at d178931f. Its teachers, frozen or
not, stay in training mode, so that their normalisations use the statistics of the batch.
"""

from typing import Any

from residua.compat.config.read import Configuration
from residua.compat.config.section import Section
from residua.compat.translate.distil_losses import Pair, translate_losses
from residua.compat.translate.loss import read_evaluation
from residua.compat.translate.model import (
    find_network,
    find_published,
    read_details,
    read_rates,
)

Values = dict[str, Any]


def is_distillation(configuration: Configuration) -> bool:
    """Tell whether a teacher takes part."""
    return bool(configuration.whole.part("Arch").take("name") == "DistillationModel")


def translate_distillation(configuration: Configuration) -> Values:
    """Return the keys of ``model``, ``loss`` and ``distil``. Raises SettingError."""
    pair = find_pair(configuration.whole.part("Arch"))
    configuration.whole.part("Global").expect(
        "pretrained_model", None, why="and of two networks each names its own weights",
        next_step="Set Arch.models.1.Student.pretrained, or the teacher's.",
    )  # fmt: skip
    name = find_network(pair.student)
    values: Values = {"model.name": name, "model.zero_gamma": False} | read_rates(pair.student)
    for section in (pair.teacher, pair.student):
        read_details(section)
        section.take("class_num")  # the student's is counted; a teacher may know more
    if start := find_published(pair.student, name):
        values["model.pretrained"] = start
    read_evaluation(configuration.whole.part("Loss"))
    return values | _read_teacher(pair, name) | translate_losses(configuration, pair)


def find_pair(arch: Section) -> Pair:
    """Return teacher and student of a DistillationModel. Raises SettingError."""
    arch.ignore("pretrained_list", reason="each network names its own weights")
    found = arch.steps("models")
    student_key = arch.text("infer_model_name", "Student")
    names = [name for name, _ in found]
    if len(found) != 2 or student_key not in names:
        raise arch.refused("models", f"are {names}: two are expected, {student_key} among them")
    frozen = arch.take("freeze_params_list") or [False, False]
    by_name = dict(zip(names, frozen, strict=True)) if len(frozen) == 2 else {}
    (teacher_key,) = [name for name in names if name != student_key]
    if by_name.get(student_key):
        raise arch.refused("freeze_params_list", f"freezes {student_key}, which is to learn")
    sections = dict(found)
    return Pair(
        _unwrap(sections[teacher_key]), _unwrap(sections[student_key]),
        bool(by_name.get(teacher_key)) or _is_attention(sections[teacher_key]), student_key,
        teacher_key, _find_width(arch),
    )  # fmt: skip


def _is_attention(section: Section) -> bool:
    return bool(section.take("name") == "AttentionModel")


def _unwrap(section: Section) -> Section:
    """Return the network in an AttentionModel, whose other parts belong to AFD's loss."""
    if not _is_attention(section):
        return section
    section.ignore(
        "pretrained_list", "freeze_params_list", reason="AFD's own weights learn, the teacher not"
    )
    (_, network), *others = section.steps("models")
    for _, other in others:
        other.skip()  # its queries and keys fit the networks by themselves; see _find_width
    return network


def _find_width(arch: Section) -> int:
    """Return the width of AFD's queries and keys, which stands beside one of the networks."""
    for _, model in arch.steps("models"):
        for _, part in model.steps("models") if "models" in model else []:
            if "qk_dim" in part:
                return part.whole("qk_dim")
    return 128


def _read_teacher(pair: Pair, student: str) -> Values:
    name = find_network(pair.teacher)
    source = find_published(pair.teacher, name)
    if not pair.frozen:
        if source:
            raise pair.teacher.refused(
                "pretrained", "is set, and of two networks that learn both begin from scratch here"
            )
        return {"distil.teacher": "" if name == student else name}
    if not source:
        raise pair.teacher.refused(
            "pretrained", "is not set: a frozen teacher without weights teaches nothing",
            "Set it to True or to a path of weights.",
        )  # fmt: skip
    pair.teacher.findings.note(
        "The teacher's normalisations use the batch's statistics, as PaddleClas leaves them: "
        "distil.statistics batch."
    )
    return {"distil.teacher": source, "distil.statistics": "batch"}
