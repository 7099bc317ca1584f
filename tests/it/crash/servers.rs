//! kill -9 of PostgreSQL and of the S3 server under mixed writes and fills: the program stays, nothing acknowledged is
//! lost, and it goes on once the server is back. `IT_SERVER_KILLS` says how often.

use std::time::Duration;

use super::load::{History, Load, audit, rounds};
use crate::support::app::App;
use crate::support::bytes::Rng;
use crate::support::eventually;
use crate::support::parts::Parts;
use crate::support::servers::{Own, Server};
use crate::support::upstream::Upstream;

/// Kills of each, unless `IT_SERVER_KILLS` says otherwise.
const KILLS: u64 = 3;

/// One round: work, a kill at a random moment, the server's return, an audit; gives the number of acknowledged requests.
async fn round(app: &App, own: &Own, server: Server, (history, rng): (&History, &mut Rng)) -> u64 {
    let load = Load::begin(app, history, rng);
    tokio::time::sleep(Duration::from_millis(100 + rng.below(700))).await;
    own.kill(server);
    tokio::time::sleep(Duration::from_millis(rng.below(1500))).await;
    own.revive();
    eventually("a write succeeds again", || async {
        let reply = app.put("l", "probe", "probe").await;
        (reply.status / 100 == 2).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let acknowledged = load.end().await;
    audit(app, history).await;
    let found = app.fsck(&["--rehash"]);
    assert_eq!(found.code, Some(0), "{server:?}: {}", found.output);
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_when_a_server_is_killed() {
    let mut rng = Rng::printed("servers");
    let own = Own::start();
    let setup = App::setup().on(Parts::ALL).at(own.servers());
    let (upstream, app) = (Upstream::start(), setup.start().await);
    Load::prepare(&app, &upstream).await;
    let (history, kills) = (History::default(), rounds("IT_SERVER_KILLS", KILLS));
    for server in [Server::Postgresql, Server::S3] {
        let mut acknowledged = 0;
        for _ in 0..kills {
            acknowledged += round(&app, &own, server, (&history, &mut rng)).await;
        }
        println!(
            "crash: {kills} kills of {server:?}, {acknowledged} requests acknowledged, {} names audited after each",
            history.names()
        );
        assert!(acknowledged > kills);
    }
}
