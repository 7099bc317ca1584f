use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> Time {
    Time(seconds * 1_000_000)
}

fn opened() -> Breaker {
    let mut breaker = Breaker::new();
    for _ in 0..4 {
        assert_eq!(breaker.failure(at(0)), None);
    }
    assert_eq!(breaker.failure(at(0)), Some(State::Open));
    breaker
}

#[test]
fn five_failures_in_a_row_open_it_and_four_do_not() {
    let mut breaker = opened();
    assert_eq!(
        breaker.gate(at(3)),
        Gate::Open {
            retry_after: Duration::from_secs(7)
        }
    );
    let mut lucky = Breaker::new();
    for _ in 0..10 {
        for _ in 0..4 {
            assert_eq!(lucky.failure(at(0)), None);
        }
        for _ in 0..8 {
            assert_eq!(lucky.success(at(0)), None);
        }
    }
    assert_eq!(lucky.gate(at(0)), Gate::Closed);
}

#[test]
fn half_of_twenty_failing_within_the_window_opens_it() {
    let mut breaker = Breaker::new();
    for _ in 0..9 {
        assert_eq!(breaker.success(at(0)), None);
        assert_eq!(breaker.failure(at(0)), None);
    }
    assert_eq!(breaker.success(at(29)), None);
    assert_eq!(breaker.failure(at(29)), Some(State::Open));
}

#[test]
fn reports_older_than_the_window_do_not_count() {
    let mut breaker = Breaker::new();
    for _ in 0..9 {
        breaker.success(at(0));
        breaker.failure(at(0));
    }
    assert_eq!(breaker.success(at(30)), None);
    assert_eq!(breaker.failure(at(30)), None);
}

#[test]
fn one_probe_goes_and_closes_it_again() {
    let mut breaker = opened();
    assert_eq!(breaker.state(at(9)), State::Open);
    assert_eq!(breaker.state(at(10)), State::HalfOpen);
    assert_eq!(breaker.gate(at(10)), Gate::Probe);
    assert!(matches!(breaker.gate(at(11)), Gate::Open { .. }));
    assert_eq!(breaker.success(at(12)), Some(State::Closed));
    assert_eq!(breaker.gate(at(12)), Gate::Closed);
    assert_eq!(breaker.failure(at(12)), None);
}

#[test]
fn pauses_double_up_to_five_minutes_and_success_resets_them() {
    let mut breaker = opened();
    let mut now = 0;
    for pause in [10, 20, 40, 80, 160, 300, 300] {
        assert!(
            matches!(breaker.gate(at(now + pause - 1)), Gate::Open { .. }),
            "{pause}"
        );
        now += pause;
        assert_eq!(breaker.gate(at(now)), Gate::Probe, "{pause}");
        assert_eq!(breaker.failure(at(now)), Some(State::Open), "{pause}");
    }
    now += 300;
    assert_eq!(breaker.gate(at(now)), Gate::Probe);
    assert_eq!(breaker.success(at(now)), Some(State::Closed));
    for _ in 0..5 {
        breaker.failure(at(now));
    }
    assert_eq!(breaker.gate(at(now + 10)), Gate::Probe);
}

#[test]
fn a_probe_that_never_reports_frees_the_gate() {
    let mut breaker = opened();
    assert_eq!(breaker.gate(at(10)), Gate::Probe);
    assert!(matches!(breaker.gate(at(69)), Gate::Open { .. }));
    assert_eq!(breaker.gate(at(70)), Gate::Probe);
}

#[test]
fn late_reports_do_not_move_an_open_breaker() {
    let mut breaker = opened();
    assert_eq!(breaker.success(at(5)), None);
    assert_eq!(breaker.failure(at(9)), None);
    assert_eq!(breaker.gate(at(10)), Gate::Probe);
}

#[test]
fn a_clock_set_back_does_not_keep_it_open() {
    let mut breaker = Breaker::new();
    for _ in 0..5 {
        breaker.failure(at(3_600));
    }
    assert_eq!(breaker.gate(at(0)), Gate::Probe);
}

/// What happens to a breaker.
#[derive(Clone, Copy, Debug)]
enum Event {
    Gate,
    Success,
    Failure,
    Wait(u8),
}

/// The model remembers everything and recomputes from it.
#[derive(Debug, Default)]
struct Model {
    /// Reports since it was last closed: second and success.
    reports: Vec<(i64, bool)>,
    /// When it opened last, and how often since it was last closed.
    opened: Option<(i64, u32)>,
    /// When the probe went.
    probe: Option<i64>,
}

impl Model {
    fn pause(&self) -> i64 {
        let (_, times) = self.opened.unwrap();
        (10 * 2_i64.pow((times - 1).min(10))).min(300)
    }

    fn state(&self, now: i64) -> State {
        match self.opened {
            None => State::Closed,
            Some((since, _)) if self.probe.is_none() && now - since < self.pause() => State::Open,
            Some(_) => State::HalfOpen,
        }
    }

    fn gate(&mut self, now: i64) -> &'static str {
        match (self.state(now), self.probe) {
            (State::Closed, _) => "closed",
            (State::HalfOpen, probe) if probe.is_none_or(|since| now - since >= 60) => {
                self.probe = Some(now);
                "probe"
            }
            _ => "open",
        }
    }

    fn report(&mut self, now: i64, success: bool) -> Option<State> {
        match (self.state(now), success) {
            (State::Open, _) => None,
            (State::HalfOpen, true) => {
                *self = Self::default();
                Some(State::Closed)
            }
            (State::HalfOpen, false) => {
                let (_, times) = self.opened.unwrap();
                self.opened = Some((now, times + 1));
                self.probe = None;
                Some(State::Open)
            }
            (State::Closed, _) => {
                self.reports.push((now, success));
                let row = self
                    .reports
                    .iter()
                    .rev()
                    .take_while(|(_, success)| !success)
                    .count();
                let recent: Vec<_> = self.reports.iter().filter(|(then, _)| now - then < 30).collect();
                let failed = recent.iter().filter(|(_, success)| !success).count();
                let trips = !success && (row >= 5 || (recent.len() >= 20 && 2 * failed >= recent.len()));
                trips.then(|| {
                    self.opened = Some((now, 1));
                    State::Open
                })
            }
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => Just(Event::Gate),
        4 => Just(Event::Success),
        4 => Just(Event::Failure),
        1 => (0_u8..4).prop_map(Event::Wait),
        1 => (0_u8..100).prop_map(Event::Wait),
    ];
    proptest::collection::vec(event, 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_history_ends_where_the_model_ends(events in events()) {
        let (mut breaker, mut model, mut now) = (Breaker::new(), Model::default(), 0_i64);
        for event in events {
            match event {
                Event::Gate => {
                    let gate = match breaker.gate(at(now)) {
                        Gate::Closed => "closed",
                        Gate::Probe => "probe",
                        Gate::Open { retry_after } => {
                            prop_assert!(!retry_after.is_zero() && retry_after <= LONGEST_PAUSE);
                            "open"
                        }
                    };
                    prop_assert_eq!(gate, model.gate(now));
                }
                Event::Success => prop_assert_eq!(breaker.success(at(now)), model.report(now, true)),
                Event::Failure => prop_assert_eq!(breaker.failure(at(now)), model.report(now, false)),
                Event::Wait(seconds) => now += i64::from(seconds),
            }
            prop_assert_eq!(breaker.state(at(now)), model.state(now));
        }
    }
}

#[test]
fn what_another_replica_found_out_is_taken_over() {
    let mut there = opened();
    let mut here = Breaker::new();
    here.adopt(State::Open, there.held_until(at(2)).unwrap(), at(2));
    assert_eq!(here.gate(at(9)), there.gate(at(9)));
    assert!(matches!(here.gate(at(9)), Gate::Open { .. }));
    assert_eq!(there.gate(at(10)), Gate::Probe);
    here.adopt(State::HalfOpen, there.held_until(at(10)).unwrap(), at(10));
    assert_eq!(here.state(at(19)), State::Open, "one probe is enough");
    assert_eq!(
        here.gate(at(20)),
        Gate::Probe,
        "one that never reports holds nobody up"
    );
    there.success(at(11));
    assert_eq!(there.held_until(at(11)), None);
    here.adopt(State::Closed, at(11), at(11));
    assert_eq!(here.gate(at(11)), Gate::Closed);
}

#[test]
fn the_next_pause_doubles_from_the_one_taken_over() {
    let mut here = Breaker::new();
    here.adopt(State::Open, at(40), at(1));
    assert_eq!(here.gate(at(40)), Gate::Probe);
    assert_eq!(here.failure(at(40)), Some(State::Open));
    assert_eq!(here.held_until(at(40)), Some(at(120)));
}

#[test]
fn a_later_end_of_its_own_and_a_probe_of_its_own_stay() {
    let mut here = opened();
    here.adopt(State::HalfOpen, at(5), at(1));
    assert_eq!(here.held_until(at(1)), Some(at(10)));
    assert_eq!(here.gate(at(10)), Gate::Probe);
    here.adopt(State::Open, at(50), at(11));
    assert_eq!(here.success(at(12)), Some(State::Closed));
}

proptest! {
    #[test]
    fn no_other_clock_holds_it_longer_than_the_longest_pause(until: i64, now in -1_000_000_i64..1_000_000) {
        let mut here = Breaker::new();
        here.adopt(State::Open, Time(until), at(now));
        prop_assert_ne!(here.state(at(now + 300)), State::Open);
        if until <= at(now).0 {
            prop_assert_eq!(here.gate(at(now)), Gate::Probe);
        }
    }
}
