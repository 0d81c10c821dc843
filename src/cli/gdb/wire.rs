//! Packets on their way: the connection that gdbstub writes to, and what is read
//! before gdbstub sees it.
//!
//! ```text
//! gdb --> Reader: "$body#xx", 0x03, "+"      --> front, gdbstub
//! gdb <-- Writer: "+$body#xx", body amended  <-- gdbstub
//! ```
//!
//! gdbstub knows one process at a time, and no execve: its replies are amended
//! where the protocol has more to say.
//!
//! Source: the manual of gdb, section E.1. Left out: sending again, which TCP does.

use gdbstub::conn::Connection;
use std::io::{self, Write};
use std::net::TcpStream;

/// What becomes of the next reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amend {
    /// This is added.
    Append(String),
    /// It is this one instead.
    Replace(String),
}

/// The way to gdb.
#[derive(Debug)]
pub struct Writer {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What becomes of the next reply.
    pub amend: Option<Amend>,
}

impl Writer {
    /// Writes to a connection.
    pub fn new(stream: TcpStream) -> Writer {
        Writer { stream, buffer: Vec::new(), amend: None }
    }

    /// Sends a packet of our own.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, body: &[u8], ack: bool) -> io::Result<()> {
        if ack {
            self.buffer.push(b'+');
        }
        self.buffer.extend(packet(body));
        self.flush()
    }
}

/// A packet around a body.
fn packet(body: &[u8]) -> Vec<u8> {
    let sum = body.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
    let mut out = vec![b'$'];
    out.extend(body);
    out.extend(format!("#{sum:02x}").bytes());
    out
}

impl Connection for Writer {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.buffer.push(byte);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.buffer);
        let start = bytes.iter().position(|b| *b == b'$');
        if let (Some(start), Some(amend)) = (start, self.amend.take()) {
            let end = bytes.iter().rposition(|b| *b == b'#').unwrap_or(bytes.len());
            let mut body = bytes[start + 1..end].to_vec();
            match amend {
                Amend::Append(more) => body.extend(more.bytes()),
                Amend::Replace(other) => body = other.into_bytes(),
            }
            bytes.truncate(start);
            bytes.extend(packet(&body));
        }
        Write::write_all(&mut self.stream, &bytes)?;
        Write::flush(&mut self.stream)
    }
}

/// Something that gdb has sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A packet, raw; its body is within.
    Packet(Vec<u8>),
    /// An acknowledgement, or Ctrl-C.
    Byte(u8),
}

impl Sent {
    /// The raw bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Sent::Packet(raw) => raw,
            Sent::Byte(b) => std::slice::from_ref(b),
        }
    }

    /// The packet's body.
    pub fn body(&self) -> Option<&[u8]> {
        match self {
            Sent::Packet(raw) => raw.get(1..raw.len().saturating_sub(3)),
            Sent::Byte(_) => None,
        }
    }
}

/// Bytes that have come, cut into packets.
#[derive(Debug, Default)]
pub struct Reader {
    bytes: Vec<u8>,
}

impl Reader {
    /// More bytes have come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next whole thing.
    pub fn next(&mut self) -> Option<Sent> {
        let first = *self.bytes.first()?;
        if first != b'$' {
            self.bytes.remove(0);
            return Some(Sent::Byte(first));
        }
        let end = self.bytes.iter().position(|b| *b == b'#')? + 3;
        if self.bytes.len() < end {
            return None;
        }
        let rest = self.bytes.split_off(end);
        Some(Sent::Packet(std::mem::replace(&mut self.bytes, rest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_cut() {
        let mut r = Reader::default();
        r.push(b"+$qC#b4\x03$g");
        assert_eq!(r.next(), Some(Sent::Byte(b'+')));
        let p = r.next().unwrap();
        assert_eq!((p.body(), p.bytes()), (Some(&b"qC"[..]), &b"$qC#b4"[..]));
        assert_eq!(packet(b"qC"), b"$qC#b4");
        assert_eq!(r.next(), Some(Sent::Byte(3)));
        assert_eq!(r.next(), None);
        r.push(b"#67");
        assert_eq!(r.next().unwrap().body(), Some(&b"g"[..]));
    }
}
