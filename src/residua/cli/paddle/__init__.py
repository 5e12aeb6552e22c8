"""The commands of PaddleClas's document, by its configurations and by its package's options."""
