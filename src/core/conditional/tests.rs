use proptest::prelude::*;

use super::*;

fn headers(fields: &[(&str, &str)]) -> Headers {
    fields.iter().copied().collect()
}

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn dated(etag: Option<&str>) -> Validators<'_> {
    Validators {
        etag,
        last_modified: Time::parse_http_date(DATE).map(|t| Time(t.0 + 999_999)),
    }
}

const GO: Precondition = Precondition::Proceed { range: true };

#[test]
fn a_request_without_preconditions_goes_on() {
    assert_eq!(evaluate(&Headers::new(), &Validators::default(), false), GO);
    assert_eq!(evaluate(&Headers::new(), &Validators::default(), true), GO);
}

#[test]
fn if_none_match_compares_weakly_and_over_lines() {
    let validators = dated(Some("\"a,b\""));
    for value in [
        "\"a,b\"",
        "W/\"a,b\"",
        "\"x\", \"a,b\"",
        "*",
        "junk, \"a,b\"",
        ",,\"a,b\" ,",
    ] {
        let asked = headers(&[("If-None-Match", value)]);
        assert_eq!(
            evaluate(&asked, &validators, false),
            Precondition::NotModified,
            "{value}"
        );
        assert_eq!(
            evaluate(&asked, &validators, true),
            Precondition::Failed,
            "{value}"
        );
    }
    for value in ["\"a\"", "a,b", "\"b\"", "\"a,b", "\"a,b\"x", ""] {
        let asked = headers(&[("If-None-Match", value)]);
        assert_eq!(evaluate(&asked, &validators, false), GO, "{value}");
    }
    let two = headers(&[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")]);
    assert_eq!(evaluate(&two, &validators, false), Precondition::NotModified);
}

#[test]
fn if_match_compares_strongly() {
    let asked = |value| headers(&[("If-Match", value)]);
    assert_eq!(evaluate(&asked("\"a\", \"b\""), &dated(Some("\"b\"")), true), GO);
    assert_eq!(evaluate(&asked("*"), &dated(None), true), GO);
    for (value, etag) in [("W/\"a\"", "W/\"a\""), ("W/\"a\"", "\"a\""), ("\"a\"", "W/\"a\"")] {
        assert_eq!(
            evaluate(&asked(value), &dated(Some(etag)), false),
            Precondition::Failed
        );
    }
}

#[test]
fn dates_count_in_whole_seconds_and_only_without_tags() {
    let none = dated(None);
    let since = |date| headers(&[("If-Modified-Since", date)]);
    assert_eq!(evaluate(&since(DATE), &none, false), Precondition::NotModified);
    assert_eq!(evaluate(&since(LATER), &none, false), Precondition::NotModified);
    assert_eq!(
        evaluate(&since("Sun, 06 Nov 1994 08:49:36 GMT"), &none, false),
        GO
    );
    assert_eq!(evaluate(&since("yesterday"), &none, false), GO);
    assert_eq!(evaluate(&since(DATE), &none, true), GO);
    let both = headers(&[("If-Modified-Since", DATE), ("If-None-Match", "\"other\"")]);
    assert_eq!(evaluate(&both, &dated(Some("\"a\"")), false), GO);
    let until = headers(&[("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:36 GMT")]);
    assert_eq!(evaluate(&until, &none, false), Precondition::Failed);
}

#[test]
fn if_range_wants_the_exact_validator() {
    let validators = dated(Some("\"a\""));
    for (value, range) in [
        ("\"a\"", true),
        (DATE, true),
        ("\"b\"", false),
        ("W/\"a\"", false),
        (LATER, false),
        ("a", false),
    ] {
        let asked = headers(&[("If-Range", value)]);
        assert_eq!(
            evaluate(&asked, &validators, false),
            Precondition::Proceed { range },
            "{value}"
        );
    }
    let weak = headers(&[("If-Range", "W/\"a\"")]);
    assert_eq!(
        evaluate(&weak, &dated(Some("W/\"a\"")), false),
        Precondition::Proceed { range: false }
    );
}

#[test]
fn guards_say_what_a_write_needs() {
    let matching = |tags: &[&str]| Guard::Matching(tags.iter().map(|tag| (*tag).to_owned()).collect());
    for (fields, expected) in [
        (vec![], Guard::None),
        (vec![("If-None-Match", "*")], Guard::Absent),
        (vec![("If-None-Match", "\"a\"")], Guard::None),
        (vec![("If-Match", "*")], matching(&[])),
        (vec![("If-Match", "\"a\", \"b\"")], matching(&["\"a\"", "\"b\""])),
        (vec![("If-Match", "W/\"a\"")], matching(&["W/\"a\""])),
        (vec![("If-Match", "junk")], matching(&[""])),
        (vec![("If-Match", "*"), ("If-None-Match", "*")], matching(&[""])),
    ] {
        assert_eq!(guard(&headers(&fields)), expected, "{fields:?}");
    }
}

/// A tag as the model knows it.
#[derive(Clone, Debug)]
struct Tag {
    weak: bool,
    opaque: u8,
}

impl Tag {
    fn text(&self) -> String {
        let opaque = ["", "a", "b,c", "a, b"][usize::from(self.opaque)];
        format!("{}\"{opaque}\"", if self.weak { "W/" } else { "" })
    }
}

#[derive(Clone, Debug)]
enum Condition {
    Star,
    Tags(Vec<Tag>),
}

#[derive(Clone, Debug)]
enum RangeIf {
    Tag(Tag),
    Date(i64),
}

/// A request's conditions and the representation, as values instead of text; dates in seconds.
#[derive(Clone, Debug)]
struct Case {
    if_match: Option<Condition>,
    unmodified: Option<i64>,
    none_match: Option<Condition>,
    modified: Option<i64>,
    if_range: Option<RangeIf>,
    etag: Option<Tag>,
    date: Option<i64>,
    write: bool,
}

impl Case {
    fn headers(&self) -> Headers {
        let date = |seconds: &i64| Time(seconds * 1_000_000).http_date();
        let condition = |condition: &Condition| match condition {
            Condition::Star => "*".to_owned(),
            Condition::Tags(tags) => tags.iter().map(Tag::text).collect::<Vec<_>>().join(", "),
        };
        let if_range = |value: &RangeIf| match value {
            RangeIf::Tag(tag) => tag.text(),
            RangeIf::Date(seconds) => date(seconds),
        };
        [
            ("if-match", self.if_match.as_ref().map(condition)),
            ("if-unmodified-since", self.unmodified.as_ref().map(date)),
            ("if-none-match", self.none_match.as_ref().map(condition)),
            ("if-modified-since", self.modified.as_ref().map(date)),
            ("if-range", self.if_range.as_ref().map(if_range)),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
    }

    fn named(&self, condition: &Condition, weak_counts: bool) -> bool {
        match (condition, &self.etag) {
            (Condition::Star, _) => true,
            (Condition::Tags(_), None) => false,
            (Condition::Tags(tags), Some(etag)) => tags
                .iter()
                .any(|tag| tag.opaque == etag.opaque && (weak_counts || (!tag.weak && !etag.weak))),
        }
    }

    /// The steps of RFC 9110 §13.2.2, literally: each step either answers or hands on to the next.
    fn model(&self) -> Precondition {
        match (&self.if_match, self.unmodified, self.date) {
            (Some(condition), _, _) if !self.named(condition, false) => return Precondition::Failed,
            (None, Some(limit), Some(date)) if date > limit => return Precondition::Failed,
            _ => {}
        }
        match (&self.none_match, self.write, self.modified, self.date) {
            (Some(condition), true, _, _) if self.named(condition, true) => return Precondition::Failed,
            (Some(condition), false, _, _) if self.named(condition, true) => {
                return Precondition::NotModified;
            }
            (None, false, Some(limit), Some(date)) if date <= limit => return Precondition::NotModified,
            _ => {}
        }
        let range = match (&self.if_range, &self.etag, self.date) {
            (None, _, _) => true,
            (Some(RangeIf::Tag(tag)), Some(etag), _) => tag.opaque == etag.opaque && !tag.weak && !etag.weak,
            (Some(RangeIf::Date(asked)), _, Some(date)) => *asked == date,
            _ => false,
        };
        Precondition::Proceed { range }
    }
}

fn tag() -> impl Strategy<Value = Tag> {
    (any::<bool>(), 0_u8..4).prop_map(|(weak, opaque)| Tag { weak, opaque })
}

fn condition() -> impl Strategy<Value = Option<Condition>> {
    let tags = proptest::collection::vec(tag(), 1..4).prop_map(Condition::Tags);
    proptest::option::weighted(0.4, prop_oneof![1 => Just(Condition::Star), 4 => tags])
}

fn date() -> impl Strategy<Value = Option<i64>> {
    proptest::option::of(1_000_i64..1_004)
}

fn case() -> impl Strategy<Value = Case> {
    let if_range = prop_oneof![
        tag().prop_map(RangeIf::Tag),
        (1_000_i64..1_004).prop_map(RangeIf::Date)
    ];
    (
        (condition(), date(), condition(), date()),
        (
            proptest::option::of(if_range),
            proptest::option::of(tag()),
            date(),
            any::<bool>(),
        ),
    )
        .prop_map(
            |((if_match, unmodified, none_match, modified), (if_range, etag, date, write))| Case {
                if_match,
                unmodified,
                none_match,
                modified,
                if_range,
                etag,
                date,
                write,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn preconditions_follow_the_steps_of_the_rfc(case in case()) {
        let etag = case.etag.as_ref().map(Tag::text);
        let validators = Validators {
            etag: etag.as_deref(),
            last_modified: case.date.map(|seconds| Time(seconds * 1_000_000 + 7)),
        };
        prop_assert_eq!(evaluate(&case.headers(), &validators, case.write), case.model());
    }

    #[test]
    fn any_text_is_read_without_harm(value in "[ -~]{0,40}") {
        let asked = headers(&[("if-match", &value), ("if-none-match", &value), ("if-range", &value)]);
        let exists = Validators { etag: Some("\"a\""), last_modified: None };
        prop_assert_ne!(evaluate(&asked, &exists, true), Precondition::NotModified);
        prop_assert_ne!(guard(&asked), Guard::SameBytes);
    }
}
