use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use artifactapi_core::event::EventKind;
use artifactapi_core::fault::Kind;
use artifactapi_core::{Clock, Time};
use futures_util::{FutureExt as _, StreamExt as _};

use super::*;
use crate::events::{Filter, Told, Watch};
use crate::testing::hot::Common;
use crate::testing::rig::{Rig, rig, two};
use crate::testing::{eventually, nursery, soon};

fn event(path: &str) -> Event {
    Event {
        kind: EventKind::Fetch,
        remote: Some("r".into()),
        path: Some(path.into()),
        at: Time(7),
        outcome: "miss".into(),
        bytes: None,
    }
}

async fn watch(rig: &Rig) -> Watch {
    rig.handles.events.watch(Filter::default(), None).await
}

async fn next(watch: &mut Watch) -> (Told, String) {
    let told = soon(watch.next()).await.expect("the watch goes on");
    let data: serde_json::Value = serde_json::from_str(&told.data).unwrap();
    let path = data["path"].as_str().unwrap_or(told.name).to_owned();
    (told, path)
}

async fn paths<const N: usize>(watch: &mut Watch) -> [String; N] {
    let mut paths = [const { String::new() }; N];
    for path in &mut paths {
        *path = next(watch).await.1;
    }
    paths
}

#[actix::test]
async fn a_watcher_of_either_replica_sees_the_events_of_both_once() {
    let (here, there, _) = two().await;
    let (mut a, mut b) = (watch(&here).await, watch(&there).await);
    here.handles.events.tell(event("from here"));
    for watch in [&mut a, &mut b] {
        assert_eq!(paths(watch).await, ["from here"]);
    }
    there.handles.events.tell(event("from there"));
    for watch in [&mut a, &mut b] {
        assert_eq!(paths(watch).await, ["from there"]);
    }
    for number in 0..200 {
        here.handles.events.tell(event(&number.to_string()));
    }
    here.handles.events.tell(event("last"));
    for number in 0..200 {
        assert_eq!(paths(&mut b).await, [number.to_string()]);
    }
    assert_eq!(paths(&mut b).await, ["last"]);
    assert!(b.next().now_or_never().is_none(), "nothing goes round");
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn what_may_have_been_lost_on_the_way_is_told_as_missed() {
    let (here, there, hot) = two().await;
    let mut watch = watch(&there).await;
    here.handles.events.tell(event("before"));
    let (before, path) = next(&mut watch).await;
    assert_eq!(path, "before");
    hot.gap();
    let (missed, path) = next(&mut watch).await;
    assert_eq!(path, "missed");
    assert!(missed.id > before.id);
    let span = format!(r#"{{"from":{0},"to":{0}}}"#, missed.id);
    assert_eq!(*missed.data, *span);
    hot.publish(EVENTS, b"of another version".to_vec()).await.unwrap();
    assert_eq!(paths(&mut watch).await, ["missed"]);
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn events_that_could_not_be_published_are_owned_up_to_even_if_no_other_follows() {
    let (here, there, hot) = two().await;
    let (mut own, mut watch) = (watch(&here).await, watch(&there).await);
    hot.be_away(true);
    here.handles.events.tell(event("lost"));
    assert_eq!(paths(&mut own).await, ["lost"]);
    eventually(|| queue(&here) == 0).await;
    hot.be_away(false);
    assert_eq!(paths(&mut watch).await, ["missed"]);
    here.handles.events.tell(event("next"));
    assert_eq!(paths(&mut watch).await, ["next"]);
    here.stop().await;
    there.stop().await;
}

fn queue(rig: &Rig) -> u64 {
    let workers = rig.handles.board.workers();
    let found = workers.into_iter().find(|worker| worker.name == "replicas");
    found.unwrap().queue
}

#[actix::test]
async fn after_a_panic_replicas_hear_each_other_again_and_know_of_the_gap() {
    let (here, there, hot) = two().await;
    let mut watch = watch(&there).await;
    assert!(there.handles.crash("replicas").await);
    assert_eq!(paths(&mut watch).await, ["missed"]);
    eventually(|| hot.ears() == 6).await;
    here.handles.events.tell(event("after"));
    assert_eq!(paths(&mut watch).await, ["after"]);
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn a_change_is_told_to_others_and_not_to_oneself() {
    let (here, there, hot) = two().await;
    here.handles.replicas.changed();
    eventually(|| there.renewals.load(Ordering::SeqCst) == 1).await;
    hot.gap();
    eventually(|| here.renewals.load(Ordering::SeqCst) == 1).await;
    eventually(|| there.renewals.load(Ordering::SeqCst) == 2).await;
    here.stop().await;
    there.stop().await;
}

#[actix::test]
async fn one_alone_reads_anew_only_when_told() {
    let rig = rig().await;
    rig.handles.replicas.changed();
    assert_eq!(rig.renewals.load(Ordering::SeqCst), 0);
    rig.handles.replicas.stale();
    eventually(|| rig.renewals.load(Ordering::SeqCst) == 1).await;
    rig.stop().await;
}

/// A catalog of which only the epoch matters.
#[derive(Default)]
struct Epochs {
    epoch: AtomicI64,
    away: AtomicBool,
    read: AtomicUsize,
}

impl Epochs {
    fn epoch(&self) -> Result<i64, Fault> {
        self.read.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(Fault::new(Kind::StoreUnavailable, "the catalog is away"));
        }
        Ok(self.epoch.load(Ordering::SeqCst))
    }
}

/// A liaison over a catalog that others change, without any hints.
struct Watched {
    epochs: Arc<Epochs>,
    /// What was in force at each renewal.
    renewed: Arc<Mutex<Vec<i64>>>,
    replicas: Replicas,
    rig: Rig,
}

async fn watched() -> Watched {
    let rig = rig().await;
    let epochs = Arc::new(Epochs::default());
    let renewed: Arc<Mutex<Vec<i64>>> = Arc::default();
    let hot = Common::new(Arc::clone(&rig.clock) as Arc<dyn Clock>);
    hot.be_away(true);
    let signals = Signals::default();
    let (looked, read, noted) = (Arc::clone(&epochs), Arc::clone(&epochs), Arc::clone(&renewed));
    let liaison = Liaison::new(Tools {
        replica: "watched".into(),
        clock: Arc::clone(&rig.clock) as Arc<dyn Clock>,
        hot,
        epoch: Some(Arc::new(move || {
            let looked = looked.epoch();
            Box::pin(async { looked })
        })),
        renew: Arc::new(move || {
            let (read, noted) = (Arc::clone(&read), Arc::clone(&noted));
            Box::pin(async move {
                let now = read.epoch()?;
                noted.lock().unwrap().push(now);
                Ok(())
            })
        }),
        events: rig.handles.events.clone(),
        breakers: rig.handles.breakers.clone(),
        outgoing: crate::inbox::inbox(1).1,
        notices: crate::inbox::inbox(1).1,
        signals: signals.clone(),
    });
    let address = nursery().0.start("replicas".into(), Box::new(|| 0), liaison);
    Watched {
        epochs,
        renewed,
        replicas: Replicas::new(signals, address),
        rig,
    }
}

impl Watched {
    async fn renewed(&self, expected: &[i64]) {
        eventually(|| *self.renewed.lock().unwrap() == expected).await;
    }

    /// Waits until the epoch was read so often again.
    async fn looks(&self, times: usize) {
        let before = self.epochs.read.load(Ordering::SeqCst);
        eventually(|| self.epochs.read.load(Ordering::SeqCst) >= before + times).await;
    }
}

#[actix::test]
async fn a_moved_epoch_is_noticed_without_any_hint_and_one_that_stands_costs_nothing() {
    let watched = watched().await;
    watched.renewed(&[0]).await;
    watched.looks(2).await;
    watched.renewed(&[0]).await;
    watched.epochs.epoch.store(5, Ordering::SeqCst);
    watched.renewed(&[0, 5]).await;
    watched.looks(2).await;
    watched.renewed(&[0, 5]).await;
    watched.replicas.stale();
    watched.renewed(&[0, 5, 5]).await;
    watched.rig.stop().await;
}

#[actix::test]
async fn what_could_not_be_read_is_read_when_the_catalog_is_back() {
    let watched = watched().await;
    watched.renewed(&[0]).await;
    watched.epochs.away.store(true, Ordering::SeqCst);
    watched.replicas.stale();
    watched.looks(4).await;
    watched.epochs.epoch.store(7, Ordering::SeqCst);
    watched.epochs.away.store(false, Ordering::SeqCst);
    watched.renewed(&[0, 7]).await;
    watched.rig.stop().await;
}
