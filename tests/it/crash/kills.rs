//! kill -9 of the program at random moments of mixed writes and fills: what was acknowledged is there, nothing else is
//! left. `IT_KILLS` says how often.

use std::path::PathBuf;
use std::time::Duration;

use super::load::{History, Load, audit, rounds};
use crate::support::app::App;
use crate::support::bytes::Rng;
use crate::support::process::leftovers;
use crate::support::upstream::Upstream;

/// Kills, unless `IT_KILLS` says otherwise.
const KILLS: u64 = 20;

/// One round: work, a kill at a random moment, a restart, an audit; gives the number of acknowledged requests.
async fn round(app: &mut App, history: &History, rng: &mut Rng) -> u64 {
    let load = Load::begin(app, history, rng);
    tokio::time::sleep(Duration::from_millis(30 + rng.below(500))).await;
    app.kill();
    let acknowledged = load.end().await;
    let alone = app.fsck(&["--rehash"]);
    assert_eq!(alone.code, Some(0), "before the restart: {}", alone.output);
    app.restart().await;
    audit(app, history).await;
    assert_eq!(leftovers(app.data()), Vec::<PathBuf>::new(), "temporary files");
    let beside = app.fsck(&["--rehash"]);
    assert_eq!(beside.code, Some(0), "after the restart: {}", beside.output);
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_a_kill_at_any_moment() {
    let mut rng = Rng::printed("crash");
    let (upstream, mut app) = (Upstream::start(), App::start().await);
    Load::prepare(&app, &upstream).await;
    let (history, kills) = (History::default(), rounds("IT_KILLS", KILLS));
    let mut acknowledged = 0;
    for _ in 0..kills {
        acknowledged += round(&mut app, &history, &mut rng).await;
    }
    println!(
        "crash: {kills} kills, {acknowledged} requests acknowledged, {} names audited after each, {} objects filled",
        history.names(),
        app.objects("g").await.len()
    );
    assert!(acknowledged > kills);
}
