//! Limits of the client in the units it works with.

use std::time::Duration;

/// How long to wait and how much to do at once.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Longest time to connect, TLS included.
    pub connect: Duration,
    /// Longest time from a request to its final head, redirects included.
    pub head: Duration,
    /// Longest silence within a body.
    pub idle: Duration,
    /// Requests at once to one host and port.
    pub per_host: usize,
    /// Requests at once in all.
    pub in_all: usize,
    /// Requests that may wait for a permit.
    pub queue: usize,
    /// Longest wait for a permit.
    pub queue_wait: Duration,
    /// Further tries of a URL that could not be reached.
    pub retries: u32,
    /// Resumptions of one body.
    pub resumes: u32,
    /// The first pause before trying again; each later one is twice as long, give or take a quarter.
    pub pause: Duration,
}

impl Settings {
    /// The pause before try number `done + 1`. `noise` is any number that differs between callers.
    pub(crate) fn pause(&self, done: u32, noise: u64) -> Duration {
        let full = self.pause.saturating_mul(1 << done.min(5));
        let percent = u32::try_from(75 + noise % 51).unwrap_or(100);
        full.saturating_mul(percent) / 100
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            head: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            per_host: 64,
            in_all: 512,
            queue: 1024,
            queue_wait: Duration::from_secs(30),
            retries: 2,
            resumes: 3,
            pause: Duration::from_millis(300),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_a_quarter_of_their_aim() {
        let settings = Settings::default();
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
