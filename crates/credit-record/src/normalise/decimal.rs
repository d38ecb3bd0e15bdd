//! Decimal numbers, exactly: amounts in 万元 with six digits behind the point are whole cents of a yuan
//! and must not pass through binary fractions. Called by the `decimal-form` step, by the
//! steps on sums and by the rules.

use std::borrow::Cow;

/// A number that is not negative, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(u64);

impl Decimal {
    /// Digits behind the point that are kept.
    pub const SCALE: u32 = 6;
    const ONE: u64 = 1_000_000;

    /// Reads the canonical form: digits, at most one point, at most six digits behind it, no sign.
    /// `None` for anything else and for more than 12 digits in front.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if whole.is_empty() || whole.len() > 12 || fraction.len() > Self::SCALE as usize {
            return None;
        }
        if text.ends_with('.') {
            return None;
        }
        let mut value: u64 = 0;
        let padding = std::iter::repeat_n(b'0', Self::SCALE as usize - fraction.len());
        for byte in whole.bytes().chain(fraction.bytes()).chain(padding) {
            if !byte.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u64::from(byte - b'0');
        }
        Some(Self(value))
    }

    /// The number as millionths.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// True for nought.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The number multiplied by ten thousand (万元 to 元); `None` when that is too large.
    pub fn times_ten_thousand(self) -> Option<Self> {
        self.0.checked_mul(10_000).map(Self)
    }

    /// The whole number.
    pub fn from_whole(value: u64) -> Option<Self> {
        value.checked_mul(Self::ONE).map(Self)
    }
}

/// Thousands separators, a plus sign and idle zeros go. What is no number then stays as it is.
pub(super) fn decimal_form(value: &str) -> Option<String> {
    if is_canonical(value) {
        return None;
    }
    let text = value.trim();
    let text = text.strip_prefix('+').unwrap_or(text).trim_start();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let whole = join_thousands(whole)?;
    if (whole.is_empty() && fraction.is_empty()) || !digits(&whole) || !digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
}

/// True for digits without idle zeros and with at most one point between them.
pub(super) fn is_canonical(value: &str) -> bool {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "1"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && !fraction.ends_with('0')
}

/// `1,234,567` as `1234567`, also with spaces for the commas; `None` when they do not stand at the
/// thousands. Two numbers side by side are not joined.
pub(super) fn join_thousands(whole: &str) -> Option<Cow<'_, str>> {
    let separator = [',', '，', ' '];
    let Some(used) = whole
        .find(separator)
        .and_then(|at| whole[at..].chars().next())
    else {
        return Some(Cow::Borrowed(whole));
    };
    let mut groups = whole.split(used);
    let first = groups.next().filter(|g| (1..=3).contains(&g.len()))?;
    let mut out = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        out.push_str(group);
    }
    Some(Cow::Owned(out))
}
