//! Checks of a page's tree that a machine can make (WCAG 2.1 A and AA in part), and that the page
//! keeps to the content policy. Run on every page of every test; Chromium checks the rest.

use std::collections::BTreeSet;

use scraper::{ElementRef, Html, Selector};

fn select<'a>(tree: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    tree.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().trim().to_owned()
}

/// Everything that is wrong with a page; empty when it is well.
pub fn accessibility_faults(page: &str) -> Vec<String> {
    let tree = Html::parse_document(page);
    let mut wrong = Vec::new();
    if !page.starts_with("<!DOCTYPE html>") {
        wrong.push("no doctype".to_owned());
    }
    document(&tree, &mut wrong);
    headings(&tree, &mut wrong);
    forms(&tree, &mut wrong);
    tables(&tree, &mut wrong);
    references(&tree, &mut wrong);
    content_policy(&tree, &mut wrong);
    wrong
}

fn document(tree: &Html, wrong: &mut Vec<String>) {
    if select(tree, "html[lang=zh-CN]").len() != 1 {
        wrong.push("html has no lang=zh-CN".to_owned());
    }
    if select(tree, "head > title")
        .first()
        .is_none_or(|title| text(*title).is_empty())
    {
        wrong.push("no title".to_owned());
    }
    if select(tree, "meta[name=viewport]").iter().any(|meta| {
        let content = meta.attr("content").unwrap_or_default();
        content.contains("user-scalable") || content.contains("maximum-scale")
    }) {
        wrong.push("zooming is forbidden".to_owned());
    }
    for landmark in ["main", "body > header", "body > footer"] {
        if select(tree, landmark).len() != 1 {
            wrong.push(format!("not exactly one {landmark}"));
        }
    }
    let navigations = select(tree, "nav");
    let names: BTreeSet<_> = navigations
        .iter()
        .filter_map(|nav| nav.attr("aria-label"))
        .collect();
    if names.len() != navigations.len() {
        wrong.push("navigations without different names".to_owned());
    }
    let first = select(tree, "a[href], button, input").into_iter().next();
    if first.and_then(|link| link.attr("href")) != Some("#main")
        || select(tree, "main#main").is_empty()
    {
        wrong.push("the first thing to reach is not a link to main".to_owned());
    }
    for image in select(tree, "img") {
        if image.attr("alt").is_none() {
            wrong.push("an image without alt".to_owned());
        }
    }
    for element in select(tree, "a, button") {
        if text(element).is_empty() && element.attr("aria-label").is_none() {
            wrong.push(format!("nothing to read in {}", element.html()));
        }
    }
    for element in select(tree, "[tabindex]") {
        if !matches!(element.attr("tabindex"), Some("0" | "-1")) {
            wrong.push("a tabindex that reorders".to_owned());
        }
    }
}

fn headings(tree: &Html, wrong: &mut Vec<String>) {
    if select(tree, "h1").len() != 1 || select(tree, "main h1").len() != 1 {
        wrong.push("not exactly one h1 in main".to_owned());
    }
    let mut before = 0;
    for heading in select(tree, "h1, h2, h3, h4, h5, h6") {
        let level = u32::from(heading.value().name().as_bytes()[1] - b'0');
        if level > before + 1 {
            wrong.push(format!("heading {level} after {before}: {}", text(heading)));
        }
        if text(heading).is_empty() {
            wrong.push("an empty heading".to_owned());
        }
        before = level;
    }
}

fn forms(tree: &Html, wrong: &mut Vec<String>) {
    let labels: BTreeSet<_> = select(tree, "label[for]")
        .into_iter()
        .filter(|label| !text(*label).is_empty())
        .filter_map(|label| label.attr("for"))
        .collect();
    for input in select(tree, "input, select, textarea") {
        if input.attr("type") == Some("hidden") {
            continue;
        }
        if !input.attr("id").is_some_and(|id| labels.contains(id)) {
            wrong.push(format!("no label for {}", input.html()));
        }
        if input.attr("aria-invalid").is_some() && input.attr("aria-describedby").is_none() {
            wrong.push(format!("no reason at {}", input.html()));
        }
    }
    for form in select(tree, "form") {
        if form.attr("aria-label").is_none() || form.attr("method") != Some("get") {
            wrong.push("a form without name, or that writes".to_owned());
        }
        let button = Selector::parse("button[type=submit]").unwrap();
        if form.select(&button).next().is_none() {
            wrong.push("a form that no button submits".to_owned());
        }
    }
}

fn tables(tree: &Html, wrong: &mut Vec<String>) {
    let caption = Selector::parse("caption").unwrap();
    for table in select(tree, "table") {
        if table
            .select(&caption)
            .next()
            .is_none_or(|caption| text(caption).is_empty())
        {
            wrong.push("a table without caption".to_owned());
        }
    }
    for header in select(tree, "th") {
        if !matches!(header.attr("scope"), Some("col" | "row")) {
            wrong.push(format!("a table header without scope: {}", text(header)));
        }
    }
    if !select(tree, "table").is_empty() && select(tree, "th").is_empty() {
        wrong.push("a table without headers".to_owned());
    }
}

fn references(tree: &Html, wrong: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    for element in select(tree, "[id]") {
        let id = element.attr("id").unwrap_or_default();
        if !ids.insert(id) {
            wrong.push(format!("id {id} stands twice"));
        }
    }
    for name in ["aria-labelledby", "aria-describedby", "for"] {
        for element in select(tree, &format!("[{name}]")) {
            for id in element.attr(name).unwrap_or_default().split(' ') {
                if !ids.contains(id) {
                    wrong.push(format!("{name} names {id}, which is not there"));
                }
            }
        }
    }
    for link in select(tree, "a[href^='#']") {
        if !ids.contains(&link.attr("href").unwrap_or_default()[1..]) {
            wrong.push(format!("a link into nothing: {}", link.html()));
        }
    }
}

fn content_policy(tree: &Html, wrong: &mut Vec<String>) {
    if !select(tree, "script, style, [style], iframe, object, embed, base").is_empty() {
        wrong.push("something that the content policy forbids".to_owned());
    }
    for element in select(tree, "*") {
        for (name, value) in element.value().attrs() {
            let outside = value.starts_with("http") || value.starts_with("//");
            let loads = matches!(name, "href" | "src" | "action");
            if name.starts_with("on") || (loads && (outside || value.starts_with("javascript:"))) {
                wrong.push(format!("{name}={value}"));
            }
        }
    }
}

#[test]
fn the_checks_see_what_is_wrong() {
    let page = "<!DOCTYPE html><html><head><title></title></head><body><main><h1>a</h1><h3>b</h3>\
        <img src=x><form><input name=q></form><table><tr><th>x</table><p id=a><p id=a>\
        <a href='#gone'>x</a><a href='https://elsewhere.example'>y</a><b onclick=x style=y>z</b></main></body></html>";
    let all = accessibility_faults(page).join("\n");
    for sign in [
        "lang",
        "no title",
        "body > header",
        "skip",
        "heading 3",
        "alt",
        "no label",
        "scope",
        "caption",
        "id a stands twice",
        "into nothing",
        "https://elsewhere.example",
        "onclick",
        "forbids",
        "no button",
    ] {
        let sign = if sign == "skip" {
            "not a link to main"
        } else {
            sign
        };
        assert!(all.contains(sign), "{sign} is not seen:\n{all}");
    }
}
