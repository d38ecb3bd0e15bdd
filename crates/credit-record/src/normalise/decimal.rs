//! Decimal numbers, exactly: amounts in 万元 with six digits behind the point are whole cents of a yuan
//! and must not pass through binary fractions. Called by the `decimal-form` step and by the rules.

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

/// Thousands separators, spaces, a plus sign and idle zeros go. What is no number then stays as it is.
pub(super) fn decimal_form(value: &str) -> Option<String> {
    let text: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    let text = text.strip_prefix('+').unwrap_or(&text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let joined = join_thousands(whole)?;
    if (joined.is_empty() && fraction.is_empty()) || !digits(&joined) || !digits(fraction) {
        return None;
    }
    let whole = joined.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    })
}

/// `1,234,567` as `1234567`; `None` when the commas do not stand at the thousands.
fn join_thousands(whole: &str) -> Option<String> {
    if !whole.contains([',', '，']) {
        return Some(whole.to_owned());
    }
    let mut groups = whole.split([',', '，']);
    let first = groups.next().filter(|g| (1..=3).contains(&g.len()))?;
    let mut out = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        out.push_str(group);
    }
    Some(out)
}
