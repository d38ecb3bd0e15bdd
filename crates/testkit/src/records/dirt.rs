//! Dirt that normalisation takes off: the record stays right. Called by the generator for one record in
//! ten; the kinds are those that were seen in files of departments.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::Value;

use super::content::RecordDraft;
use super::pick;

type DirtFunction = fn(&mut StdRng, &mut RecordDraft<'_>) -> bool;

/// Each returns whether it changed something.
const KINDS: [DirtFunction; 12] = [
    full_width_code,
    lower_case_code,
    gaps_in_code,
    invisible_around_code,
    other_date,
    typed_brackets,
    spaces_in_name,
    half_width_brackets,
    loud_amount,
    other_separators,
    blank_words,
    alias,
];

/// Adds one or two kinds of dirt, each at most once.
pub(super) fn add_dirt(rng: &mut StdRng, draft: &mut RecordDraft<'_>) {
    let wanted = rng.random_range(1..=2);
    let first = rng.random_range(0..KINDS.len());
    // Five and twelve have no common divisor, so every way comes up once.
    let around = (0..KINDS.len()).map(|i| (first + 5 * i) % KINDS.len());
    let done = around
        .filter(|i| KINDS[*i](rng, draft))
        .take(wanted)
        .count();
    debug_assert!(
        done > 0,
        "every record has a date that can be written otherwise"
    );
}

/// A field with a number of the subject or a code of a unit.
fn a_code(rng: &mut StdRng, draft: &RecordDraft<'_>) -> Option<(String, String)> {
    let tails = [
        "_XDR_SHXYM",
        "_XDR_ZJHM",
        "_FR_ZJHM",
        "_XKJGDM",
        "_LYDWDM",
        "_CFJGDM",
        "_SJLYDM",
    ];
    let present: Vec<(String, String)> = tails
        .iter()
        .map(|tail| draft.code(tail))
        .filter_map(|code| {
            draft
                .text(&code)
                .map(|text| (code.clone(), text.to_owned()))
        })
        // A value that is dirty already is not changed.
        .filter(|(_, text)| text.bytes().all(|b| b.is_ascii_alphanumeric()))
        .collect();
    (!present.is_empty()).then(|| present[rng.random_range(0..present.len())].clone())
}

fn change_code(
    rng: &mut StdRng,
    draft: &mut RecordDraft<'_>,
    change: impl FnOnce(&mut StdRng, &str) -> String,
) -> bool {
    let Some((code, text)) = a_code(rng, draft) else {
        return false;
    };
    let after = change(rng, &text);
    let changed = after != text;
    draft.set(&code, after);
    changed
}

fn widen(c: char) -> char {
    if c.is_ascii_graphic() {
        char::from_u32(c as u32 + 0xFEE0).unwrap_or(c)
    } else {
        c
    }
}

fn full_width_code(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    change_code(rng, draft, |_, text| text.chars().map(widen).collect())
}

fn lower_case_code(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    change_code(rng, draft, |_, text| text.to_ascii_lowercase())
}

fn gaps_in_code(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    change_code(rng, draft, |rng, text| {
        let gap = pick(rng, &[" ", "-", "－", "\u{00A0}"]);
        format!("{}{gap}{}{gap}{}", &text[..6], &text[6..14], &text[14..])
    })
}

fn invisible_around_code(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    change_code(rng, draft, |rng, text| {
        let start = pick(rng, &["'", "\u{FEFF}", " ", "\u{200B}", "\t"]);
        let end = pick(rng, &["", "\r\n", "\u{3000}", " "]);
        format!("{start}{text}{end}")
    })
}

fn other_date(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let form = rng.random_range(0..5);
    let mut changed = false;
    for tail in ["_JDRQ", "_YXQZ", "_YXQZI", "_YXQ", "_GSJZQ"] {
        let code = draft.code(tail);
        let Some(text) = draft
            .text(&code)
            .filter(|t| t.len() == 10)
            .map(str::to_owned)
        else {
            continue;
        };
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts[..] else {
            continue;
        };
        let (short_month, short_day) = (month.trim_start_matches('0'), day.trim_start_matches('0'));
        let other = match form {
            0 => format!("{year}/{short_month}/{short_day}"),
            1 => format!("{year}{month}{day}"),
            2 => format!("{year}年{short_month}月{short_day}日"),
            3 => format!("{year}.{month}.{day}"),
            _ => format!("{year}-{month}-{day} 00:00:00"),
        };
        draft.set(&code, other);
        changed = true;
    }
    changed
}

fn typed_brackets(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let code = draft.code("_WSH");
    let Some(text) = draft.text(&code).filter(|t| t.contains('〔')) else {
        return false;
    };
    let (open, close) = pick(rng, &[("[", "]"), ("【", "】"), ("［", "］")]);
    let typed = text.replace('〔', open).replace('〕', close);
    draft.set(&code, typed);
    true
}

fn spaces_in_name(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let code = draft.code("_XDR_MC");
    let Some(name) = draft.text(&code).map(str::to_owned) else {
        return false;
    };
    let gap = pick(rng, &[" ", "\u{3000}", "\u{200B}", "\u{00A0}"]);
    let mut chars = name.chars();
    let first: String = chars.by_ref().take(1).collect();
    let rest: String = chars.collect();
    draft.set(&code, format!("{first}{gap}{rest} "));
    true
}

fn half_width_brackets(_: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let code = draft.code("_XDR_MC");
    let Some(name) = draft.text(&code).filter(|n| n.contains('（')) else {
        return false;
    };
    let typed = name.replace('（', "(").replace('）', ")");
    draft.set(&code, typed);
    true
}

fn loud_amount(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let code = pick(rng, &["CF_NR_FK", "CF_NR_WFFF"]);
    let text = match draft.fields.get(code) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string().trim_end_matches(".0").to_owned(),
        _ => return false,
    };
    let point = if text.contains('.') { "" } else { "." };
    let louder = match rng.random_range(0..3) {
        0 => format!("{text}{point}00"),
        1 => format!("+{text}"),
        _ => text.chars().map(widen).collect(),
    };
    draft.set(code, louder);
    true
}

fn other_separators(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let Some(kinds) = draft.text("CF_CFLB").filter(|k| k.contains(';')) else {
        return false;
    };
    let typed = kinds.replace(';', pick(rng, &["、", "；", "，"]));
    draft.set("CF_CFLB", typed);
    true
}

/// 无 in an optional coded field that is not filled.
fn blank_words(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let code = draft.code(pick(
        rng,
        &["_XDR_GSZC", "_XDR_ZZJG", "_XDR_SYDW", "_XDR_SHZZ"],
    ));
    if draft.fields.contains_key(&code) {
        return false;
    }
    let word = pick(rng, &["无", "/", "-", "空"]);
    draft.set(&code, word);
    true
}

/// The field code that some systems use for the number of the representative.
fn alias(_: &mut StdRng, draft: &mut RecordDraft<'_>) -> bool {
    let (code, other) = (draft.code("_FR_ZJHM"), draft.code("_FR_SFZH"));
    let Some(number) = draft.fields.remove(&code) else {
        return false;
    };
    draft.fields.insert(other, number);
    true
}
