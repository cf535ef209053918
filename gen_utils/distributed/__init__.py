"""Training in several processes, on one machine or many, with checkpoints: `python -m gen_utils.distributed MODEL`.

`training` is one update of a model in all processes, `checkpoint` writes and reads the state of a training, and
`__main__` is the command. All three use 🤗 Accelerate.
"""

import importlib.util

if importlib.util.find_spec("accelerate") is None:
    raise ModuleNotFoundError("accelerate is not installed: pip install accelerate")
