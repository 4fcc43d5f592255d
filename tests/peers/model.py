"""What scikit-learn makes of the same rows: expected values of tests/it/model.rs.

    pip install scikit-learn==1.9.1 && python tests/peers/model.py > tests/peers/model.json

Features are multiples of 1/1024, as scikit-learn's trees read them in single precision.
"""

import json

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

ROWS, WIDTH = 120, 4
draw = np.random.default_rng(7)
x = np.round(draw.normal(size=(ROWS, WIDTH)) * [1, 3, 0.5, 2] * 1024) / 1024
x[:, 3] = x[:, 0] + np.round(x[:, 3] * 64) / 1024  # nearly the first
y = 0.4 * x[:, 0] - 0.1 * x[:, 1] + 0.3 * (x[:, 2] > 0.2) + draw.normal(size=ROWS) * 0.5 + 1
yes = (y + draw.normal(size=ROWS) > 1).astype(float)
z = StandardScaler().fit_transform(x)

out = {"x": x.tolist(), "y": y.tolist(), "yes": yes.tolist(), "ridge": [], "logistic": [], "trees": []}
for penalty in [0.0, 1e-3, 0.1, 10.0]:
    fit = Ridge(alpha=penalty * ROWS, solver="cholesky").fit(z, y)
    out["ridge"].append({"penalty": penalty, "weights": fit.coef_.tolist(), "intercept": fit.intercept_})
for penalty in [1e-4, 1e-2, 1.0]:
    fit = LogisticRegression(C=1 / (penalty * ROWS), solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(z, yes)
    out["logistic"].append({
        "penalty": penalty,
        "weights": fit.coef_[0].tolist(),
        "intercept": fit.intercept_[0],
        "chances": fit.predict_proba(z)[:5, 1].tolist(),
    })
for depth, rounds, leaf_min in [(1, 20, 1), (3, 40, 8)]:
    fit = GradientBoostingRegressor(
        max_depth=depth, n_estimators=rounds, learning_rate=0.1, min_samples_leaf=leaf_min, random_state=0
    ).fit(x, y)
    out["trees"].append({
        "depth": depth,
        "rounds": rounds,
        "leaf_min": leaf_min,
        "forecasts": fit.predict(x).tolist(),
        "losses": [float(np.sum((y - p) ** 2)) for p in fit.staged_predict(x)],
    })
print(json.dumps(out))
