//! What the providers license and punish. Called by `providers` and `content`. Texts are made up after
//! the kind of decisions that departments publish.

mod services;
mod works;

pub(super) use services::{CULTURE, HEALTH, MARKET};
pub(super) use works::{BUILDING, CITY, ENVIRONMENT, SAFETY, TRANSPORT};

use credit_record::SubjectKind;

/// What one department does.
#[derive(Debug)]
pub(super) struct DepartmentTrade {
    pub licences: &'static [Licence],
    pub penalties: &'static [Penalty],
}

/// Bits for whom something is.
const ORG: u8 = 1;
const SHOP: u8 = 2;
const PERSON: u8 = 4;

fn fits(mask: u8, kind: SubjectKind) -> bool {
    let bit = match kind {
        SubjectKind::Organisation => ORG,
        SubjectKind::IndividualBusiness => SHOP,
        SubjectKind::NaturalPerson => PERSON,
    };
    mask & bit != 0
}

/// A kind of licence.
#[derive(Debug)]
pub(super) struct Licence {
    for_whom: u8,
    pub document: &'static str,
    /// Certificate and the beginning of its number.
    pub certificate: Option<(&'static str, &'static str)>,
    pub class: &'static str,
    pub content: &'static str,
    /// Years of validity; 0: long-term.
    pub years: i32,
}

impl Licence {
    pub fn fits(&self, kind: SubjectKind) -> bool {
        fits(self.for_whom, kind)
    }
}

/// A kind of penalty.
#[derive(Debug)]
pub(super) struct Penalty {
    for_whom: u8,
    pub violation: &'static str,
    pub fact: &'static str,
    pub basis: &'static str,
    pub kinds: &'static [&'static str],
    /// Fine in hundreds of yuan, from and to; where `kinds` has 罚款.
    pub fine: (u64, u64),
    /// Licence that is withdrawn.
    pub withdrawn: Option<&'static str>,
}

impl Penalty {
    pub fn fits(&self, kind: SubjectKind) -> bool {
        fits(self.for_whom, kind)
    }
}

const fn licence(
    for_whom: u8,
    document: &'static str,
    certificate: Option<(&'static str, &'static str)>,
    class: &'static str,
    content: &'static str,
    years: i32,
) -> Licence {
    Licence {
        for_whom,
        document,
        certificate,
        class,
        content,
        years,
    }
}

const fn penalty(
    for_whom: u8,
    violation: &'static str,
    fact: &'static str,
    basis: &'static str,
    kinds: &'static [&'static str],
    fine: (u64, u64),
) -> Penalty {
    Penalty {
        for_whom,
        violation,
        fact,
        basis,
        kinds,
        fine,
        withdrawn: None,
    }
}

const fn withdrawal(of: &'static str, penalty: Penalty) -> Penalty {
    Penalty {
        withdrawn: Some(of),
        ..penalty
    }
}
