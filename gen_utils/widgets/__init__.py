"""Widgets that run the course's own graphs: in the published page without a kernel, in notebooks with one."""

from gen_utils.widgets.base import GraphWidget
from gen_utils.widgets.completion import Completion
from gen_utils.widgets.conditional import ConditionalSliders
from gen_utils.widgets.denoising import DenoisingSlider
from gen_utils.widgets.density_pad import DensityPad
from gen_utils.widgets.diffusion_sampler import DiffusionSampler
from gen_utils.widgets.drawing import PosteriorPlane
from gen_utils.widgets.em_steps import EMSteps
from gen_utils.widgets.flow_layers import FlowLayers
from gen_utils.widgets.gan_training import GANTraining
from gen_utils.widgets.latent_walk import LatentWalk
from gen_utils.widgets.latents import LatentPlane, LatentSliders
from gen_utils.widgets.monte_carlo import MonteCarlo
from gen_utils.widgets.noise import Noise
from gen_utils.widgets.noisy_drawing import NoisyDrawing
from gen_utils.widgets.opinion import Opinion
from gen_utils.widgets.particles import Particles
from gen_utils.widgets.rate_distortion import RateDistortion
from gen_utils.widgets.reconstructions import Reconstructions
from gen_utils.widgets.turing_test import TuringTest

__all__ = [
    "Completion",
    "ConditionalSliders",
    "DenoisingSlider",
    "DensityPad",
    "DiffusionSampler",
    "EMSteps",
    "FlowLayers",
    "GANTraining",
    "GraphWidget",
    "LatentPlane",
    "LatentSliders",
    "LatentWalk",
    "MonteCarlo",
    "Noise",
    "NoisyDrawing",
    "Opinion",
    "Particles",
    "PosteriorPlane",
    "RateDistortion",
    "Reconstructions",
    "TuringTest",
]
