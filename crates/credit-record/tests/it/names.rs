//! Organisation names as search keys.

use credit_record::name::{name_bigrams, normal_form};
use proptest::prelude::*;

#[test]
fn spellings_of_one_name_meet() {
    let wanted = normal_form("湖南湘邮科技（长沙）股份有限公司");
    for other in [
        "湖南湘邮科技(长沙)股份有限公司",
        " 湖南湘邮科技 （长沙） 股份有限公司",
        "湖南湘邮科技〔长沙〕股份有限公司",
        "湖南湘邮科技【长沙】股份有限公司\u{200B}",
    ] {
        assert_eq!(normal_form(other), wanted);
    }
    assert_eq!(normal_form("ＡＢＣ Café"), normal_form("abcCafé"));
    assert_eq!(normal_form("阿·凡提•商店"), "阿·凡提·商店");
    assert_ne!(
        normal_form("湖南建工有限公司"),
        normal_form("湖南建工有限责任公司")
    );
}

#[test]
fn bigrams_cross_brackets_and_come_once() {
    assert_eq!(
        name_bigrams("长沙(湖南)长沙"),
        ["长沙", "沙湖", "湖南", "南长"]
    );
    assert_eq!(name_bigrams("湘"), ["湘"]);
    assert!(name_bigrams("（）").is_empty());
    assert!(name_bigrams("").is_empty());
}

proptest! {
    #[test]
    fn the_normal_form_is_stable(text in "\\PC{0,30}") {
        // A few letters (ẞ, İ) change once more under a second round of NFKC and lower case.
        let once = normal_form(&text);
        let twice = normal_form(&once);
        prop_assert_eq!(normal_form(&twice), twice);
    }

    #[test]
    fn every_part_of_a_name_shares_its_bigrams(
        name in "[一-龥]{4,20}", from in 0usize..3, len in 2usize..6,
    ) {
        let part: String = name.chars().skip(from).take(len).collect();
        let all = name_bigrams(&name);
        prop_assert!(name_bigrams(&part).iter().all(|b| part.chars().count() < 2 || all.contains(b)));
    }
}
