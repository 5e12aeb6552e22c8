"""Engines run a bundle's network: uint8 crops in, probabilities out, one file for each runtime."""
