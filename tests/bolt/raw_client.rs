//! A client that sends what it is told to, right or wrong, in Bolt 5.0.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// HELLO, whose scheme is `none`.
pub const WELCOME: &[u8] = b"\xB1\x01\xA1\x86scheme\x84none";
pub const PULL_ALL: &[u8] = b"\xB1\x3F\xA1\x81n\xFF";
const RESET: &[u8] = b"\xB0\x0F";

pub struct RawClient(TcpStream);

/// Returns a RUN without parameters.
pub fn run(text: &str) -> Vec<u8> {
    let size = u32::try_from(text.len()).unwrap().to_be_bytes();
    [b"\xB3\x10\xD2", &size[..], text.as_bytes(), b"\xA0\xA0"].concat()
}

/// Returns messages as they go over the wire.
pub fn messages(messages: &[&[u8]]) -> Vec<u8> {
    let chunk = |part: &[u8]| [&(part.len() as u16).to_be_bytes()[..], part].concat();
    let message = |message: &&[u8]| {
        let chunks: Vec<Vec<u8>> = message.chunks(0xFFFF).map(chunk).collect();
        [chunks.concat(), vec![0, 0]].concat()
    };
    messages.iter().map(message).collect::<Vec<_>>().concat()
}

impl RawClient {
    pub fn connect(address: SocketAddr) -> RawClient {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        RawClient(stream)
    }

    pub fn shake_hands(&mut self) {
        assert!(self.try_shake_hands());
    }

    /// Returns whether the server agrees to version 5.0.
    pub fn try_shake_hands(&mut self) -> bool {
        let opening = [&[0x60, 0x60, 0xB0, 0x17, 0, 0, 0, 5][..], &[0; 12]].concat();
        let mut version = [0; 4];
        self.try_send(&opening) && self.0.read_exact(&mut version).is_ok() && version == [0, 0, 0, 5]
    }

    pub fn hello(&mut self) {
        self.send(&messages(&[WELCOME]));
        assert_eq!(self.next_tag(), Some(0x70));
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Returns whether the server still takes bytes.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    pub fn send_slowly(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(5) {
            self.send(piece);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn send_run(&mut self, text: &str) {
        self.send(&messages(&[&run(text), PULL_ALL]));
    }

    pub fn send_reset(&mut self) {
        self.send(&messages(&[RESET]));
    }

    /// Runs a statement whose result is one record; returns the tags of what comes.
    pub fn run(&mut self, text: &str) -> Vec<u8> {
        self.send_run(text);
        self.tags(3)
    }

    pub fn tags(&mut self, count: usize) -> Vec<u8> {
        (0..count).map_while(|_| self.next_tag()).collect()
    }

    /// Returns the tag of the next message; `None` if the server has ended the connection.
    pub fn next_tag(&mut self) -> Option<u8> {
        let mut message = Vec::new();
        loop {
            let mut size = [0; 2];
            self.0.read_exact(&mut size).ok()?;
            let size = usize::from(u16::from_be_bytes(size));
            if size == 0 {
                return message.get(1).copied();
            }
            let at = message.len();
            message.resize(at + size, 0);
            self.0.read_exact(&mut message[at..]).ok()?;
        }
    }

    /// Returns all that comes before the server ends the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            // It has not read all that was sent before it ended the connection.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server does not end the connection: {error}"),
        }
        bytes
    }
}
