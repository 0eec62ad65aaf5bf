"""What belongs to the course: the lecture's claims as experiments, its exercises, and ``mark`` for derivations."""

from nn.lecture.derivations import mark as mark
