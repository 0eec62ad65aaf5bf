"""Provides the course: experiments that test the lecture's claims, exercises, and ``mark`` for derivations."""

from nn.lecture.derivations import mark as mark
