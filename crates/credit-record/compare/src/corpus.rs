//! The codes that every contestant reads: made from a seed, 95 of 100 valid. Called by `main`.
//!
//! Validity is known from the making: check characters are computed here by the running forms of ISO 7064, apart
//! from the code under test.

/// Codes of one corpus and how many of them are valid as the corpus's kind.
#[derive(Debug)]
pub struct CodeCorpus {
    /// The codes, in the order in which all contestants read them.
    pub codes: Vec<String>,
    /// How many are valid.
    pub valid: usize,
}

/// Divisions that have been in use without a break since 1984 or before, so that contestants with a
/// table of divisions find each of them in force at any birth that is drawn here.
const COUNTIES: [&str; 8] = [
    "110101", "110105", "120101", "310101", "320102", "420102", "430102", "430104",
];
const CREDIT: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Pairs that python-stdnum reads, too; it refuses A, N and Y.
const PAIRS: [&str; 8] = ["11", "12", "51", "52", "91", "91", "91", "92"];

/// SplitMix64: small, seeded, the same on every machine.
#[derive(Debug)]
pub struct CorpusRandom(u64);

impl CorpusRandom {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// Citizen numbers.
pub fn citizen_corpus(random: &mut CorpusRandom, count: usize) -> CodeCorpus {
    make_corpus(random, count, citizen, b"0123456789")
}

/// Credit codes.
pub fn credit_code_corpus(random: &mut CorpusRandom, count: usize) -> CodeCorpus {
    make_corpus(random, count, credit_code, CREDIT)
}

/// Both, by turns in random order, with the codes of both corpora.
pub fn mixed_codes(random: &mut CorpusRandom, citizens: &CodeCorpus, credit_codes: &CodeCorpus) -> Vec<String> {
    let (mut a, mut b) = (citizens.codes.iter(), credit_codes.codes.iter());
    let half = citizens.codes.len() / 2 + credit_codes.codes.len() / 2;
    (0..half)
        .filter_map(|_| {
            if random.below(2) == 0 {
                a.next()
            } else {
                b.next()
            }
        })
        .cloned()
        .collect()
}

/// One in twenty is damaged: mostly a wrong character, sometimes a lost, a doubled or a look-alike one.
fn make_corpus(
    random: &mut CorpusRandom,
    count: usize,
    valid: fn(&mut CorpusRandom) -> String,
    alphabet: &[u8],
) -> CodeCorpus {
    let mut corpus = CodeCorpus {
        codes: Vec::with_capacity(count),
        valid: count,
    };
    for _ in 0..count {
        let mut code = valid(random);
        if random.below(20) == 0 {
            corpus.valid -= 1;
            // Not at the first position, so that every kind of damage can be recognised by the rest of the code.
            let at = 1 + random.below(16);
            match random.below(10) {
                0 => drop(code.remove(at)),
                1 => code.insert(at, '0'),
                2 => code.replace_range(at..=at, "O"),
                _ => {
                    let old = code.as_bytes()[at];
                    let other = loop {
                        let other = alphabet[random.below(alphabet.len())];
                        if other != old {
                            break other;
                        }
                    };
                    code.replace_range(at..=at, &char::from(other).to_string());
                }
            }
        }
        corpus.codes.push(code);
    }
    corpus
}

fn citizen(random: &mut CorpusRandom) -> String {
    let (year, month, day) = (
        1984 + random.below(40),
        1 + random.below(12),
        1 + random.below(28),
    );
    let head = format!(
        "{}{year:04}{month:02}{day:02}{:03}",
        random.pick(&COUNTIES),
        random.below(1000)
    );
    let sum = head
        .bytes()
        .fold(0, |sum, b| (sum + usize::from(b - b'0')) * 2 % 11);
    // The whole has to leave 1.
    let check = match (12 - sum) % 11 {
        10 => 'X',
        digit => char::from(b'0' + digit as u8),
    };
    format!("{head}{check}")
}

fn credit_code(random: &mut CorpusRandom) -> String {
    let mut code = format!("{}{}", random.pick(&PAIRS), random.pick(&COUNTIES));
    if random.below(4) == 0 {
        for _ in 0..8 {
            code.push(char::from(b'0' + random.below(10) as u8));
        }
    } else {
        code.push_str("MA");
        for _ in 0..6 {
            code.push(char::from(CREDIT[random.below(31)]));
        }
    }
    let value = |b: u8| match b {
        b'0'..=b'9' => usize::from(b - b'0'),
        _ => usize::from(b - b'A') + 10,
    };
    let weights = [3, 7, 9, 10, 5, 8, 4, 2];
    let body: usize = code
        .bytes()
        .skip(8)
        .zip(weights)
        .map(|(b, w)| value(b) * w)
        .sum();
    code.push(match 11 - body % 11 {
        10 => 'X',
        11 => '0',
        digit => char::from(b'0' + digit as u8),
    });
    let place = |b: u8| CREDIT.iter().position(|a| *a == b).unwrap_or(0);
    let mut weight = 1;
    let mut sum = 0;
    for b in code.bytes() {
        sum += place(b) * weight;
        weight = weight * 3 % 31;
    }
    code.push(char::from(CREDIT[(31 - sum % 31) % 31]));
    code
}
