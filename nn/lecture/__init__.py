"""What belongs to the course: the lecture's claims as experiments, and its exercises."""
