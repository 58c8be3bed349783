"""Estimators for scikit-learn: what people use a variational autoencoder for.

    VAETransformer        rows as points in a few dimensions, and back; sampling, imputation
    VAEOutlierDetector    odd rows, and which of their features make them so
    VAEClusterer          groups of rows
    VAERegressor          a number with its uncertainty, and rows for a wanted number
    VAEClassifier         a class with its probability, and rows for a wanted class

They take arrays, sparse matrices and DataFrames with columns of several kinds, with entries missing. Their parameters
have scikit-learn's names; base.py lists them.
"""

from pyvae.sklearn.classifier import VAEClassifier
from pyvae.sklearn.clusterer import VAEClusterer
from pyvae.sklearn.files import load, save
from pyvae.sklearn.outliers import VAEOutlierDetector
from pyvae.sklearn.supervised import VAERegressor
from pyvae.sklearn.transformer import VAETransformer

__all__ = [
    "VAEClassifier",
    "VAEClusterer",
    "VAEOutlierDetector",
    "VAERegressor",
    "VAETransformer",
    "load",
    "save",
]
