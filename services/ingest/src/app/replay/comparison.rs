//! One page of originals, opened and judged by the version that each is pinned to and by the one offered. Called by
//! `replay` on a thread of the blocking pool.

use std::{collections::BTreeMap, sync::Arc};

use credit_record::{
    CheckContext, CompiledItem,
    check::{ContentForm, check_record_as},
    replay::RuleReplayReport,
};
use legal_clock::{WorkingDays, shanghai_date};
use record_ref::{ItemRef, ProviderCode, VersionId};
use vault::Keyring;

use crate::store::ReplayOriginal;

/// A definition that originals are pinned to, or why it cannot be used (Chinese).
type PinnedDefinition = Result<CompiledItem, String>;

/// The two sides of the comparison: the definition offered and those that originals are pinned to.
pub(super) struct DefinitionComparer {
    keyring: Keyring,
    working_days: Arc<dyn WorkingDays>,
    item: ItemRef,
    offered: CompiledItem,
    pinned: BTreeMap<u32, PinnedDefinition>,
}

/// The outcome of a page.
pub(super) struct ComparedPage {
    /// Originals of the page.
    pub read: u64,
    /// What would change for those that were compared.
    pub report: RuleReplayReport,
    /// Originals whose own definition cannot be used, by version.
    pub skipped: BTreeMap<u32, u64>,
    /// Originals that do not open.
    pub unopened: Vec<VersionId>,
}

impl DefinitionComparer {
    pub(super) fn new(
        keyring: Keyring,
        working_days: Arc<dyn WorkingDays>,
        item: ItemRef,
        offered: CompiledItem,
        pinned: BTreeMap<u32, PinnedDefinition>,
    ) -> Self {
        Self {
            keyring,
            working_days,
            item,
            offered,
            pinned,
        }
    }

    /// Item and version of the definition that is tried out.
    pub(super) fn item(&self) -> &ItemRef {
        &self.item
    }

    /// Why originals of this version are not compared.
    pub(super) fn why_skipped(&self, version: u32) -> &str {
        match self.pinned.get(&version) {
            Some(Err(why)) => why,
            _ => "本系统没有该版本的定义",
        }
    }

    /// Judges a page of originals of one provider.
    pub(super) fn compare_page(
        &self,
        provider: ProviderCode,
        page: Vec<ReplayOriginal>,
    ) -> ComparedPage {
        let mut judged = ComparedPage {
            read: page.len() as u64,
            report: RuleReplayReport::default(),
            skipped: BTreeMap::new(),
            unopened: Vec::new(),
        };
        for original in page {
            let Some(Ok(pinned)) = self.pinned.get(&original.item_version) else {
                *judged.skipped.entry(original.item_version).or_default() += 1;
                continue;
            };
            let opened = self
                .keyring
                .open(original.version_id.as_bytes(), &original.sealed_content);
            let Ok(content) = opened else {
                judged.unopened.push(original.version_id);
                continue;
            };
            // The same day and provider for both: a difference comes from the definitions alone.
            let context = CheckContext {
                received_on: shanghai_date(original.received_at),
                provider_code: provider.as_str(),
                working_days: &self.working_days,
                attestations: &[],
            };
            // `intake` accepts no other content type for a record.
            let form =
                ContentForm::from_content_type(&original.content_type).unwrap_or(ContentForm::Json);
            let old = check_record_as(form, pinned, &content, &context);
            let new = check_record_as(form, &self.offered, &content, &context);
            let id = original.version_id.to_string();
            judged.report.add(provider.as_str(), &id, &old, &new);
        }
        judged
    }
}
