"""Distillation: a student learns from a teacher's answers, with labels and without."""
