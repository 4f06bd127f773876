//! How many lookups a second does a SPARQL endpoint answer, with eight clients at once, and how long
//! do they wait?
//!
//!     cargo bench --bench throughput -- NAME URL QUERIES [NAME URL QUERIES ..]
//!
//! `QUERIES` is a folder of `.rq` files, in folders or not; each client sends them in turns for 30
//! seconds over a connection of its own that is kept alive. Prints one line for each endpoint.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 8;
const FOR: Duration = Duration::from_secs(30);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| !one.starts_with("--")).collect();
    if arguments.is_empty() {
        eprintln!("SKIPPED: no endpoint is named");
    }
    for endpoint in arguments.chunks(3) {
        let [name, url, queries] = endpoint else { panic!("an endpoint is a name, a URL and a folder") };
        let mut texts = Vec::new();
        read_queries(Path::new(queries), &mut texts);
        assert!(!texts.is_empty(), "{queries} holds queries");
        let mut times: Vec<Duration> = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let texts = &texts;
                    scope.spawn(move || run(url, texts, client).expect("the endpoint answers"))
                })
                .collect();
            clients.into_iter().flat_map(|client| client.join().expect("no client panics")).collect()
        });
        times.sort_unstable();
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize].as_secs_f64() * 1e3;
        println!(
            "{name}: {:.0} requests/s, median {:.2} ms, p99 {:.2} ms",
            times.len() as f64 / FOR.as_secs_f64(),
            at(0.5),
            at(0.99)
        );
    }
}

fn read_queries(folder: &Path, texts: &mut Vec<String>) {
    let mut paths: Vec<_> = fs::read_dir(folder).expect("the folder can be read").flatten().collect();
    paths.sort_by_key(|entry| entry.path());
    for path in paths.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            read_queries(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rq") {
            texts.push(fs::read_to_string(&path).expect("a query is UTF-8"));
        }
    }
}

/// Sends queries until the time is over; returns how long each took.
fn run(url: &str, texts: &[String], client: usize) -> io::Result<Vec<Duration>> {
    let (host, path) = url.trim_start_matches("http://").split_once('/').expect("a URL has a path");
    let requests: Vec<String> = texts.iter().map(|text| request(host, path, text)).collect();
    let mut stream = BufReader::new(TcpStream::connect(host)?);
    stream.get_ref().set_nodelay(true)?;
    stream.get_ref().set_read_timeout(Some(FOR))?;
    let (started, mut times) = (Instant::now(), Vec::new());
    let mut next = client;
    while started.elapsed() < FOR {
        let sent = Instant::now();
        stream.get_mut().write_all(requests[next % requests.len()].as_bytes())?;
        read_answer(&mut stream)?;
        times.push(sent.elapsed());
        next += 1;
    }
    Ok(times)
}

fn request(host: &str, path: &str, query: &str) -> String {
    let mut request = format!("POST /{path} HTTP/1.1\r\nHost: {host}\r\n");
    let accept =
        if query.contains("SELECT") { "application/sparql-results+json" } else { "application/n-triples" };
    write!(
        request,
        "Accept: {accept}\r\nContent-Type: application/sparql-query\r\nContent-Length: {}\r\n\r\n{query}",
        query.len()
    )
    .expect("a string takes all");
    request
}

/// Reads one answer to its end.
fn read_answer(stream: &mut impl BufRead) -> io::Result<()> {
    let (mut line, mut length) = (String::new(), None);
    stream.read_line(&mut line)?;
    assert!(line.contains(" 200 "), "the endpoint says {line}");
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok();
        }
    }
    if let Some(length) = length {
        return skip(stream, length);
    }
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let chunk = u64::from_str_radix(line.trim(), 16).expect("a chunk begins with its length");
        skip(stream, chunk + 2)?;
        if chunk == 0 {
            return Ok(());
        }
    }
}

fn skip(stream: &mut impl Read, bytes: u64) -> io::Result<()> {
    io::copy(&mut stream.take(bytes), &mut io::sink()).map(|_| ())
}
