//! Failpoints: with the feature `failpoints`, and in this crate's own tests, every kept actor takes a message that
//! makes it panic. Without it nothing of this is built.

/// What a kept actor must be able to do so that tests can crash it: nothing, in a release.
#[cfg(not(any(test, feature = "failpoints")))]
pub(crate) trait Crashable {}

#[cfg(not(any(test, feature = "failpoints")))]
impl<A> Crashable for A {}

#[cfg(any(test, feature = "failpoints"))]
pub(crate) use armed::{Crash, Crashable, arm};

#[cfg(any(test, feature = "failpoints"))]
mod armed {
    use actix::{Actor, Addr, Context, Handler, Message};

    use crate::access_log::Writer;
    use crate::board::Worker;
    use crate::breakers::Sentry;
    use crate::coordinator::Coordinator;
    use crate::events::Teller;
    use crate::gc::Collector;
    use crate::replicas::Liaison;

    /// Makes whoever handles it panic.
    #[derive(Message)]
    #[rtype(result = "()")]
    pub(crate) struct Crash;

    /// An actor that takes [`Crash`].
    pub(crate) trait Crashable: Handler<Crash> {}

    impl<A: Handler<Crash>> Crashable for A {}

    macro_rules! crashable {
        ($($actor:ty),+) => {$(
            impl Handler<Crash> for $actor {
                type Result = ();

                fn handle(&mut self, _: Crash, _: &mut Context<Self>) {
                    panic!("a failpoint was hit");
                }
            }
        )+};
    }

    crashable!(Writer, Sentry, Coordinator, Teller, Collector, Liaison);

    /// Lets the board crash this actor. The board's address is weak: it keeps no actor alive.
    pub(crate) fn arm<A>(worker: &Worker, address: &Addr<A>)
    where
        A: Actor<Context = Context<A>> + Handler<Crash>,
    {
        // A worker is armed once, when it starts.
        worker.crash.set(address.downgrade().recipient()).ok();
    }
}
