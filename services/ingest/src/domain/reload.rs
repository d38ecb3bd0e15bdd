//! The ends of a full reload (全量, R-11): how it is opened, opened again, and ended. Pure; its records are decided by
//! `IngestBatchState::decide_submission`. Called by `app::reload`.

use record_ref::{ItemCode, LedgerNumber};

use super::IngestRuleViolation;

/// A reload as it was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// Number of the reload, in its lines too.
    pub number: i64,
    /// The item that it reports in full.
    pub item: ItemCode,
    /// Version of the item that was asked for; 0: the one in force.
    pub item_version: u32,
    /// How it ended, when it has.
    pub end: Option<ReloadOutcome>,
}

/// How a reload ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// Records that the caller said it had sent.
    pub declared: u64,
    /// The provider's last ledger number at the end, if it had any: later versions do not change what was missing.
    pub last_ledger_number: Option<LedgerNumber>,
    /// Lines that were unchanged.
    pub unchanged: u64,
    /// Lines that were new versions.
    pub accepted: u64,
    /// Records refused in the stream that ended it.
    pub refused: u64,
    /// Records that it did not name; `None` until they were listed once.
    pub missing: Option<u64>,
}

impl Reload {
    /// Whether a stream that begins with this item and version goes on with this reload.
    ///
    /// # Errors
    /// [`IngestRuleViolation::ReloadIdReused`] when the id names something else.
    pub fn check_declared(
        &self,
        item: &ItemCode,
        item_version: u32,
    ) -> Result<(), IngestRuleViolation> {
        if (&self.item, self.item_version) == (item, item_version) {
            Ok(())
        } else {
            Err(IngestRuleViolation::ReloadIdReused)
        }
    }
}

/// Whether what arrived is what was sent. Every record was answered, with a receipt or with a refusal. One that was
/// refused may have been corrected and sent again under its key, so refusals bound the number from above only.
///
/// # Errors
/// [`IngestRuleViolation::ReloadIncomplete`] with all numbers.
pub fn check_complete(
    declared: u64,
    received: u64,
    refused: u64,
) -> Result<(), IngestRuleViolation> {
    if (received..=received.saturating_add(refused)).contains(&declared) {
        Ok(())
    } else {
        Err(IngestRuleViolation::ReloadIncomplete {
            declared,
            received,
            refused,
        })
    }
}

impl ReloadOutcome {
    /// Whether a reload that has ended may be ended with this number once more.
    ///
    /// # Errors
    /// [`IngestRuleViolation::ReloadEndedOtherwise`] for another number.
    pub fn check_repeated_end(&self, declared: u64) -> Result<(), IngestRuleViolation> {
        if self.declared == declared {
            Ok(())
        } else {
            Err(IngestRuleViolation::ReloadEndedOtherwise {
                declared: self.declared,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn r11_a_reload_is_opened_again_for_the_same_item_only() {
        let code = |code: &str| code.parse::<ItemCode>().unwrap();
        let reload = Reload {
            number: 1,
            item: code("xzcf"),
            item_version: 0,
            end: None,
        };
        assert_eq!(reload.check_declared(&code("xzcf"), 0), Ok(()));
        for (item, version) in [("xzxk", 0), ("xzcf", 2)] {
            let refused = reload.check_declared(&code(item), version);
            assert_eq!(refused, Err(IngestRuleViolation::ReloadIdReused));
        }
    }

    proptest! {
        /// With nothing refused only the very number will do; a lost record never passes when the caller
        /// counts all that it sent.
        #[test]
        fn r11_a_lost_record_is_noticed(received in 0_u64..1000, refused in 0_u64..20, lost in 0_u64..20) {
            let sent = received + refused + lost;
            prop_assert_eq!(check_complete(sent, received, refused).is_ok(), lost == 0);
            prop_assert_eq!(check_complete(received + lost, received, 0).is_ok(), lost == 0);
            prop_assert!(received == 0 || check_complete(received - 1, received, refused).is_err());
        }
    }
}
