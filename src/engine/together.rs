//! Together: of many who ask the catalog the same at the same moment one asks, and all have its answer.
//!
//! Whoever comes while a question is on its way joins it, but not across a removal: an answer that was on its way then
//! may be what was removed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use artifactapi_core::Fault;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::shelf::Moment;

type Question<T> = BoxFuture<'static, Result<T, Fault>>;

/// By what they are about: since which removal a question is on its way.
type Asked<K, T> = HashMap<K, (Moment, WeakShared<Question<T>>)>;

/// Questions whose answer is lost when everyone has left are swept when there are so many.
const MANY: usize = 1024;

/// The questions on their way, by what they are about.
pub(crate) struct Together<K, T> {
    asked: Mutex<Asked<K, T>>,
}

impl<K, T> Default for Together<K, T> {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash, T: Clone> Together<K, T> {
    /// The answer to the question about `key`, which `ask` makes where none is on its way since this moment.
    pub(crate) async fn answer(
        &self,
        key: &K,
        now: Moment,
        ask: impl FnOnce() -> Question<T>,
    ) -> Result<T, Fault> {
        let question = self.join(key, now, ask);
        let answer = question.clone().await;
        self.forget(key, &question);
        answer
    }

    fn join(&self, key: &K, now: Moment, ask: impl FnOnce() -> Question<T>) -> Shared<Question<T>> {
        let mut asked = self.lock();
        if let Some((since, question)) = asked.get(key)
            && *since == now
            && let Some(question) = question.upgrade()
        {
            return question;
        }
        let question = ask().shared();
        if asked.len() >= MANY {
            asked.retain(|_, (_, question)| question.upgrade().is_some());
        }
        if let Some(weak) = question.downgrade() {
            asked.insert(key.clone(), (now, weak));
        }
        question
    }

    /// An answered question is asked anew by whoever comes next.
    fn forget(&self, key: &K, answered: &Shared<Question<T>>) {
        let mut asked = self.lock();
        let is_it = |question: &WeakShared<_>| {
            let here = question.upgrade();
            here.is_none_or(|here: Shared<_>| here.ptr_eq(answered))
        };
        if asked.get(key).is_some_and(|(_, question)| is_it(question)) {
            asked.remove(key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Asked<K, T>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::{join_all, pending};

    use super::*;

    #[tokio::test]
    async fn many_at_once_ask_once_and_the_next_asks_anew() {
        let (together, asked) = (Together::<u8, usize>::default(), AtomicUsize::new(0));
        let ask = || {
            let number = asked.fetch_add(1, Ordering::SeqCst);
            async move {
                tokio::task::yield_now().await;
                Ok(number)
            }
            .boxed()
        };
        for round in 0..3 {
            let all: Vec<_> = (0..200).map(|_| together.join(&1, Moment::new(7), ask)).collect();
            let last = together.answer(&1, Moment::new(7), ask).await;
            assert_eq!(last.unwrap(), round);
            assert!(
                join_all(all)
                    .await
                    .into_iter()
                    .all(|answer| answer.unwrap() == round)
            );
        }
        assert!(together.lock().is_empty());
    }

    #[tokio::test]
    async fn nobody_joins_across_a_removal_or_a_question_that_everyone_left() {
        let together = Together::<u8, u8>::default();
        let left = together.join(&1, Moment::new(7), || pending().boxed());
        let answer = together.answer(&1, Moment::new(8), || async { Ok(8) }.boxed());
        assert_eq!(answer.await.unwrap(), 8);
        drop(left);
        drop(together.join(&2, Moment::new(7), || pending().boxed()));
        let answer = together.answer(&2, Moment::new(7), || async { Ok(9) }.boxed());
        assert_eq!(answer.await.unwrap(), 9);
        for key in 3..=u8::MAX {
            drop(together.join(&key, Moment::new(7), || pending().boxed()));
        }
        assert!(together.lock().len() <= MANY);
    }
}
