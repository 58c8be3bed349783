"""Makes layers.npz: what some layers make of random numbers, and the gradients, computed by PyTorch in float64.

    python tests/witness/make_layer_witness.py        (needs torch and numpy)

It imports nothing of pyvae (see make_witness.py). What it shares is the meaning of the numbers: pictures are rows of
height * width * channels numbers, channels last; a convolution's W is (kernel kernel c_in, c_out), that of a transposed
one (kernel kernel c_out, c_in).

For each case of CASES the file holds, as case/NAME: x, dy and the parameters, which go in; y = f(x), and the gradients
of sum(dy y), dx and one for each parameter, as dNAME.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

CASES = {
    "conv": {
        "type": "Conv2d", "height": 5, "width": 7, "c_in": 3, "c_out": 4, "kernel": 3, "stride": 2,
        "padding": [1, 0, 2, 1], "activation": "tanh",
    },
    "conv-one-channel": {
        "type": "Conv2d", "height": 6, "width": 6, "c_in": 1, "c_out": 17, "kernel": 2, "stride": 1,
        "padding": [0, 0, 0, 0], "activation": "silu",
    },
    "conv-one-filter": {
        "type": "Conv2d", "height": 9, "width": 8, "c_in": 15, "c_out": 1, "kernel": 4, "stride": 3,
        "padding": [2, 2, 1, 1], "activation": None,
    },
    "transposed": {
        "type": "ConvTranspose2d", "height": 3, "width": 4, "c_in": 5, "c_out": 2, "kernel": 3, "stride": 2,
        "padding": [0, 1, 1, 0], "activation": "tanh",
    },
    "transposed-one-channel": {
        "type": "ConvTranspose2d", "height": 6, "width": 5, "c_in": 18, "c_out": 1, "kernel": 3, "stride": 1,
        "padding": [1, 1, 1, 1], "activation": None,
    },
}  # fmt: skip
ROWS = 2
ACTIVATIONS = {None: torch.nn.Identity(), "tanh": torch.tanh, "silu": functional.silu}


def pictures(rows, height, width):
    """Rows with the channels last as PyTorch's pictures, with the channels first."""
    return rows.reshape(len(rows), height, width, -1).permute(0, 3, 1, 2)


def rows(pictures):
    return pictures.permute(0, 2, 3, 1).reshape(len(pictures), -1)


def conv(case, x, W, b):
    top, bottom, left, right = case["padding"]
    x = functional.pad(pictures(x, case["height"], case["width"]), (left, right, top, bottom))
    W = W.reshape(case["kernel"], case["kernel"], case["c_in"], case["c_out"]).permute(3, 2, 0, 1).contiguous()
    return rows(ACTIVATIONS[case["activation"]](functional.conv2d(x, W, b, case["stride"])))


def transposed(case, x, W, b):
    top, bottom, left, right = case["padding"]
    W = W.reshape(case["kernel"], case["kernel"], case["c_out"], case["c_in"]).permute(3, 2, 0, 1).contiguous()
    y = functional.conv_transpose2d(pictures(x, case["height"], case["width"]), W, b, case["stride"])
    y = y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]
    return rows(ACTIVATIONS[case["activation"]](y))


def witness_of(case, rng):
    taps = case["kernel"] ** 2
    function, shape = {
        "Conv2d": (conv, (taps * case["c_in"], case["c_out"])),
        "ConvTranspose2d": (transposed, (taps * case["c_out"], case["c_in"])),
    }[case["type"]]
    given = {
        "x": rng.standard_normal((ROWS, case["height"] * case["width"] * case["c_in"])),
        "W": rng.standard_normal(shape) / np.sqrt(shape[0]),
        "b": rng.standard_normal(case["c_out"]),
    }
    given = {name: torch.tensor(value, requires_grad=True) for name, value in given.items()}
    y = function(case, **given)
    dy = torch.tensor(rng.standard_normal(y.shape))
    gradients = torch.autograd.grad((dy * y).sum(), list(given.values()))
    said = {**given, "y": y, "dy": dy, **{f"d{name}": d for name, d in zip(given, gradients, strict=True)}}
    return {name: tensor.detach().numpy() for name, tensor in said.items()}


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    arrays = {"torch": np.array(torch.__version__), "cases": np.array(json.dumps(CASES))}
    for number, (name, case) in enumerate(CASES.items()):
        for key, value in witness_of(case, np.random.default_rng(number)).items():
            arrays[f"{name}/{key}"] = value
    path = Path(__file__).parent / "layers.npz"
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {path.stat().st_size} bytes, torch {torch.__version__}")


if __name__ == "__main__":
    main()
