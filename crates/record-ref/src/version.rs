//! One version of one record, as events carry it.

use proto::credit::common::v1 as wire;

use crate::{
    ItemCode, ItemRef, KeyDigest, Malformed, ProviderCode, RecordAddress, Revision, VersionId,
};

/// What revisions are counted by: a record as its provider knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// Who reports it.
    pub provider: ProviderCode,
    /// Item of the catalogue.
    pub item: ItemCode,
    /// Keyed hash of the provider's own key.
    pub digest: KeyDigest,
}

/// One version of one record (`credit.common.v1.RecordVersion`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordVersion {
    /// The version.
    pub id: VersionId,
    /// The record, for life.
    pub address: RecordAddress,
    /// Who reports it.
    pub provider: ProviderCode,
    /// Version of the item by which it is judged.
    pub item: ItemRef,
    /// Keyed hash of the provider's own key.
    pub key_digest: KeyDigest,
    /// Place among the versions of its record.
    pub revision: Revision,
}

impl RecordVersion {
    /// The key of its record.
    pub fn key(&self) -> RecordKey {
        RecordKey {
            provider: self.provider,
            item: self.item.code.clone(),
            digest: self.key_digest,
        }
    }

    /// From the field `version` of an event.
    ///
    /// # Errors
    /// The first field that is missing or out of form, by its path in the event.
    pub fn from_wire(version: Option<&wire::RecordVersion>) -> Result<Self, Malformed> {
        let version = version.ok_or(Malformed::new("version", "is present"))?;
        let code: ItemCode = named(version.item_code.as_str().try_into(), "version.item_code")?;
        Ok(Self {
            id: named(version.record_id[..].try_into(), "version.record_id")?,
            address: named(
                version.record_address[..].try_into(),
                "version.record_address",
            )?,
            provider: named(
                version.provider_code.as_str().try_into(),
                "version.provider_code",
            )?,
            item: named(
                ItemRef::new(code, version.item_version),
                "version.item_version",
            )?,
            key_digest: named(version.key_digest[..].try_into(), "version.key_digest")?,
            revision: named(version.revision.try_into(), "version.revision")?,
        })
    }
}

fn named<T>(checked: Result<T, Malformed>, path: &'static str) -> Result<T, Malformed> {
    checked.map_err(|malformed| malformed.in_field(path))
}

impl From<&RecordVersion> for wire::RecordVersion {
    fn from(version: &RecordVersion) -> Self {
        Self {
            record_id: version.id.to_wire(),
            record_address: version.address.to_wire(),
            provider_code: version.provider.as_str().to_owned(),
            item_code: version.item.code.as_str().to_owned(),
            item_version: version.item.version(),
            key_digest: version.key_digest.to_wire(),
            revision: version.revision.get(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn version() -> RecordVersion {
        let id = VersionId::try_from(Uuid::from_u128(1)).unwrap();
        RecordVersion {
            id,
            address: RecordAddress::of_first_version(id),
            provider: "11430100006123458R".parse().unwrap(),
            item: ItemRef::new("xzcf".parse().unwrap(), 3).unwrap(),
            key_digest: [1; 32].into(),
            revision: Revision::FIRST,
        }
    }

    #[test]
    fn every_field_that_does_not_fit_is_named() {
        type ChangeField = fn(&mut wire::RecordVersion);
        let cases: [(&str, ChangeField); 13] = [
            ("record_id", |v| v.record_id = Bytes::from_static(b"short")),
            ("record_id", |v| v.record_id = Bytes::from_static(&[0; 16])),
            ("record_address", |v| v.record_address.clear()),
            ("provider_code", |v| v.provider_code.clear()),
            ("provider_code", |v| v.provider_code.push('1')),
            ("item_code", |v| v.item_code.clear()),
            ("item_code", |v| v.item_code = "XZCF".to_owned()),
            ("item_version", |v| v.item_version = 0),
            ("item_version", |v| v.item_version = u32::MAX),
            ("key_digest", |v| v.key_digest.clear()),
            ("key_digest", |v| {
                v.key_digest = Bytes::from_static(&[1; 33])
            }),
            ("revision", |v| v.revision = 0),
            ("revision", |v| v.revision = u64::MAX),
        ];
        for (field, change) in cases {
            let mut message = wire::RecordVersion::from(&version());
            change(&mut message);
            let refused = RecordVersion::from_wire(Some(&message)).unwrap_err();
            assert_eq!(refused.field, format!("version.{field}"));
        }
        let missing = RecordVersion::from_wire(None).unwrap_err();
        assert_eq!(missing.field, "version");
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_is_read(
            id in 1_u128..,
            digest: [u8; 32],
            item_version in 1_u32..=i32::MAX as u32,
            revision in 1..=i64::MAX,
            code in "[0-9A-Z]{18}",
            item in "[a-z0-9-]{1,64}",
        ) {
            let id = VersionId::try_from(Uuid::from_u128(id)).unwrap();
            let version = RecordVersion {
                id,
                address: RecordAddress::of_first_version(id),
                provider: code.parse().unwrap(),
                item: ItemRef::new(item.parse().unwrap(), item_version).unwrap(),
                key_digest: digest.into(),
                revision: revision.try_into().unwrap(),
            };
            let message = wire::RecordVersion::from(&version);
            prop_assert_eq!(RecordVersion::from_wire(Some(&message)), Ok(version));
        }
    }
}
