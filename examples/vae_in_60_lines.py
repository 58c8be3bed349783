"""A variational autoencoder in NumPy alone, from the first weights to the trained model.

What one learns: that there is no more to it than this. The library's layers compute the same numbers, and a test
compares the gradients of this file with theirs. Read it from top to bottom, a pen at hand.

    python examples/vae_in_60_lines.py            on scikit-learn's 8 x 8 digits: 50 epochs, half a minute
    python examples/vae_in_60_lines.py X.npy      on rows of your own, (N, D) numbers from 0 to 1

B rows, D features, H hidden units, Z latent dimensions. dX is the derivative of the loss by X, and has X's shape; da is
the one by a layer's a = x W + b, before the ReLU.
"""

import sys

import numpy as np


def initial_weights(D, H, Z, rng):
    """Weights W (in, out) and biases b (out,) of four dense layers, two to encode and two to decode."""
    weights = []
    for n_in, n_out in [(D, H), (H, 2 * Z), (Z, H), (H, D)]:
        weights += [rng.uniform(-1, 1, (n_in, n_out)) / np.sqrt(n_in), np.zeros(n_out)]
    return weights


def loss_and_gradients(weights, x, eps):
    """The negative ELBO of the rows x (B, D), their mean in nats, with the noise eps (B, Z); and its gradients."""
    W1, b1, W2, b2, W3, b3, W4, b4 = weights
    h = np.maximum(x @ W1 + b1, 0)  # (B, H)
    mu, logvar = np.split(h @ W2 + b2, 2, axis=1)  # (B, Z) each: q(z|x) = N(mu, sigma^2)
    sigma = np.exp(logvar / 2)
    z = mu + sigma * eps  # a sample of q(z|x), as a smooth function of mu and logvar
    g = np.maximum(z @ W3 + b3, 0)  # (B, H)
    logits = g @ W4 + b4  # (B, D): p(x = 1|z) = sigmoid(logits)
    softplus = np.logaddexp(0, logits)  # log(1 + exp(logits)), without overflow
    log_px = (x * logits - softplus).sum(axis=1)  # (B,)
    kl = (mu**2 + sigma**2 - 1 - logvar).sum(axis=1) / 2  # (B,): KL(q(z|x) || N(0, 1))
    loss = np.mean(kl - log_px)

    dlogits = (np.exp(logits - softplus) - x) / len(x)  # (sigmoid(logits) - x) / B
    da3 = dlogits @ W4.T * (g > 0)  # back through the product, then the ReLU
    dz = da3 @ W3.T
    dmu = dz + mu / len(x)  # through the sample and through the KL
    dlogvar = dz * eps * sigma / 2 + (sigma**2 - 1) / 2 / len(x)
    da2 = np.hstack([dmu, dlogvar])  # (B, 2 Z)
    da1 = da2 @ W2.T * (h > 0)
    layers = [(x, da1), (h, da2), (z, da3), (g, dlogits)]  # what went in, and da
    return loss, [gradient for x, da in layers for gradient in (x.T @ da, da.sum(axis=0))]


def adam(weights, gradients, m, v, t, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Step t = 1, 2, ... in place: running means m of the gradient and v of its square, bias corrected; lists alike."""
    for w, dw, mean, square in zip(weights, gradients, m, v, strict=True):
        mean += (1 - beta1) * (dw - mean)
        square += (1 - beta2) * (dw**2 - square)
        w -= learning_rate * mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + epsilon)


def train(x, H=256, Z=10, epochs=50, batch_size=100, seed=0):
    """Minibatches of x (N, D) in a fresh order every epoch, fresh noise every step. Returns the weights."""
    rng = np.random.default_rng(seed)
    weights = initial_weights(x.shape[1], H, Z, rng)
    m, v = ([np.zeros_like(w) for w in weights] for _ in range(2))
    t = 0
    for epoch in range(1, epochs + 1):
        losses, order = [], rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = x[order[start : start + batch_size]]
            loss, gradients = loss_and_gradients(weights, batch, rng.standard_normal((len(batch), Z)))
            t += 1
            adam(weights, gradients, m, v, t)
            losses += [loss] * len(batch)
        print(f"epoch {epoch:3}: training ELBO {-np.mean(losses):.2f} nats")
    return weights


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(np.load(sys.argv[1]).astype(float))
    else:
        from sklearn.datasets import load_digits

        train((load_digits().data > 8).astype(float))  # black and white
