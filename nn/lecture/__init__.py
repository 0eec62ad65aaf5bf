"""What the lecture itself needs: its claims as experiments, and its exercises."""
