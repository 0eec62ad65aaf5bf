"""``lab``: a page where a network learns, and every number can be asked why."""

from nn.laboratory.recording import Situation as Situation
