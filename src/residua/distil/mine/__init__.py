"""Choosing unlabelled pictures for a student: scored by the teacher, none like the validation's."""
