//! Byte ranges (RFC 9110 §14): which part of a representation a `Range` field asks for.
//!
//! One range is honoured. Several, and whatever is malformed, count as no range at all, which the RFC allows;
//! `multipart/byteranges` is not made here.

use std::ops::Range;

/// What a `Range` field means for a representation of a known size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeVerdict {
    /// The whole of it: 200.
    Whole,
    /// These bytes, never empty and never beyond the end: 206.
    Part(Range<u64>),
    /// Nothing that exists: 416.
    Unsatisfiable,
}

/// One range as written, before the size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// `a-` or `a-b`: the first and, where given, the last byte.
    From(u64, Option<u64>),
    /// `-n`: the last `n` bytes.
    Suffix(u64),
}

/// Decides about the value of a `Range` field, `None` where there is none, for `size` bytes.
///
/// A suffix of an empty representation is the whole of it, since no `Content-Range` could say otherwise.
pub fn decide(range: Option<&str>, size: u64) -> RangeVerdict {
    match range.and_then(parse) {
        None => RangeVerdict::Whole,
        Some(Spec::Suffix(0)) => RangeVerdict::Unsatisfiable,
        Some(Spec::Suffix(_)) if size == 0 => RangeVerdict::Whole,
        Some(Spec::Suffix(n)) => RangeVerdict::Part(size.saturating_sub(n)..size),
        Some(Spec::From(first, _)) if first >= size => RangeVerdict::Unsatisfiable,
        Some(Spec::From(first, last)) => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            RangeVerdict::Part(first..end)
        }
    }
}

/// The only range of a field in bytes; `None` for anything else.
fn parse(field: &str) -> Option<Spec> {
    let (unit, set) = field.trim().split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = set.split(',').map(str::trim).filter(|spec| !spec.is_empty());
    let (first, last) = specs.next()?.split_once('-')?;
    if specs.next().is_some() {
        return None;
    }
    match (first, last) {
        ("", n) => position(n).map(Spec::Suffix),
        (a, "") => position(a).map(|a| Spec::From(a, None)),
        (a, b) => {
            let (a, b) = (position(a)?, position(b)?);
            (a <= b).then_some(Spec::From(a, Some(b)))
        }
    }
}

/// Digits alone. A number too large for any object is as good as the largest.
fn position(digits: &str) -> Option<u64> {
    let well_formed = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    well_formed.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(range: Range<u64>) -> RangeVerdict {
        RangeVerdict::Part(range)
    }

    #[test]
    fn the_known_cases_on_2048_bytes_hold() {
        for (field, verdict) in [
            ("bytes=0-0", part(0..1)),
            ("bytes=500-1499", part(500..1500)),
            ("bytes=500-", part(500..2048)),
            ("bytes=-500", part(1548..2048)),
            ("bytes=-5000", part(0..2048)),
            ("bytes=2000-5000", part(2000..2048)),
            ("bytes=2048-", RangeVerdict::Unsatisfiable),
            ("bytes=5000-10000", RangeVerdict::Unsatisfiable),
            ("bytes=-0", RangeVerdict::Unsatisfiable),
            ("bytes=500-0", RangeVerdict::Whole),
            ("bytes=abc", RangeVerdict::Whole),
            ("items=0-1", RangeVerdict::Whole),
            ("bytes=0-0,2-2", RangeVerdict::Whole),
            ("BYTES=0-1", part(0..2)),
            ("bytes= , 0-1 ,", part(0..2)),
        ] {
            assert_eq!(decide(Some(field), 2048), verdict, "{field}");
        }
        assert_eq!(decide(None, 2048), RangeVerdict::Whole);
    }

    #[test]
    fn an_empty_object_has_no_byte_to_give() {
        assert_eq!(decide(Some("bytes=0-"), 0), RangeVerdict::Unsatisfiable);
        assert_eq!(decide(Some("bytes=-1"), 0), RangeVerdict::Whole);
    }

    #[test]
    fn absurd_numbers_never_overflow() {
        let huge = "9".repeat(40);
        assert_eq!(decide(Some(&format!("bytes=1-{huge}")), 10), part(1..10));
        assert_eq!(decide(Some(&format!("bytes=-{huge}")), 10), part(0..10));
        assert_eq!(
            decide(Some(&format!("bytes={huge}-")), 10),
            RangeVerdict::Unsatisfiable
        );
        let all = format!("bytes=0-{}", u64::MAX);
        assert_eq!(decide(Some(&all), u64::MAX), part(0..u64::MAX));
    }

    #[test]
    fn signs_spaces_and_half_ranges_are_malformed() {
        for field in [
            "bytes=+1-2",
            "bytes=1 -2",
            "bytes=-",
            "bytes=",
            "bytes",
            "bytes =0-1",
            "bytes=1-2-3",
            "bytes=--1",
            "",
        ] {
            assert_eq!(decide(Some(field), 10), RangeVerdict::Whole, "{field}");
        }
    }

    /// First and last position of each range, as written.
    type Specs = Vec<(Option<u64>, Option<u64>)>;

    /// A slow model over the bytes themselves: which offsets does the one range name?
    fn model(specs: &[(Option<u64>, Option<u64>)], size: u64) -> RangeVerdict {
        let [(first, last)] = *specs else {
            return RangeVerdict::Whole;
        };
        let named: Vec<u64> = match (first, last) {
            (None, None) => return RangeVerdict::Whole,
            (Some(a), Some(b)) if a > b => return RangeVerdict::Whole,
            (None, Some(n)) if size == 0 && n > 0 => return RangeVerdict::Whole,
            (Some(a), b) => (0..size)
                .filter(|i| *i >= a && b.is_none_or(|b| *i <= b))
                .collect(),
            (None, Some(n)) => (0..size).rev().take(usize::try_from(n).unwrap()).collect(),
        };
        match (named.iter().min(), named.iter().max()) {
            (Some(low), Some(high)) => part(*low..*high + 1),
            _ => RangeVerdict::Unsatisfiable,
        }
    }

    fn position_in(size: u64) -> impl Strategy<Value = Option<u64>> {
        prop_oneof![
            1 => Just(None),
            6 => (0..=size + 3).prop_map(Some),
            1 => (0_u64..100_000).prop_map(Some),
        ]
    }

    fn cases() -> impl Strategy<Value = (u64, Specs)> {
        (0_u64..80).prop_flat_map(|size| {
            let spec = move || (position_in(size), position_in(size));
            let specs = prop_oneof![
                4 => proptest::collection::vec(spec(), 1),
                1 => proptest::collection::vec(spec(), 0..4),
            ];
            (Just(size), specs)
        })
    }

    fn render(specs: &[(Option<u64>, Option<u64>)]) -> String {
        let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let specs: Vec<_> = specs
            .iter()
            .map(|(a, b)| format!("{}-{}", number(*a), number(*b)))
            .collect();
        format!("bytes={}", specs.join(", "))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn every_range_names_the_bytes_of_the_model((size, specs) in cases()) {
            prop_assert_eq!(decide(Some(&render(&specs)), size), model(&specs, size));
        }

        #[test]
        fn no_field_leads_outside_the_object(field in "(bytes=)?[0-9,= a-]{0,24}", size in any::<u64>()) {
            if let RangeVerdict::Part(range) = decide(Some(&field), size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
