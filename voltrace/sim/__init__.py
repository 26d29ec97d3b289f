"""The simulator: a cloud on SimPy that writes the logs a real one would write, and the truth about them."""
