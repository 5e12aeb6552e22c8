"""Prediction: pictures in, typed results out, decoding ahead of the network."""
