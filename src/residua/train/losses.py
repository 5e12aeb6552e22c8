"""The loss of a batch."""

from torch import Tensor


def cross_entropy(logits: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross entropy of ``logits`` (float [N, classes]), computed in float32.

    ``targets`` are labels (int64 [N]) or distributions (float [N, classes]). With ``smoothing`` a
    target t becomes (1 - smoothing) t + smoothing / classes (arXiv 1512.00567, section 7).
    """
    logs = logits.float().log_softmax(dim=1)  # [N, classes]
    if targets.is_floating_point():
        likelihood = (targets * logs).sum(dim=1)
    else:
        likelihood = logs.gather(1, targets[:, None])[:, 0]
    return -((1 - smoothing) * likelihood + smoothing * logs.mean(dim=1)).mean()
