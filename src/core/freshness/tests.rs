use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::digest::Digest;
use crate::entry::EntryKey;
use crate::headers::Headers;
use crate::key::{Key, ObjectName};
use crate::repository::RepoId;

const RULES: Rules = Rules {
    immutable_ttl: 0,
    mutable_ttl: 600,
    stale_on_error: true,
    max_stale: 0,
    stale_while_revalidate: 0,
};

fn at(seconds: i64) -> Time {
    Time(seconds * 1_000_000)
}

fn entry(lifetime: Lifetime, validated: i64, expires: Option<i64>) -> Entry {
    Entry {
        id: EntryKey::new(RepoId(Uuid::nil()), Key::new("a").unwrap()),
        digest: Digest::sha256(b""),
        object: ObjectName::stored("blobs/x"),
        size: 0,
        lifetime,
        media: String::new(),
        etag: None,
        last_modified: None,
        kept: Headers::new(),
        source_url: None,
        proven: true,
        fetched_at: at(validated),
        validated_at: at(validated),
        expires_at: expires.map(at),
    }
}

fn mutable(validated: i64, expires: i64) -> Entry {
    entry(Lifetime::Mutable, validated, Some(expires))
}

#[test]
fn a_mutable_document_is_fresh_until_its_ttl_ends() {
    let copy = mutable(1_000, 1_600);
    assert_eq!(decide(&copy, &RULES, at(1_599), false), Freshness::Fresh);
    assert_eq!(decide(&copy, &RULES, at(1_600), false), Freshness::Revalidate);
}

#[test]
fn immutable_and_hosted_copies_stay_fresh_whatever_the_client_says() {
    for lifetime in [Lifetime::Immutable, Lifetime::Hosted] {
        let copy = entry(lifetime, 0, None);
        assert_eq!(decide(&copy, &RULES, at(1 << 40), true), Freshness::Fresh);
        assert!(may_serve_stale(&copy, &RULES, at(1 << 40)));
    }
}

#[test]
fn unproven_copies_live_for_the_mutable_ttl_at_most() {
    let end = |proven, rules: &Rules| expiry(Lifetime::Immutable, proven, rules, at(100));
    let short = Rules {
        immutable_ttl: 9,
        ..RULES
    };
    assert_eq!(end(true, &RULES), None);
    assert_eq!(end(false, &RULES), Some(at(700)));
    assert_eq!(end(false, &short), Some(at(109)));
    assert_eq!(end(true, &short), Some(at(109)));
}

#[test]
fn a_client_revalidates_at_most_once_per_half_minute() {
    let copy = mutable(1_000, 1_600);
    assert_eq!(decide(&copy, &RULES, at(1_029), true), Freshness::Fresh);
    assert_eq!(decide(&copy, &RULES, at(1_030), true), Freshness::Revalidate);
}

#[test]
fn a_nudged_copy_rests_even_from_clients_that_insist() {
    let until = nudged(&RULES, at(2_000));
    assert_eq!(until, at(2_060));
    let copy = mutable(1_000, 2_060);
    assert_eq!(decide(&copy, &RULES, at(2_059), true), Freshness::Fresh);
    assert_eq!(decide(&copy, &RULES, at(2_060), true), Freshness::Revalidate);
    let brief = Rules {
        mutable_ttl: 5,
        ..RULES
    };
    assert_eq!(nudged(&brief, at(2_000)), at(2_005));
}

#[test]
fn nudges_do_not_extend_the_stale_limit() {
    let rules = Rules {
        max_stale: 430,
        ..RULES
    };
    let copy = mutable(1_000, 2_060);
    assert!(may_serve_stale(&copy, &rules, at(2_030)));
    assert!(!may_serve_stale(&copy, &rules, at(2_031)));
    assert_eq!(decide(&copy, &rules, at(2_031), false), Freshness::Revalidate);
}

#[test]
fn shorter_ttls_hold_for_what_is_stored_already() {
    let copy = mutable(1_000, 87_400);
    assert_eq!(decide(&copy, &RULES, at(1_700), false), Freshness::Revalidate);
    let now_limited = Rules {
        immutable_ttl: 50,
        ..RULES
    };
    let old = entry(Lifetime::Immutable, 1_000, None);
    assert_eq!(
        decide(&old, &now_limited, at(1_050), false),
        Freshness::Revalidate
    );
}

#[test]
fn a_tolerated_copy_is_refreshed_behind_the_answer() {
    let rules = Rules {
        stale_while_revalidate: 10,
        ..RULES
    };
    let copy = mutable(1_000, 1_600);
    assert_eq!(decide(&copy, &rules, at(1_609), false), Freshness::RefreshBehind);
    assert_eq!(decide(&copy, &rules, at(1_609), true), Freshness::Revalidate);
    assert_eq!(decide(&copy, &rules, at(1_610), false), Freshness::Revalidate);
}

#[test]
fn stale_copies_need_permission_and_fresh_ones_do_not() {
    let strict = Rules {
        stale_on_error: false,
        ..RULES
    };
    let copy = mutable(1_000, 1_600);
    assert!(may_serve_stale(&copy, &strict, at(1_599)));
    assert!(!may_serve_stale(&copy, &strict, at(1_600)));
}

#[test]
fn the_remaining_ttl_is_rounded_down_and_may_be_negative() {
    let copy = mutable(0, 10);
    assert_eq!(ttl_seconds(&copy, Time(9_000_001)), Some(0));
    assert_eq!(ttl_seconds(&copy, Time(10_000_001)), Some(-1));
    assert_eq!(ttl_seconds(&entry(Lifetime::Immutable, 0, None), at(5)), None);
}

/// What a copy is allowed at one moment, worked out by walking second by second from its validation.
#[derive(Debug, Default)]
struct Walked {
    fresh: bool,
    past: u64,
}

fn walk(copy: &Entry, rules: &Rules, now: i64) -> Walked {
    let begin = copy.validated_at.0 / 1_000_000;
    let ttl = match (copy.lifetime, copy.proven, rules.immutable_ttl) {
        (Lifetime::Hosted, _, _) => return Walked { fresh: true, past: 0 },
        (Lifetime::Immutable, true, 0) => u64::MAX,
        (Lifetime::Immutable, true, ttl) => ttl,
        (Lifetime::Immutable, false, ttl) if ttl > 0 && ttl < rules.mutable_ttl => ttl,
        _ => rules.mutable_ttl,
    };
    let mut walked = Walked { fresh: true, past: 0 };
    // Before its validation, by a clock set back, a copy is judged as at its validation, its expiry apart.
    for second in begin.min(now)..=now {
        let aged = u64::try_from(second - begin).is_ok_and(|age| age >= ttl);
        let expired = copy.expires_at.is_some_and(|end| at(second) >= end);
        if !walked.fresh {
            walked.past += 1;
        }
        walked.fresh &= !(aged || expired);
    }
    if let Some(end) = copy.expires_at.filter(|end| *end < at(begin.min(now))) {
        walked.past += u64::try_from(begin.min(now) - end.0 / 1_000_000).unwrap();
    }
    walked
}

fn model(copy: &Entry, rules: &Rules, now: i64, no_cache: bool) -> (Freshness, bool) {
    let walked = walk(copy, rules, now);
    let stale_ok =
        walked.fresh || (rules.stale_on_error && (rules.max_stale == 0 || walked.past <= rules.max_stale));
    let insists =
        no_cache && copy.lifetime == Lifetime::Mutable && now - copy.validated_at.0 / 1_000_000 >= 30;
    let rest = i64::try_from(rules.mutable_ttl.min(60)).unwrap();
    let beyond = expiry(copy.lifetime, copy.proven, rules, copy.validated_at);
    let resting = copy.expires_at.is_some_and(|until| {
        (now + 1..=now + rest).any(|second| at(second) == until) && beyond.is_some_and(|end| end < until)
    });
    let verdict = match (walked.fresh, insists) {
        (true, false) => Freshness::Fresh,
        _ if resting && stale_ok => Freshness::Fresh,
        (false, false) if walked.past < rules.stale_while_revalidate => Freshness::RefreshBehind,
        _ => Freshness::Revalidate,
    };
    (verdict, stale_ok)
}

fn rules() -> impl Strategy<Value = Rules> {
    let brief = || prop_oneof![Just(0_u64), 1_u64..150];
    (brief(), brief(), any::<bool>(), brief(), brief()).prop_map(
        |(immutable_ttl, mutable_ttl, stale_on_error, max_stale, stale_while_revalidate)| Rules {
            immutable_ttl,
            mutable_ttl,
            stale_on_error,
            max_stale,
            stale_while_revalidate,
        },
    )
}

fn copies() -> impl Strategy<Value = Entry> {
    let lifetimes = prop_oneof![
        3 => Just(Lifetime::Mutable),
        2 => Just(Lifetime::Immutable),
        1 => Just(Lifetime::Hosted),
    ];
    (
        lifetimes,
        any::<bool>(),
        900_i64..1_100,
        proptest::option::of(900_i64..1_300),
    )
        .prop_map(|(lifetime, proven, validated, expires)| Entry {
            proven,
            ..entry(lifetime, validated, expires)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn verdicts_are_those_of_a_walk_through_time(
        copy in copies(),
        rules in rules(),
        now in 1_000_i64..1_300,
        no_cache in any::<bool>(),
    ) {
        let (verdict, stale_ok) = model(&copy, &rules, now, no_cache);
        prop_assert_eq!(decide(&copy, &rules, at(now), no_cache), verdict);
        prop_assert_eq!(may_serve_stale(&copy, &rules, at(now)), stale_ok);
    }

    #[test]
    fn what_was_just_validated_is_fresh_unless_its_ttl_is_nought(
        copy in copies(),
        rules in rules(),
        no_cache in any::<bool>(),
    ) {
        let expires_at = expiry(copy.lifetime, copy.proven, &rules, copy.validated_at);
        let copy = Entry { expires_at, ..copy };
        let verdict = decide(&copy, &rules, copy.validated_at, no_cache);
        let nought = expires_at == Some(copy.validated_at);
        prop_assert_eq!(verdict == Freshness::Fresh, !nought);
    }
}
