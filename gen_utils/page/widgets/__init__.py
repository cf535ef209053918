"""Widgets that run the course's own graphs: in the published page without a kernel, in notebooks with one."""

from gen_utils.page.noise import Noise
from gen_utils.page.widgets.base import GraphWidget
from gen_utils.page.widgets.completion import Completion
from gen_utils.page.widgets.conditional_sliders import ConditionalSliders
from gen_utils.page.widgets.denoising_slider import DenoisingSlider
from gen_utils.page.widgets.density_pad import DensityPad
from gen_utils.page.widgets.diffusion_sampler import DiffusionSampler
from gen_utils.page.widgets.em_steps import EMSteps
from gen_utils.page.widgets.flow_layers import FlowLayers
from gen_utils.page.widgets.gan_training import GANTraining
from gen_utils.page.widgets.latent_plane import LatentPlane
from gen_utils.page.widgets.latent_sliders import LatentSliders
from gen_utils.page.widgets.latent_walk import LatentWalk
from gen_utils.page.widgets.monte_carlo import MonteCarlo
from gen_utils.page.widgets.noisy_drawing import NoisyDrawing
from gen_utils.page.widgets.opinion import Opinion
from gen_utils.page.widgets.particles import Particles
from gen_utils.page.widgets.posterior_plane import PosteriorPlane
from gen_utils.page.widgets.rate_distortion import RateDistortion
from gen_utils.page.widgets.reconstructions import Reconstructions
from gen_utils.page.widgets.turing_test import TuringTest

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
