"""The data doctor: damaged files, duplicates, leakage, imbalance, before they cost time."""
