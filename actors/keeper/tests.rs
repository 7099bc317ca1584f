use actix::{ActorContext as _, AsyncContext as _, Handler, Message};

use super::*;
use crate::failpoints::Crash;
use crate::testing::{GaveUp, eventually, nursery};

struct Counter {
    count: u32,
    bombs: u32,
    /// Panics when the actor is dropped.
    _last: Option<Bomb>,
}

impl Actor for Counter {
    type Context = Context<Self>;
}

impl Supervised for Counter {
    fn restarting(&mut self, _: &mut Context<Self>) {
        if self.bombs > 0 {
            self.bombs -= 1;
            panic!("in restarting");
        }
        self.count = 0;
    }
}

impl Kept for Counter {
    const KIND: &'static str = "counter";
}

#[derive(Message)]
#[rtype(result = "u32")]
struct Count;

impl Handler<Count> for Counter {
    type Result = u32;

    fn handle(&mut self, _: Count, _: &mut Context<Self>) -> u32 {
        self.count += 1;
        self.count
    }
}

impl Handler<Crash> for Counter {
    type Result = ();

    fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
        panic!("boom");
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Stop;

impl Handler<Stop> for Counter {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// Makes the actor run a task whose drop panics.
#[derive(Message)]
#[rtype(result = "()")]
struct Plant;

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a destructor panics");
    }
}

impl Handler<Plant> for Counter {
    type Result = ();

    fn handle(&mut self, _: Plant, ctx: &mut Context<Self>) {
        let bomb = Bomb;
        ctx.spawn(actix::fut::wrap_future(async move {
            let _bomb = bomb;
            std::future::pending::<()>().await;
        }));
    }
}

fn kept(bombs: u32) -> (Addr<Counter>, Board, GaveUp) {
    // Time stands still unless everybody sleeps, so that pauses take none.
    tokio::time::pause();
    let (nursery, gave_up) = nursery();
    let counter = Counter {
        count: 0,
        bombs,
        _last: (bombs == u32::MAX).then(|| Bomb),
    };
    let address = nursery.start("counter-0".into(), Box::new(|| 3), counter);
    (address, nursery.board, gave_up)
}

#[actix::test]
async fn after_a_panic_the_address_lives_the_state_is_fresh_and_the_board_tells() {
    let (counter, board, gave_up) = kept(0);
    counter.send(Count).await.unwrap();
    let (crashed, queued) = tokio::join!(counter.send(Crash), counter.send(Count));
    assert!(crashed.is_err(), "the message that panicked is lost");
    assert_eq!(
        queued.unwrap(),
        1,
        "the one behind it is answered with fresh state"
    );
    let status = board.workers().remove(0);
    assert_eq!(
        (status.name.as_str(), status.kind, status.queue),
        ("counter-0", "counter", 3)
    );
    assert_eq!((status.state, status.restarts), (WorkerState::Running, 1));
    assert_eq!(status.last_error.as_deref(), Some("boom"));
    assert!(gave_up.lock().unwrap().is_empty());
}

#[actix::test]
async fn the_sixth_panic_within_ten_seconds_gives_up() {
    let (counter, board, gave_up) = kept(0);
    for _ in 0..5 {
        counter.send(Crash).await.unwrap_err();
        assert_eq!(counter.send(Count).await.unwrap(), 1);
    }
    counter.send(Crash).await.unwrap_err();
    eventually(|| !gave_up.lock().unwrap().is_empty()).await;
    assert_eq!(*gave_up.lock().unwrap(), ["counter-0"]);
    assert_eq!(board.workers().remove(0).state, WorkerState::GaveUp);
    counter.send(Count).await.unwrap_err();
}

#[actix::test]
async fn panics_longer_ago_are_forgiven() {
    let (counter, board, gave_up) = kept(0);
    for _ in 0..20 {
        counter.send(Crash).await.unwrap_err();
        assert_eq!(counter.send(Count).await.unwrap(), 1);
        tokio::time::advance(Duration::from_secs(3)).await;
    }
    assert_eq!(board.workers().remove(0).restarts, 20);
    assert!(gave_up.lock().unwrap().is_empty());
}

#[actix::test]
async fn panics_in_restarting_and_in_destructors_are_survived() {
    let (counter, board, _) = kept(1);
    counter.send(Plant).await.unwrap();
    let (crashed, queued) = tokio::join!(counter.send(Crash), counter.send(Count));
    assert!(crashed.is_err());
    assert_eq!(queued.unwrap(), 1);
    assert_eq!(board.workers().remove(0).restarts, 1);
}

#[actix::test]
async fn a_restart_that_never_succeeds_gives_up_whatever_the_destructor_does() {
    let (counter, _, gave_up) = kept(u32::MAX);
    counter.send(Crash).await.unwrap_err();
    eventually(|| !gave_up.lock().unwrap().is_empty()).await;
}

#[actix::test]
async fn an_actor_that_stops_retires_from_the_board() {
    let (counter, board, gave_up) = kept(0);
    counter.send(Stop).await.unwrap();
    eventually(|| board.workers().is_empty()).await;
    assert!(gave_up.lock().unwrap().is_empty());
}

#[actix::test]
async fn an_actor_whose_address_nobody_has_retires_from_the_board() {
    let (counter, board, gave_up) = kept(0);
    counter.send(Count).await.unwrap();
    drop(counter);
    eventually(|| board.workers().is_empty()).await;
    assert!(gave_up.lock().unwrap().is_empty());
}

#[test]
fn pauses_double_up_to_a_second() {
    let millis: Vec<_> = (1..=9).map(|n| pause(n).as_millis()).collect();
    assert_eq!(millis, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    assert_eq!(pause(usize::MAX), LONGEST_PAUSE);
}
