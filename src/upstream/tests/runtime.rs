//! Sockets belong to no caller: one that blocks, leaves or ends stalls nobody.

use std::sync::mpsc;
use std::thread;

use artifactapi_core::port::upstream::Upstream;

use super::server::{Act, Server, announced, whole};
use super::*;

fn on_its_own_thread<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_caller_does_not_stall_the_connections_it_opened() {
    let server = Server::start(|_| whole(200, &[], b"x")).await;
    let client = Arc::new(client());
    let origin = Arc::new(origin(&server.url("/")));
    let request = move || Request {
        origin: Arc::clone(&origin),
        ..get(&server.url("/"))
    };
    let (opened, wait_opened) = mpsc::channel();
    let (release, blocked) = mpsc::channel::<()>();
    let (first, its) = (Arc::clone(&client), request());
    let first_caller = thread::spawn(move || {
        on_its_own_thread(async {
            fetched(&first, its).await;
            opened.send(()).unwrap();
            // Blocks the runtime that asked first, until the others have been answered.
            blocked.recv_timeout(Duration::from_secs(20)).unwrap();
        });
    });
    wait_opened.recv().unwrap();
    let (second, requests) = (Arc::clone(&client), [(); 8].map(|()| request()));
    thread::spawn(move || {
        on_its_own_thread(async {
            for request in requests {
                assert_eq!(fetched(&second, request).await, b"x");
            }
        });
    })
    .join()
    .unwrap();
    release.send(()).unwrap();
    first_caller.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_outlives_the_runtime_it_was_asked_in_and_the_client() {
    let sign = Arc::new(tokio::sync::Notify::new());
    let wait = Arc::clone(&sign);
    let server = Server::start(move |_| {
        vec![
            Act::Send(announced(200, &[], 6, b"abc")),
            Act::Await(Arc::clone(&wait)),
            Act::Send(b"def".to_vec()),
        ]
    })
    .await;
    let request = get(&server.url("/"));
    let answer = thread::spawn(move || on_its_own_thread(async { client().send(request).await.unwrap() }))
        .join()
        .unwrap();
    sign.notify_one();
    let (bytes, fault) = read(answer).await;
    assert!(fault.is_none(), "{fault:?}");
    assert_eq!(bytes, b"abcdef");
}

#[test]
fn no_runtime_of_the_callers_is_needed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::start(|_| whole(200, &[], b"x")));
    let bytes = block_on(fetched(&client(), get(&server.url("/"))));
    assert_eq!(bytes, b"x");
}

/// Polls a future with nothing but a thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}
