//! Loops over several values at once, compiled a second time for processors with AVX2 (and the
//! comparison of columns a third time, for AVX-512).
//!
//! The program runs on every x86-64 and elsewhere. Where the processor has AVX2, four numbers go
//! through one instruction instead of two, chosen when the program runs. Results have the same bits
//! either way: each lane does the same operations in the same order, and nothing is contracted
//! into fused multiply-adds. What is worth it, `benches/workloads.rs` shows; what the loops compute
//! is their callers' business. The only `unsafe` of the crate is here.

/// Bars whose answers fill one word.
pub(crate) const WORD: usize = 64;

/// Two columns' bars, a word of them.
type Pair<'a> = (&'a [f64; WORD], &'a [f64; WORD]);

/// A loop that is worth compiling twice. [`Loop::run`] is to be `#[inline(always)]`, and so is what
/// it calls: only what is inlined into it gains anything. Closures do while they are short.
pub(crate) trait Loop {
    /// What comes out of it.
    type Out;

    /// Runs the loop.
    fn run(self) -> Self::Out;
}

impl<F: FnOnce() -> R, R> Loop for F {
    type Out = R;

    #[inline(always)]
    fn run(self) -> R {
        self()
    }
}

/// Runs a loop with the widest vectors that the processor has.
#[inline(always)]
pub(crate) fn wide<L: Loop>(work: L) -> L::Out {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        #[allow(unsafe_code)]
        return unsafe { with_avx2(work) };
    }
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2<L: Loop>(work: L) -> L::Out {
    work.run()
}

/// Compares bar by bar: `put(at_least, at_most)` gets a word for each pair, in order, with the bits
/// of the bars on which the first is at least, and at most, the second. Where either is NaN both
/// bits are 0.
#[inline(always)]
pub(crate) fn compare<'a>(pairs: impl Iterator<Item = Pair<'a>>, put: impl FnMut(u64, u64)) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has AVX-512F, which is all that the function asks for.
        #[allow(unsafe_code)]
        return unsafe { compare_avx512(pairs, put) };
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        #[allow(unsafe_code)]
        return unsafe { compare_avx2(pairs, put) };
    }
    compare_plain(pairs, put);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn compare_avx512<'a>(pairs: impl Iterator<Item = Pair<'a>>, mut put: impl FnMut(u64, u64)) {
    use std::arch::x86_64::{_CMP_GE_OQ, _CMP_LE_OQ, _mm512_cmp_pd_mask, _mm512_set_pd};
    for (a, b) in pairs {
        let (mut at_least, mut at_most) = (0, 0);
        // One after the other, last bits first: else the compiler gathers the bits in vectors, which
        // takes longer than the comparisons.
        let eights = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
        for (a, b) in eights.rev() {
            let a = _mm512_set_pd(a[7], a[6], a[5], a[4], a[3], a[2], a[1], a[0]);
            let b = _mm512_set_pd(b[7], b[6], b[5], b[4], b[3], b[2], b[1], b[0]);
            let more = _mm512_cmp_pd_mask::<_CMP_GE_OQ>(a, b);
            let less = _mm512_cmp_pd_mask::<_CMP_LE_OQ>(a, b);
            at_least = at_least << 8 | u64::from(more);
            at_most = at_most << 8 | u64::from(less);
        }
        put(at_least, at_most);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compare_avx2<'a>(pairs: impl Iterator<Item = Pair<'a>>, mut put: impl FnMut(u64, u64)) {
    use std::arch::x86_64::{
        _CMP_GE_OQ, _CMP_LE_OQ, _mm256_cmp_pd, _mm256_movemask_pd, _mm256_set_pd,
    };
    for (a, b) in pairs {
        let (mut at_least, mut at_most) = (0, 0);
        let fours = a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0);
        for (a, b) in fours.rev() {
            let a = _mm256_set_pd(a[3], a[2], a[1], a[0]);
            let b = _mm256_set_pd(b[3], b[2], b[1], b[0]);
            let more = _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_GE_OQ>(a, b));
            let less = _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LE_OQ>(a, b));
            at_least = at_least << 4 | more as u64;
            at_most = at_most << 4 | less as u64;
        }
        put(at_least, at_most);
    }
}

fn compare_plain<'a>(pairs: impl Iterator<Item = Pair<'a>>, mut put: impl FnMut(u64, u64)) {
    for (a, b) in pairs {
        let (mut more, mut less) = ([0; WORD], [0; WORD]);
        for (((more, less), a), b) in more.iter_mut().zip(&mut less).zip(a).zip(b) {
            *more = u8::from(a >= b);
            *less = u8::from(a <= b);
        }
        put(gather(&more), gather(&less));
    }
}

/// Flags of 0 or 1 as the bits of a word: the multiplication moves eight of them into one byte.
#[inline(always)]
fn gather(flags: &[u8; WORD]) -> u64 {
    let mut word = 0;
    for (k, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        word |= bits << (8 * k);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_comparing_agree() {
        let hard = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            5e-324,
        ];
        let at = |i: usize, k: usize| hard[(i * 7 + k * i / 8) % hard.len()];
        let blocks: Vec<[f64; WORD]> = (0..16).map(|k| std::array::from_fn(|i| at(i, k))).collect();
        let pairs = || {
            blocks
                .iter()
                .flat_map(|a| blocks.iter().map(move |b| (a, b)))
        };
        let (mut plain, mut chosen) = (Vec::new(), Vec::new());
        compare_plain(pairs(), |more, less| plain.push((more, less)));
        compare(pairs(), |more, less| chosen.push((more, less)));
        assert_eq!(plain, chosen);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            let mut narrow = Vec::new();
            // SAFETY: the processor has AVX2.
            #[allow(unsafe_code)]
            unsafe {
                compare_avx2(pairs(), |more, less| narrow.push((more, less)));
            }
            assert_eq!(plain, narrow);
        }
        for ((a, b), (more, less)) in pairs().zip(plain) {
            for i in 0..WORD {
                assert_eq!(more >> i & 1 == 1, a[i] >= b[i]);
                assert_eq!(less >> i & 1 == 1, a[i] <= b[i]);
            }
        }
    }
}
