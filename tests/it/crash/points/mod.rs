//! Every point is a safe place to die: the program kills itself before and after each effect on a store, in every
//! operation that passes it.
//!
//! Each operation is carried out once undisturbed, to learn which points it passes and what it leads to. Then, for each
//! of these points, by a program on fresh stores that dies there: `fsck` finds no damage, what was acknowledged holds,
//! the client's retry leads to the same state, and a collection leaves no waste. The points that were hit are those that
//! the program lists, all of them. With `IT_POINTS=once` each dies in one operation alone, the first that passes it.

mod client;
mod scenario;
mod state;
mod table;
mod trial;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::scenario::Scenario;
use self::trial::{Death, Lesson};
use crate::support::parts::Parts;
use crate::support::process::run;

/// Programs at once.
const AT_ONCE: usize = 4;
/// Programs at once where the leases of the dead outlive them: most of the time is spent waiting for these.
const AT_ONCE_ON_REDIS: usize = 6;

/// Carries out tasks, a few at a time and each on a thread of its own, since they wait for programs to end; gives what came
/// of each, or its name where it failed.
async fn each<T, F>(tasks: impl IntoIterator<Item = (String, F)>) -> (Vec<T>, Vec<String>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let at_once = if Parts::asked().redis {
        AT_ONCE_ON_REDIS
    } else {
        AT_ONCE
    };
    let turns = Arc::new(Semaphore::new(at_once));
    let mut running = JoinSet::new();
    for (name, task) in tasks {
        let turns = Arc::clone(&turns);
        running.spawn(async move {
            let _turn = turns.acquire_owned().await.expect("nobody closes it");
            let done = tokio::task::spawn_blocking(|| alone(task)).await;
            done.map_err(|_| name)
        });
    }
    let mut all = (Vec::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        match done.expect("the task has caught it") {
            Ok(value) => all.0.push(value),
            Err(name) => all.1.push(name),
        }
    }
    all
}

fn alone<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(task)
}

/// Each operation with each point that it passes, by name and as a task.
fn trials(lessons: &[Arc<Lesson>]) -> Vec<(String, impl Future<Output = Death> + Send + use<>)> {
    let once = std::env::var("IT_POINTS").is_ok_and(|asked| asked == "once");
    let (mut seen, mut trials) = (BTreeSet::new(), Vec::new());
    for lesson in lessons {
        for point in &lesson.points {
            if seen.insert(point) || !once {
                let name = format!("{} / {point}", lesson.scenario.name());
                trials.push((name, trial::dies(Arc::clone(lesson), point.clone())));
            }
        }
    }
    trials
}

/// The points of the program, in its order.
fn listed() -> Vec<String> {
    let ran = run(&["failpoints"]);
    assert_eq!(ran.code, Some(0), "{}", ran.output);
    ran.output.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_point_is_a_safe_place_to_die() {
    let points = listed();
    let learn = |scenario: Scenario| (scenario.name(), trial::learn(scenario));
    let learning: Vec<_> = Scenario::ALL.into_iter().map(learn).collect();
    let (mut lessons, unlearned) = each(learning).await;
    assert_eq!(unlearned, Vec::<String>::new(), "undisturbed");
    lessons.sort_by_key(|lesson: &Lesson| Scenario::ALL.iter().position(|one| *one == lesson.scenario));
    let lessons: Vec<Arc<Lesson>> = lessons.into_iter().map(Arc::new).collect();
    let trials = trials(&lessons);
    let count = trials.len();
    let (deaths, failed) = each(trials).await;
    println!("{}", table::of(&points, &lessons, &deaths));
    let hit: BTreeSet<&String> = deaths.iter().map(|death| &death.point).collect();
    let missed: Vec<_> = points.iter().filter(|point| !hit.contains(point)).collect();
    println!(
        "points: {} listed, {} hit, {count} deaths, {} failed",
        points.len(),
        hit.len(),
        failed.len()
    );
    assert_eq!(failed, Vec::<String>::new(), "these went wrong");
    assert_eq!(missed, Vec::<&String>::new(), "no operation passes these");
}
