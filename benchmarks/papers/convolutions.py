"""VAEs of convolutions that others publish with their loss: Keras' example and TensorFlow's tutorial.

    PYVAE_DATA=... python benchmarks/papers/convolutions.py keras [--threads 1]

keras: the code example "Variational AutoEncoder". All 70,000 rows of MNIST in gray, encoder conv 32 and 64 of 3 x 3
with stride 2 and "same" padding, dense 16, z = 2; decoder dense 7 * 7 * 64, transposed conv 64 and 32 of stride 2, and
one of stride 1; ReLU, Glorot's first weights, Adam at 1e-3, batches of 128. Its figures are the training losses of an
epoch, means over its steps.

tensorflow: the tutorial "Convolutional Variational Autoencoder". MNIST cut at 0.5, conv 32 and 64 of 3 x 3 with stride
2 and no padding, z = 2; decoder dense 7 * 7 * 32, transposed conv 64 and 32 of stride 2 and one of stride 1, all
"same"; Adam at 1e-4, batches of 32, 10 epochs; the test rows' ELBO with one sample.
"""

import numpy as np
from protocol import Protocol, main

import pyvae
from pyvae.data import datasets


def network(convolutions, dense, channels, first, *, padding="same"):
    """Encoder and decoder of 28 x 28 pictures, with Glorot's first weights. convolutions: channels of the encoder;
    dense: sizes behind them, the last of mu and logvar; channels: of the decoder, which begins with 7 x 7 x first."""
    size, c_in, encoder = 28, 1, []
    for c_out in convolutions:
        encoder.append(pyvae.Conv2d(size, size, c_in, c_out, 3, 2, padding, "relu", "glorot"))
        size, c_in = encoder[-1].out_height, c_out
    sizes = [encoder[-1].n_out, *dense]
    for i, n_out in enumerate(dense):
        encoder.append(pyvae.Dense(sizes[i], n_out, None if i + 1 == len(dense) else "relu", "glorot"))
    decoder, size, c_in = [pyvae.Dense(dense[-1] // 2, 49 * first, "relu", "glorot")], 7, first
    for c_out, stride in (*((c, 2) for c in channels), (1, 1)):
        activation = None if stride == 1 else "relu"
        decoder.append(pyvae.ConvTranspose2d(size, size, c_in, c_out, 3, stride, "same", activation, "glorot"))
        size, c_in = size * stride, c_out
    return pyvae.Sequential(*encoder), pyvae.Sequential(*decoder)


def begin_as_keras(model):
    """Scale the first weights of the convolutions: Keras' Glorot counts all taps of a kernel, whatever its stride, and
    this library those that a pixel has a part in."""
    for layer in (*model.encoder.layers, *model.decoder.layers):
        if not isinstance(layer, pyvae.Dense):
            taps = layer.kernel**2
            layer.W *= np.sqrt(sum(layer.terms(taps)) / (taps * (layer.c_in + layer.c_out)))
    return model


class Keras(Protocol):
    what, epochs = "Keras' example, MNIST in gray, z = 2", 30

    def __init__(self):
        self.published = {"loss of epoch 10": 152.32, "loss of epoch 20": 148.73, "loss of epoch 30": 146.95}

    def prepare(self):
        encoder, decoder = network((32, 64), (16, 4), (64, 32), 64)
        data = datasets.load("mnist")
        rows = pyvae.ArraySource(np.concatenate([data.train.X, data.test.X]), scale=1 / 255)
        model = begin_as_keras(pyvae.VAE(encoder, decoder, pyvae.Bernoulli(784), seed=self.seed))
        return model, rows, {"batch_size": 128, "learning_rate": 1e-3}

    def measure(self, model, history):
        return {f"loss of epoch {epoch}": history["train_loss"][epoch - 1] for epoch in (10, 20, 30)}


class TensorFlow(Protocol):
    what, epochs = "TensorFlow's tutorial, MNIST cut at 0.5, z = 2", 10

    def __init__(self):
        self.published = {"test ELBO": -155.9}

    def prepare(self):
        encoder, decoder = network((32, 64), (4,), (64, 32), 32, padding="valid")
        rows = pyvae.ArraySource(datasets.load("mnist").train.X, scale=1 / 255, binarize="threshold")
        model = begin_as_keras(pyvae.VAE(encoder, decoder, pyvae.Bernoulli(784), seed=self.seed))
        return model, rows, {"batch_size": 32, "learning_rate": 1e-4}

    def measure(self, model, history):
        test = pyvae.ArraySource(datasets.load("mnist").test.X, scale=1 / 255, binarize="threshold")
        return {"test ELBO": model.elbo(test).mean()}


PROTOCOLS = {"keras": Keras(), "tensorflow": TensorFlow()}

if __name__ == "__main__":
    main(PROTOCOLS, __doc__)
