//! `creditctl identify` on standard input: every kind of file, programs that write line by line, readers that
//! leave early.

use std::io::{BufRead, BufReader, Read, Write};

use serde_json::{Value, json};

use crate::support::{TODAY, creditctl, run};

#[test]
fn line_ends_marks_and_blank_lines_of_any_system_are_read() {
    let file = "\u{FEFF}430102199003071234\r\n\r\n  \n91430100MA4Q5W141P\n\t430102900307123";
    let said = run(&["identify", TODAY], file.as_bytes());
    assert_eq!(said.code, 0);
    let inputs: Vec<Value> = said.objects().iter().map(|o| o["input"].clone()).collect();
    assert_eq!(
        inputs,
        [
            "430102199003071234",
            "91430100MA4Q5W141P",
            "\t430102900307123"
        ]
    );
    assert_eq!(run(&["identify", TODAY], b"").out, "");
    assert_eq!(run(&["identify", TODAY], b"\xEF\xBB\xBF").code, 0);
}

#[test]
fn bytes_that_are_no_text_are_reported_and_the_rest_is_read() {
    // 长 in GBK behind a good beginning.
    let file = b"91430100\xB3\xA4\r\n430102199003071234\n";
    let said = run(&["identify", TODAY, "--explain"], file);
    assert_eq!(said.code, 1);
    let objects = said.objects();
    assert_eq!(objects.len(), 2);
    assert_eq!(
        objects[0],
        json!({
            "input": "91430100\u{FFFD}\u{FFFD}", "kind": "unknown", "valid": false, "canonical": null,
            "rule": "utf-8", "position": 8, "suggestion": null,
        })
    );
    assert_eq!(objects[1]["valid"], true);
    assert!(said.err.contains("UTF-8"), "{}", said.err);
}

#[test]
fn a_line_without_end_takes_no_memory_and_the_rest_is_read() {
    let mut file = vec![b'9'; 3 << 20];
    file.extend(b"\n430102199003071234\n");
    let said = run(&["identify", TODAY], &file);
    assert_eq!(said.code, 1);
    let objects = said.objects();
    assert_eq!(objects.len(), 2);
    assert_eq!(
        (&objects[0]["rule"], &objects[1]["valid"]),
        (&json!("length"), &json!(true))
    );
    // Cut in the middle of a character of three bytes.
    let said = run(&["identify", TODAY], "长".repeat(40_000).as_bytes());
    assert_eq!(said.objects()[0]["rule"], "length");
}

#[test]
fn a_program_gets_each_answer_before_it_asks_again() {
    let mut child = creditctl().args(["identify", TODAY]).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    for code in ["430102199003071234", "MA4Q5W14-1", "nothing"] {
        writeln!(to, "{code}").unwrap();
        let mut answer = String::new();
        from.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["input"], code);
    }
    drop(to);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let mut child = creditctl().args(["identify", TODAY]).spawn().unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    writeln!(to, "430102199003071234").unwrap();
    from.read_line(&mut String::new()).unwrap();
    drop(from);
    // Written until the program has ended: it notices at its next answer.
    while writeln!(to, "430102199003071234").is_ok() {}
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(said, "", "no complaint and no panic");
}
