"""Provides the course: the claims of the lecture as experiments, exercises, and ``mark`` for derivations."""

from nn.lecture.derivations import mark as mark
