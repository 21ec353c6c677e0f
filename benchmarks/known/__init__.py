"""Pairs of variables of known mutual information for `estimates.py`."""

from known.bmi import bmi_tasks
from known.continuous import continuous_tasks
from known.discrete import discrete_tasks
from known.images import image_tasks
from known.mixed import mixed_tasks

TASKS = {
    "bmi": bmi_tasks,
    "discrete": discrete_tasks,
    "mixed": mixed_tasks,
    "continuous": continuous_tasks,
    "images": image_tasks,
}
