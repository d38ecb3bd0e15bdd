//! The filters of the catalogue's list. Pure. Called by `routes::catalogue`; the form shows what is kept here.

use proto::credit::{
    catalog::v1::{Catalogue, Item},
    common::v1::RecordClass,
};

use super::{FieldError, FormEntry, QueryParams, parse_credit_code};

/// Catalogues by the value of the filter.
pub const CATALOGUES: [(&str, Catalogue); 3] = [
    ("city", Catalogue::City),
    ("department", Catalogue::Department),
    ("district", Catalogue::District),
];

/// Classes of records by the value of the filter.
pub const CLASSES: [(&str, RecordClass); 4] = [
    ("basic", RecordClass::Basic),
    ("favourable", RecordClass::Favourable),
    ("adverse", RecordClass::Adverse),
    ("other", RecordClass::Other),
];

/// Which items are shown. Empty texts mean all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogueFilter {
    /// Key of [`CATALOGUES`].
    pub catalogue: FormEntry,
    /// GB/T 2260 code of a district.
    pub district: FormEntry,
    /// Credit code of an organ.
    pub organ: FormEntry,
    /// Key of [`CLASSES`].
    pub class: FormEntry,
}

impl CatalogueFilter {
    /// Reads the parameters `catalogue`, `district`, `organ` and `class`.
    pub fn parse(params: &QueryParams) -> Self {
        let district = params.get("district");
        let six = district.len() == 6 && district.bytes().all(|b| b.is_ascii_digit());
        let organ = match parse_credit_code(params.get("organ")) {
            Ok(code) => choice_entry(code.as_str(), true),
            Err(_) => choice_entry(params.get("organ"), false),
        };
        Self {
            catalogue: known_choice(params.get("catalogue"), &CATALOGUES),
            district: choice_entry(district, six),
            organ,
            class: known_choice(params.get("class"), &CLASSES),
        }
    }

    /// Whether all filters can be used.
    pub fn is_valid(&self) -> bool {
        self.entries().iter().all(|entry| entry.error.is_none())
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.entries()
            .iter()
            .all(|entry| entry.text.is_empty() && entry.error.is_none())
    }

    /// Whether an item is to be shown.
    pub fn matches(&self, item: &Item) -> bool {
        let owner = item.owner.clone().unwrap_or_default();
        let open = |entry: &FormEntry, fits: bool| entry.text.is_empty() || fits;
        let catalogue = match owner.catalogue() {
            Catalogue::Unspecified => Catalogue::City,
            stated => stated,
        };
        open(
            &self.catalogue,
            value_of(&self.catalogue.text, &CATALOGUES) == Some(catalogue),
        ) && open(&self.district, owner.district_code == self.district.text)
            && open(&self.organ, owner.organ == self.organ.text)
            && open(
                &self.class,
                value_of(&self.class.text, &CLASSES) == Some(item.record_class()),
            )
    }

    fn entries(&self) -> [&FormEntry; 4] {
        [&self.catalogue, &self.district, &self.organ, &self.class]
    }
}

/// A value outside the choices becomes an error of its field, and the field is shown without a selection.
fn choice_entry(text: &str, fits: bool) -> FormEntry {
    if text.is_empty() {
        return FormEntry::default();
    }
    FormEntry {
        text: if fits { text.to_owned() } else { String::new() },
        error: (!fits).then_some(FieldError::NotAChoice),
    }
}

fn known_choice<T>(text: &str, choices: &[(&str, T)]) -> FormEntry {
    choice_entry(text, choices.iter().any(|(key, _)| *key == text))
}

fn value_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Option<T> {
    choices
        .iter()
        .find(|(key, _)| *key == text)
        .map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use proto::credit::catalog::v1::Owner;

    use super::*;

    const ORGAN: &str = "91430100MA4Q5W141P";

    fn filter(query: &str) -> CatalogueFilter {
        CatalogueFilter::parse(&QueryParams::parse(Some(query)))
    }

    fn item(catalogue: Catalogue, class: RecordClass) -> Item {
        Item {
            record_class: class.into(),
            owner: Some(Owner {
                catalogue: catalogue.into(),
                organ: ORGAN.to_owned(),
                district_code: "430104".to_owned(),
            }),
            ..Default::default()
        }
    }

    #[test]
    fn each_filter_narrows() {
        let found = item(Catalogue::District, RecordClass::Adverse);
        for query in [
            "",
            "catalogue=district",
            "district=430104&class=adverse",
            "organ=91430100ma4q5w141p",
            "catalogue=&organ=&class=&district=",
        ] {
            assert!(filter(query).matches(&found), "{query}");
        }
        for query in [
            "catalogue=city",
            "district=430102",
            "class=basic",
            "organ=914403001922038216",
        ] {
            assert!(filter(query).is_valid());
            assert!(!filter(query).matches(&found), "{query}");
        }
    }

    #[test]
    fn an_item_without_an_owner_is_the_citys() {
        let found = Item::default();
        assert!(filter("catalogue=city").matches(&found));
        assert!(!filter("catalogue=department").matches(&found));
    }

    #[test]
    fn what_is_no_choice_is_named_and_not_repeated() {
        for query in [
            "catalogue=<b>",
            "class=1",
            "district=43010",
            "district=４３０１０４",
            "organ=430102199003071234",
        ] {
            let filter = filter(query);
            assert!(!filter.is_valid() && !filter.is_empty(), "{query}");
            assert!(filter.entries().iter().all(|e| e.text.is_empty()));
        }
        assert!(filter("x=y").is_empty());
    }
}
