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

/// Compares bar by bar: for each pair, in order, a word with the bits of the bars on which the first
/// is at least, and one with those on which it is at most, the second. Where either is NaN both bits
/// are 0.
#[inline(always)]
pub(crate) fn compare<'a>(pairs: impl Iterator<Item = Pair<'a>>, into: (&mut [u64], &mut [u64])) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
        // SAFETY: the processor has AVX-512F and DQ, which is all that the function asks for.
        #[allow(unsafe_code)]
        return unsafe { compare_avx512(pairs, into) };
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        #[allow(unsafe_code)]
        return unsafe { compare_avx2(pairs, into) };
    }
    compare_plain(pairs, into);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn compare_avx512<'a>(
    pairs: impl Iterator<Item = Pair<'a>>,
    (at_least, at_most): (&mut [u64], &mut [u64]),
) {
    use std::arch::x86_64::{_CMP_GE_OQ, _CMP_LE_OQ, _mm512_cmp_pd_mask, _mm512_set_pd};
    for ((pair, at_least), at_most) in pairs.zip(at_least).zip(at_most) {
        let (a, b) = (pair.0.as_chunks::<8>().0, pair.1.as_chunks::<8>().0);
        // Bytes go straight to memory; put together in words, the compiler gathers them in vectors,
        // which takes longer than the comparisons.
        let (mut more, mut less) = ([0_u8; WORD / 8], [0_u8; WORD / 8]);
        for (((a, b), more), less) in a.iter().zip(b).zip(&mut more).zip(&mut less) {
            let a = _mm512_set_pd(a[7], a[6], a[5], a[4], a[3], a[2], a[1], a[0]);
            let b = _mm512_set_pd(b[7], b[6], b[5], b[4], b[3], b[2], b[1], b[0]);
            *more = _mm512_cmp_pd_mask::<_CMP_GE_OQ>(a, b);
            *less = _mm512_cmp_pd_mask::<_CMP_LE_OQ>(a, b);
        }
        (*at_least, *at_most) = (u64::from_le_bytes(more), u64::from_le_bytes(less));
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn compare_avx2<'a>(
    pairs: impl Iterator<Item = Pair<'a>>,
    (at_least, at_most): (&mut [u64], &mut [u64]),
) {
    use std::arch::x86_64::{
        _CMP_GE_OQ, _CMP_LE_OQ, _mm256_cmp_pd, _mm256_set_pd, _mm256_setzero_pd,
    };
    for ((pair, at_least), at_most) in pairs.zip(at_least).zip(at_most) {
        let (a, b) = (pair.0.as_chunks::<32>().0, pair.1.as_chunks::<32>().0);
        (*at_least, *at_most) = (0, 0);
        for (half, (a, b)) in a.iter().zip(b).enumerate() {
            let mut more = [_mm256_setzero_pd(); 8];
            let mut less = more;
            let fours = a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0);
            for (((a, b), more), less) in fours.zip(&mut more).zip(&mut less) {
                let a = _mm256_set_pd(a[3], a[2], a[1], a[0]);
                let b = _mm256_set_pd(b[3], b[2], b[1], b[0]);
                *more = _mm256_cmp_pd::<_CMP_GE_OQ>(a, b);
                *less = _mm256_cmp_pd::<_CMP_LE_OQ>(a, b);
            }
            *at_least |= u64::from(bits_of(more)) << (32 * half);
            *at_most |= u64::from(bits_of(less)) << (32 * half);
        }
    }
}

/// The answers of 32 comparisons as bits: narrowed three times, since taking the bits of each vector
/// by itself and putting them together takes twice as long.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn bits_of(answers: [std::arch::x86_64::__m256d; 8]) -> u32 {
    use std::arch::x86_64::{
        __m256d, _mm256_castpd_ps, _mm256_castps_si256, _mm256_movemask_epi8, _mm256_packs_epi16,
        _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_setr_epi8, _mm256_shuffle_epi8,
        _mm256_shuffle_ps,
    };
    let halves = |a: __m256d, b: __m256d| {
        let both = _mm256_shuffle_ps::<0x88>(_mm256_castpd_ps(a), _mm256_castpd_ps(b));
        _mm256_castps_si256(both)
    };
    let [a, b, c, d, e, f, g, h] = answers;
    let first = _mm256_packs_epi32(halves(a, b), halves(c, d));
    let second = _mm256_packs_epi32(halves(e, f), halves(g, h));
    // Each half of a vector was narrowed by itself: its bars come two by two.
    let bytes = _mm256_permute4x64_epi64::<0xD8>(_mm256_packs_epi16(first, second));
    let order = _mm256_setr_epi8(
        0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12,
        13, 6, 7, 14, 15,
    );
    _mm256_movemask_epi8(_mm256_shuffle_epi8(bytes, order)).cast_unsigned()
}

fn compare_plain<'a>(
    pairs: impl Iterator<Item = Pair<'a>>,
    (at_least, at_most): (&mut [u64], &mut [u64]),
) {
    for (((a, b), at_least), at_most) in pairs.zip(at_least).zip(at_most) {
        let (mut more, mut less) = ([0; WORD], [0; WORD]);
        for (((more, less), a), b) in more.iter_mut().zip(&mut less).zip(a).zip(b) {
            *more = u8::from(a >= b);
            *less = u8::from(a <= b);
        }
        (*at_least, *at_most) = (gather(&more), gather(&less));
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
        let count = pairs().count();
        type Both<'a> = (&'a mut [u64], &'a mut [u64]);
        let words = |run: &dyn Fn(Both<'_>)| {
            let (mut more, mut less) = (vec![7; count], vec![7; count]);
            run((&mut more, &mut less));
            more.into_iter().zip(less).collect::<Vec<(u64, u64)>>()
        };
        let plain = words(&|into| compare_plain(pairs(), into));
        assert_eq!(plain, words(&|into| compare(pairs(), into)));
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            #[allow(unsafe_code)]
            let narrow = words(&|into| unsafe { compare_avx2(pairs(), into) });
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
