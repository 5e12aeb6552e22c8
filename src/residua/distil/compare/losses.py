"""Losses between a student's answers and a teacher's, row by row.

Logits of student s and teacher t are float [N, classes]; p = softmax(z). Every loss is computed in
float32 (float64 where the logits are) and returned as [N]; the step divides the sum of all rows by
the rows of the whole batch. What a loss says of a batch as a whole (the columns of DIST, RKD) is a
statement about the rows that are computed together; every row then has that one value.

Targets are float [N, classes], as the training losses have them after mixing; a row without a label
is all zeros, and terms that need the label are 0 there.
"""

import torch
from torch import Tensor
from torch.nn import functional

_MASKED = -1000.0  # the logit of the right class where DKD leaves it out
_EPS = 1e-8  # of DIST's correlations, as published


def symmetric_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """Return ½ [KL(t‖s) + KL(s‖t)] = ½ Σ (p_t - p_s)(ln p_t - ln p_s), SSLD's loss.

    SSLD (arXiv 2103.05959, section 3.1) calls it Jensen-Shannon divergence, which is another: there
    both are compared with their mean. PaddleClas adds 1e-12 within the logarithms; logarithms of
    softmaxes need none.
    """
    logs_s, logs_t = _log_softmax(student), _log_softmax(teacher)
    return ((logs_t.exp() - logs_s.exp()) * (logs_t - logs_s)).sum(1) / 2


def kl(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """Return T² KL(t‖s) of softmax(z / T) (Hinton et al., arXiv 1503.02531, section 2)."""
    logs_s = _log_softmax(student, temperature)
    logs_t = _log_softmax(teacher, temperature)
    return temperature**2 * (logs_t.exp() * (logs_t - logs_s)).sum(1)


def cross_entropy(student: Tensor, targets: Tensor) -> Tensor:
    """Return -Σ y ln p_s; 0 for a row without a label."""
    return -(targets * _log_softmax(student)).sum(1)


def decoupled(
    student: Tensor, teacher: Tensor, targets: Tensor, *,
    temperature: float, alpha: float, beta: float,
) -> Tensor:  # fmt: skip
    """Return alpha TCKD + beta NCKD (DKD, arXiv 2203.08679, equations 6 and 7, times T²).

    TCKD is the divergence of the masses of the right class and of all others; NCKD that of the
    others among themselves. The right class is the greatest of a mixed target.
    """
    labels = targets.argmax(1, keepdim=True)
    binary_s = _right_and_rest(_log_softmax(student, temperature), labels)
    binary_t = _right_and_rest(_log_softmax(teacher, temperature), labels)
    target = (binary_t.exp() * (binary_t - binary_s)).sum(1)
    masked = torch.zeros_like(widen(student)).scatter_(1, labels, _MASKED)
    logs_s = (student / temperature + masked).log_softmax(1)
    logs_t = (teacher / temperature + masked).log_softmax(1)
    others = (logs_t.exp() * (logs_t - logs_s)).sum(1)
    return temperature**2 * (alpha * target + beta * others) * _has_label(targets)


def correlated(
    student: Tensor, teacher: Tensor, *, temperature: float, beta: float, gamma: float
) -> Tensor:
    """Return beta (1 - r of the row) + gamma (1 - mean r of the columns).

    DIST (arXiv 2205.10536, equations 7 to 9); r is Pearson's correlation of the probabilities.
    """
    p_s, p_t = _log_softmax(student, temperature).exp(), _log_softmax(teacher, temperature).exp()
    rows = 1 - _pearson(p_s, p_t)
    columns = 1 - _pearson(p_s.T, p_t.T).mean()
    return temperature**2 * (beta * rows + gamma * columns)


def weighted_soft(
    student: Tensor, teacher: Tensor, targets: Tensor, *, temperature: float
) -> Tensor:
    """Return T² CE(p_t, p_s) (1 - exp(-CE_s / CE_t)): less where the student knows better.

    WSL (arXiv 2102.00650, equation 14); the weight passes no gradient. A row without a label has
    the weight 1.
    """
    soft = _soft_cross_entropy(student, teacher, temperature)
    with torch.no_grad():
        ratio = cross_entropy(student, targets) / cross_entropy(teacher, targets).clamp(min=_EPS)
        weight = torch.where(_has_label(targets) > 0, -torch.expm1(-ratio), 1.0)
    return temperature**2 * weight * soft


def standardised(
    student: Tensor, teacher: Tensor, targets: Tensor, *,
    temperature: float, multiplier: float, alpha: float,
) -> Tensor:  # fmt: skip
    """Return alpha T² CE(softmax(u_t / T), u_s / T) + (1 - alpha) CE(y, u_s).

    SKD, as PaddleClas computes it: u is m (z - mean) / deviation, a layer norm without scale and
    shift times the multiplier m.
    """
    ours, theirs = _standardise(student) * multiplier, _standardise(teacher) * multiplier
    soft = _soft_cross_entropy(ours, theirs, temperature)
    return alpha * temperature**2 * soft + (1 - alpha) * cross_entropy(ours, targets)


def relational(student: Tensor, teacher: Tensor, *, distance: float, angle: float) -> Tensor:
    """Return RKD of embeddings [N, any]: huber losses of distances and angles among the rows.

    RKD (arXiv 1904.05068, equations 4 to 10): distances are divided by their mean over all pairs;
    angles are cosines at each row between every two others. One value for all rows; 0 of a row
    alone.
    """
    ours, theirs = widen(student).flatten(1), widen(teacher).flatten(1)
    if len(ours) < 2:  # no pair: nothing is said, and nothing is learnt
        return 0 * ours.sum(1)
    value = ours.new_zeros(())
    if distance:
        value = value + distance * functional.smooth_l1_loss(_distances(ours), _distances(theirs))
    if angle:
        value = value + angle * functional.smooth_l1_loss(_angles(ours), _angles(theirs))
    return value.expand(len(student))


def _soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    p_t = _log_softmax(teacher, temperature).exp()
    return -(p_t * _log_softmax(student, temperature)).sum(1)


def _log_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    return (widen(logits) / temperature).log_softmax(1)


def widen(values: Tensor) -> Tensor:
    """Return ``values`` in float32, or float64 where they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _has_label(targets: Tensor) -> Tensor:
    """Return 1 for a row that has a label, else 0: float [N]."""
    return (targets.sum(1) > 0).to(targets.dtype)


def _right_and_rest(logs: Tensor, labels: Tensor) -> Tensor:
    """Return the logarithms of the mass of the right class and of all others: [N, 2]."""
    right = logs.gather(1, labels)
    others = logs.scatter(1, labels, -torch.inf).logsumexp(1, keepdim=True)
    return torch.cat([right, others], 1)


def _pearson(ours: Tensor, theirs: Tensor) -> Tensor:
    """Return the correlation of each row: [rows]."""
    ours, theirs = ours - ours.mean(1, keepdim=True), theirs - theirs.mean(1, keepdim=True)
    return functional.cosine_similarity(ours, theirs, dim=1, eps=_EPS)


def _standardise(logits: Tensor) -> Tensor:
    return functional.layer_norm(widen(logits), logits.shape[1:])


def _distances(rows: Tensor) -> Tensor:
    """Return the distances of all pairs over their mean, 0 on the diagonal: [N, N]."""
    squares = (rows[:, None] - rows[None, :]).square().sum(-1)
    apart = ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    found = torch.where(apart, squares.clamp(min=1e-12).sqrt(), 0.0)
    return found / found[apart].mean().clamp(min=1e-12)


def _angles(rows: Tensor) -> Tensor:
    """Return the cosine at row i between j and k: [N, N, N]."""
    differences = functional.normalize(rows[None, :] - rows[:, None], dim=2)
    return torch.bmm(differences, differences.transpose(1, 2))
