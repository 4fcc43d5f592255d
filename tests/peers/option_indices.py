"""Five option-income indices after the published rules of Cboe, on closes, by the standard library alone.

    python tests/peers/option_indices.py spx_vix_rates_1999_2018.csv > tests/peers/option_indices.csv

The input has a row a session: date,open,high,low,close,vix_close,tb3m_discount_pct,rate_cc,div_yield (the last
two continuously compounded and a fraction a year). It may not be passed on, so only the figures are committed.

Rules: one decision a day at the close; options expire on the third Friday, or on the session before it; they
settle in cash at that close and the next is sold at the same close, without cost; strikes every 5 points;
Black-Scholes-Merton with the day's rate and yield, T = calendar days / 365, volatility by the skewed surface
sigma(K, T) = VIX (0.86 - 0.25 x + 0.02 x^2), x = ln(K / F) / (VIX sqrt T) within [-3, 3], the factor at least 0.2, and beyond
60 days by the term structure v(T) = theta + (v - theta)(1 - exp(-4 T)) / (4 T), theta the median of VIX^2 up to that day;
total variance is at least that of 60 days, because a later expiry is never worth less.

  bxm   the index and one call sold at the lowest strike at or above it
  bxy   the same at the lowest strike at or above 1.02 of it
  bxmd  the same at the strike whose delta is nearest to 0.30
  put   bills and N puts sold at the highest strike at or below the index, N = V / (K exp(-r T) - P)
  cll   the index, a put of the March cycle at 0.95 of it, one call sold at 1.10 of it
"""
import bisect, csv, datetime, math, sys

def cdf(x):
    return math.erfc(-x / math.sqrt(2)) / 2

def value(kind, s, k, t, r, q, sigma):
    if t <= 0:
        return max(0.0, s - k if kind == "call" else k - s)
    d1 = (math.log(s / k) + (r - q + sigma * sigma / 2) * t) / (sigma * math.sqrt(t))
    d2 = d1 - sigma * math.sqrt(t)
    if kind == "call":
        return s * math.exp(-q * t) * cdf(d1) - k * math.exp(-r * t) * cdf(d2)
    return k * math.exp(-r * t) * cdf(-d2) - s * math.exp(-q * t) * cdf(-d1)

def read(path):
    days, medians, seen = [], [], []
    with open(path) as file:
        for row in csv.DictReader(file):
            vix = float(row["vix_close"]) / 100
            bisect.insort(seen, vix * vix)
            n = len(seen)
            theta = seen[n // 2] if n % 2 else (seen[n // 2 - 1] + seen[n // 2]) / 2
            days.append(dict(date=datetime.date.fromisoformat(row["date"]), s=float(row["close"]), vix=vix,
                             r=float(row["rate_cc"]), q=float(row["div_yield"]), theta=theta))
    return days

def sigma(day, k, t):
    v = day["vix"]
    if t > 60 / 365:
        w = (1 - math.exp(-4 * t)) / (4 * t)
        v = math.sqrt(max(day["theta"] + (v * v - day["theta"]) * w, v * v * (60 / 365) / t))
    f = day["s"] * math.exp((day["r"] - day["q"]) * t)
    x = max(-3.0, min(3.0, math.log(k / f) / (v * math.sqrt(t))))
    return v * max(0.2, 0.86 - 0.25 * x + 0.02 * x * x)

def mark(day, option):
    kind, k, expiry = option
    t = (expiry - day["date"]).days / 365
    if t <= 0:
        return value(kind, day["s"], k, 0, 0, 0, 0)
    return value(kind, day["s"], k, t, day["r"], day["q"], sigma(day, k, t))

def third_fridays(days):
    """The session on which the month's option expires, for every month of the tape and the one after."""
    dates = [d["date"] for d in days]
    out = []
    year, month = dates[0].year, dates[0].month
    while (year, month) <= (dates[-1].year + 1, 3):
        first = datetime.date(year, month, 1)
        friday = first + datetime.timedelta(days=(4 - first.weekday()) % 7 + 14)
        if friday <= dates[-1]:
            friday = dates[bisect.bisect_right(dates, friday) - 1]
        out.append(friday)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return out

def above(s):
    return 5 * math.ceil(s / 5 - 1e-12)

def below(s):
    return 5 * math.floor(s / 5 + 1e-12)

def by_delta(day, expiry, target):
    t = (expiry - day["date"]).days / 365
    best = None
    k = below(day["s"] * 0.8)
    while k < day["s"] * 1.5:
        vol = sigma(day, k, t)
        d1 = (math.log(day["s"] / k) + (day["r"] - day["q"] + vol * vol / 2) * t) / (vol * math.sqrt(t))
        gap = abs(math.exp(-day["q"] * t) * cdf(d1) - target)
        if best is None or gap <= best[0] + 1e-15:
            best = (gap, k)
        k += 5
    return best[1]

def run(name, days, fridays):
    """The level at each close (1 at the first) and the premiums taken as shares of the level."""
    quarter = [f for f in fridays if f.month % 3 == 0]
    levels, premiums, v = [1.0], [], 1.0
    call = put = None
    n = cash = 0.0
    def sell(day):
        nonlocal call, put, n, cash
        expiry = next(f for f in fridays if f > day["date"])
        s = day["s"]
        if name == "put":
            put = ("put", below(s), expiry)
            price = mark(day, put)
            t = (expiry - day["date"]).days / 365
            n = v / (put[1] * math.exp(-day["r"] * t) - price)
            cash = v + n * price
            premiums.append(price / s)
            return
        if name == "cll":
            k = above(1.10 * s)
            if put is None or put[2] <= day["date"] or k < put[1]:
                expiry_put = next(f for f in quarter if f > day["date"]) if put is None or put[2] <= day["date"] else put[2]
                put = ("put", below(0.95 * s), expiry_put)
        else:
            k = {"bxm": lambda: above(s), "bxy": lambda: above(1.02 * s), "bxmd": lambda: by_delta(day, expiry, 0.30)}[name]()
        call = ("call", k, expiry)
        premiums.append(mark(day, call) / s)
    sell(days[0])
    for before, day in zip(days, days[1:]):
        span = (day["date"] - before["date"]).days / 365
        if name == "put":
            cash *= math.exp(before["r"] * span)
            v = cash - n * mark(day, put)
            if day["date"] >= put[2]:
                sell(day)
        else:
            def net(d):
                return d["s"] - mark(d, call) + (mark(d, put) if put else 0.0)
            paid = before["s"] * day["q"] * span
            v *= (net(day) + paid) / net(before)
            if day["date"] >= call[2]:
                sell(day)
        levels.append(v)
    return levels, premiums

def monthly(days, levels):
    ends = [i for i in range(len(days)) if i + 1 == len(days) or days[i + 1]["date"].month != days[i]["date"].month]
    at = [levels[0]] + [levels[i] for i in ends]
    return [b / a - 1 for a, b in zip(at, at[1:])], ends

def total(days):
    levels = [1.0]
    for a, b in zip(days, days[1:]):
        span = (b["date"] - a["date"]).days / 365
        levels.append(levels[-1] * (b["s"] + a["s"] * b["q"] * span) / a["s"])
    return levels

def figures(days, levels, market, rates):
    rets, _ = monthly(days, levels)
    n = len(rets)
    mean = sum(rets) / n
    sd = math.sqrt(sum((r - mean) ** 2 for r in rets) / (n - 1))
    ann = levels[-1] ** (12 / n) - 1
    ex = [r - f for r, f in zip(rets, rates)]
    exm = [r - f for r, f in zip(market, rates)]
    me, mm = sum(ex) / n, sum(exm) / n
    sde = math.sqrt(sum((r - me) ** 2 for r in ex) / (n - 1))
    beta = sum((a - me) * (b - mm) for a, b in zip(ex, exm)) / sum((b - mm) ** 2 for b in exm)
    peak, level, worst = 1.0, 1.0, 0.0
    for r in rets:
        level *= 1 + r
        peak = max(peak, level)
        worst = min(worst, level / peak - 1)
    return ann, sd * math.sqrt(12), me / sde * math.sqrt(12), beta, worst

def main():
    days = read(sys.argv[1])
    fridays = third_fridays(days)
    base = total(days)
    market, ends = monthly(days, base)
    rates = [math.exp(days[i]["r"] / 12) - 1 for i in ends]
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow("index,level,annual_return,volatility,sharpe,beta,max_drawdown,premium_month".split(","))
    for name in ["sptr", "bxm", "bxy", "bxmd", "put", "cll"]:
        levels, premiums = (base, []) if name == "sptr" else run(name, days, fridays)
        row = figures(days, levels, market, rates)
        premium = sum(premiums) / len(premiums) if premiums else 0.0
        out.writerow([name, repr(levels[-1])] + [repr(x) for x in row] + [repr(premium)])

main()
