"""The models, losses, samplers and widgets of the course *Deep Generative Models, Live*.

Read `base` first: it holds the contract that every model keeps. Then one file a family
(`vae`, …); `train` and `metrics` serve all of them; `export` and `widgets` carry a trained
model into the reader's browser.
"""

import os

# OpenMP's threads spin while they wait for each other. On two cores, beside another busy program, that made training
# 8 to 17 times slower; a short spin loses nothing on a quiet machine. It is read when torch is loaded, so it helps
# where this package is imported first.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")

__version__ = "0.1.0"
