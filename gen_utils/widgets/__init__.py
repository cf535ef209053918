"""Widgets that run the course's own graphs: in the published page without a kernel, in notebooks with one."""

from gen_utils.widgets.base import GraphWidget
from gen_utils.widgets.conditional import ConditionalSliders
from gen_utils.widgets.drawing import PosteriorPlane
from gen_utils.widgets.latents import LatentPlane, LatentSliders
from gen_utils.widgets.noise import Noise
from gen_utils.widgets.rate_distortion import RateDistortion

__all__ = [
    "ConditionalSliders",
    "GraphWidget",
    "LatentPlane",
    "LatentSliders",
    "Noise",
    "PosteriorPlane",
    "RateDistortion",
]
