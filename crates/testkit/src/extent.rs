//! How much a test does, and from which seed: the suite runs each in a smaller form, `cargo xtask soak` in its long one.
//! Called by tests that have both.

use anyhow::{Context, Result};

/// Set where the long forms are wanted.
const SOAK: &str = "CREDIT_SOAK";
/// Chooses what is left to chance.
const SEED: &str = "CREDIT_TEST_SEED";
/// What a line of figures begins with; `cargo xtask soak` looks for it.
const FIGURES: &str = "figures: ";

/// The size of this run: `suite` in the suite, `soak` under `cargo xtask soak`.
pub fn choose_extent<T>(suite: T, soak: T) -> T {
    if std::env::var_os(SOAK).is_some() {
        soak
    } else {
        suite
    }
}

/// The seed of this run, `CREDIT_TEST_SEED` or `default`, printed with the setting that repeats it.
///
/// # Errors
/// When the variable holds no number.
pub fn test_seed(default: u64) -> Result<u64> {
    let seed = match std::env::var(SEED) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{SEED}={text}: a number"))?,
        Err(_) => default,
    };
    println!("seed {seed}; {SEED}={seed} repeats it");
    Ok(seed)
}

/// Prints what a long form has measured, in one line.
pub fn print_figures(line: &str) {
    println!("{FIGURES}{line}");
}
