"""The models, losses, samplers and widgets of the course *Deep Generative Models, Live*.

Read `base` first: it holds the contract that every model keeps. Then one file a family
(`vae`, …); `train` and `metrics` serve all of them; `export` and `widgets` carry a trained
model into the reader's browser.
"""

import os

# OpenMP's threads spin while they wait; on two cores, beside anything else, that made training 10 times slower.
# It is read when torch is loaded, so it helps where this package is imported first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
