"""The models, losses, samplers and widgets of the course *Deep Generative Models, Live*.

Read `base` first: it holds the contract that every model keeps. Then one file a family
(`vae`, …); `train` and `metrics` serve all of them; `export` and `widgets` carry a trained
model into the reader's browser.
"""

__version__ = "0.1.0"
