"""Lots, wash sales and yearly netting a second time, share by share and in exact fractions.

    python3 tests/peers/tax_lots.py            # writes tax_trades.csv and tax_lots.json beside itself
    python3 tests/peers/tax_lots.py --check    # says whether they are what it would write

Needs Python alone. papertape keeps lots and splits them; here every share is an object of its own, so
that nothing is ever divided but a price: a share sold at a loss is matched with one share bought, in
the order of sale and of purchase, and money is a fraction. `tests/it/tax_peer.rs` plays the same trades
and compares each sale and each year to 1e-9.

The rules are those of docs/strategy-file.md, [tax]: 30 calendar days either side, in all layers and
among identical symbols, never the same purchase, each share once; the disallowed loss goes into the
basis of the replacement and its holding period begins as much earlier as the share sold was held.
"""

import json
import sys
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYMBOLS = ["A", "B", "C", "D"]
IDENTICAL = {"A": "A+C", "C": "A+C"}
LAYERS = 2
RATES = {"short": Fraction("0.3"), "long": Fraction("0.1"), "dividend": Fraction("0.2"), "interest": Fraction("0.4")}
CAP = Fraction(300)
WINDOW = timedelta(days=30)
RULES = ["fifo", "lifo", "hifo", "min_tax"]
EVENTS = 420


def numbers(seed):
    """A stream of whole numbers: MINSTD (Park and Miller, 1988)."""
    x = seed
    while True:
        x = x * 48271 % 2147483647
        yield x


def ledger():
    """Trades of whole shares, splits, dividends and interest, in the order of time."""
    draw = numbers(20260101)
    pick = lambda n: next(draw) % n
    day, price, held, rows = date(2015, 1, 5), {s: 4000 for s in SYMBOLS}, {}, []
    for k in range(EVENTS):
        day += timedelta(days=pick(11))
        symbol, layer = SYMBOLS[pick(4)], pick(LAYERS)
        # In cents; a walk that falls and rises by up to a tenth.
        for s in SYMBOLS:
            price[s] = max(200, price[s] * (90 + pick(21)) // 100)
        if k % 83 == 82:
            rows.append((day, "", symbol, "split", 2, 0, 0))
            price[symbol] //= 2
            for at in [(l, symbol) for l in range(LAYERS)]:
                held[at] = held.get(at, 0) * 2
        elif k % 29 == 28:
            rows.append((day, layer, "", ["dividend", "interest"][pick(2)], 0, 100 + pick(9000), 0))
        else:
            have = held.get((layer, symbol), 0)
            size = 1 + pick(40)
            # Mostly whole or partial exits once there is something, now and then beyond it.
            if have > 0 and pick(2) == 0:
                change = -min(have, size) if pick(9) else -(have + size)
            elif have < 0 and pick(3):
                change = min(-have, size) if pick(9) else -have + size
            else:
                change = size if have >= 0 and pick(12) else -size if have <= 0 else size
            held[(layer, symbol)] = have + change
            kind = "buy" if change > 0 else "sell"
            rows.append((day, layer, symbol, kind, abs(change), price[symbol], pick(200)))
    return rows


class Share:
    def __init__(self, purchase, layer, symbol, bought, basis, is_short):
        self.purchase, self.layer, self.symbol = purchase, layer, symbol
        self.bought = self.since = bought
        self.basis, self.is_short, self.used = basis, is_short, False

    def gain(self, money):
        return self.basis - money if self.is_short else money - self.basis

    def is_long(self, day):
        y, m, d = self.since.year + 1, self.since.month, self.since.day
        same = date(y, m, 28 if (m, d) == (2, 29) else d)
        return not self.is_short and day > same

    def replaces(self, loss):
        """Takes the loss of a share that was sold."""
        loss.open = False
        amount, self.used = loss.amount, True
        loss.sale["disallowed"] += amount
        loss.sale["long" if loss.is_long else "short"] += amount
        self.basis += -amount if self.is_short else amount
        self.since = self.bought - loss.held


class Loss:
    def __init__(self, share, sale, day, amount, is_long):
        self.share, self.sale, self.day, self.amount, self.is_long = share, sale, day, amount, is_long
        self.held, self.open = day - share.since, True


def same(a, b):
    return IDENTICAL.get(a, a) == IDENTICAL.get(b, b)


def play(rows, rule):
    shares, losses, sales, purchases = [], [], [], 0
    received = {}
    for day, layer, symbol, kind, size, cents, fee in rows:
        if kind == "split":
            shares = [half for s in shares for half in ([s] if s.symbol != symbol else halves(s))]
            losses = [half for l in losses for half in ([l] if l.share.symbol != symbol or not l.open else halves_of_loss(l))]
            continue
        if kind in ("dividend", "interest"):
            at = (day.year, kind)
            received[at] = received.get(at, Fraction(0)) + Fraction(cents, 100)
            continue
        is_buy = kind == "buy"
        money = Fraction(size * cents + (fee if is_buy else -fee), 100)
        each = money / size
        mine = [s for s in shares if (s.layer, s.symbol) == (layer, symbol)]
        closing = [s for s in mine if s.is_short == is_buy]
        for place, s in enumerate(closing):
            s.place = place
        if rule == "lifo":
            closing.reverse()
        elif rule == "hifo":
            closing.sort(key=lambda s: (s.gain(each), s.place))
        elif rule == "min_tax":
            tax = lambda s: s.gain(each) * RATES["long" if s.is_long(day) else "short"]
            closing.sort(key=lambda s: (tax(s), s.place))
        closing = closing[:size]
        if closing:
            sale = {"day": day, "gain": Fraction(0), "disallowed": Fraction(0), "short": Fraction(0), "long": Fraction(0)}
            sales.append(sale)
            gone = set(map(id, closing))
            shares = [s for s in shares if id(s) not in gone]
            fresh = []
            for s in closing:
                gain, is_long = s.gain(each), s.is_long(day)
                sale["gain"] += gain
                sale["long" if is_long else "short"] += gain
                if gain < 0:
                    fresh.append(Loss(s, sale, day, -gain, is_long))
            # What was bought before the sale and stays, in the order of purchase.
            for loss in fresh:
                stays = [
                    s for s in shares
                    if same(s.symbol, symbol) and s.is_short == loss.share.is_short and not s.used
                    and s.purchase != loss.share.purchase and s.bought + WINDOW >= day
                ]
                if stays:
                    min(stays, key=lambda s: s.purchase).replaces(loss)
            losses += fresh
        opening = size - len(closing)
        if opening:
            purchases += 1
        for _ in range(opening):
            share = Share(purchases, layer, symbol, day, each, not is_buy)
            for loss in losses:
                is_near = loss.open and loss.day + WINDOW >= day
                if is_near and same(loss.share.symbol, symbol) and loss.share.is_short == share.is_short:
                    share.replaces(loss)
                    break
            shares.append(share)
    return sales, received, shares


def halves(s):
    both = []
    for _ in range(2):
        half = Share(s.purchase, s.layer, s.symbol, s.bought, s.basis / 2, s.is_short)
        half.since, half.used = s.since, s.used
        both.append(half)
    return both


def halves_of_loss(l):
    both = []
    for _ in range(2):
        half = Loss(l.share, l.sale, l.day, l.amount / 2, l.is_long)
        half.held = l.held
        both.append(half)
    return both


def years(sales, received):
    """Schedule D of each year, by the cases of its sums."""
    carry_short = carry_long = Fraction(0)
    all_years = [s["day"].year for s in sales] + [y for y, _ in received]
    found = []
    for year in range(min(all_years), max(all_years) + 1):
        short = sum((s["short"] for s in sales if s["day"].year == year), Fraction(0))
        long = sum((s["long"] for s in sales if s["day"].year == year), Fraction(0))
        s, l = short - carry_short, long - carry_long
        carry_short = carry_long = deducted = tax = Fraction(0)
        if s >= 0 and l >= 0:
            tax = s * RATES["short"] + l * RATES["long"]
        elif s + l >= 0:
            tax = (s + l) * (RATES["short"] if s > 0 else RATES["long"])
        else:
            loss = -(s + l)
            deducted = min(CAP, loss)
            if s < 0 and l < 0:
                carry_short = max(-s - deducted, Fraction(0))
                carry_long = loss - deducted - carry_short
            elif s < 0:
                carry_short = loss - deducted
            else:
                carry_long = loss - deducted
            tax = -deducted * RATES["short"]
        income = lambda kind: received.get((year, kind), Fraction(0))
        tax += income("dividend") * RATES["dividend"] + income("interest") * RATES["interest"]
        found.append((year, short, long, deducted, carry_short, carry_long, tax))
    return found


def files():
    rows = ledger()
    lines = ["day,layer,symbol,kind,shares,cents,fee_cents"]
    lines += [",".join(str(cell) for cell in row) for row in rows]
    found = {}
    for rule in RULES:
        sales, received, shares = play(rows, rule)
        deferred = sum((s["disallowed"] for s in sales), Fraction(0))
        assert deferred > 0 and any(s["long"] for s in sales)
        found[rule] = {
            "sales": [[s["day"].isoformat()] + [float(s[k]) for k in ("gain", "disallowed", "short", "long")] for s in sales],
            "years": [[y[0]] + [float(x) for x in y[1:]] for y in years(sales, received)],
            "open_basis": float(sum((-s.basis if s.is_short else s.basis for s in shares), Fraction(0))),
            "open_shares": sum(-1 if s.is_short else 1 for s in shares),
        }
    text = json.dumps(found, indent=0, separators=(",", ":")).replace(",\n", ",").replace("[\n", "[").replace("\n]", "]")
    return {"tax_trades.csv": "\n".join(lines) + "\n", "tax_lots.json": text + "\n"}


def main():
    wrong = 0
    for name, text in files().items():
        path = HERE / name
        if "--check" in sys.argv:
            is_same = path.read_text() == text
            wrong += not is_same
            print(f"{name}: {'as written' if is_same else 'differs'}")
        else:
            path.write_text(text)
    sys.exit(1 if wrong else 0)


main()
