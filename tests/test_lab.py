"""The page of the lab in Chromium: what a touch shows, time and back, keys alone, and a page that never complains."""

import re
from random import Random

import pytest
from conftest import serious

from nn import MLP, SGD, Situation, binary_cross_entropy, half_squared_error, lab
from nn.data import moons, sine
