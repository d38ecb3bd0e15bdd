//! The regulation's numbers as data: a versioned rule set with the legal basis of each number
//! (R-2 lets another law override, so no number stands in a service's code). Called by `objection`
//! (3 and 7 working days), `catalog` (15), `validation` (5) and `disclosure` (3 years).

use crate::calendar::{Calendar, Deadline};
use time::Date;
use time::macros::date;

/// What binds a number: the law's own text, or a policy that the credit office may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BasisKind {
    /// The article states the number.
    Statute,
    /// The article states a duty without a number; the office sets it.
    Policy,
}

/// Where a number comes from, so that a page or a letter can cite it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// Article of the regulation in this repository's notation, such as `R-18`.
    pub article: &'static str,
    /// The citation as citizens and officers read it.
    pub citation: &'static str,
    /// Statute or policy.
    pub kind: BasisKind,
}

/// A duty that runs in working days from an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LegalDuty {
    /// The credit office passes an objection to the provider. Event: the day a complete
    /// application is received (R-18, D-4).
    Transfer,
    /// The provider answers in writing and, where due, notifies the correction. Event: the day the
    /// transfer is delivered; both in the same window (R-19, D-1, D-2).
    Answer,
    /// A department updates its catalogue. Event: the day the law was amended or the functions
    /// moved (R-6, D-17).
    Catalogue,
    /// A provider verifies and reports again what came back to it. Event: the day the findings
    /// were returned (R-13, D-15).
    Rereport,
}

impl LegalDuty {
    /// Every duty, in the order of the fields of [`LegalRuleSet`].
    pub const ALL: [LegalDuty; 4] = [
        LegalDuty::Transfer,
        LegalDuty::Answer,
        LegalDuty::Catalogue,
        LegalDuty::Rereport,
    ];
}

/// One version of the numbers, with the days between which it is in force. What was decided under
/// a rule set stores its `id`, so that it can be computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalRuleSet {
    /// Stable identifier of this version.
    pub id: &'static str,
    /// Name and number of the document.
    pub title: &'static str,
    /// First day in force. An event before it starts no clock.
    pub in_force_from: Date,
    /// Last day in force, none while it stands. An event after it starts no clock here.
    pub in_force_to: Option<Date>,
    /// Working days for the credit office to transfer an objection.
    pub transfer_days: u32,
    /// Basis of `transfer_days`.
    pub transfer_basis: Basis,
    /// Working days for the provider to answer and to notify a correction.
    pub answer_days: u32,
    /// Basis of `answer_days`.
    pub answer_basis: Basis,
    /// Working days for a department to update its catalogue.
    pub catalogue_days: u32,
    /// Basis of `catalogue_days`.
    pub catalogue_basis: Basis,
    /// Calendar years for which an adverse record is disclosed.
    pub adverse_years: u32,
    /// Basis of `adverse_years`.
    pub adverse_basis: Basis,
    /// Working days for a provider to report a returned record again.
    pub rereport_days: u32,
    /// Basis of `rereport_days`.
    pub rereport_basis: Basis,
}

impl LegalRuleSet {
    /// 长政办发〔2017〕26号, in force since 2017-06-20.
    pub fn changsha_2017() -> LegalRuleSet {
        let statute = |article, citation| Basis {
            article,
            citation,
            kind: BasisKind::Statute,
        };
        LegalRuleSet {
            id: "CS-2017-26",
            title: "长沙市政务领域信用信息记录征集管理暂行办法（长政办发〔2017〕26号）",
            in_force_from: date!(2017 - 06 - 20),
            in_force_to: None,
            transfer_days: 3,
            transfer_basis: statute("R-18", "长政办发〔2017〕26号第十八条"),
            answer_days: 7,
            answer_basis: statute("R-19", "长政办发〔2017〕26号第十九条"),
            catalogue_days: 15,
            catalogue_basis: statute("R-6", "长政办发〔2017〕26号第六条"),
            adverse_years: 3,
            adverse_basis: statute("R-16", "长政办发〔2017〕26号第十六条"),
            rereport_days: 5,
            rereport_basis: Basis {
                article: "R-13",
                citation: "长政办发〔2017〕26号第十三条（期限由信用办设定）",
                kind: BasisKind::Policy,
            },
        }
    }

    /// Whether this version governs what happened on that day.
    pub fn governs(&self, event: Date) -> bool {
        self.in_force_from <= event && self.in_force_to.is_none_or(|last| event <= last)
    }

    /// The number of working days of a duty.
    pub fn working_days(&self, duty: LegalDuty) -> u32 {
        match duty {
            LegalDuty::Transfer => self.transfer_days,
            LegalDuty::Answer => self.answer_days,
            LegalDuty::Catalogue => self.catalogue_days,
            LegalDuty::Rereport => self.rereport_days,
        }
    }

    /// The basis of a duty's number.
    pub fn basis(&self, duty: LegalDuty) -> Basis {
        match duty {
            LegalDuty::Transfer => self.transfer_basis,
            LegalDuty::Answer => self.answer_basis,
            LegalDuty::Catalogue => self.catalogue_basis,
            LegalDuty::Rereport => self.rereport_basis,
        }
    }

    /// When a duty is due that this event started; none when this version does not govern the
    /// event, so nothing is ever due before the regulation came into force.
    pub fn duty_deadline(
        &self,
        calendar: &Calendar,
        duty: LegalDuty,
        event: Date,
    ) -> Option<Deadline> {
        self.governs(event)
            .then(|| calendar.deadline(event, self.working_days(duty)))
    }
}

/// What a service computes due days from: the numbers of the regulation and the working-day calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Law {
    /// Which days are working days.
    pub calendar: Calendar,
    /// How many of them each duty has, and since when.
    pub rules: LegalRuleSet,
}

impl Law {
    /// When a duty is due that an event of this day started, see [`LegalRuleSet::duty_deadline`].
    pub fn duty_deadline(&self, duty: LegalDuty, event: Date) -> Option<Deadline> {
        self.rules.duty_deadline(&self.calendar, duty, event)
    }
}
