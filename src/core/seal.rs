//! Seals: a format's judgement over a body while it passes.

/// Judges a body while it passes; its verdict is awaited before the held tail is released.
pub trait Seal: Send {
    /// Takes in the next bytes.
    fn update(&mut self, chunk: &[u8]);

    /// The verdict over all of them.
    fn finish(self: Box<Self>) -> Verdict;
}

/// The verdict of a [`Seal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The document is complete in its own terms.
    Whole,
    /// It cannot be what was asked for; says why.
    Broken(&'static str),
    /// Nothing can be said.
    Unknown,
}
