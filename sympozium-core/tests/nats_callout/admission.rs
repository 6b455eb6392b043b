//! Who is let in, for how long, and what happens when the callout or the server is away.

use crate::installation::{DEADLINE, Installation, bridge, operator, run_of, said};
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use sympozium_core::bus::nats::{Credential, NatsBus, NatsSettings};
use sympozium_core::bus::{EventBus, Principal, Topic};
use sympozium_core::error::Classify;
use sympozium_core::testing::NatsServer;

const LIFETIME: Duration = Duration::from_mins(5);

/// Publishes until it succeeds: what a client does whose connection was closed.
async fn insist(bus: &NatsBus, principal: &Principal) {
    let said = said(run_of(principal), Topic::AgentStatusUpdate);
    let insisted = async { while bus.publish(said.clone()).await.is_err() {} };
    tokio::time::timeout(DEADLINE, insisted).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_token_of_nobodys_or_none_is_refused_on_nats() {
    let installation = Installation::start();
    let callout = installation.callout(LIFETIME).await;
    installation.operator().await.close().await;
    let known = bridge();
    let good = installation.settings(&known);
    let ended = bridge();
    let ended_settings = installation.settings(&ended);
    installation.tokens.end(&format!("token-of-{}", ended.pod()));
    let expired = bridge();
    let expired_settings = installation.settings(&expired);
    let token = format!("token-of-{}", expired.pod());
    installation
        .tokens
        .know_until(&token, expired, Timestamp::now() - SignedDuration::from_secs(1));
    let with = |credential| NatsSettings {
        credential,
        ..good.clone()
    };
    for (settings, what) in [
        (with(Credential::Nothing), "no token"),
        (
            with(Credential::TokenFile(
                installation.token_file(&bridge(), "stolen or made up"),
            )),
            "a token of nobody's",
        ),
        (
            with(Credential::TokenFile(installation.server.dir().join("missing"))),
            "a file that is not there",
        ),
        (
            with(Credential::NkeySeed(
                nkeys::KeyPair::new_user().seed().unwrap().into(),
            )),
            "a key",
        ),
        (ended_settings, "the token of a run that has ended"),
        (expired_settings, "a token that has expired"),
    ] {
        let start = Instant::now();
        let error = NatsBus::connect(settings).await.unwrap_err();
        assert_eq!(error.kind(), "unauthenticated", "{what}: {error}");
        assert!(
            start.elapsed() < good.deadline,
            "{what} is refused before the deadline"
        );
    }
    let bus = NatsBus::connect(good).await.unwrap();
    insist(&bus, &known).await;
    bus.close().await;
    // The server's log has the reasons, and no token.
    let log = installation.server.log();
    assert!(
        log.contains("the run has ended") || log.contains("The run has ended"),
        "{log}"
    );
    assert!(
        !log.contains("token-of-") && !log.contains("stolen or made up"),
        "{log}"
    );
    callout.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn without_a_callout_who_is_in_goes_on_and_nobody_comes_in_on_nats() {
    let installation = Installation::start();
    let callout = installation.callout(LIFETIME).await;
    let operator = installation.operator().await;
    let inside = bridge();
    let bus = installation.connect(&inside).await;
    callout.stop().await;

    insist(&bus, &inside).await;
    let start = Instant::now();
    let error = NatsBus::connect(installation.settings(&bridge()))
        .await
        .unwrap_err();
    assert!(error.retry().is_worthwhile(), "{error}");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "it fails cleanly, after {:?}",
        start.elapsed()
    );
    insist(&bus, &inside).await;

    // Two share the work; with either of them everybody comes in.
    let first = installation.callout(LIFETIME).await;
    let second = installation.callout(LIFETIME).await;
    for _ in 0..4 {
        let next = bridge();
        let late = installation.connect(&next).await;
        insist(&late, &next).await;
        late.close().await;
    }
    first.stop().await;
    let next = bridge();
    let late = installation.connect(&next).await;
    insist(&late, &next).await;
    late.close().await;
    second.stop().await;
    bus.close().await;
    operator.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn expiry_asks_again_with_the_token_of_the_day_on_nats() {
    let installation = Installation::start();
    let callout = installation.callout(Duration::from_secs(2)).await;
    let operator = installation.operator().await;
    let principal = bridge();
    let bus = installation.connect(&principal).await;
    insist(&bus, &principal).await;
    // The kubelet replaces the token; the old one is void from then on.
    installation.tokens.know("fresh", principal.clone());
    installation.token_file(&principal, "fresh");
    installation.tokens.end(&format!("token-of-{}", principal.pod()));
    let before = installation.tokens.asked.load(Ordering::Relaxed);
    let asked_again = async {
        while installation.tokens.asked.load(Ordering::Relaxed) < before + 4 {
            insist(&bus, &principal).await;
        }
    };
    tokio::time::timeout(DEADLINE, asked_again).await.unwrap();
    insist(&bus, &principal).await;
    bus.close().await;
    operator.close().await;
    callout.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_run_that_ended_is_put_out_and_stays_out_on_nats() {
    let installation = Installation::start();
    let callout = installation.callout(LIFETIME).await;
    let operator = installation.operator().await;
    let (ended, other) = (bridge(), bridge());
    let (bus, stays) = (
        installation.connect(&ended).await,
        installation.connect(&other).await,
    );
    insist(&bus, &ended).await;

    installation.tokens.end(&format!("token-of-{}", ended.pod()));
    let of_the_run = |principal: &Principal| *principal == ended;
    assert_eq!(callout.service.kick(of_the_run).await, 1);
    assert_eq!(callout.service.kick(of_the_run).await, 0, "it is out");
    let out = async {
        let said = || said(run_of(&ended), Topic::AgentStatusUpdate);
        while bus.publish(said()).await.is_ok() {}
        assert!(
            bus.publish(said()).await.is_err(),
            "it tries to come in again, and may not"
        );
    };
    tokio::time::timeout(DEADLINE, out).await.unwrap();
    insist(&stays, &other).await;
    bus.close().await;
    stays.close().await;
    operator.close().await;
    callout.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn tls_with_an_authority_of_our_own_keeps_strangers_away_on_nats() {
    let installation = Installation::start_with_tls();
    let callout = installation.callout(LIFETIME).await;
    let operator = installation.operator().await;
    let principal = bridge();
    let bus = installation.connect(&principal).await;
    insist(&bus, &principal).await;
    bus.close().await;

    let good = installation.settings(&principal);
    let other = Installation::start_with_tls();
    for (settings, what) in [
        (
            NatsSettings {
                ca_file: other.ca_file.clone(),
                ..good.clone()
            },
            "another's authority",
        ),
        (
            NatsSettings {
                ca_file: None,
                ..good.clone()
            },
            "the system's authorities",
        ),
    ] {
        let error = NatsBus::connect(settings).await.unwrap_err();
        assert_eq!(error.kind(), "bus-unavailable", "{what}: {error}");
    }
    // A server without TLS gets no token of a client that wants it.
    let plain = NatsServer::start("");
    let error = NatsBus::connect(NatsSettings {
        servers: plain.url(),
        ..good
    })
    .await
    .unwrap_err();
    assert_eq!(error.kind(), "bus-unavailable", "{error}");
    operator.close().await;
    callout.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn a_restarted_server_asks_about_everybody_again_on_nats() {
    let mut installation = Installation::start();
    let callout = installation.callout(LIFETIME).await;
    let operator_bus = installation.operator().await;
    let principal = bridge();
    let bus = installation.connect(&principal).await;
    insist(&bus, &principal).await;
    installation.server.restart();
    insist(&bus, &principal).await;
    let late = operator();
    installation.connect(&late).await.close().await;
    bus.close().await;
    operator_bus.close().await;
    callout.stop().await;
}
