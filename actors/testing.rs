//! What the tests of this crate share.

pub(crate) mod hot;
pub(crate) mod landing;
pub(crate) mod rig;
pub(crate) mod upstream;

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use artifactapi_core::entry::{EntryKey, Lifetime};
use artifactapi_core::key::ObjectName;
use artifactapi_core::port::upstream::Head;
use artifactapi_core::{Clock, Digest, Entry, Headers, Key, RepoId, Time};

use crate::board::Board;
use crate::keeper::Nursery;

/// A clock that the test moves.
#[derive(Default)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn at(micros: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(micros)))
    }

    pub(crate) fn set(&self, micros: i64) {
        self.0.store(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::SeqCst))
    }
}

/// The names of workers that gave up.
pub(crate) type GaveUp = Arc<Mutex<Vec<String>>>;

pub(crate) fn nursery() -> (Nursery, GaveUp) {
    let gave_up = GaveUp::default();
    let noted = Arc::clone(&gave_up);
    let nursery = Nursery {
        board: Board::default(),
        give_up: Arc::new(move |name| noted.lock().unwrap().push(name.to_owned())),
    };
    (nursery, gave_up)
}

/// Waits until something holds; fails after a time that no healthy run needs.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(wait).await;
}

/// Awaits what must come; fails after a time that no healthy run needs.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, future)
        .await
        .expect("it came in time")
}

/// Bytes that are different at every offset that matters.
pub(crate) fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

pub(crate) fn head(status: u16, length: Option<u64>) -> Head {
    Head {
        status,
        headers: Headers::new(),
        url: "http://up.example/x".parse().unwrap(),
        length,
        framed: true,
    }
}

pub(crate) fn entry(path: &str) -> Arc<Entry> {
    let digest = Digest::sha256(path.as_bytes());
    Arc::new(Entry {
        id: EntryKey::new(RepoId(uuid::Uuid::nil()), Key::new(path).unwrap()),
        object: ObjectName::blob(&digest, uuid::Uuid::nil()),
        digest,
        size: 1,
        lifetime: Lifetime::Immutable,
        media: "text/plain".into(),
        etag: None,
        last_modified: None,
        kept: Headers::new(),
        source_url: None,
        proven: true,
        fetched_at: Time(0),
        validated_at: Time(0),
        expires_at: None,
    })
}
