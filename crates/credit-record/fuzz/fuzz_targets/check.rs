//! Records as bytes, checked by every standard item, and hostile expressions as rules. Run by `cargo fuzz run check`.
#![no_main]

use std::sync::{Arc, LazyLock};

use credit_record::{
    CheckContext, CompiledItem, Finding, FindingCode, NoCalendar, Verdict, WorkingDays, check_record,
    compiled_standard_items,
};
use libfuzzer_sys::fuzz_target;
use time::macros::date;

static ITEMS: LazyLock<Vec<CompiledItem>> = LazyLock::new(|| {
    compiled_standard_items().unwrap_or_else(|error| panic!("the standard items compile: {error}"))
});
static DAYS: LazyLock<Arc<dyn WorkingDays>> = LazyLock::new(|| Arc::new(NoCalendar));

fuzz_target!(|content: &[u8]| {
    let context = CheckContext {
        received_on: date!(2026 - 07 - 01),
        provider_code: "11430100006123458R",
        working_days: &DAYS,
        attestations: &[],
    };
    for item in ITEMS.iter() {
        let verdict = check_record(item, content, &context);
        assert_eq!(verdict, check_record(item, content, &context), "two runs are identical");
        let usable = |findings: &[Finding]| {
            assert!(findings.iter().all(|f| f.code != FindingCode::ItemUnusable));
        };
        match verdict {
            Verdict::Accepted(record) => usable(&record.warnings),
            Verdict::Returned(findings) => usable(&findings),
        }
    }
    // The same bytes as an expression: refused, or a rule.
    if let Ok(text) = std::str::from_utf8(content) {
        let mut item = ITEMS[ITEMS.len() - 1].item().clone();
        if let Some(rule) = item.rules.first_mut() {
            rule.check = text.to_owned();
            let _ = CompiledItem::new(Arc::new(item));
        }
    }
});
