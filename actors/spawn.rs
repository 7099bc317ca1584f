//! Tasks with a name, whose panics are reported instead of vanishing with a handle that nobody awaits.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;

static PANICS: AtomicU64 = AtomicU64::new(0);

/// Runs a future on the arbiter of the calling thread. A panic ends it alone; it is logged and counted.
///
/// Only for threads that run an actix system or arbiter.
pub fn spawn_named(name: &'static str, future: impl Future<Output = ()> + 'static) {
    #[expect(clippy::disallowed_methods, reason = "the one place that reports panics")]
    let task = actix_rt::spawn(async move {
        caught(name, future).await;
    });
    drop(task);
}

/// How many panics were caught since start: those of kept workers, flights, and tasks with a name.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// Runs a future to its end; `false` if it panicked, which is reported.
pub(crate) async fn caught(name: &str, future: impl Future<Output = ()>) -> bool {
    let end = AssertUnwindSafe(future).catch_unwind().await;
    end.map_err(|payload| report(name, payload.as_ref())).is_ok()
}

/// Logs and counts a panic; gives its text.
pub(crate) fn report(name: &str, payload: &(dyn Any + Send)) -> String {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| String::from("panicked without a text"));
    log::error!(worker = name; "{name} panicked: {text}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_panic_is_counted_and_ends_its_task_alone() {
        let before = panics();
        assert!(!caught("doomed", async { panic!("boom {}", 1) }).await);
        assert!(caught("fine", async {}).await);
        assert!(panics() > before);
    }
}
