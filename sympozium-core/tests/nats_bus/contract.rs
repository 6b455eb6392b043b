//! The suite, on a server that is killed and started again.

use crate::peer::{connect, settings};
use async_trait::async_trait;
use std::sync::Mutex;
use sympozium_core::bus::nats::NatsBus;
use sympozium_core::bus::{DeadLetter, EventBus};
use sympozium_core::testing::{self, BusFixture, NatsServer};
use tokio_util::sync::CancellationToken;

struct OnNats {
    server: Mutex<NatsServer>,
    bus: NatsBus,
}

#[async_trait]
impl BusFixture for OnNats {
    fn bus(&self) -> &dyn EventBus {
        &self.bus
    }

    async fn dead_letters(&self) -> Vec<DeadLetter> {
        self.bus.dead_letters(1_000).await.unwrap()
    }

    async fn restart(&self) {
        self.server.lock().unwrap().kill();
        // The client has to see that nobody is there, before somebody is.
        tokio::task::yield_now().await;
        self.server.lock().unwrap().restart();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nats-server in SYMPOZIUM_TEST_NATS"]
async fn the_contract_is_kept_on_nats() {
    let server = NatsServer::start("");
    let bus = connect(&server.url()).await;
    let keeper = NatsBus::connect(settings(&server.url())).await.unwrap();
    let stop = CancellationToken::new();
    let kept = tokio::spawn({
        let stop = stop.clone();
        async move { keeper.keep_dead_letters(&stop).await }
    });
    let server = Mutex::new(server);
    let fixture = OnNats { server, bus };
    testing::event_bus(&fixture).await;
    stop.cancel();
    kept.await.unwrap().unwrap();
    fixture.bus.close().await;
}
