//! Leases: of many replicas one does a thing at a time, for as long as it says so.
//!
//! Where no other process shares the store of hints there is nobody to agree with, and no lease. Nothing rests on one:
//! where it cannot be had, or is lost, work is done twice.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use artifactapi_core::Fault;
use artifactapi_core::port::hot::Hot;
use futures_util::future::{Either, pending, select};
use tokio::time::sleep;

/// How long a lease holds without a word from its owner.
pub(crate) const TTL: Duration = Duration::from_secs(10);
/// How often its owner speaks.
const EVERY: Duration = Duration::from_secs(3);

/// Where leases come from.
#[derive(Clone)]
pub(crate) struct Leases {
    hot: Arc<dyn Hot>,
    replica: Arc<str>,
}

impl Leases {
    pub(crate) fn new(hot: Arc<dyn Hot>, replica: &str) -> Self {
        Self {
            hot,
            replica: replica.into(),
        }
    }

    /// The lease of this key for the `number`-th try of this process; `None` where there is nobody to agree with.
    ///
    /// Each try is an owner of its own, so that what an earlier one gives back late is not a later one's.
    pub(crate) fn lease(&self, key: String, number: u64) -> Option<Lease> {
        self.hot.is_shared().then(|| Lease {
            hot: Arc::clone(&self.hot),
            key,
            owner: format!("{}/{number}", self.replica),
        })
    }
}

/// One owner's claim to a key.
#[derive(Clone)]
pub(crate) struct Lease {
    hot: Arc<dyn Hot>,
    key: String,
    owner: String,
}

impl Lease {
    /// Takes or extends the lease; `false` if another holds it.
    pub(crate) async fn take(&self) -> Result<bool, Fault> {
        let taken = self.hot.acquire(&self.key, &self.owner, TTL).await;
        taken.inspect_err(|fault| log::debug!(key = self.key.as_str(); "no lease is to be had: {fault:?}"))
    }

    /// Does the work, and extends the lease meanwhile until another has it.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let extended = async {
            loop {
                sleep(EVERY).await;
                if let Ok(false) = self.take().await {
                    return pending::<()>().await;
                }
            }
        };
        match select(pin!(work), pin!(extended)).await {
            Either::Left((done, _)) => done,
            Either::Right(((), work)) => work.await,
        }
    }

    /// Gives the lease back, if it is held still. Failing lets it end by itself.
    pub(crate) async fn give_back(&self) {
        if let Err(fault) = self.hot.release(&self.key, &self.owner).await {
            log::debug!(key = self.key.as_str(); "a lease is not given back: {fault:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use artifactapi_core::{Clock, Time};
    use tokio::time::Instant;

    use super::*;
    use crate::testing::hot::Common;

    /// Goes as the paused runtime does.
    struct Paused(Instant);

    impl Clock for Paused {
        fn now(&self) -> Time {
            Time(0).plus(self.0.elapsed())
        }
    }

    fn leases() -> (Leases, Leases, Arc<Common>) {
        let hot = Common::new(Arc::new(Paused(Instant::now())));
        let of = |replica| Leases::new(Arc::clone(&hot) as Arc<dyn Hot>, replica);
        (of("here"), of("there"), hot)
    }

    fn lease(leases: &Leases, number: u64) -> Lease {
        leases.lease("k".into(), number).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_holds_for_as_long_as_the_work_lasts() {
        let (here, there, _) = leases();
        let (here, there) = (lease(&here, 1), lease(&there, 1));
        assert!(here.take().await.unwrap());
        let tries = async {
            for _ in 0..60 {
                sleep(Duration::from_secs(1)).await;
                assert!(!there.take().await.unwrap());
            }
        };
        here.during(tries).await;
        here.give_back().await;
        assert!(there.take().await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_was_lost_is_not_taken_back_and_work_goes_on() {
        let (here, there, hot) = leases();
        let (here, there) = (lease(&here, 1), lease(&there, 1));
        assert!(here.take().await.unwrap());
        hot.be_away(true);
        let work = async {
            sleep(TTL).await;
            hot.be_away(false);
            assert!(there.take().await.unwrap(), "it ended by itself");
            sleep(EVERY * 2).await;
            there.give_back().await;
            sleep(EVERY * 2).await;
        };
        here.during(work).await;
        assert!(there.take().await.unwrap());
        here.give_back().await;
        assert!(!lease_of_another(&there).take().await.unwrap());
    }

    fn lease_of_another(lease: &Lease) -> Lease {
        Lease {
            owner: "another".into(),
            ..lease.clone()
        }
    }

    #[tokio::test]
    async fn each_try_of_a_process_is_an_owner_of_its_own() {
        let (here, _, _) = leases();
        let (first, second) = (lease(&here, 1), lease(&here, 2));
        assert!(first.take().await.unwrap());
        assert!(!second.take().await.unwrap());
        first.give_back().await;
        assert!(second.take().await.unwrap());
        first.give_back().await;
        assert!(!first.take().await.unwrap());
    }
}
