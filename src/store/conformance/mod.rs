//! Suites that every implementation of a port must pass unchanged; called from tests.
//!
//! Each case gets a store of its own, fresh from `make`. All cases of a suite run even if some fail; the suite then
//! panics with their names. A suite knows the port and nothing else.

mod blobs;
mod catalog;
mod hot;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

pub use blobs::blobs;
pub use catalog::catalog;
pub use hot::{hot, hot_between};

/// One case of a suite.
type Case<S> = fn(Arc<S>) -> LocalBoxFuture<'static, ()>;

/// Runs each case on a store of its own and panics at the end if some have failed.
async fn run<S, F>(make: impl Fn() -> F, cases: &[(&'static str, Case<S>)], teardown: Case<S>)
where
    F: Future<Output = S>,
{
    let mut failed = Vec::new();
    for (name, case) in cases {
        let store = Arc::new(make().await);
        let whole = async {
            case(store.clone()).await;
            teardown(store).await;
        };
        if AssertUnwindSafe(whole).catch_unwind().await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "these cases failed: {failed:?}");
}

/// Declares the function `cases`, which names async functions as the cases of a suite for `$port`.
macro_rules! cases {
    ($port:ident; $($case:ident,)+) => {
        pub(super) fn cases<S: $port>() -> Vec<(&'static str, $crate::conformance::Case<S>)> {
            vec![$((stringify!($case), |store| Box::pin($case(store)))),+]
        }
    };
}
use cases;
