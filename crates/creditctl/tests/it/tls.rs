//! An encrypted connection: trusted by the authority that is given, refused without. The certificates in `fixtures/`
//! were made for this test; the authority's key is thrown away, the server's serves `localhost` only.

use std::path::Path;

use crate::fake_platform::FakePlatform;
use crate::support::{run_on_thread, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_trusted_by_its_authority() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let read = |name: &str| std::fs::read_to_string(fixtures.join(name)).unwrap();
    let fake = FakePlatform::start_tls(
        "11430100006123458R",
        &read("server.pem"),
        &read("server-key.pem"),
    )
    .await;
    let port = fake.address.rsplit(':').next().unwrap();
    let address = format!("https://localhost:{port}");
    let ca = text(&fixtures.join("ca.pem"));
    let nil = [
        "nil",
        "--item=xzcf",
        "--from=2026-06-01",
        "--to=2026-06-30",
        "--patience=0",
        "--endpoint",
        &*address,
    ];
    let said = run_on_thread(&[&nil[..], &["--ca", &ca]].concat()).await;
    assert_eq!(said.code, 0, "{said:?}");
    let said = run_on_thread(&nil).await;
    assert_eq!(
        said.code, 3,
        "the system's authorities know nothing of this one: {said:?}"
    );
    assert_eq!(fake.inner().nil.len(), 1);
    // In clear to an encrypted port.
    let mut plain = nil;
    let clear = format!("http://localhost:{port}");
    plain[6] = &clear;
    assert_eq!(run_on_thread(&plain).await.code, 3);
}
