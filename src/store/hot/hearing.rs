//! What waits for a listener: so many messages and no more; where more come, the oldest make way for a gap.

use artifactapi_core::port::hot::Heard;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Messages that may wait for a listener.
pub(super) const UNHEARD: usize = 1024;

/// What a receiver gets, in order; ends when nobody can send any more. It holds `with` until it is dropped.
pub(super) fn hearing<T>(receiver: Receiver<Heard>, with: T) -> impl Stream<Item = Heard> {
    unfold((receiver, with), |(mut receiver, with)| async {
        let heard = match receiver.recv().await {
            Ok(heard) => heard,
            Err(RecvError::Lagged(_)) => Heard::Gap,
            Err(RecvError::Closed) => return None,
        };
        Some((heard, (receiver, with)))
    })
}
