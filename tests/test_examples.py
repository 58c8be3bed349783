"""The examples run, on a few rows, and say what they promise; and the 60 lines are what the library does."""

import importlib.util
import os
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multinomial

import pyvae

EXAMPLES = Path(__file__).parents[1] / "examples"
on_twins = pyvae._kernels.KERNELS == "reference"
trains = pytest.mark.skipif(on_twins, reason="trains several models, which takes the twins minutes")


def example(name):
    """The example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def both(rng):
    """The file of 60 lines and a float64 model of the library, with the same weights, rows and noise."""
    sixty = example("vae_in_60_lines")
    model = pyvae.VAE.mlp(30, latent_dim=5, hidden=(17,)).astype(np.float64)
    weights = sixty.initial_weights(30, 17, 5, rng)
    for name, w in zip(model.parameters.names, weights, strict=True):
        model.parameters[name][...] = w
    x = (rng.random((40, 30)) < 0.5).astype(np.float64)
    return sixty, model, weights, x, rng.standard_normal((40, 5))


def assert_close(arena, view, arrays):
    """Each within 1e-12 of the tensor's largest number."""
    for name, array in zip(arena.names, arrays, strict=True):
        np.testing.assert_allclose(view(name), array, rtol=0, atol=1e-12 * np.abs(array).max(), err_msg=name)


def test_gradients_of_the_60_lines_are_the_librarys(both):
    sixty, model, weights, x, eps = both
    loss, gradients = sixty.loss_and_gradients(weights, x, eps)
    assert model.loss_and_gradients(x, eps) == pytest.approx(loss, rel=1e-12)
    assert_close(model.parameters, model.parameters.grad, gradients)


def test_adam_of_the_60_lines_is_the_librarys(both):
    sixty, model, weights, x, eps = both
    m, v = ([np.zeros_like(w) for w in weights] for _ in range(2))
    optimizer = pyvae.Adam(model.parameters, learning_rate=1e-3)
    for t in range(1, 6):
        sixty.adam(weights, sixty.loss_and_gradients(weights, x, eps)[1], m, v, t)
        model.loss_and_gradients(x, eps)
        optimizer.step()
        assert_close(model.parameters, model.parameters.__getitem__, weights)


def test_the_60_lines_train(rng, capsys):
    x = (rng.random((300, 1)) < [[0.5]]).astype(float).repeat(12, axis=1)  # all black or all white
    example("vae_in_60_lines").train(x, H=32, Z=2, epochs=40, batch_size=10)
    elbos = [float(elbo) for elbo in re.findall(r"ELBO (\S+) nats", capsys.readouterr().out)]
    assert len(elbos) == 40 and elbos[0] < -6 < -3 < elbos[-1] < -np.log(2)  # log p(x) = log 1/2


def run(name, capsys, tmp_path, *options):
    """What the example prints, run on small data; its picture is there and is a PNG."""
    picture = tmp_path / "pictures" / f"{name}.png"
    example(name).main([*options, "--out", str(picture)])
    assert picture.read_bytes().startswith(b"\x89PNG")
    return capsys.readouterr().out


def test_digits(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("digits", capsys, tmp_path, "--epochs", "5")
    bound, log_px = (float(re.search(rf"{what} +(\S+) nats", out)[1]) for what in ("test ELBO", r"log p\(x\)"))
    assert -35 < bound < log_px < -15
    assert float(re.search(r"differences to (\S+)", out)[1]) < 1e-6


def test_styles(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("styles", capsys, tmp_path, "--epochs", "30")
    assert -25 < float(re.search(r"log p\(x\|c\) (\S+) nats", out)[1]) < -12


@trains
@pytest.mark.data("mnist")
def test_few_labels(capsys, tmp_path, scikit_learn, matplotlib):
    alone, with_all = figures(r"([\d.]+)%", run("few_labels", capsys, tmp_path, "--rows", "2000", "--epochs", "8"))
    assert 15 < alone < 40 and with_all < 60  # nine in ten by chance


@pytest.mark.data("mnist")
def test_mnist(capsys, tmp_path, matplotlib):
    out = run("mnist", capsys, tmp_path, "--rows", "1000", "--epochs", "2")
    assert -300 < float(re.search(r"test ELBO (\S+) nats", out)[1]) < -150
    assert 1 <= int(re.search(r"(\d+) of 40 latent dimensions", out)[1]) <= 40


def test_blobs(capsys, tmp_path, matplotlib):
    out = run("blobs", capsys, tmp_path, "--rows", "400", "--epochs", "20")
    before, after = (float(share) for share in re.findall(r"([\d.]+)%", out))
    assert before > 98 and after > 90


@pytest.mark.data("qm9")
def test_molecules(capsys, tmp_path, matplotlib):
    out = run("molecules", capsys, tmp_path, "--rows", "1000", "--epochs", "3")
    exact, balanced = (float(share) for share in re.findall(r"([\d.]+)%", out))
    assert 0 <= exact <= 100 and 0 <= balanced <= 100
    assert -50 < float(re.search(r"test ELBO (\S+) nats", out)[1]) < -20


def figures(pattern, out):
    """The numbers that the pattern's groups find in what was printed, in order."""
    found = re.findall(pattern, out)
    return [float(number) for numbers in found for number in ([numbers] if isinstance(numbers, str) else numbers)]


@trains
def test_clusters(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("clusters", capsys, tmp_path, "--rows", "400", "--updates", "0")
    blobs, digits = figures(r"blobs, .*?(\d\.\d+)\n", out), figures(r"digits, .*?(\d\.\d+)\n", out)
    assert len(blobs) == len(digits) == 3  # PCA, VAE, VAEClusterer
    assert min(blobs) >= 0.9 and digits[1] > digits[0] - 0.05 > 0.1 and digits[2] > 0.3


@trains
def test_digit_clusters(capsys, tmp_path, scikit_learn, matplotlib):
    at_start, in_the_end = figures(r"([\d.]+)%", run("digit_clusters", capsys, tmp_path, "--epochs", "20"))
    assert at_start > 40 and in_the_end > 45  # one in ten by chance


@trains
def test_outliers(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("outliers", capsys, tmp_path, "--rows", "300")
    assert figures(r"curve (\S+)", out)[0] > 0.88
    odd = [[float(number) for number in line] for line in re.findall(r"(\S+), normal (\S+) to (\S+)", out)]
    assert len(odd) == 3 and odd[0][0] > odd[0][2]  # the oddest row's first column is far above the normal ones


@trains
def test_regression(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("regression", capsys, tmp_path, "--rows", "500")
    found, best = figures(r"R2 (\S+); of the true curve (\S+)", out)
    assert best > found > 0.9 * best
    assert 80 < figures(r"([\d.]+)% of the test rows", out)[0] < 98
    assert figures(r"off by (\S+)", out)[0] < 0.2


@trains
def test_conditional(capsys, tmp_path, scikit_learn, matplotlib):
    right, judge, made = figures(r"([\d.]+)%", run("conditional", capsys, tmp_path, "--rows", "500"))
    assert right > 75 and judge > 85 and made > 30  # 10 is what rows of any class would be taken for


@trains
def test_imputation(capsys, tmp_path, scikit_learn, matplotlib):
    errors = figures(r"mean (\S+), KNNImputer (\S+), VAE (\S+)", run("imputation", capsys, tmp_path, "--rows", "500"))
    assert len(errors) == 6
    for mean, _, vae in (errors[:3], errors[3:]):
        assert vae < 0.85 * mean


@trains
def test_augmentation(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("augmentation", capsys, tmp_path, "--rows", "500", "--seeds", "1", "--updates", "0")
    shares = figures(r"([\d.]+)%, ([\d.]+)%, ([\d.]+)%", out)
    assert len(shares) == 18  # two classifiers, three ways, three numbers of rows
    assert all(30 < share < 100 for share in shares)
    assert all(few < many for few, many in zip(shares[::3], shares[2::3], strict=True))


def test_augmentation_between_rows_stays_within_the_class(rng, scikit_learn, matplotlib):
    class Identity:
        def transform(self, X):
            return X

        inverse_transform = transform

    X, y = np.array([[0.0, 0.0], [1.0, 2.0], [10.0, 0.0], [10.0, 4.0]]), np.array([0, 0, 1, 1])
    rows = example("augmentation").between(Identity(), X, y, np.repeat([0, 1], 20), rng)
    np.testing.assert_allclose(rows[:20, 1], 2 * rows[:20, 0])
    assert (rows[20:, 0] == 10).all() and rows[20:, 1].min() >= 0 and rows[20:, 1].max() <= 4


@trains
def test_compression(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("compression", capsys, tmp_path, "--rows", "800")
    lost = {(name, int(k)): float(error) for name, k, error in re.findall(r"(PCA|VAE), +(\d+) .* (\S+)\n", out)}
    assert lost["VAE", 2] < lost["PCA", 2] and lost["VAE", 8] < lost["PCA", 8] < lost["PCA", 2]


@pytest.mark.data("mnist")
def test_compression_of_mnist(scikit_learn, matplotlib):
    module = example("compression")
    X_train, X_test = module.load("mnist", 100)
    assert X_train.shape == X_test.shape == (100, 784) and X_train.dtype == np.float32 and X_train.max() == 1


@trains
@pytest.mark.data("20news")
def test_topics(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("topics", capsys, tmp_path, "--rows", "300", "--epochs", "10")
    assert 500 < figures(r"texts: (\d+)", out)[0] < 2000
    groups = re.findall(r"(\d+) texts: (\w+(?: \w+)*)\n", out)
    assert len(groups) == 12 and 290 <= sum(int(size) for size, _ in groups) <= 300


@pytest.mark.data("20news")
def test_perplexity_of_a_model_that_knows_nothing(scikit_learn, matplotlib):
    """With the same probabilities for all texts and z left out, it is that of the words' shares."""
    module = example("topics")
    X, _, _ = module.load(50)

    class Uniform:
        def score_samples(self, X):
            X = X.toarray()
            log_n_orders = [multinomial.logpmf(x, x.sum(), np.full(len(x), 1 / len(x))) for x in X]
            return np.array(log_n_orders)

    assert module.perplexity(Uniform(), X) == pytest.approx(X.shape[1], rel=1e-6)


@trains
@pytest.mark.data("adult")
def test_synthetic_tables(capsys, tmp_path, scikit_learn, matplotlib):
    out = run("synthetic_tables", capsys, tmp_path, "--rows", "1000", "--epochs", "60")
    variations = figures(r"total variation (\S+)", out)
    assert len(variations) == 11 and max(variations) < 0.35 and np.median(variations) < 0.15
    assert len(figures(r"distributions (\S+)", out)) == 3


@pytest.mark.parametrize("name", ["topics", "synthetic_tables"])
def test_missing_data_are_named_in_one_sentence(name, tmp_path, scikit_learn, matplotlib, monkeypatch):
    monkeypatch.setenv("PYVAE_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=rf"^{name}\.py needs .* in \$PYVAE_DATA/\w+\.$"):
        example(name).main([])


@pytest.mark.parametrize(
    "smiles", ["C", "CC(=O)N", "C[C@H](O)C(F)(C)C#N", "C1CC2(C1)CN2", "c1cc2ncoc-2n1", "C1=CC(C=1)C"]
)
def test_balanced_strings(smiles, matplotlib):
    assert example("molecules").parses(smiles)


@pytest.mark.parametrize(
    "smiles",
    ["", "C(C", "CC)", "C()C", "(C)C", "C=(C)C", "C(=)C", "CC=", "=C", "C==C", "C1CC", "C11", "C[C@H", "CX", "C(C)1C1"],
)
def test_unbalanced_strings(smiles, matplotlib):
    assert not example("molecules").parses(smiles)


@pytest.mark.data("qm9")
def test_molecules_of_the_data_are_balanced_and_survive_one_hot(matplotlib):
    module = example("molecules")
    smiles = (Path(os.environ["PYVAE_DATA"]) / "qm9" / "qm9_smiles.txt").read_text().split()[:5000]
    assert all(map(module.parses, smiles))
    X, symbols = module.one_hot(smiles)
    assert module.strings(X, symbols) == smiles
    assert (X.reshape(len(X), -1, len(symbols)).sum(axis=2) == 1).all()


@trains
@pytest.mark.skipif(not (EXAMPLES.parent / "docs").is_dir(), reason="needs the repository's docs, which are not here")
def test_the_code_of_the_page_on_estimators_runs(scikit_learn):
    text = (EXAMPLES.parent / "docs" / "estimators.md").read_text()
    text = re.sub(r"(VAE\w+\(.*?random_state=0)", r"\1, min_updates=200", text)  # 2,000 would take half a minute
    there = {}
    for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(code, there)
    assert there["plane"].shape == (360, 2) and there["again"].shape == (360, 64)
    holes, filled = there["holes"], there["filled"]
    assert np.array_equal(filled[~np.isnan(holes)], holes[~np.isnan(holes)]) and np.isfinite(filled).all()
    assert set(there["group"]) <= set(range(10))
    assert np.mean((there["low"] < there["progress"]) & (there["progress"] < there["high"])) > 0.8
    np.testing.assert_allclose(there["probability"].sum(axis=1), 1)
    assert there["threes"].shape == (10, 64)
