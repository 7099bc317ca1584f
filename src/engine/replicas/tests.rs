mod rig;

use artifactapi_core::breaker::State;
use artifactapi_core::fault::Retry;
use artifactapi_core::policy::Admission;
use artifactapi_core::repository::Role;
use artifactapi_core::{Digest, Key};

use self::rig::{Replica, World, eventually, run};
use crate::admin::Changes as _;

/// Whether this replica refuses `doc` by its patterns.
fn refuses(replica: &Replica) -> bool {
    let mount = replica.shared().table.get("r").unwrap();
    let key = Key::new("doc").unwrap();
    matches!(mount.policy.admit(&key, false), Admission::Denied(_))
}

#[test]
fn a_change_on_one_replica_is_in_force_on_the_other() {
    run(async {
        let world = World::new(3600).await;
        let (here, there) = world.two_that_hear().await;
        let breakers = &there.shared().handles.breakers;
        breakers.gate(world.repository.id, "r").await.unwrap();
        let mut changed = world.repository.clone();
        let Role::Remote(settings) = &mut changed.role else {
            unreachable!("it is a remote")
        };
        settings.blocklist = vec!["^doc".into()];
        changed.revision = 2;
        let catalog = &world.catalog;
        assert!(catalog.replace_repository(&changed, 1, false).await.unwrap());
        here.engine.reload().await.unwrap();
        assert!(refuses(&here));
        eventually(|| async { refuses(&there) }).await;

        assert!(catalog.delete_repository(changed.id, 2).await.unwrap());
        here.engine.reload().await.unwrap();
        eventually(|| async { there.shared().table.get("r").is_none() }).await;
        let board = &there.shared().handles.board;
        eventually(|| async { board.workers().iter().all(|worker| worker.kind != "breaker") }).await;
        assert_eq!(breakers.state(changed.id), State::Closed);
    });
}

#[test]
fn what_one_replica_evicts_the_other_does_not_serve() {
    run(async {
        let world = World::new(3600).await;
        let (here, there) = world.two_that_hear().await;
        here.upstream.says(200, "bytes");
        assert_eq!(here.get().await.unwrap(), Digest::sha256(b"bytes"));
        assert_eq!(there.get().await.unwrap(), Digest::sha256(b"bytes"));
        assert_eq!(there.upstream.asked(), 0);
        let gone = [(world.id(), None)];
        let removed = world.catalog.remove(&gone, false).await.unwrap();
        here.engine.evicted(&removed);
        there.upstream.says(200, "others");
        let others = Digest::sha256(b"others");
        eventually(|| async { there.get().await.unwrap() == others }).await;
        assert_eq!(there.upstream.asked(), 1);
    });
}

/// Two replicas that know nothing of each other, of which the first has begun to ask and stands still. The second has
/// asked and stored meanwhile.
async fn overtaken(world: &World, slow: (u16, &str), quick: (u16, &str)) -> (Replica, Replica) {
    let (here, there) = (world.deaf().await, world.deaf().await);
    let gate = here.upstream.holds(slow.0, slow.1);
    there.upstream.says(quick.0, quick.1);
    let slow = async {
        // What the slow one's own client gets is right for when it asked.
        drop(here.get().await);
    };
    let quick = async {
        eventually(|| async { here.upstream.asked() == 1 }).await;
        drop(there.get().await);
        eventually(|| async { there.shared().handles.flights.in_flight() == 0 }).await;
        gate.add_permits(1);
    };
    tokio::join!(slow, quick);
    eventually(|| async { here.shared().handles.flights.in_flight() == 0 }).await;
    (here, there)
}

#[test]
fn an_older_document_never_replaces_a_newer_one() {
    run(async {
        let world = World::new(3600).await;
        let (here, _there) = overtaken(&world, (200, "old"), (200, "new")).await;
        let new = Digest::sha256(b"new");
        assert_eq!(world.stored().await.unwrap().digest, new);
        assert_eq!(here.get().await.unwrap(), new, "memory has what the catalog has");
        assert_eq!(here.upstream.asked(), 1);
        assert_eq!(
            world.objects().await,
            1,
            "the bytes that came too late are removed"
        );
    });
}

#[test]
fn a_newer_document_replaces_the_older_one() {
    run(async {
        let world = World::new(0).await;
        let here = world.deaf().await;
        for body in ["one", "two"] {
            here.upstream.says(200, body);
            here.get().await.unwrap();
            assert_eq!(
                world.stored().await.unwrap().digest,
                Digest::sha256(body.as_bytes())
            );
        }
    });
}

#[test]
fn an_older_confirmation_moves_no_time_back_and_revives_nothing() {
    run(async {
        let world = World::new(0).await;
        let first = world.deaf().await;
        first.upstream.says(200, "same");
        first.get().await.unwrap();
        overtaken(&world, (304, ""), (200, "same")).await;
        let confirmed = world.stored().await.unwrap();
        overtaken(&world, (304, ""), (304, "")).await;
        let again = world.stored().await.unwrap();
        assert!(again.validated_at > confirmed.validated_at);
        overtaken(&world, (304, ""), (200, "new")).await;
        assert_eq!(world.stored().await.unwrap().digest, Digest::sha256(b"new"));
    });
}

#[test]
fn an_older_absence_removes_nothing_newer() {
    run(async {
        let world = World::new(3600).await;
        let (here, _there) = overtaken(&world, (404, ""), (200, "new")).await;
        assert_eq!(world.stored().await.unwrap().digest, Digest::sha256(b"new"));
        assert_eq!(here.get().await.unwrap(), Digest::sha256(b"new"));
    });
}

#[test]
fn an_entry_that_another_replica_replaced_and_collected_is_looked_up_again() {
    run(async {
        let world = World::new(3600).await;
        let (here, there) = (world.deaf().await, world.deaf().await);
        here.upstream.says(200, "old");
        here.get().await.unwrap();
        let old = world.stored().await.unwrap();
        there.upstream.says(200, "new");
        world.remove(&old).await;
        there.get().await.unwrap();
        let fault = here.shared().lost(&old).await;
        assert_eq!(fault.retry, Retry::Now);
        assert!(
            crate::obtain::crashed(&fault),
            "so that the request is tried once more"
        );
        assert_eq!(here.get().await.unwrap(), Digest::sha256(b"new"));
    });
}

#[test]
fn what_is_in_memory_is_kept_while_the_catalog_is_away() {
    run(async {
        let world = World::new(3600).await;
        let here = world.deaf().await;
        here.upstream.says(200, "bytes");
        here.get().await.unwrap();
        world.lose_catalog().await;
        assert!((here.renew)().await.is_err());
        assert_eq!(here.get().await.unwrap(), Digest::sha256(b"bytes"));
    });
}
