"""ResNet image classifiers, from a folder of photos to production."""

__version__ = "0.1.0"
