//! The way of an objection (R-18, R-19; D-1, D-2, D-4); pure. `app` loads an [`Objection`], asks
//! [`apply_command`] and stores the outcome.
//!
//! A passed clock changes no state: what is overdue is computed by [`clocks_at()`] when it is read.

pub mod application;
pub mod clocks;
pub mod page;

use legal_clock::{Law, shanghai_date};
use record_ref::ProviderCode;
use time::OffsetDateTime;

pub use clocks::{DueDay, ObjectionClocks, clocks_at, latest_overdue_event};

/// What the provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderDecision {
    /// It keeps its record.
    Keep,
    /// It will correct by a new version.
    Correct,
}

/// The provider's written answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderAnswer {
    /// Keep or correct.
    pub decision: ProviderDecision,
    /// SHA-256 of the answer's text, so that a repeat is recognised.
    pub sha256: [u8; 32],
}

/// How far an objection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectionPhase {
    /// Complete, hence accepted. Owner: the credit office; the transfer clock runs.
    Filed,
    /// With the provider; the answer clock runs.
    Transferred {
        /// When it was delivered to the provider (D-1).
        at: OffsetDateTime,
    },
    /// The provider has answered. No clock runs.
    Answered {
        /// When it had been transferred.
        transferred_at: OffsetDateTime,
        /// When the answer came.
        at: OffsetDateTime,
        /// What it says.
        answer: ProviderAnswer,
    },
}

/// One objection as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The provider that reported the record.
    pub provider: ProviderCode,
    /// When the complete application came in (D-4).
    pub filed_at: OffsetDateTime,
    /// How far it has come.
    pub phase: ObjectionPhase,
    /// 1 when filed, grows with every change.
    pub revision: u64,
}

/// Who has to act next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectionOwner {
    /// The city credit office.
    CreditOffice,
    /// The provider of the record.
    Provider,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectionActor {
    /// A subject.
    Applicant,
    /// The city credit office.
    CreditOffice,
    /// A provider, by its credit code; none where its token names no such code, so that it has
    /// reported nothing.
    Provider(Option<ProviderCode>),
}

/// What may happen to an objection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectionCommand {
    /// A complete application against a record of this provider.
    File {
        /// Its credit code.
        provider: ProviderCode,
    },
    /// To the provider.
    Transfer,
    /// The provider's answer.
    Answer(ProviderAnswer),
}

/// What is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectionEvent {
    /// The state changed.
    Changed {
        /// Name of the new state.
        state: &'static str,
        /// From acceptance until the answer (D-5).
        pending: bool,
        /// The new revision.
        revision: u64,
        /// When.
        at: OffsetDateTime,
    },
}

/// A command that the rules do not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObjectionRuleViolation {
    /// Nothing is filed under a regulation that does not govern the day.
    #[error("no objection is filed on a day that the regulation does not govern (R-25)")]
    NotInForce,
    /// There is no objection yet, or there is one already.
    #[error("an objection begins with its filing, once")]
    Beginning,
    /// subjects apply.
    #[error("an objection is filed by the subject of the record (R-18)")]
    NotTheSubject,
    /// the credit office transfers.
    #[error("an objection is transferred by the credit office (R-18)")]
    NotTheOffice,
    /// the provider of the record answers.
    #[error("an objection is answered by the provider of the record (R-19)")]
    NotTheProvider,
    /// what the provider was not given it cannot answer.
    #[error("an objection is answered after its transfer (R-19)")]
    NotTransferred,
    /// An answer cannot be changed.
    #[error("an objection is answered once")]
    AlreadyAnswered,
}

impl Objection {
    /// Name of the state, as tables and events carry it.
    pub fn state(&self) -> &'static str {
        match self.phase {
            ObjectionPhase::Filed => "filed",
            ObjectionPhase::Transferred { .. } => "transferred",
            ObjectionPhase::Answered { answer, .. } => match answer.decision {
                ProviderDecision::Keep => "answered_kept",
                ProviderDecision::Correct => "answered_correct",
            },
        }
    }

    /// Who has to act next; nobody once it is answered.
    pub fn owner(&self) -> Option<ObjectionOwner> {
        match self.phase {
            ObjectionPhase::Filed => Some(ObjectionOwner::CreditOffice),
            ObjectionPhase::Transferred { .. } => Some(ObjectionOwner::Provider),
            ObjectionPhase::Answered { .. } => None,
        }
    }

    /// From acceptance until the provider's answer (D-5).
    pub fn is_pending(&self) -> bool {
        self.owner().is_some()
    }

    /// When it was transferred.
    pub fn transferred_at(&self) -> Option<OffsetDateTime> {
        match self.phase {
            ObjectionPhase::Filed => None,
            ObjectionPhase::Transferred { at } => Some(at),
            ObjectionPhase::Answered { transferred_at, .. } => Some(transferred_at),
        }
    }

    /// When it was answered.
    pub fn answered_at(&self) -> Option<OffsetDateTime> {
        match self.phase {
            ObjectionPhase::Answered { at, .. } => Some(at),
            ObjectionPhase::Filed | ObjectionPhase::Transferred { .. } => None,
        }
    }

    fn with_phase(&self, phase: ObjectionPhase) -> Self {
        Self {
            phase,
            revision: self.revision.saturating_add(1),
            ..self.clone()
        }
    }
}

/// Applies a command to an objection (none before it is filed). A repeat of what has happened already
/// changes nothing and announces nothing.
pub fn apply_command(
    before: Option<&Objection>,
    actor: &ObjectionActor,
    command: ObjectionCommand,
    now: OffsetDateTime,
    law: &Law,
) -> Result<(Objection, Vec<ObjectionEvent>), ObjectionRuleViolation> {
    let Some(objection) = before else {
        let filed = apply_filing(actor, command, now, law)?;
        let events = vec![changed_event(&filed, now)];
        return Ok((filed, events));
    };
    match command {
        ObjectionCommand::File { .. } => Err(ObjectionRuleViolation::Beginning),
        ObjectionCommand::Transfer => apply_transfer(objection, actor, now),
        ObjectionCommand::Answer(answer) => self::apply_answer(objection, actor, answer, now),
    }
}

fn apply_filing(
    actor: &ObjectionActor,
    command: ObjectionCommand,
    now: OffsetDateTime,
    law: &Law,
) -> Result<Objection, ObjectionRuleViolation> {
    let ObjectionCommand::File { provider } = command else {
        return Err(ObjectionRuleViolation::Beginning);
    };
    if *actor != ObjectionActor::Applicant {
        return Err(ObjectionRuleViolation::NotTheSubject);
    }
    if !law.rules.governs(shanghai_date(now)) {
        return Err(ObjectionRuleViolation::NotInForce);
    }
    Ok(Objection {
        provider,
        filed_at: now,
        phase: ObjectionPhase::Filed,
        revision: 1,
    })
}

fn apply_transfer(
    objection: &Objection,
    actor: &ObjectionActor,
    now: OffsetDateTime,
) -> Result<(Objection, Vec<ObjectionEvent>), ObjectionRuleViolation> {
    if *actor != ObjectionActor::CreditOffice {
        return Err(ObjectionRuleViolation::NotTheOffice);
    }
    match objection.phase {
        ObjectionPhase::Filed => {
            // Two machines' clocks may differ a little; the moments of one objection never decrease.
            let at = now.max(objection.filed_at);
            let moved = objection.with_phase(ObjectionPhase::Transferred { at });
            let events = vec![changed_event(&moved, at)];
            Ok((moved, events))
        }
        ObjectionPhase::Transferred { .. } | ObjectionPhase::Answered { .. } => {
            Ok((objection.clone(), Vec::new()))
        }
    }
}

fn apply_answer(
    objection: &Objection,
    actor: &ObjectionActor,
    answer: ProviderAnswer,
    now: OffsetDateTime,
) -> Result<(Objection, Vec<ObjectionEvent>), ObjectionRuleViolation> {
    if *actor != ObjectionActor::Provider(Some(objection.provider)) {
        return Err(ObjectionRuleViolation::NotTheProvider);
    }
    match objection.phase {
        ObjectionPhase::Filed => Err(ObjectionRuleViolation::NotTransferred),
        ObjectionPhase::Transferred { at: transferred_at } => {
            let at = now.max(transferred_at);
            let moved = objection.with_phase(ObjectionPhase::Answered {
                transferred_at,
                at,
                answer,
            });
            let events = vec![changed_event(&moved, at)];
            Ok((moved, events))
        }
        ObjectionPhase::Answered { answer: known, .. } if known == answer => {
            Ok((objection.clone(), Vec::new()))
        }
        ObjectionPhase::Answered { .. } => Err(ObjectionRuleViolation::AlreadyAnswered),
    }
}

fn changed_event(objection: &Objection, at: OffsetDateTime) -> ObjectionEvent {
    ObjectionEvent::Changed {
        state: objection.state(),
        pending: objection.is_pending(),
        revision: objection.revision,
        at,
    }
}

#[cfg(test)]
mod tests;
