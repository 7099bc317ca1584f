//! The text format itself: families of samples with escaped labels.

use std::fmt::Write as _;

/// What samples of one name have in common.
#[derive(Clone, Copy)]
pub(super) struct Family {
    /// The name.
    pub(super) name: &'static str,
    /// `counter` or `gauge`.
    pub(super) kind: &'static str,
    /// One sentence.
    pub(super) help: &'static str,
}

impl Family {
    /// A value that only rises.
    pub(super) const fn counter(name: &'static str, help: &'static str) -> Self {
        let kind = "counter";
        Self { name, kind, help }
    }

    /// A value of this moment.
    pub(super) const fn gauge(name: &'static str, help: &'static str) -> Self {
        let kind = "gauge";
        Self { name, kind, help }
    }
}

/// A document in the making.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// A family with its samples: labels and value of each.
    pub(super) fn family<'a, const N: usize>(
        &mut self,
        family: Family,
        samples: impl IntoIterator<Item = ([(&'static str, &'a str); N], f64)>,
    ) {
        let Family { name, kind, help } = family;
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (labels, value) in samples {
            self.write(format_args!("{name}{} {value}\n", braced(&labels)));
        }
    }

    /// A family of one sample without labels.
    pub(super) fn single(&mut self, family: Family, value: f64) {
        self.family(family, [([], value)]);
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(text);
    }
}

fn braced(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let labels: Vec<_> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
        .collect();
    format!("{{{}}}", labels.join(","))
}

fn escape(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Text::default();
        text.family(
            Family::counter("x_total", "Things."),
            [([("name", "a\"b\\c\nd")], 2.5)],
        );
        assert_eq!(
            text.finish(),
            "# HELP x_total Things.\n# TYPE x_total counter\nx_total{name=\"a\\\"b\\\\c\\nd\"} 2.5\n"
        );
    }
}
