//! The table of what was hit.

use std::sync::Arc;

use super::trial::{Death, Lesson};

/// A row for each point, a column for each operation: `x` where the program died, `a` where it had acknowledged before.
pub(super) fn of(points: &[String], lessons: &[Arc<Lesson>], deaths: &[Death]) -> String {
    let width = points.iter().map(String::len).max().unwrap_or_default();
    let names: Vec<_> = lessons.iter().map(|lesson| lesson.scenario.name()).collect();
    let head = format!("{:width$}  {}  deaths", "point", names.join(" "));
    let row = |point: &String| {
        let of_point = deaths.iter().filter(|death| death.point == *point);
        let cells = lessons.iter().zip(&names).map(|(lesson, name)| {
            let death = of_point.clone().find(|death| death.scenario == lesson.scenario);
            let mark = death.map_or("-", |death| if death.acknowledged { "a" } else { "x" });
            format!("{mark:^0$}", name.len())
        });
        let cells: Vec<_> = cells.collect();
        let sum = of_point.clone().count();
        format!("{point:width$}  {}  {sum}", cells.join(" "))
    };
    let rows: Vec<_> = std::iter::once(head).chain(points.iter().map(row)).collect();
    rows.join("\n")
}
