//! Rust source with comments and literals blanked out, so that a rule sees only code. Used by `sources`.

/// The code of `source`: comments, strings and characters become blanks; the line breaks stay where they are.
pub(crate) fn code_only(source: &str) -> String {
    let text: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < text.len() {
        let after = match text[at] {
            '/' if text.get(at + 1) == Some(&'/') => end_of_line(&text, at),
            '/' if text.get(at + 1) == Some(&'*') => end_of_block(&text, at),
            '"' => end_of_string(&text, at),
            'r' if starts_word(&text, at) => end_of_raw_string(&text, at, 1).unwrap_or(at),
            'b' | 'c' if starts_word(&text, at) && text.get(at + 1) == Some(&'r') => {
                end_of_raw_string(&text, at, 2).unwrap_or(at)
            }
            '\'' => end_of_character(&text, at).unwrap_or(at),
            _ => at,
        };
        if after == at {
            code.push(text[at]);
            at += 1;
        } else {
            code.extend(
                text[at..after]
                    .iter()
                    .map(|symbol| if *symbol == '\n' { '\n' } else { ' ' }),
            );
            at = after;
        }
    }
    code
}

/// Whether `word` stands in `code` as a whole identifier.
pub(crate) fn names_identifier(code: &str, word: &str) -> bool {
    let is_part = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].chars().next_back().is_some_and(is_part)
            && !code[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

fn starts_word(text: &[char], at: usize) -> bool {
    at == 0 || !(text[at - 1].is_alphanumeric() || text[at - 1] == '_')
}

fn end_of_line(text: &[char], at: usize) -> usize {
    text[at..]
        .iter()
        .position(|symbol| *symbol == '\n')
        .map_or(text.len(), |length| at + length)
}

/// Block comments nest.
fn end_of_block(text: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < text.len() {
        match (text[at], text[at + 1]) {
            ('/', '*') => {
                depth += 1;
                at += 2;
            }
            ('*', '/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

fn end_of_string(text: &[char], at: usize) -> usize {
    let mut next = at + 1;
    while next < text.len() {
        match text[next] {
            '\\' => next += 2,
            '"' => return next + 1,
            _ => next += 1,
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`; none when this is an identifier such as `r#type`.
fn end_of_raw_string(text: &[char], at: usize, prefix: usize) -> Option<usize> {
    let hashes = text[at + prefix..]
        .iter()
        .take_while(|symbol| **symbol == '#')
        .count();
    let start = at + prefix + hashes;
    if text.get(start) != Some(&'"') {
        return None;
    }
    let closes = |place: usize| {
        text[place] == '"' && (1..=hashes).all(|more| text.get(place + more) == Some(&'#'))
    };
    Some(
        (start + 1..text.len())
            .find(|place| closes(*place))
            .map_or(text.len(), |place| place + hashes + 1),
    )
}

/// `'x'`, `'\n'`; none when this is a lifetime.
fn end_of_character(text: &[char], at: usize) -> Option<usize> {
    if text.get(at + 1) == Some(&'\\') {
        let close = text
            .get(at + 3..)?
            .iter()
            .position(|symbol| *symbol == '\'')?;
        return Some(at + 4 + close);
    }
    (text.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        for hidden in [
            "// sqlx",
            "/// sqlx",
            "/* sqlx /* sqlx */ sqlx */",
            "\"sqlx \\\" sqlx\"",
            "r\"sqlx\"",
            "r#\"sqlx \" sqlx\"#",
            "br#\"sqlx\"#",
            "b\"sqlx\"",
        ] {
            let code = code_only(&format!("a();\n{hidden}\nb();"));
            assert!(!names_identifier(&code, "sqlx"), "{hidden} gives {code:?}");
            assert!(
                code.starts_with("a();\n") && code.ends_with("\nb();"),
                "{hidden} gives {code:?}"
            );
        }
    }

    #[test]
    fn code_after_tricky_literals_is_code() {
        for shown in [
            "let c = '\"'; sqlx::query(x)",
            "let c = '\\''; sqlx::query(x)",
            "let c = '\\u{41}'; sqlx::query(x)",
            "fn f<'a>(x: &'a str) { sqlx::query(x) }",
            "let r#type = \"x\"; sqlx::query(x)",
            "\"\\\\\"; sqlx::query(x)",
            "/* x */ sqlx::query(x)",
        ] {
            assert!(names_identifier(&code_only(shown), "sqlx"), "{shown}");
        }
    }

    #[test]
    fn lines_stay_where_they_are() {
        assert_eq!(code_only("\"a\nb\" c\n/* \n */ d").lines().count(), 4);
    }

    #[test]
    fn a_word_is_whole() {
        assert!(names_identifier("use sqlx::PgPool;", "sqlx"));
        assert!(!names_identifier(
            "use my_sqlx::PgPool; sqlx_core::x",
            "sqlx"
        ));
    }
}
