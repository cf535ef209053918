"""The notebooks take their numbers from the recipes, and the recipes make the notebooks' models.

A notebook's own cells are run up to where they train, and the call of the training function is compared.
"""

import inspect
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from gen_utils import pretrained, recipes, train
from gen_utils.models.gan import BETAS
from gen_utils.page import export
from gen_utils.recipes import RECIPES
from gen_utils.train import Step

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
SET_UP = ("SEED = 0", "import torch", "from gen_utils import", "images = data.load(DATASET)")
# The model's name in its notebook, and beginnings of lines by which the cells are found that lead to its training.
CELLS = {
    "flow": ("01", "flow", "flow = CouplingFlow("),
    "made": ("01", "made", "made = MADE("),
    "linear": ("03", "linear", "linear = LinearAutoencoder("),
    "autoencoder": ("03", "deep[16]", "sizes = [1, 2", "for K, model in deep.items():"),
    "conditional": ("03", "conditional", "for K, model in deep.items():", "denoiser = Denoising", "conditional = "),
    "denoiser": ("03", "denoiser", "for K, model in deep.items():", "denoiser = DenoisingAutoencoder("),
    "plane": ("04", "plane", "plane = VAE("),
    "vae": ("04", "vae", "vae = VAE("),
    "cvae": ("04", "cvae", "y, y_test = ", "cvae = VAE("),
    "gaussian": ("04", "gaussian", "gaussian = GaussianVAE("),
    "gan": ("05", "cgan", "cgan = ConvGAN("),
    "diffusion_plane": (
        "06",
        "model",
        "source = toys.IsotropicMixture(",
        "points = source.sample(",
        "    for update in",
    ),
    "unet": ("06", "unet", "unet = ImageDiffusion("),
}


class Call:
    """One call of a training function by a notebook: the model, and all arguments by name."""

    def __init__(self, function, *args, **kwargs):
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        self.__dict__ |= bound.arguments
        self.betas = []


# Other numbers than the chapters'. A notebook that had a copy of one would train with the copy.
CHANGED = {
    name: replace(recipe, steps=recipe.steps + 7, batch_size=recipe.batch_size + 2, lr=3 * recipe.lr)
    for name, recipe in RECIPES.items()
}


@pytest.fixture(scope="module")
def trained():
    """Function from a recipe's name to its notebook's call of a training function, and the notebook's variables."""
    spaces = {}

    def sources(chapter):
        (path,) = NOTEBOOKS.glob(f"{chapter}_*.ipynb")
        return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    def run(cells, beginning, space):
        found = [source for source in cells if any(line.startswith(beginning) for line in source.splitlines())]
        exec(found[0], space)

    def training(name):
        chapter, variable, *beginnings = CELLS[name]
        cells = sources(chapter)
        calls = []
        if chapter not in spaces:
            spaces[chapter] = space = {}
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(recipes, "RECIPES", CHANGED)
                for beginning in SET_UP:
                    run(cells, beginning, space)
        space = spaces[chapter]

        def stub(function):
            def updates(*args, **kwargs):
                calls.append(call := Call(function, *args, **kwargs))
                for number in (1, call.steps // 5, call.steps):
                    yield Step(number, defaultdict(float))
                    call.betas.append((number, getattr(call.model, "beta", None)))

            return updates

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pretrained, "save", lambda *_: None)
            patch.setattr(export, "round_to_half", lambda *_: None)
            space |= {f.__name__: stub(f) for f in (train.train_steps, train.train_gan_steps)}
            for beginning in beginnings:
                before = len(calls)
                try:
                    run(cells, beginning, space)
                except NameError:  # below a training, for what comes from cells that were left out
                    assert len(calls) > before
        model = eval(variable, space)
        (call,) = [call for call in calls if call.model is model]
        return call, space

    return training


@pytest.mark.parametrize("name", CELLS)
def test_a_notebook_trains_as_its_recipe_says(name, trained):
    recipe, (call, space) = CHANGED[name], trained(name)
    assert (call.steps, call.batch_size, call.lr, call.seed) == (recipe.steps, recipe.batch_size, recipe.lr, 0)
    assert call.prepare is recipe.prepare
    assert torch.equal(call.x, recipe.points() if recipe.points else space["images"].train)
    assert (call.y is not None) == recipe.labels
    assert call.y is None or torch.equal(call.y, space["images"].train_labels)
    averages = [value for value in space.values() if isinstance(value, AveragedModel)]
    own = [one.multi_avg_fn for one in averages if repr(one.module) == repr(call.model)]
    assert own == [recipe.average] * bool(recipe.average)
    if "lr_schedule" in vars(call):
        for number in (1, 30, 50, 1000, recipe.steps):
            assert call.lr_schedule(number) == recipe.lr_schedule(number, recipe.steps)
        assert (call.discriminator_lr, call.d_steps) == (None, 1)


@pytest.mark.parametrize("name", CELLS)
def test_a_recipe_makes_the_model_of_its_notebook(name, trained):
    call, _ = trained(name)
    torch.manual_seed(0)
    model = RECIPES[name].model()
    shapes = [{key: value.shape for key, value in m.state_dict().items()} for m in (model, call.model)]
    assert shapes[0] == shapes[1]
    assert repr(model) == repr(call.model)

    def plain_attributes(model):  # what is not in the shapes: supports, noise levels, weights of a loss
        plain = (int, float, tuple, str, type(None))
        return {key: value for key, value in vars(model).items() if isinstance(value, plain)}

    if RECIPES[name].anneal:  # the notebook's model is trained
        RECIPES[name].anneal(model, *2 * [RECIPES[name].steps])
    assert plain_attributes(model) | {"training": None} == plain_attributes(call.model) | {"training": None}


def test_the_vae_s_beta_grows_as_in_the_notebook(trained):
    call, _ = trained("vae")
    model = RECIPES["vae"].model()
    assert model.beta == 0
    for number, beta in call.betas:
        RECIPES["vae"].anneal(model, number, call.steps)
        assert model.beta == beta
    assert 0 < call.betas[0][1] < call.betas[1][1] < call.betas[2][1] == 1


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.weights])
def test_shipped_weights_fit_their_recipe(name):
    pretrained.load(RECIPES[name].model(), RECIPES[name].weights)


def test_every_shipped_network_has_a_recipe():
    shipped = {path.stem for path in pretrained.FOLDER.glob("*.safetensors")}
    others = {"02_ppca", "classifier"}  # fitted in closed form, and no generative model
    assert shipped - others <= {recipe.weights for recipe in RECIPES.values()}


def test_the_gan_of_the_plane_is_the_widget_s():
    # The notebook trains it by the graphs that run in the page; its numbers are the arguments of `play`.
    (path,) = NOTEBOOKS.glob("05_*.ipynb")
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert 'STEPS_TOY = RECIPES["gan_plane"].steps' in text
    assert 'B, K = RECIPES["gan_plane"].batch_size, model.latent_dim' in text
    assert 'REPAIRED = {"loss": "r1", "lr": RECIPES["gan_plane"].lr}' in text
    assert "model = GAN(latent_dim=2, hidden_dims=(64, 64), event_shape=(2,))" in text
    model = RECIPES["gan_plane"].model()
    assert model.betas == BETAS
    assert [tuple(p.shape) for p in model.generator.parameters()][::2] == [(64, 2), (64, 64), (2, 64)]


def test_a_recipe_s_text_has_its_numbers():
    assert str(RECIPES["made"].with_steps(9)) == "9 updates, 256 examples each, learning rate 0.005"
