//! whom to call at a provider is kept sealed and shown to few.

use anyhow::Result;
use proto::credit::catalog::{
    events::v1::{ProviderContactsChanged, ProviderRegistered},
    v1::{
        ListProvidersRequest, Provider, ProviderContacts, ProviderLevel, RegisterProviderRequest,
    },
};
use service_kit::{identity::Role, reason::Reason};
use testkit::{TestResult, refusal_of};
use tonic::Status;

use crate::{
    calls::{BUREAU, YUELU},
    fixture::{CatalogFixture, OFFICE},
};

fn contacts() -> ProviderContacts {
    ProviderContacts {
        office: "信用科".to_owned(),
        person: "李四光".to_owned(),
        phone: "0731-88666011".to_owned(),
        email: "lsg@changsha.gov.cn".to_owned(),
    }
}

fn bureau() -> Provider {
    Provider {
        code: BUREAU.to_owned(),
        name: "长沙市某局".to_owned(),
        level: ProviderLevel::City.into(),
        enabled: true,
        ..Provider::default()
    }
}

async fn register(fixture: &CatalogFixture, provider: Provider) -> Result<Provider, Status> {
    let provider = Some(provider);
    let mut office = fixture
        .office()
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = office
        .register_provider(RegisterProviderRequest { provider })
        .await?;
    answer
        .into_inner()
        .provider
        .ok_or_else(|| Status::internal("no provider"))
}

#[tokio::test]
async fn r4_contacts_are_sealed_and_shown_to_few() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let with = Provider {
        contacts: Some(contacts()),
        ..bureau()
    };
    let first = register(&fixture, with).await?;
    assert_eq!((first.revision, first.contacts), (1, Some(contacts())));
    fixture.register(YUELU, "430104").await?;
    let shown = async |organisation: &str, role| {
        let mut client = fixture.client_of(organisation, role)?;
        let all = client
            .list_providers(ListProvidersRequest {})
            .await?
            .into_inner()
            .providers;
        let of_bureau = all.into_iter().find(|provider| provider.code == BUREAU);
        Ok::<_, anyhow::Error>(of_bureau.unwrap().contacts)
    };
    for (organisation, role, sees) in [
        (OFFICE, Role::CreditOffice, true),
        (OFFICE, Role::Operator, true),
        (BUREAU, Role::Provider, true),
        (BUREAU, Role::StateOrgan, false),
        (YUELU, Role::Provider, false),
        (YUELU, Role::DistrictCreditOffice, false),
        (OFFICE, Role::Auditor, false),
        (OFFICE, Role::Public, false),
    ] {
        let expected = sees.then(contacts);
        assert_eq!(
            shown(organisation, role).await?,
            expected,
            "{organisation} {role:?}"
        );
    }

    // Left out they stay; changed they replace the old ones; empty they are removed. No revision comes of it.
    assert_eq!(
        register(&fixture, bureau()).await?.contacts,
        Some(contacts())
    );
    let other = ProviderContacts {
        person: "王五".to_owned(),
        ..contacts()
    };
    let changed = Provider {
        contacts: Some(other.clone()),
        ..bureau()
    };
    let changed = register(&fixture, changed).await?;
    assert_eq!((changed.revision, changed.contacts), (1, Some(other)));

    // Neither tables nor bus know a person in clear.
    let sealed: Vec<Vec<u8>> = sqlx::query_scalar("select sealed_contacts from provider_contact")
        .fetch_all(&fixture.pool)
        .await?;
    let owner = fixture.bed.schema_pool().await?;
    let events: Vec<Vec<u8>> = sqlx::query_scalar("select payload from outbox")
        .fetch_all(&owner)
        .await?;
    owner.close().await;
    assert_eq!(sealed.len(), 1, "only the newest is kept");
    for word in ["李四光", "王五", "88666011", "lsg@"] {
        for bytes in sealed.iter().chain(&events) {
            assert!(
                !bytes
                    .windows(word.len())
                    .any(|part| part == word.as_bytes()),
                "{word}"
            );
        }
    }
    let removed = Provider {
        contacts: Some(ProviderContacts::default()),
        ..bureau()
    };
    assert_eq!(register(&fixture, removed).await?.contacts, None);
    let left: i64 = sqlx::query_scalar("select count(*) from provider_contact")
        .fetch_one(&fixture.pool)
        .await?;
    assert_eq!(left, 0);
    let bad = Provider {
        contacts: Some(ProviderContacts {
            email: "lsg".to_owned(),
            ..contacts()
        }),
        ..bureau()
    };
    assert_eq!(
        refusal_of(register(&fixture, bad).await).field,
        "provider.contacts.email"
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r3_a_provider_has_a_parent_within_its_district_and_a_validity() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let below = |parent: &str, district: &str| Provider {
        code: YUELU.to_owned(),
        name: "某街道".to_owned(),
        level: ProviderLevel::District.into(),
        district_code: district.to_owned(),
        parent_code: parent.to_owned(),
        valid_from: "2026-01-01".to_owned(),
        valid_until: "2026-12-31".to_owned(),
        enabled: true,
        ..Provider::default()
    };
    assert_eq!(
        refusal_of(register(&fixture, below(BUREAU, "430104")).await).reason_and_field(),
        (Reason::ProviderUnknown, "provider.parent_code")
    );
    fixture.register(BUREAU, "430104").await?;
    let stored = register(&fixture, below(BUREAU, "430104")).await?;
    assert_eq!(
        (stored.parent_code.as_str(), stored.valid_until.as_str()),
        (BUREAU, "2026-12-31")
    );
    for (parent, district, from, reason) in [
        (
            BUREAU,
            "430103",
            "2026-01-01",
            Reason::ProviderOutsideDistrict,
        ),
        ("x", "430104", "2026-01-01", Reason::CreditCodeInvalid),
        (YUELU, "430104", "2026-01-01", Reason::ProviderParentInvalid),
        (BUREAU, "430104", "2027-01-01", Reason::PeriodReversed),
        (BUREAU, "430104", "1月1日", Reason::DateInvalid),
    ] {
        let provider = Provider {
            valid_from: from.to_owned(),
            ..below(parent, district)
        };
        assert_eq!(
            refusal_of(register(&fixture, provider).await).reason,
            reason,
            "{parent} {district} {from}"
        );
    }
    // The parent does not move away from under its child.
    let moved = Provider {
        level: ProviderLevel::District.into(),
        district_code: "430103".to_owned(),
        ..bureau()
    };
    assert_eq!(
        refusal_of(register(&fixture, moved).await).reason,
        Reason::ProviderOutsideDistrict
    );
    let registered = fixture.registered().await?;
    let event = registered.iter().find(|event| event.code == YUELU).unwrap();
    let said = (
        event.parent_code.as_str(),
        event.valid_from.as_str(),
        event.valid_until.as_str(),
    );
    assert_eq!(said, (BUREAU, "2026-01-01", "2026-12-31"));
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_change_of_contacts_is_announced_and_what_they_are_is_not() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let moved = ProviderContacts {
        phone: "0731-88666012".to_owned(),
        ..contacts()
    };
    // Saying the same again is no change; neither is it one to remove what is not there.
    for (said, changes) in [
        (contacts(), 1),
        (contacts(), 1),
        (moved, 2),
        (ProviderContacts::default(), 3),
        (ProviderContacts::default(), 3),
    ] {
        let with = Provider {
            contacts: Some(said),
            ..bureau()
        };
        register(&fixture, with).await?;
        let announced = fixture
            .bed
            .emitted_events::<ProviderContactsChanged>()
            .await?;
        assert_eq!(announced.len(), changes);
        assert!(announced.iter().all(|event| event.code == BUREAU));
    }
    let registered = fixture.bed.emitted_events::<ProviderRegistered>().await?;
    let of_bureau = registered.iter().filter(|event| event.code == BUREAU);
    assert_eq!(of_bureau.count(), 1);
    fixture.finish().await?;
    Ok(())
}
