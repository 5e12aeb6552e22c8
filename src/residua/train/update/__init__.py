"""One update: which rows, what they are computed with, the loss, the step, the average."""
