"""Training: gradients of a step, guards, backup, averages, data order. Knows no model class."""
