"""The row of the table that a weight file belongs to, by names and shapes."""

import re

import numpy as np

from residua.base.errors import WeightsError, WeightsMismatchError
from residua.bundle.schema import Architecture
from residua.zoo.table import ROWS
from residua.zoo.weights.convert import convert, expected_shapes, fit_row, lacks_projection
from residua.zoo.weights.recognise import Recognised, recognise
from residua.zoo.weights.torchvision import is_cifar_scheme
