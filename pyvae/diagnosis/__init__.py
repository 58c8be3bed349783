"""Diagnosis: what went wrong in a training, with the evidence and what to try.

case.py         what is known of a training, and what several examinations measure
sign.py         what an examination says
schedule.py     by the history: a warm-up that was longer than the training, a learning rate too high
networks.py     by the layers: gradients that vanish or explode, dead units, a noisy gradient
latent_space.py by q(z|x): posterior collapse, a KL of another weight, a prior that misses the rows
rows.py         by the rows: a likelihood that does not fit, over-fitting, blur
diagnose.py     all of them, causes before their consequences
"""

from pyvae.diagnosis.diagnose import Diagnosis, diagnose
from pyvae.diagnosis.sign import Sign

__all__ = ["Diagnosis", "Sign", "diagnose"]
