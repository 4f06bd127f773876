//! `Settings`: what a workspace is told once, when it is made. They stand in its genesis commit.

use super::encoding::{DecodeError, Decoder, Encoder};
use crate::model::{Permutation, PermutationSet, Vocabulary};

/// What is fixed for the life of a workspace, the same for all who share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What people call it; no identity hangs on it.
    pub name: String,
    /// How property-graph names and IRIs map to each other.
    pub vocabulary: Vocabulary,
    /// Whether a query without a dataset clause reads the union of all graphs as its default graph.
    pub union_default_graph: bool,
    /// The orders in which every node keeps the quads: all make the same runs of one commit.
    pub permutations: PermutationSet,
}

/// Flags of the encoding.
const UNION_DEFAULT_GRAPH: u8 = 1;
const OPTIONAL_PERMUTATIONS: [(Permutation, u8); 2] = [(Permutation::Sop, 2), (Permutation::Osp, 4)];

impl Settings {
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder.bytes(self.name.as_bytes()).u8(self.flags());
        encoder.bytes(self.vocabulary.base.as_bytes()).len(self.vocabulary.prefixes.len());
        for (prefix, namespace) in &self.vocabulary.prefixes {
            encoder.bytes(prefix.as_bytes()).bytes(namespace.as_bytes());
        }
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Settings, DecodeError> {
        let name = decoder.text()?;
        let flags = decoder.u8()?;
        let base = decoder.text()?;
        let count = decoder.len(8)?;
        let prefixes =
            (0..count).map(|_| Ok((decoder.text()?, decoder.text()?))).collect::<Result<_, _>>()?;
        let named = OPTIONAL_PERMUTATIONS.into_iter().filter(|(_, flag)| flags & flag != 0);
        let permutations = named.map(|(permutation, _)| permutation).collect();
        let settings = Settings {
            name,
            vocabulary: Vocabulary { base, prefixes },
            union_default_graph: flags & UNION_DEFAULT_GRAPH != 0,
            permutations,
        };
        if settings.flags() != flags {
            return Err(DecodeError("a flag is unknown"));
        }
        Ok(settings)
    }

    fn flags(&self) -> u8 {
        let optional = OPTIONAL_PERMUTATIONS.into_iter();
        let kept = optional.filter(|(permutation, _)| self.permutations.contains(*permutation));
        let union = if self.union_default_graph { UNION_DEFAULT_GRAPH } else { 0 };
        kept.fold(union, |flags, (_, flag)| flags | flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written before there were more orders than four reads as it did.
    #[test]
    fn flags_are_those_of_the_settings() {
        for (flags, union_default_graph, optional) in [
            (0, false, vec![]),
            (1, true, vec![]),
            (2, false, vec![Permutation::Sop]),
            (7, true, vec![Permutation::Sop, Permutation::Osp]),
        ] {
            let permutations = optional.into_iter().collect();
            let settings = Settings { union_default_graph, permutations, ..Settings::default() };
            let mut encoder = Encoder::default();
            settings.encode(&mut encoder);
            let mut bytes = encoder.finish();
            assert_eq!(bytes[4], flags, "after the length of the name");
            assert_eq!(Settings::decode(&mut Decoder::bare(&bytes)), Ok(settings));
            bytes[4] = 8;
            assert_eq!(Settings::decode(&mut Decoder::bare(&bytes)), Err(DecodeError("a flag is unknown")));
        }
    }
}
