//! `Settings`: what a workspace is told once, when it is made. They stand in its genesis commit.

use super::encoding::{DecodeError, Decoder, Encoder};
use crate::model::Vocabulary;

/// What is fixed for the life of a workspace, the same for all who share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What people call it; no identity hangs on it.
    pub name: String,
    /// How property-graph names and IRIs map to each other.
    pub vocabulary: Vocabulary,
    /// Whether a query without a dataset clause reads the union of all graphs as its default graph.
    pub union_default_graph: bool,
}

impl Settings {
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder.bytes(self.name.as_bytes()).u8(u8::from(self.union_default_graph));
        encoder.bytes(self.vocabulary.base.as_bytes()).len(self.vocabulary.prefixes.len());
        for (prefix, namespace) in &self.vocabulary.prefixes {
            encoder.bytes(prefix.as_bytes()).bytes(namespace.as_bytes());
        }
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Settings, DecodeError> {
        let name = decoder.text()?;
        let union_default_graph = match decoder.u8()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError("a flag is neither 0 nor 1")),
        };
        let base = decoder.text()?;
        let count = decoder.len(8)?;
        let prefixes =
            (0..count).map(|_| Ok((decoder.text()?, decoder.text()?))).collect::<Result<_, _>>()?;
        Ok(Settings { name, vocabulary: Vocabulary { base, prefixes }, union_default_graph })
    }
}
