//! Volume: what was traded while the price moved.

use crate::indicators::gaps::{BarRun, on_traded_bars};
use crate::indicators::sliding::slide;
use crate::indicators::{BARS_ROW, Indicator, Scale, whole};
use ta::indicators::OnBalanceVolume;
use ta::{Close, Next, Volume};

/// The rows of this family.
pub(super) static ROWS: &[Indicator] = &[
    Indicator {
        name: "obv",
        needs_volume: true,
        args: &[],
        scale: Scale::Volume,
        title: "on-balance volume",
        formula: "starts as the first volume; + volume when the close rose, - volume when it fell",
        source: "Granville 1963, TA-Lib OBV; ta OnBalanceVolume",
        warmup: |_| 0,
        compute: |inputs, _| {
            on_traded_bars(inputs, 0, |bars, out| {
                let mut balance = OnBalanceVolume::new();
                for ((out, &close), &volume) in out.iter_mut().zip(bars.close).zip(bars.volume) {
                    *out = balance.next(&TradedClose { close, volume });
                }
            })
        },
        ..BARS_ROW
    },
    Indicator {
        name: "vwap",
        needs_volume: true,
        title: "volume-weighted average price of the last n bars",
        formula: "sum of tp x volume / sum of volume over n bars, tp = (high + low + close) / 3 (0/0: no value)",
        source: "Berkowitz, Logue and Noser 1988; ours, block sums",
        compute: |inputs, a| {
            let n = whole(a, 0);
            on_traded_bars(inputs, n - 1, |bars, out| vwap(bars, n, out))
        },
        ..BARS_ROW
    },
];

/// What `ta` reads of a bar for the balance.
struct TradedClose {
    close: f64,
    volume: f64,
}

impl Close for TradedClose {
    fn close(&self) -> f64 {
        self.close
    }
}

impl Volume for TradedClose {
    fn volume(&self) -> f64 {
        self.volume
    }
}

fn vwap(bars: BarRun<'_>, n: usize, out: &mut [f64]) {
    let traded: Vec<(f64, f64)> = (0..bars.len())
        .map(|i| (bars.typical(i) * bars.volume[i], bars.volume[i]))
        .collect();
    slide(
        traded.len(),
        n,
        |i, _| traded[i],
        |a, b| (a.0 + b.0, a.1 + b.1),
        |i, _, (money, volume)| {
            // 0/0 is NaN: nothing was traded.
            out[i] = money / volume;
        },
    );
}
