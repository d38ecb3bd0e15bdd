//! the registry of providers, who may write it and the events about it.

use anyhow::Result;
use proto::credit::catalog::v1::{
    ListProvidersRequest, Provider, ProviderLevel, PublishItemVersionRequest,
    RegisterProviderRequest,
};
use service_kit::{identity::Role, reason::Reason};
use testkit::{TestResult, refusal_of};
use tonic::{Code, Status};

use crate::fixture::{CatalogFixture, OFFICE};

const CITY: &str = "12430100444900018L";
const DISTRICT: &str = "51430100MJJ000012E";

fn city() -> Provider {
    Provider {
        code: CITY.to_owned(),
        name: "长沙市某中心".to_owned(),
        level: ProviderLevel::City.into(),
        district_code: String::new(),
        enabled: true,
        ..Provider::default()
    }
}

fn district() -> Provider {
    Provider {
        code: DISTRICT.to_owned(),
        name: "岳麓区某协会".to_owned(),
        level: ProviderLevel::District.into(),
        district_code: "430104".to_owned(),
        ..city()
    }
}

async fn register(fixture: &CatalogFixture, provider: Provider) -> Result<Provider, Status> {
    let request = RegisterProviderRequest {
        provider: Some(provider),
    };
    let mut office = fixture
        .office()
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = office.register_provider(request).await?.into_inner();
    answer
        .provider
        .ok_or_else(|| Status::internal("no provider"))
}

async fn listed(fixture: &CatalogFixture) -> Result<Vec<Provider>> {
    let mut provider = fixture.client_as(Role::Provider)?;
    let answer = provider.list_providers(ListProvidersRequest {}).await?;
    Ok(answer.into_inner().providers)
}

#[tokio::test]
async fn r3_a_registration_counts_its_changes_and_announces_each_once() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let first = register(&fixture, city()).await?;
    assert_eq!(
        first,
        Provider {
            revision: 1,
            ..city()
        }
    );
    // The same again, with any revision in the request: nothing changes.
    for revision in [0, 1, 77] {
        let again = register(&fixture, Provider { revision, ..city() }).await?;
        assert_eq!(again, first);
    }
    register(&fixture, district()).await?;
    let renamed = Provider {
        name: "长沙市某局".to_owned(),
        ..city()
    };
    assert_eq!(register(&fixture, renamed.clone()).await?.revision, 2);
    let disabled = Provider {
        enabled: false,
        ..renamed
    };
    let last = register(&fixture, disabled).await?;
    assert_eq!(last.revision, 3);

    let expected = [
        last.clone(),
        Provider {
            revision: 1,
            ..district()
        },
    ];
    assert_eq!(listed(&fixture).await?, expected);

    fixture.ready().await?;
    let registered = fixture.registered().await?;
    let of_city: Vec<_> = registered
        .iter()
        .filter(|event| event.code == CITY)
        .collect();
    let revisions: Vec<_> = of_city.iter().map(|event| event.revision).collect();
    assert_eq!(revisions, [1, 2, 3], "each change once, in order");
    assert_eq!(of_city[2].name, last.name);
    assert!(of_city[1].enabled && !of_city[2].enabled);
    let of_district: Vec<_> = registered
        .iter()
        .filter(|event| event.code == DISTRICT)
        .collect();
    assert_eq!(of_district.len(), 1);
    assert_eq!(
        (
            of_district[0].level.as_str(),
            of_district[0].district_code.as_str()
        ),
        ("district", "430104")
    );
    assert_eq!(
        (of_city[0].level.as_str(), of_city[0].district_code.as_str()),
        ("city", "")
    );

    // Every revision stays on record with who decided it, and cannot be rewritten.
    let by: Vec<(i64, String)> = sqlx::query_as(
        "select revision, recorded_by from provider_revision where code = $1 order by revision",
    )
    .bind(CITY)
    .fetch_all(&fixture.pool)
    .await?;
    let officer = format!("{OFFICE}/tester");
    assert_eq!(
        by,
        [(1, officer.clone()), (2, officer.clone()), (3, officer)]
    );
    for statement in [
        "update provider_revision set enabled = true",
        "delete from provider_revision",
    ] {
        fixture.is_forbidden(statement).await?;
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r3_concurrent_registrations_lose_no_revision() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let calls = (0..16).map(|i| {
        let name = format!("长沙市第{i}中心");
        register(&fixture, Provider { name, ..city() })
    });
    let answers = futures::future::join_all(calls).await;
    let mut revisions = answers
        .into_iter()
        .map(|answer| answer.map(|provider| provider.revision))
        .collect::<Result<Vec<_>, _>>()?;
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=16).collect::<Vec<u64>>());
    fixture.ready().await?;
    let heard = fixture.registered().await?;
    let heard: Vec<_> = heard.iter().map(|event| event.revision).collect();
    assert_eq!(heard, revisions, "announced in the order of the revisions");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r3_every_refusal_names_field_and_rule_and_stores_nothing() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let table = [
        (
            Provider {
                code: "124301004449".into(),
                ..city()
            },
            "provider.code",
            "18 characters",
        ),
        // The last character wrong, then the inner one.
        (
            Provider {
                code: "12430100444900018M".into(),
                ..city()
            },
            "provider.code",
            "character 18",
        ),
        (
            Provider {
                code: "91430100MA4Q5W142T".into(),
                ..city()
            },
            "provider.code",
            "character 17",
        ),
        (
            Provider {
                name: "  ".into(),
                ..city()
            },
            "provider.name",
            "not blank",
        ),
        (
            Provider { level: 0, ..city() },
            "provider.level",
            "city or district",
        ),
        (
            Provider { level: 9, ..city() },
            "provider.level",
            "city or district",
        ),
        (
            Provider {
                district_code: "430104".into(),
                ..city()
            },
            "provider.district_code",
            "no district",
        ),
        (
            Provider {
                district_code: String::new(),
                ..district()
            },
            "provider.district_code",
            "nine divisions",
        ),
        (
            Provider {
                district_code: "430124".into(),
                ..district()
            },
            "provider.district_code",
            "nine divisions",
        ),
    ];
    for (provider, field, rule) in table {
        let of_code = field == "provider.code";
        let refused = refusal_of(register(&fixture, provider.clone()).await);
        assert_eq!(refused.code, Code::InvalidArgument, "{provider:?}");
        assert_eq!(refused.field, field, "{provider:?}");
        assert_eq!(
            refused.reason == Reason::CreditCodeInvalid,
            of_code,
            "{provider:?}"
        );
        assert!(refused.rule.contains(rule), "{provider:?}: {refused:?}");
    }
    let request = RegisterProviderRequest { provider: None };
    let answer = fixture.office()?.register_provider(request).await;
    assert_eq!(refusal_of(answer).field, "provider");
    assert!(listed(&fixture).await?.is_empty());
    fixture.ready().await?;
    assert!(fixture.registered().await?.is_empty());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r5_only_the_credit_office_writes() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    for role in [
        Role::Provider,
        Role::Operator,
        Role::Auditor,
        Role::Public,
        Role::Subject,
    ] {
        let mut client = fixture.client_as(role)?;
        let request = RegisterProviderRequest {
            provider: Some(city()),
        };
        let status = client.register_provider(request).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{role:?}");
        let request = PublishItemVersionRequest::default();
        let status = client.publish_item_version(request).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{role:?}");
    }
    assert!(listed(&fixture).await?.is_empty());
    fixture.ready().await?;
    fixture.finish().await?;
    Ok(())
}
