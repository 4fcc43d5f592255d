//! Draws that depend on seed, symbol and moment alone, so that no order of evaluation, no other
//! symbol and no number of threads changes them.
//!
//! The mixer is the output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", 2014), applied to a counter.

use crate::units::Micros;

/// The odd constant by which SplitMix64 steps: 2^64 over the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Spreads every bit of the input over the whole word.
fn mixed(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ word >> 31
}

fn absorbed(state: u64, word: u64) -> u64 {
    mixed(state.wrapping_add(STEP) ^ mixed(word.wrapping_add(STEP)))
}

/// The stream of a seed (the bits of a number) and a symbol.
pub(crate) fn stream(seed: u64, symbol: &str) -> u64 {
    let start = absorbed(symbol.len() as u64, seed);
    let bytes = symbol.bytes();
    bytes.fold(start, |state, byte| absorbed(state, u64::from(byte)))
}

/// The draw of a stream at a moment: evenly from [0, 1), in steps of 2^-53.
pub(crate) fn draw(stream: u64, time: Micros) -> f64 {
    let word = absorbed(stream, time.cast_unsigned());
    (word >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_depend_on_all_three() {
        let n = 20_000;
        let a = stream(1, "AAPL");
        let draws: Vec<f64> = (0..n).map(|i| draw(a, i * 86_400_000_000)).collect();
        assert!(draws.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = draws.iter().sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 0.01, "mean {mean}");
        let low = draws.iter().filter(|x| **x < 0.1).count() as f64 / n as f64;
        assert!((low - 0.1).abs() < 0.01, "share below 0.1 is {low}");
        let pairs = draws.windows(2).map(|w| (w[0] - 0.5) * (w[1] - 0.5));
        let correlation = pairs.sum::<f64>() / n as f64 * 12.0;
        assert!(correlation.abs() < 0.03, "serial correlation {correlation}");
        for other in [
            stream(2, "AAPL"),
            stream(1, "AAPM"),
            stream(1, "AAP"),
            stream(1, ""),
        ] {
            let same = (0..n).filter(|i| draw(other, *i) == draw(a, *i)).count();
            assert_eq!(same, 0);
        }
    }
}
