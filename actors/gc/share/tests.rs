use std::sync::Arc;

use artifactapi_core::Clock;
use artifactapi_core::port::hot::Hot as _;

use super::*;
use crate::testing::hot::Common;
use crate::testing::rig::{Lot, NOON, Rig, rig_of};
use crate::testing::{ManualClock, eventually, soon};

const LONG: Duration = Duration::from_mins(10);

async fn replica(interval: Duration) -> (Rig, Arc<Common>) {
    let clock = ManualClock::at(NOON);
    let hot = Common::new(Arc::clone(&clock) as Arc<dyn Clock>);
    let lot = Lot {
        interval,
        ..Lot::replica(&clock, &hot, "here")
    };
    (rig_of(lot).await, hot)
}

#[actix::test]
async fn a_due_collection_is_left_out_while_another_replica_collects() {
    let (rig, hot) = replica(Duration::from_millis(5)).await;
    // It may have begun already.
    soon(async { while !hot.acquire("gc", "there", LONG).await.unwrap() {} }).await;
    let before = hot.refused();
    let last = rig.handles.gc.last();
    eventually(|| hot.refused() > before + 3).await;
    assert_eq!(rig.handles.gc.last(), last);
    hot.release("gc", "there").await.unwrap();
    rig.clock.set(NOON + 1);
    eventually(|| {
        rig.handles
            .gc
            .last()
            .is_some_and(|report| report.started.0 == NOON + 1)
    })
    .await;
    rig.stop().await;
}

#[actix::test]
async fn a_collection_that_was_asked_for_waits_for_the_other_and_gives_the_lease_back() {
    let (rig, hot) = replica(Duration::ZERO).await;
    assert!(hot.acquire("gc", "there", LONG).await.unwrap());
    let run = rig.handles.gc.run(GcRequest::default());
    let other = async {
        eventually(|| hot.refused() > 0).await;
        assert_eq!(rig.handles.gc.last(), None);
        hot.release("gc", "there").await.unwrap();
    };
    let (report, ()) = tokio::join!(run, other);
    assert!(report.unwrap().errors.is_empty());
    assert!(hot.acquire("gc", "there", LONG).await.unwrap());
    rig.stop().await;
}

#[actix::test]
async fn looking_needs_no_lease_and_neither_does_anything_without_the_store_of_hints() {
    let (rig, hot) = replica(Duration::ZERO).await;
    assert!(hot.acquire("gc", "there", LONG).await.unwrap());
    let dry = GcRequest {
        dry_run: true,
        ..GcRequest::default()
    };
    rig.handles.gc.run(dry).await.unwrap();
    hot.be_away(true);
    rig.handles.gc.run(GcRequest::default()).await.unwrap();
    rig.stop().await;
}
