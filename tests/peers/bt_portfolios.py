"""Portfolios of many symbols in bt 1.4.1, for comparison with [weights] and [rank].

    python3 -m venv VENV && VENV/bin/pip install -r tests/peers/requirements.txt
    VENV/bin/python tests/peers/bt_portfolios.py

writes tests/peers/bt_portfolios.csv: the equity of each portfolio on every tenth bar and on the last, and
bt_fills.csv: how many orders were filled on each day. tests/it/peers.rs compares them with ours.

Where the two agree: no commission, fractional shares, filled at the close that decided, weights of the equity at
that close. Where they do not, so it is left out: bt solves a commission into the quantity where we cut the last
purchase by cash, and it may borrow for a moment within a rebalance.
"""

from pathlib import Path

import bt
import pandas as pd

here = Path(__file__).parent
closes = pd.read_csv(here.parent.parent / "data/stocks20/closes.csv", index_col=0, parse_dates=True)
closes = closes.reindex(sorted(closes.columns), axis=1)
month = closes.index.to_period("M")
# The last bar of every whole month; the data ends before the last one does.
ends = [d for d, m, n in zip(closes.index, month, month[1:]) if m != n]
momentum = closes.shift(21) / closes.shift(252) - 1


def on(dates):
    return bt.algos.RunOnDate(*dates)


first = closes.index[0]
scored = closes.index[252]
portfolios = {
    "sixty_forty": [on([first, *ends]), bt.algos.SelectThese(["JNJ", "XOM"]), bt.algos.WeighSpecified(JNJ=0.6, XOM=0.4)],
    "equal": [on([first, *ends]), bt.algos.SelectAll(), bt.algos.WeighEqually()],
    "momentum": [
        on([scored, *[d for d in ends if d > scored]]),
        bt.algos.SelectAll(),
        bt.algos.SetStat(momentum),
        bt.algos.SelectN(3),
        bt.algos.WeighEqually(),
    ],
}
equity, fills = {}, {}
for name, algos in portfolios.items():
    strategy = bt.Strategy(name, [*algos, bt.algos.Rebalance()])
    test = bt.Backtest(strategy, closes, initial_capital=100_000.0, integer_positions=False, progress_bar=False)
    bt.run(test)
    equity[name] = test.strategy.values.reindex(closes.index)
    # A trade smaller than rounding is none.
    traded = test.strategy.get_transactions()
    value = (traded["quantity"] * traded["price"]).abs()
    kept = traded[value > 1e-9 * equity[name].reindex(traded.index.get_level_values(0)).to_numpy()]
    fills[name] = kept.groupby(level=0).size().reindex(closes.index).fillna(0).astype(int)

table = pd.DataFrame(equity)
table = table.iloc[sorted({*range(0, len(table), 10), len(table) - 1})]
table.to_csv(here / "bt_portfolios.csv", float_format="%.17g", index_label="date")
fills = pd.DataFrame(fills)
fills[fills.sum(axis=1) > 0].to_csv(here / "bt_fills.csv", index_label="date")
