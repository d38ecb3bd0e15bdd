//! Whether digits have the structure of a personal number. Called by [`super::find`] and
//! [`super::mask_phone`]. Input is ASCII digits, `X` only as a citizen number's last character.
//!
//! This judges what must be hidden, not what is acceptable as an identifier: it leans to yes. What
//! makes a citizen number valid for a record is decided in `credit-record`.

/// A citizen number of GB 11643-1999, a residence permit of Hong Kong, Macao or Taiwan, or a
/// foreigner's permanent residence number: 18 characters, known first part, real birth date and a
/// true check character (ISO 7064 MOD 11-2).
pub(super) fn is_citizen_number(number: &str) -> bool {
    let bytes = number.as_bytes();
    if bytes.len() != 18 || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let from = if bytes[0] == b'9' { 1 } else { 0 };
    if !is_province(&number[from..from + 2]) {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (
        value(&number[6..10]),
        value(&number[10..12]),
        value(&number[12..14]),
    ) else {
        return false;
    };
    (1850..2100).contains(&year) && is_date(year, month, day) && mod_11_2(bytes)
}

/// The form of the first cards: 15 digits, region, birth date without century, no check digit.
pub(super) fn is_old_citizen_number(number: &str) -> bool {
    if number.len() != 15 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    // Cities without counties, whose citizens bear the city's own code. Everywhere else a code
    // that ends in 00 is no person's but, mostly, the old register number of an enterprise.
    const CITIES_WITHOUT_COUNTIES: [&str; 4] = ["4419", "4420", "4604", "6202"];
    let county = &number[4..6] != "00" || CITIES_WITHOUT_COUNTIES.contains(&&number[..4]);
    let (Some(year), Some(month), Some(day)) = (
        value(&number[6..8]),
        value(&number[8..10]),
        value(&number[10..12]),
    ) else {
        return false;
    };
    county && is_province(&number[..2]) && is_date(1900 + year, month, day)
}

/// The 11 digits of a mobile phone number, without the country code 86, 0086 or a leading 0.
pub(super) fn mobile_digits(digits: &str) -> Option<&str> {
    let local = match digits.len() {
        11 => digits,
        12 => digits.strip_prefix('0')?,
        13 => digits.strip_prefix("86")?,
        15 => digits.strip_prefix("0086")?,
        _ => return None,
    };
    let bytes = local.as_bytes();
    let sound = bytes.iter().all(u8::is_ascii_digit)
        && bytes[0] == b'1'
        && (b'3'..=b'9').contains(&bytes[1]);
    sound.then_some(local)
}

/// A bank card number (ISO/IEC 7812): 16 to 19 digits, a first part that card issuers have, Luhn.
/// An organisation's credit code is no card: one in ten of those written in digits only would
/// pass Luhn, and hiding it would hide the public record's own subject.
pub(super) fn is_bank_card(digits: &str) -> bool {
    if !(16..=19).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let issuer = match digits.as_bytes()[0] {
        b'3'..=b'6' | b'9' => true,
        // Mastercard's second range; other numbers in 2 are mostly dates with a running number.
        b'2' => matches!(value(&digits[..3]), Some(222..=272)),
        _ => false,
    };
    issuer && luhn(digits.as_bytes()) && !credit_code(digits.as_bytes())
}

fn is_province(two: &str) -> bool {
    matches!(
        value(two),
        Some(11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
    )
}

fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn value(digits: &str) -> Option<u32> {
    digits.parse().ok()
}

/// ISO 7064 MOD 11-2 over 17 digits and a check character.
fn mod_11_2(bytes: &[u8]) -> bool {
    let rest = bytes.iter().fold(0, |rest, byte| {
        let digit = if *byte == b'X' {
            10
        } else {
            u32::from(byte - b'0')
        };
        (2 * rest + digit) % 11
    });
    rest == 1
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0');
            match (at % 2, digit) {
                (0, digit) => digit,
                (_, digit) if digit > 4 => 2 * digit - 9,
                (_, digit) => 2 * digit,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A unified social credit code written in digits only with a true check character (GB 32100-2015,
/// MOD 31 with weights 3^i), of the registrars that most organisations have: justice 3, civil
/// affairs 5, commerce 9. Codes in 4 and 6 are next to unknown, and there UnionPay and Visa begin.
fn credit_code(digits: &[u8]) -> bool {
    if digits.len() != 18 || !matches!(digits[0], b'3' | b'5' | b'9') {
        return false;
    }
    let mut weight = 1;
    let mut sum = 0;
    for byte in &digits[..17] {
        sum += u32::from(byte - b'0') * weight;
        weight = weight * 3 % 31;
    }
    (31 - sum % 31) % 31 == u32::from(digits[17] - b'0')
}
