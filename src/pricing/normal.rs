//! The normal distribution, to the last bits.

/// Probability that a standard normal variable is at most `x`.
/// Source: Abramowitz & Stegun (1964), 26.2.29: Phi(x) = erfc(-x / sqrt 2) / 2.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

/// Density of a standard normal variable at `x`.
pub fn normal_density(x: f64) -> f64 {
    const ROOT_TWO_PI: f64 = 2.506_628_274_631_000_5;
    libm::exp(-0.5 * x * x) / ROOT_TWO_PI
}

/// The `x` with `normal_cdf(x) = p`, for `p` inside (0, 1); infinite at its ends.
///
/// The rational approximation 26.2.23 of Abramowitz & Stegun (1964), whose error is below 4.5e-4,
/// is the start; three steps of Newton's method bring it to the precision of the distribution.
pub fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    let tail = p.min(1.0 - p);
    let t = (-2.0 * libm::log(tail)).sqrt();
    let over = 2.515517 + t * (0.802853 + t * 0.010328);
    let under = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    let mut x = over / under - t;
    for _ in 0..3 {
        let density = libm::exp(-0.5 * x * x) / (2.0 * std::f64::consts::PI).sqrt();
        x -= (normal_cdf(x) - tail) / density;
    }
    if p < 0.5 { x } else { -x }
}
