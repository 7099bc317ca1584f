//! A client that takes bodies and throws them away, for `scripts/bench`: the kernel discards the bytes, so that the
//! client costs next to nothing beside the server it measures. Prints one line of JSON.
//!
//!     sink ADDRESS PATH CONNECTIONS SECONDS [REQUESTS [PAUSE]]
//!
//! Each connection asks again and again until the time is up, or at most so many times (0 is no limit), with so
//! many milliseconds between. `{}` in the path is replaced
//! by a number that no two requests of the run share. A redirect is followed once. It knows GET with a length and nothing else.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;

/// Most bytes discarded by one call.
const PIECE: usize = 4 << 20;
/// No head is longer.
const LONGEST_HEAD: usize = 16 << 10;
/// A server that is silent for longer has failed.
const SILENCE: Duration = Duration::from_mins(1);
/// Enough for a loop: there may be a thousand of them.
const STACK: usize = 128 << 10;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the connections share.
struct Run {
    address: String,
    path: String,
    until: Mutex<Instant>,
    requests: u64,
    pause: Duration,
    number: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
    /// Microseconds to the first byte, and to the last.
    times: Mutex<Vec<(u64, u64)>>,
}

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, path, connections, seconds, rest @ ..] = words.as_slice() else {
        return Err("sink ADDRESS PATH CONNECTIONS SECONDS [REQUESTS [PAUSE]]".into());
    };
    let connections: usize = connections.parse()?;
    let seconds: f64 = seconds.parse()?;
    let run = Arc::new(Run {
        address: address.clone(),
        path: path.clone(),
        until: Mutex::new(Instant::now()),
        requests: match rest.first().map_or(Ok(0), |most| most.parse())? {
            0 => u64::MAX,
            most => most,
        },
        pause: Duration::from_millis(rest.get(1).map_or(Ok(0), |pause| pause.parse())?),
        number: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        times: Mutex::default(),
    });
    // All connect before the first asks.
    let barrier = Arc::new(Barrier::new(connections + 1));
    let mut clients = Vec::new();
    for _ in 0..connections {
        let (run, barrier) = (Arc::clone(&run), Arc::clone(&barrier));
        let client = std::thread::Builder::new().stack_size(STACK);
        clients.push(client.spawn(move || run.client(&barrier))?);
    }
    let mut until = run.until.lock().unwrap_or_else(PoisonError::into_inner);
    // Whoever passes the barrier looks at the time first, and waits for it to be set.
    barrier.wait();
    let begun = Instant::now();
    *until = begun + Duration::from_secs_f64(seconds);
    drop(until);
    for client in clients {
        client.join().map_err(|_| "a client panicked")?;
    }
    run.report(begun.elapsed())
}

impl Run {
    fn client(&self, barrier: &Barrier) {
        let mut socket = connect(&self.address).ok();
        barrier.wait();
        let mut left = self.requests;
        while left > 0 && !self.is_over() {
            left -= 1;
            std::thread::sleep(self.pause);
            let asked = match socket.take().map_or_else(|| connect(&self.address), Ok) {
                Ok(fresh) => self.ask(fresh),
                Err(error) => Err(error.into()),
            };
            match asked {
                Ok(kept) => socket = kept,
                Err(error) => {
                    let first = self.errors.fetch_add(1, Ordering::Relaxed) == 0;
                    if first {
                        writeln!(io::stderr(), "sink: {error}").ok();
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request; gives the connection back if it is whole. One that the end cut short counts with its bytes alone.
    fn ask(&self, socket: TcpStream) -> Result<Option<TcpStream>, Failure> {
        let number = self.number.fetch_add(1, Ordering::Relaxed).to_string();
        let path = self.path.replace("{}", &number);
        let begun = Instant::now();
        let (mut answer, mut socket) = Answer::of(socket, &self.address, &path)?;
        let mut first = begun.elapsed();
        if matches!(answer.status, 302 | 307) {
            let (address, path) = answer.elsewhere()?;
            let kept = socket;
            (answer, socket) = Answer::of(connect(&address)?, &address, &path)?;
            first = begun.elapsed();
            return Ok(self.drain(&answer, &socket, begun, first)?.then_some(kept));
        }
        Ok(self.drain(&answer, &socket, begun, first)?.then_some(socket))
    }

    /// Discards a body; `false` if the time was up before its end.
    fn drain(
        &self,
        answer: &Answer,
        socket: &TcpStream,
        begun: Instant,
        first: Duration,
    ) -> Result<bool, Failure> {
        if answer.status != 200 {
            return Err(format!("status {}", answer.status).into());
        }
        let mut left = answer
            .length
            .checked_sub(answer.begun)
            .ok_or("more than its length")?;
        self.bytes.fetch_add(answer.begun, Ordering::Relaxed);
        // Never written to by the kernel, so its pages are never there.
        let mut nothing = vec![0; PIECE];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = nothing.get_mut(..most).unwrap_or_default();
            let (_, taken) = rustix::net::recv(socket, piece, RecvFlags::TRUNC)?;
            if taken == 0 {
                return Err("the body was cut short".into());
            }
            left = left.saturating_sub(taken as u64);
            self.bytes.fetch_add(taken as u64, Ordering::Relaxed);
            if self.requests == u64::MAX && self.is_over() && left > 0 {
                return Ok(false);
            }
        }
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.push((micros(first), micros(begun.elapsed())));
        Ok(true)
    }

    fn report(&self, elapsed: Duration) -> Result<(), Failure> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let mut firsts: Vec<u64> = times.iter().map(|(first, _)| *first).collect();
        let mut wholes: Vec<u64> = times.iter().map(|(_, whole)| *whole).collect();
        firsts.sort_unstable();
        wholes.sort_unstable();
        let at = |sorted: &[u64], percent: usize| {
            let place = sorted.len().saturating_sub(1) * percent / 100;
            sorted.get(place).copied().unwrap_or_default()
        };
        writeln!(
            io::stdout(),
            "{{\"bytes\":{},\"seconds\":{:.6},\"requests\":{},\"errors\":{},\"first_p50\":{},\"first_p99\":{},\
             \"whole_p50\":{},\"whole_p99\":{}}}",
            self.bytes.load(Ordering::Relaxed),
            elapsed.as_secs_f64(),
            times.len(),
            self.errors.load(Ordering::Relaxed),
            at(&firsts, 50),
            at(&firsts, 99),
            at(&wholes, 50),
            at(&wholes, 99),
        )?;
        Ok(())
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SILENCE))?;
    Ok(socket)
}

/// The head of an answer, and how much of its body came with it.
struct Answer {
    status: u16,
    length: u64,
    begun: u64,
    location: Option<String>,
}

impl Answer {
    fn of(mut socket: TcpStream, address: &str, path: &str) -> Result<(Self, TcpStream), Failure> {
        write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let (mut head, mut length) = (vec![0; LONGEST_HEAD], 0);
        let end = loop {
            let room = head.get_mut(length..).unwrap_or_default();
            let taken = socket.read(room)?;
            if taken == 0 {
                return Err("no whole head came".into());
            }
            length += taken;
            let read = head.get(..length).unwrap_or_default();
            if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(head.get(..end).unwrap_or_default()).into_owned();
        let field = |name: &str| {
            text.lines().find_map(|line| {
                let (field, value) = line.split_once(':')?;
                field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let status = text.split(' ').nth(1).ok_or("no status")?.parse()?;
        let answer = Self {
            status,
            length: field("content-length").map_or(Ok(0), |length| length.parse())?,
            begun: (length - end) as u64,
            location: field("location"),
        };
        Ok((answer, socket))
    }

    /// Where a redirect leads: address and path.
    fn elsewhere(&self) -> Result<(String, String), Failure> {
        let location = self
            .location
            .as_deref()
            .and_then(|url| url.strip_prefix("http://"));
        let (address, path) = location
            .and_then(|rest| rest.split_once('/'))
            .ok_or("no use as a redirect")?;
        Ok((address.to_owned(), format!("/{path}")))
    }
}
