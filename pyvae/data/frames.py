"""Frames of other libraries as pandas DataFrames with columns of NumPy's and pandas' own types."""


def as_pandas(X, name="X"):
    """A polars or Arrow frame as a DataFrame, and Arrow columns of a DataFrame as columns of pandas' own types;
    everything else as it is. Raises TypeError where the libraries that this takes are missing."""
    if not hasattr(X, "iloc") and hasattr(X, "to_pandas"):
        try:
            X = X.to_pandas()
        except ImportError as error:
            kind = f"{type(X).__module__.partition('.')[0]} {type(X).__name__}"
            raise TypeError(f"{name} is a {kind}: give {name}.to_pandas(), which needs more ({error})") from None
    if not (hasattr(X, "iloc") and hasattr(X, "columns")):
        return X
    import pandas as pd

    arrow = [j for j, dtype in enumerate(X.dtypes) if isinstance(dtype, pd.ArrowDtype)]
    if not arrow:
        return X
    columns = [_own_type(X.iloc[:, j]) if j in set(arrow) else X.iloc[:, j] for j in range(X.shape[1])]
    return pd.concat(columns, axis=1).set_axis(X.columns, axis=1)


def _own_type(series):
    """An Arrow column as one of pandas' own types: a dictionary as categories."""
    if str(series.dtype).startswith("dictionary"):
        return series.astype("category")
    if str(series.dtype).startswith(("string", "large_string")):
        return series.astype("string")
    return series.convert_dtypes(dtype_backend="numpy_nullable")
