"""Training: the loop over minibatches, one step, the optimizer, and what is kept of a run."""

from pyvae.training.adam import Adam
from pyvae.training.checkpoints import Checkpoints, CheckpointWarning
from pyvae.training.history import History
from pyvae.training.loop import train
from pyvae.training.schedules import Constant, CosineDecay, ExponentialDecay, StepDecay, WarmUp
from pyvae.training.step import Step
