//! The access log, statistics and settings.

use artifactapi_core::port::catalog::{LogRow, StatRow};
use futures_util::future::join_all;

use super::{Arc, Catalog, EVER, Time};

super::super::cases! { Catalog;
    requests_add_up_by_hour_and_repository,
    statistics_begin_with_the_hour_asked_for,
    pruning_drops_old_rows_and_no_statistics,
    rows_from_a_clock_that_is_ahead_keep_no_old_ones,
    an_empty_record_is_fine,
    a_setting_is_settled_once,
    of_many_who_settle_all_get_one_value,
}

const HOUR: i64 = 3_600_000_000;

fn row(at: i64, repo: &str, bytes: u64, hit: bool) -> LogRow {
    LogRow {
        at: Time(at),
        repo: repo.into(),
        method: "GET",
        path: "ünï/'path\"".into(),
        status: 200,
        outcome: "hit",
        hit,
        bytes,
        micros: 5,
    }
}

async fn requests_add_up_by_hour_and_repository(store: Arc<impl Catalog>) {
    store
        .record(&[row(HOUR + 1, "b", 10, true), row(HOUR, "a", 1, false)], &[])
        .await
        .unwrap();
    let more = [
        row(2 * HOUR - 1, "a", 100, true),
        row(2 * HOUR, "a", 7, false),
        row(HOUR, "a", 5, true),
    ];
    store.record(&more, &[]).await.unwrap();
    store.record(&[row(HOUR, "", 3, false)], &[]).await.unwrap();
    let stat = |hour: i64, repo: &str, [requests, hits, bytes, bytes_saved]: [u64; 4]| StatRow {
        from: Time(hour * HOUR),
        repo: repo.to_owned(),
        requests,
        hits,
        bytes,
        bytes_saved,
    };
    let wanted = [
        stat(1, "", [1, 0, 3, 0]),
        stat(1, "a", [3, 2, 106, 105]),
        stat(1, "b", [1, 1, 10, 10]),
        stat(2, "a", [1, 0, 7, 0]),
    ];
    assert_eq!(store.statistics(Time(0)).await.unwrap(), wanted);
}

async fn statistics_begin_with_the_hour_asked_for(store: Arc<impl Catalog>) {
    let rows: Vec<_> = (0..4).map(|hour| row(hour * HOUR, "a", 1, true)).collect();
    store.record(&rows, &[]).await.unwrap();
    for (since, first) in [(0, 0), (1, 0), (HOUR, 1), (2 * HOUR + 5, 2), (4 * HOUR, 4)] {
        let hours: Vec<_> = store.statistics(Time(since)).await.unwrap();
        let hours: Vec<_> = hours.into_iter().map(|row| row.from.0 / HOUR).collect();
        assert_eq!(hours, (first..4).collect::<Vec<_>>(), "{since}");
    }
}

async fn pruning_drops_old_rows_and_no_statistics(store: Arc<impl Catalog>) {
    let rows: Vec<_> = (0..250).map(|n| row(n, "a", 1, true)).collect();
    store.record(&rows, &[]).await.unwrap();
    assert_eq!(store.prune_log(Time(0)).await.unwrap(), 0);
    assert_eq!(store.prune_log(Time(100)).await.unwrap(), 100);
    assert_eq!(store.prune_log(Time(100)).await.unwrap(), 0);
    assert_eq!(store.prune_log(EVER).await.unwrap(), 150);
    assert_eq!(store.statistics(Time(0)).await.unwrap()[0].requests, 250);
}

async fn rows_from_a_clock_that_is_ahead_keep_no_old_ones(store: Arc<impl Catalog>) {
    let ahead: Vec<_> = (0..6_000).map(|_| row(i64::MAX / 2, "a", 1, true)).collect();
    store.record(&ahead, &[]).await.unwrap();
    store.record(&[row(1, "a", 1, true)], &[]).await.unwrap();
    assert_eq!(store.prune_log(Time(100)).await.unwrap(), 6_001);
}

async fn an_empty_record_is_fine(store: Arc<impl Catalog>) {
    store.record(&[], &[]).await.unwrap();
    assert_eq!(store.statistics(Time(0)).await.unwrap(), []);
}

async fn a_setting_is_settled_once(store: Arc<impl Catalog>) {
    assert_eq!(store.setting("ünï").await.unwrap(), None);
    assert_eq!(store.settle("ünï", "first '").await.unwrap(), "first '");
    assert_eq!(store.settle("ünï", "second").await.unwrap(), "first '");
    assert_eq!(store.settle("Ünï", "other").await.unwrap(), "other");
    assert_eq!(store.setting("ünï").await.unwrap().as_deref(), Some("first '"));
}

async fn of_many_who_settle_all_get_one_value(store: Arc<impl Catalog>) {
    let values: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    let got = join_all(values.iter().map(|value| store.settle("name", value))).await;
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    assert!(values.contains(&got[0]));
    assert!(got.iter().all(|value| *value == got[0]), "{got:?}");
}
