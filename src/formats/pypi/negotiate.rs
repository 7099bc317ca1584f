//! Which form of a page a client gets (RFC 9110 §12.5.1; the media types of PEP 691).

use artifactapi_core::Headers;
use artifactapi_core::plan::Variant;

/// A form of an index page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// `application/vnd.pypi.simple.v1+json`.
    Json,
    /// `application/vnd.pypi.simple.v1+html`.
    Html,
    /// The same HTML as `text/html`; for whoever names no known form.
    Text,
}

/// What upstream is asked for: JSON before anything else.
pub(super) const ACCEPT: &str =
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

impl Show {
    const ALL: [Self; 3] = [Self::Json, Self::Html, Self::Text];

    /// Its name among the variants of a want.
    pub(super) fn variant(self) -> Variant {
        Variant(match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::Text => "text",
        })
    }

    /// The form of this name.
    pub(super) fn of(variant: Variant) -> Self {
        Self::ALL
            .into_iter()
            .find(|show| show.variant() == variant)
            .unwrap_or(Self::Text)
    }

    /// Its content type.
    pub(super) fn media(self) -> &'static str {
        match self {
            Self::Json => "application/vnd.pypi.simple.v1+json",
            Self::Html => "application/vnd.pypi.simple.v1+html",
            Self::Text => "text/html; charset=utf-8",
        }
    }

    /// The form that suits a request best.
    ///
    /// The quality of a form is that of the most specific range that fits it. Between equals one that was named wins,
    /// then JSON; but who takes just anything gets `text/html`, as does who accepts nothing that we have.
    pub(super) fn accepted(headers: &Headers) -> Self {
        let ranges: Vec<Range<'_>> = headers.items("accept").filter_map(Range::parse).collect();
        Self::ALL
            .into_iter()
            .filter_map(|show| show.rank(&ranges).map(|rank| (rank, show)))
            .max_by_key(|(rank, _)| *rank)
            .map_or(Self::Text, |(_, show)| show)
    }

    /// Quality, how specifically it was asked for, and our own preference; `None` if it is not acceptable.
    fn rank(self, ranges: &[Range<'_>]) -> Option<(u16, Fit, u8)> {
        let (fit, quality) = ranges
            .iter()
            .filter_map(|range| self.fit(range.media).map(|fit| (fit, range.quality)))
            .max()?;
        let preference = match (self, fit) {
            (Self::Text, Fit::Anything) => 3,
            (Self::Json, _) => 2,
            (Self::Html, _) => 1,
            (Self::Text, _) => 0,
        };
        (quality > 0).then_some((quality, fit, preference))
    }

    /// How a media range covers this form.
    fn fit(self, range: &str) -> Option<Fit> {
        let (kind, names): (&str, &[&str]) = match self {
            Self::Json => (
                "application/*",
                &[
                    "application/vnd.pypi.simple.v1+json",
                    "application/vnd.pypi.simple.latest+json",
                ],
            ),
            Self::Html => (
                "application/*",
                &[
                    "application/vnd.pypi.simple.v1+html",
                    "application/vnd.pypi.simple.latest+html",
                ],
            ),
            Self::Text => ("text/*", &["text/html"]),
        };
        if names.iter().any(|name| name.eq_ignore_ascii_case(range)) {
            Some(Fit::Named)
        } else if kind.eq_ignore_ascii_case(range) {
            Some(Fit::Kind)
        } else {
            (range == "*/*").then_some(Fit::Anything)
        }
    }
}

/// How specific a media range is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Anything,
    Kind,
    Named,
}

/// One item of `Accept`.
#[derive(Clone, Copy, Debug)]
struct Range<'a> {
    media: &'a str,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    /// Reads an item; `None` if its weight is malformed.
    fn parse(item: &'a str) -> Option<Self> {
        let mut parts = item.split(';').map(str::trim);
        let media = parts.next()?;
        let weight = parts.find_map(|part| part.strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('='));
        let quality = weight.map_or(Some(1000), |weight| thousandths(weight.trim()))?;
        Some(Self { media, quality })
    }
}

/// Reads a weight: `0` or `1`, and up to three decimals (RFC 9110 §12.4.2).
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    if !matches!(whole, "0" | "1") || decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (value <= 1000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIP: &str =
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";

    fn accepted(lines: &[&str]) -> Show {
        Show::accepted(&lines.iter().map(|line| ("Accept", *line)).collect())
    }

    #[test]
    fn the_matrix_of_accept_fields_holds() {
        for (accept, show) in [
            ("", Show::Text),
            ("*/*", Show::Text),
            ("text/html", Show::Text),
            (PIP, Show::Json),
            (ACCEPT, Show::Json),
            ("application/vnd.pypi.simple.latest+json", Show::Json),
            ("application/vnd.pypi.simple.v1+html", Show::Html),
            ("application/vnd.pypi.simple.latest+html", Show::Html),
            ("application/json", Show::Text),
            ("application/vnd.pypi.simple.v1+json;q=0, text/html", Show::Text),
            ("application/*", Show::Json),
            (
                "text/*;q=0.5, application/vnd.pypi.simple.v1+json;q=0.1",
                Show::Text,
            ),
            ("application/vnd.pypi.simple.v1+json, */*", Show::Json),
            ("application/vnd.pypi.simple.v1+json;q=0.3, */*;q=0.2", Show::Json),
            (
                "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
                Show::Text,
            ),
            ("*/*, application/vnd.pypi.simple.v1+json;q=0", Show::Text),
            ("APPLICATION/VND.PYPI.SIMPLE.V1+JSON ; Q = 0.9", Show::Json),
            (
                "application/vnd.pypi.simple.v1+json;q=2, text/html;q=0.1",
                Show::Text,
            ),
            ("text/html;q=0", Show::Text),
        ] {
            assert_eq!(accepted(&[accept]), show, "{accept}");
        }
        assert_eq!(accepted(&[]), Show::Text);
    }

    #[test]
    fn every_line_of_accept_counts() {
        assert_eq!(
            accepted(&["text/html;q=0.1", "application/vnd.pypi.simple.v1+json"]),
            Show::Json
        );
    }

    #[test]
    fn forms_survive_their_variant() {
        for show in Show::ALL {
            assert_eq!(Show::of(show.variant()), show);
        }
        assert_eq!(Show::of(Variant::default()), Show::Text);
    }

    proptest! {
        #[test]
        fn what_was_refused_is_never_chosen_over_what_was_accepted(json in 0u16..=1000, html in 0u16..=1000, text in 1u16..=1000) {
            let weight = |q: u16| format!("{}.{:03}", q / 1000, q % 1000);
            let accept = format!(
                "application/vnd.pypi.simple.v1+json;q={}, application/vnd.pypi.simple.v1+html;q={}, text/html;q={}",
                weight(json), weight(html), weight(text)
            );
            let chosen = match accepted(&[&accept]) {
                Show::Json => json,
                Show::Html => html,
                Show::Text => text,
            };
            prop_assert_eq!(chosen, json.max(html).max(text));
        }
    }
}
