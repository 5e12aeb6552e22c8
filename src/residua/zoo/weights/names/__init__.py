"""Whose tensors a file holds, and what each is called in our networks: one file a naming scheme."""
