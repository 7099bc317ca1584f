//! The suite for stores of hints.

mod channels;

use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::port::hot::Hot;
use futures_util::future::join_all;

use self::channels::{message, next};

const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(1);

/// Every promise of [`Hot`].
pub async fn hot<S: Hot, F: Future<Output = S>>(make: impl Fn() -> F) {
    let all = [cases(), channels::cases()].concat();
    super::run(make, &all, |store| Box::pin(nothing_is_left(store))).await;
}

/// What [`Hot`] promises to those who hold one store by two handles, as two replicas do; the handles know nothing of
/// each other.
pub async fn hot_between(one: &impl Hot, other: &impl Hot) {
    values_are_shared(one, other).await;
    leases_are_shared(one, other).await;
    channels_are_shared(one, other).await;
}

super::cases! { Hot;
    values_read_back_and_are_replaced,
    a_deleted_value_is_gone,
    a_value_ends,
    the_shortest_and_the_longest_life_are_taken,
    keys_are_compared_by_bytes,
    values_and_leases_of_one_name_are_apart,
    a_lease_has_one_owner_at_a_time,
    a_lease_is_extended_by_its_owner,
    only_the_owner_gives_a_lease_back,
    a_lease_ends,
    of_many_who_ask_at_once_one_gets_the_lease,
    a_healthy_store_says_so,
}

/// After a case: every key it used can be given up.
async fn nothing_is_left(store: Arc<impl Hot>) {
    for key in ["a", "A", "ä", "a b\n", "", "l"] {
        store.delete(key).await.unwrap();
        assert_eq!(store.get(key).await.unwrap(), None);
    }
}

async fn values_read_back_and_are_replaced(store: Arc<impl Hot>) {
    assert_eq!(store.get("a").await.unwrap(), None);
    let bytes: Vec<u8> = (0..=255).collect();
    for value in [bytes, vec![], b"again".to_vec()] {
        store.set("a", value.clone(), LONG).await.unwrap();
        assert_eq!(store.get("a").await.unwrap(), Some(value));
    }
}

async fn a_deleted_value_is_gone(store: Arc<impl Hot>) {
    store.set("a", b"x".to_vec(), LONG).await.unwrap();
    store.delete("a").await.unwrap();
    assert_eq!(store.get("a").await.unwrap(), None);
    store.delete("a").await.unwrap();
}

async fn a_value_ends(store: Arc<impl Hot>) {
    store.set("a", b"x".to_vec(), SHORT).await.unwrap();
    for _ in 0..1000 {
        if store.get("a").await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(SHORT).await;
    }
    panic!("a value of a millisecond is still there");
}

async fn the_shortest_and_the_longest_life_are_taken(store: Arc<impl Hot>) {
    store.set("a", b"x".to_vec(), Duration::MAX).await.unwrap();
    assert!(store.get("a").await.unwrap().is_some());
    assert!(store.acquire("l", "one", Duration::MAX).await.unwrap());
    assert!(!store.acquire("l", "two", LONG).await.unwrap());
    store.release("l", "one").await.unwrap();
    store.set("a", b"y".to_vec(), Duration::ZERO).await.unwrap();
    store.acquire("l", "one", Duration::ZERO).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(store.get("a").await.unwrap(), None);
    assert!(store.acquire("l", "two", LONG).await.unwrap());
    store.release("l", "two").await.unwrap();
}

async fn values_and_leases_of_one_name_are_apart(store: Arc<impl Hot>) {
    assert!(store.acquire("l", "one", LONG).await.unwrap());
    assert_eq!(store.get("l").await.unwrap(), None);
    store.set("l", b"x".to_vec(), LONG).await.unwrap();
    assert!(!store.acquire("l", "x", LONG).await.unwrap());
    store.release("l", "one").await.unwrap();
    assert_eq!(store.get("l").await.unwrap(), Some(b"x".to_vec()));
    store.delete("l").await.unwrap();
}

async fn keys_are_compared_by_bytes(store: Arc<impl Hot>) {
    let keys = ["a", "A", "ä", "a b\n", ""];
    for (key, n) in keys.into_iter().zip(0..) {
        store.set(key, vec![n], LONG).await.unwrap();
    }
    for (key, n) in keys.into_iter().zip(0..) {
        assert_eq!(store.get(key).await.unwrap(), Some(vec![n]), "{key:?}");
    }
}

async fn a_lease_has_one_owner_at_a_time(store: Arc<impl Hot>) {
    assert!(store.acquire("l", "one", LONG).await.unwrap());
    assert!(!store.acquire("l", "two", LONG).await.unwrap());
    assert!(store.acquire("L", "two", LONG).await.unwrap());
    store.release("l", "one").await.unwrap();
    assert!(store.acquire("l", "two", LONG).await.unwrap());
    assert!(!store.acquire("l", "one", LONG).await.unwrap());
    store.release("l", "two").await.unwrap();
    store.release("L", "two").await.unwrap();
}

async fn a_lease_is_extended_by_its_owner(store: Arc<impl Hot>) {
    assert!(
        store
            .acquire("l", "one", Duration::from_millis(50))
            .await
            .unwrap()
    );
    assert!(store.acquire("l", "one", LONG).await.unwrap());
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(!store.acquire("l", "two", LONG).await.unwrap());
    store.release("l", "one").await.unwrap();
}

async fn only_the_owner_gives_a_lease_back(store: Arc<impl Hot>) {
    store.release("l", "nobody").await.unwrap();
    assert!(store.acquire("l", "one", LONG).await.unwrap());
    store.release("l", "two").await.unwrap();
    assert!(!store.acquire("l", "two", LONG).await.unwrap());
    store.release("l", "one").await.unwrap();
}

async fn a_lease_ends(store: Arc<impl Hot>) {
    assert!(store.acquire("l", "one", SHORT).await.unwrap());
    for _ in 0..1000 {
        if store.acquire("l", "two", LONG).await.unwrap() {
            store.release("l", "two").await.unwrap();
            return;
        }
        tokio::time::sleep(SHORT).await;
    }
    panic!("a lease of a millisecond is still held");
}

async fn of_many_who_ask_at_once_one_gets_the_lease(store: Arc<impl Hot>) {
    let owners: Vec<String> = (0..20).map(|n| format!("owner {n}")).collect();
    let got = join_all(owners.iter().map(|owner| store.acquire("l", owner, LONG))).await;
    let winners: Vec<_> = owners
        .iter()
        .zip(got)
        .filter(|(_, got)| *got.as_ref().unwrap())
        .collect();
    assert_eq!(winners.len(), 1);
    store.release("l", winners[0].0).await.unwrap();
}

async fn a_healthy_store_says_so(store: Arc<impl Hot>) {
    store.check().await.unwrap();
    assert!(!store.kind().is_empty());
}

async fn values_are_shared(one: &impl Hot, other: &impl Hot) {
    one.set("a", b"x".to_vec(), LONG).await.unwrap();
    assert_eq!(other.get("a").await.unwrap(), Some(b"x".to_vec()));
    other.delete("a").await.unwrap();
    assert_eq!(one.get("a").await.unwrap(), None);
}

async fn leases_are_shared(one: &impl Hot, other: &impl Hot) {
    assert!(one.acquire("l", "one", LONG).await.unwrap());
    assert!(!other.acquire("l", "other", LONG).await.unwrap());
    other.release("l", "other").await.unwrap();
    assert!(!other.acquire("l", "other", LONG).await.unwrap());
    one.release("l", "one").await.unwrap();
    assert!(other.acquire("l", "other", LONG).await.unwrap());
    other.release("l", "other").await.unwrap();
}

async fn channels_are_shared(one: &impl Hot, other: &impl Hot) {
    let mut here = one.listen("news").await.unwrap();
    let mut there = other.listen("news").await.unwrap();
    for n in 0..100_u8 {
        one.publish("news", vec![n]).await.unwrap();
        other.publish("news", vec![n, n]).await.unwrap();
    }
    for n in 0..100_u8 {
        for hearing in [&mut here, &mut there] {
            assert_eq!(next(hearing).await, message([n]));
            assert_eq!(next(hearing).await, message([n, n]));
        }
    }
}
