"""The vocabulary of residua: what a bundle says of a classifier, and how it lies on disk."""
