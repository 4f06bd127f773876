//! Messages: what clients ask and what they are answered, each a PackStream structure.

use super::failure::Failure;
use super::packstream::{Entries, Malformed, Packed, Packer, Structure, entry};
use super::version::Version;

const SUCCESS: u8 = 0x70;
const RECORD: u8 = 0x71;
const IGNORED: u8 = 0x7E;
const FAILURE: u8 = 0x7F;

/// A client's message. `extra` and the like are maps whose entries a later version may add to.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Hello {
        extra: Entries,
    },
    Logon {
        token: Entries,
    },
    Logoff,
    Goodbye,
    /// Ends whatever is under way.
    Reset,
    Run {
        text: String,
        parameters: Entries,
        extra: Entries,
    },
    Begin {
        extra: Entries,
    },
    Commit,
    Rollback,
    Pull(Fetch),
    Discard(Fetch),
    Route {
        context: Entries,
        database: Option<String>,
    },
    /// Which of the driver's doors the user came through; nothing is made of it.
    Telemetry,
}

/// How much of which result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// `None` is all that is left.
    pub rows: Option<u64>,
    /// `None` is the last one opened.
    pub query: Option<i64>,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMessage {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the message is no structure")]
    NoStructure,
    #[error("there is no message {0:#04x} with such fields")]
    Unknown(u8),
}

impl Message {
    pub fn decode(bytes: &[u8]) -> Result<Message, NoMessage> {
        let Packed::Structure(Structure { tag, fields }) = Packed::decode(bytes)? else {
            return Err(NoMessage::NoStructure);
        };
        Message::of_fields(tag, fields).ok_or(NoMessage::Unknown(tag))
    }

    fn of_fields(tag: u8, fields: Vec<Packed>) -> Option<Message> {
        let mut fields = fields.into_iter();
        let message = match tag {
            0x01 => Message::Hello { extra: map(fields.next()?)? },
            0x02 => Message::Goodbye,
            0x0F => Message::Reset,
            0x10 => Message::Run {
                text: string(fields.next()?)?,
                parameters: map(fields.next()?)?,
                extra: map(fields.next()?)?,
            },
            0x11 => Message::Begin { extra: map(fields.next()?)? },
            0x12 => Message::Commit,
            0x13 => Message::Rollback,
            0x2F => Message::Discard(fetch(&map(fields.next()?)?)?),
            0x3F => Message::Pull(fetch(&map(fields.next()?)?)?),
            0x54 => {
                fields.next()?.as_integer()?;
                Message::Telemetry
            }
            0x66 => {
                let context = map(fields.next()?)?;
                let Packed::List(_bookmarks) = fields.next()? else { return None };
                let database = match fields.next()? {
                    Packed::Map(extra) => text_of(&extra, "db"),
                    // Before 4.4.
                    Packed::String(database) => Some(database),
                    Packed::Null => None,
                    _ => return None,
                };
                Message::Route { context, database }
            }
            0x6A => Message::Logon { token: map(fields.next()?)? },
            0x6B => Message::Logoff,
            _ => return None,
        };
        fields.next().is_none().then_some(message)
    }
}

/// Returns the text at a key; `None` if there is none, or null.
pub fn text_of(entries: &Entries, key: &str) -> Option<String> {
    entry(entries, key)?.as_text().map(str::to_owned)
}

fn map(value: Packed) -> Option<Entries> {
    match value {
        Packed::Map(entries) => Some(entries),
        _ => None,
    }
}

fn string(value: Packed) -> Option<String> {
    match value {
        Packed::String(text) => Some(text),
        _ => None,
    }
}

/// Reads `n` (-1 is all) and `qid` (-1, or absent, is the last).
fn fetch(extra: &Entries) -> Option<Fetch> {
    let rows = match entry(extra, "n")?.as_integer()? {
        -1 => None,
        rows => Some(u64::try_from(rows).ok().filter(|rows| *rows > 0)?),
    };
    let query = match entry(extra, "qid") {
        Some(qid) => Some(qid.as_integer()?).filter(|qid| *qid != -1),
        None => None,
    };
    Some(Fetch { rows, query })
}

/// What a message is answered with, after its records.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Success(Entries),
    Ignored,
    Failure(Failure),
}

impl Reply {
    /// Returns the message's bytes; failures have another form since 5.7.
    pub fn encode(&self, version: Version) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut packer = Packer(&mut bytes);
        match self {
            Reply::Success(metadata) => {
                packer.structure(SUCCESS, 1);
                packer.entries(metadata);
            }
            Reply::Ignored => packer.structure(IGNORED, 0),
            Reply::Failure(failure) => {
                packer.structure(FAILURE, 1);
                packer.entries(&failure.metadata(version));
            }
        }
        bytes
    }
}

/// Begins a record of so many values.
pub fn begin_record(packer: &mut Packer<'_>, width: usize) {
    packer.structure(RECORD, 1);
    packer.list(width);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(tag: u8, fields: Vec<Packed>) -> Option<Message> {
        let mut bytes = Vec::new();
        Packer(&mut bytes).packed(&Packed::Structure(Structure { tag, fields }));
        Message::decode(&bytes).ok()
    }

    fn extra(entries: &[(&str, i64)]) -> Packed {
        Packed::Map(entries.iter().map(|(key, value)| ((*key).into(), Packed::Integer(*value))).collect())
    }

    #[test]
    fn messages_have_their_fields_or_are_none() {
        let pull = |rows, query| Some(Message::Pull(Fetch { rows, query }));
        assert_eq!(decode(0x3F, vec![extra(&[("n", -1)])]), pull(None, None));
        assert_eq!(decode(0x3F, vec![extra(&[("n", 5), ("qid", -1)])]), pull(Some(5), None));
        assert_eq!(decode(0x3F, vec![extra(&[("n", 5), ("qid", 2)])]), pull(Some(5), Some(2)));
        assert_eq!(decode(0x3F, vec![extra(&[("n", 0)])]), None);
        assert_eq!(decode(0x3F, vec![extra(&[("n", -2)])]), None);
        assert_eq!(decode(0x3F, vec![]), None);
        let route = |last| decode(0x66, vec![Packed::Map(Vec::new()), Packed::List(Vec::new()), last]);
        let routed = |database: Option<&str>| {
            Some(Message::Route { context: Vec::new(), database: database.map(str::to_owned) })
        };
        assert_eq!(route(Packed::Map(vec![("db".to_owned(), Packed::string("x"))])), routed(Some("x")));
        assert_eq!(route(Packed::string("x")), routed(Some("x")));
        assert_eq!(route(Packed::Null), routed(None));
        assert_eq!(route(Packed::Integer(1)), None);
        assert_eq!(decode(0x0F, vec![]), Some(Message::Reset));
        assert_eq!(decode(0x0F, vec![Packed::Null]), None);
        assert_eq!(decode(0x10, vec![Packed::string("RETURN 1")]), None);
        assert_eq!(Message::decode(&[0x01]), Err(NoMessage::NoStructure));
        assert_eq!(Message::decode(&[0xB0, 0x99]), Err(NoMessage::Unknown(0x99)));
    }
}
