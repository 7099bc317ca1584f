//! Limits of the client in the units it works with.

use std::time::Duration;

use artifactapi_core::config;

/// The first pause before trying again.
const PAUSE: Duration = Duration::from_millis(300);

/// How long to wait and how much to do at once.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Longest time to connect, TLS included.
    pub(crate) connect: Duration,
    /// Longest time from a request to its final head, redirects included.
    pub(crate) head: Duration,
    /// Longest silence within a body.
    pub(crate) idle: Duration,
    /// Requests at once to one host and port.
    pub(crate) per_host: usize,
    /// Requests at once in all.
    pub(crate) in_all: usize,
    /// Requests that may wait for a permit.
    pub(crate) queue: usize,
    /// Longest wait for a permit.
    pub(crate) queue_wait: Duration,
    /// Further tries of a URL that could not be reached.
    pub(crate) retries: u32,
    /// Resumptions of one body.
    pub(crate) resumes: u32,
    /// The first pause before trying again; each later one is twice as long, give or take a quarter.
    pub(crate) pause: Duration,
}

impl Settings {
    /// The pause before try number `done + 1`. `noise` is any number that differs between callers.
    pub(crate) fn pause(&self, done: u32, noise: u64) -> Duration {
        let full = self.pause.saturating_mul(1 << done.min(5));
        let percent = u32::try_from(75 + noise % 51).unwrap_or(100);
        full.saturating_mul(percent) / 100
    }
}

impl From<config::Upstream> for Settings {
    fn from(upstream: config::Upstream) -> Self {
        Self {
            connect: Duration::from_secs(upstream.connect_seconds),
            head: Duration::from_secs(upstream.head_seconds),
            idle: Duration::from_secs(upstream.idle_seconds),
            per_host: upstream.per_host,
            in_all: upstream.in_all,
            queue: upstream.queue,
            queue_wait: Duration::from_secs(upstream.queue_wait_seconds),
            retries: upstream.retries,
            resumes: upstream.resumes,
            pause: PAUSE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_a_quarter_of_their_aim() {
        let settings = Settings::from(config::Upstream::default());
        for (done, aim) in [(0, 300), (1, 600), (2, 1200), (40, 9600)] {
            for noise in [0, 7, 50, u64::MAX] {
                let pause = settings.pause(done, noise).as_millis();
                assert!(
                    aim * 3 / 4 <= pause && pause <= aim * 5 / 4,
                    "{done} {noise} {pause}"
                );
            }
        }
    }
}
