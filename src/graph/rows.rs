//! Blocks of sorted rows: quads of one permutation, or edges of one order.
//!
//! A block is cut into pieces of 1,024 rows, each decodable alone, with the first row of each in
//! the clear: a lookup decodes one piece. Drawn in `docs/block_format.md`.
#![deny(clippy::indexing_slicing)]

use std::ops::Range;
use std::sync::Arc;

use super::column::{COLUMN_VALUES_MAX, Column, decode_column, encode_column};
use super::cursor::{Cursor, Malformed, put_u32, put_u64};
use crate::block::{BlockError, BlockKind, Decode, PlainBlock};
use crate::model::{Permutation, Quad, TermId};

/// How many rows a block holds, unless it is the last of its order.
pub const BLOCK_ROWS: usize = 32_768;
pub const PIECE_ROWS: usize = COLUMN_VALUES_MAX;
/// Rows are four (quads) or five (edges) ids wide.
pub const WIDTH_MAX: usize = 5;
const VERSION: u8 = 1;

/// A row in the order of its sort key; the places past its width are zero.
pub type Row = [u64; WIDTH_MAX];

/// Encodes rows, sorted, as the content of a block.
///
/// # Panics
/// If there are no rows, or more than [`BLOCK_ROWS`].
pub fn encode_rows<const N: usize>(rows: &[[u64; N]]) -> Vec<u8> {
    assert!(!rows.is_empty() && rows.len() <= BLOCK_ROWS && N <= WIDTH_MAX);
    let mut pieces = Vec::new();
    let mut content = vec![VERSION, N as u8];
    put_u32(&mut content, rows.len() as u32);
    let mut values = Vec::with_capacity(PIECE_ROWS);
    for piece in rows.chunks(PIECE_ROWS) {
        for id in piece.first().into_iter().flatten() {
            put_u64(&mut content, *id);
        }
        put_u32(&mut content, pieces.len() as u32);
        for column in 0..N {
            values.clear();
            values.extend(piece.iter().map(|row| row.get(column).copied().unwrap_or_default()));
            encode_column(&mut pieces, &values);
        }
    }
    content.extend_from_slice(&pieces);
    content
}

/// A block of rows whose pieces are decoded as they are needed.
pub struct RowBlock {
    block: PlainBlock,
    rows: usize,
    width: usize,
    pieces: Vec<PieceEntry>,
}

struct PieceEntry {
    first: Row,
    /// Where it begins in the content.
    offset: usize,
}

/// Some consecutive rows, by column, in the order of the sort key.
pub struct Piece<'a> {
    /// `None` for a column that was not asked for.
    columns: Vec<Option<Column<'a>>>,
    rows: usize,
}

/// Some of the columns of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ColumnSet {
    /// The bit of each is its place in the sort key.
    bits: u8,
}

impl ColumnSet {
    pub const ALL: ColumnSet = ColumnSet { bits: u8::MAX };

    pub fn of(is_wanted: impl Fn(usize) -> bool) -> ColumnSet {
        let places = (0..WIDTH_MAX).filter(|place| is_wanted(*place));
        ColumnSet { bits: places.fold(0, |bits, place| bits | 1 << place) }
    }

    pub fn contains(self, place: usize) -> bool {
        self.bits >> place & 1 == 1
    }
}

impl RowBlock {
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns piece `index`, with only the columns that are wanted.
    ///
    /// # Errors
    /// [`BlockError::Corrupt`], also if there is no such piece.
    pub fn piece(&self, index: usize, is_wanted: impl Fn(usize) -> bool) -> Result<Piece<'_>, BlockError> {
        self.parse_piece(index, is_wanted).map_err(|error| self.corrupt(error))
    }

    pub fn corrupt(&self, error: Malformed) -> BlockError {
        self.block.corrupt(error.0)
    }

    /// Returns the first piece that may hold a row that is not below `low`.
    pub fn first_piece_from(&self, low: &Row) -> usize {
        self.pieces.partition_point(|piece| piece.first < *low).saturating_sub(1)
    }

    /// Returns the first row of piece `index`.
    pub fn first_of(&self, index: usize) -> Option<&Row> {
        self.pieces.get(index).map(|piece| &piece.first)
    }

    /// Returns how many rows are below `key`, or not above it if `inclusive`; `piece` gets one, with all columns.
    pub fn rank(
        &self,
        key: &Row,
        inclusive: bool,
        piece: impl FnOnce(usize) -> Result<Arc<Piece<'static>>, BlockError>,
    ) -> Result<usize, BlockError> {
        let below = |row: &Row| row < key || inclusive && row == key;
        let Some(index) = self.pieces.partition_point(|piece| below(&piece.first)).checked_sub(1) else {
            return Ok(0);
        };
        let piece = piece(index)?;
        let equal = piece.within(key, key).map_err(|error| self.corrupt(error))?;
        Ok(index * PIECE_ROWS + if inclusive { equal.end } else { equal.start })
    }

    fn parse_piece(&self, index: usize, is_wanted: impl Fn(usize) -> bool) -> Result<Piece<'_>, Malformed> {
        let entry = self.pieces.get(index).ok_or(Malformed("a piece is missing"))?;
        let rows = PIECE_ROWS.min(self.rows - index * PIECE_ROWS);
        let mut cursor = Cursor::new(self.block.data().get(entry.offset..).unwrap_or_default());
        let mut columns = Vec::with_capacity(self.width);
        let end = (0..self.width).rfind(|place| is_wanted(*place)).map_or(0, |last| last + 1);
        for place in 0..end {
            columns.push(match is_wanted(place) {
                true => Some(Column::parse(&mut cursor, rows)?),
                false => {
                    Column::skip(&mut cursor, rows)?;
                    None
                }
            });
        }
        Ok(Piece { columns, rows })
    }
}

impl Piece<'_> {
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns about how many bytes it takes, with what lookups may add.
    pub fn weight_bytes(&self) -> usize {
        let columns = self.columns.iter().flatten();
        columns.map(Column::weight_bytes).sum::<usize>() + size_of::<Piece<'static>>()
    }

    pub fn into_owned(self) -> Piece<'static> {
        let columns = self.columns.into_iter().map(|column| column.map(Column::into_owned));
        Piece { columns: columns.collect(), rows: self.rows }
    }

    /// Appends what ascending ranges of rows have in a place.
    ///
    /// # Errors
    /// If the column was not asked for, or is malformed.
    pub fn append_ranges(
        &self,
        place: usize,
        ranges: &[Range<usize>],
        out: &mut Vec<u64>,
    ) -> Result<(), Malformed> {
        self.column(place)?.append_ranges(ranges, out)
    }

    /// As [`Column::runs`].
    pub fn runs(
        &self,
        place: usize,
        rows: Range<usize>,
        visit: &mut dyn FnMut(u64, usize),
    ) -> Result<(), Malformed> {
        self.column(place)?.runs(rows, visit)
    }

    /// Returns what all rows have in a place, if that is plain to see.
    pub fn constant(&self, place: usize) -> Option<u64> {
        self.columns.get(place).and_then(Option::as_ref).and_then(Column::constant)
    }

    /// Returns the rows from `low` to `high`, which agree in the places before the first that differs.
    pub fn within(&self, low: &Row, high: &Row) -> Result<Range<usize>, Malformed> {
        let mut range = 0..self.rows;
        for (place, (low, high)) in low.iter().zip(high).enumerate().take(self.columns.len()) {
            range = self.within_place(place, range, *low, *high)?;
            if low != high || range.is_empty() {
                break;
            }
        }
        Ok(range)
    }

    /// Returns which of `rows`, which are sorted by a place, have there an id from `low` to `high`.
    pub fn within_place(
        &self,
        place: usize,
        rows: Range<usize>,
        low: u64,
        high: u64,
    ) -> Result<Range<usize>, Malformed> {
        self.column(place)?.within(rows, low, high)
    }

    fn column(&self, place: usize) -> Result<&Column<'_>, Malformed> {
        self.columns.get(place).and_then(Option::as_ref).ok_or(Malformed("a column is missing"))
    }
}

fn parse(content: &[u8]) -> Result<(usize, usize, Vec<PieceEntry>), Malformed> {
    let mut cursor = Cursor::new(content);
    if cursor.u8()? != VERSION {
        return Err(Malformed("rows are of an unknown version"));
    }
    let (width, rows) = (usize::from(cursor.u8()?), cursor.u32()? as usize);
    if !(4..=WIDTH_MAX).contains(&width) || rows == 0 || rows > BLOCK_ROWS {
        return Err(Malformed("rows are of a wrong shape"));
    }
    let count = rows.div_ceil(PIECE_ROWS);
    let mut pieces = Vec::with_capacity(count);
    for _ in 0..count {
        let mut first = [0; WIDTH_MAX];
        for id in first.iter_mut().take(width) {
            *id = cursor.u64()?;
        }
        pieces.push(PieceEntry { first, offset: cursor.u32()? as usize });
    }
    let start = content.len() - cursor.remaining();
    for piece in &mut pieces {
        piece.offset = piece.offset.saturating_add(start);
    }
    Ok((width, rows, pieces))
}

impl Decode for RowBlock {
    const KIND: BlockKind = BlockKind::Permutation;

    fn decode(block: PlainBlock) -> Result<RowBlock, BlockError> {
        let (width, rows, pieces) = parse(block.data()).map_err(|error| block.corrupt(error.0))?;
        Ok(RowBlock { block, rows, width, pieces })
    }

    fn weight_bytes(&self) -> usize {
        self.block.data().len() + self.pieces.len() * size_of::<PieceEntry>() + size_of::<RowBlock>()
    }
}

/// A block of edge rows; the same bytes under another kind.
pub struct EdgeRowBlock(pub RowBlock);

impl Decode for EdgeRowBlock {
    const KIND: BlockKind = BlockKind::Edges;

    fn decode(block: PlainBlock) -> Result<EdgeRowBlock, BlockError> {
        RowBlock::decode(block).map(EdgeRowBlock)
    }

    fn weight_bytes(&self) -> usize {
        self.0.weight_bytes()
    }
}

/// Encodes quads as the contents of as many blocks as they need; for change sets.
///
/// The quads are sorted by `permutation` first; equal sets give equal bytes.
pub fn encode_quads(quads: &[Quad], permutation: Permutation) -> Vec<Vec<u8>> {
    let mut rows: Vec<[u64; 4]> =
        quads.iter().map(|quad| permutation.key(quad).map(TermId::to_bits)).collect();
    rows.sort_unstable();
    rows.dedup();
    rows.chunks(BLOCK_ROWS).map(encode_rows).collect()
}

/// Decodes the quads of one content that [`encode_quads`] made, in the order of `permutation`.
pub fn decode_quads(content: &[u8], permutation: Permutation) -> Result<Vec<Quad>, Malformed> {
    let (width, rows, pieces) = parse(content)?;
    if width != 4 {
        return Err(Malformed("rows are no quads"));
    }
    let mut quads = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let count = PIECE_ROWS.min(rows - index * PIECE_ROWS);
        let mut cursor = Cursor::new(content.get(piece.offset..).unwrap_or_default());
        let mut columns: [Vec<u64>; 4] = Default::default();
        for column in &mut columns {
            decode_column(&mut cursor, count, column)?;
        }
        let [a, b, c, d] = columns;
        for (((a, b), c), d) in a.into_iter().zip(b).zip(c).zip(d) {
            let key = [a, b, c, d].map(TermId::from_bits);
            let [Some(a), Some(b), Some(c), Some(d)] = key else {
                return Err(Malformed("an id is of no kind"));
            };
            quads.push(permutation.quad([a, b, c, d]));
        }
    }
    Ok(quads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::SealedBlock;
    use crate::crypto::{EpochKey, WorkspaceId};
    use proptest::prelude::*;

    fn opened<T: Decode>(content: &[u8]) -> T {
        let key = EpochKey::from_secret([1; 32], WorkspaceId([2; 32]));
        T::decode(SealedBlock::seal(T::KIND, content, &key).open(T::KIND, &key).unwrap()).unwrap()
    }

    /// Sorted, distinct rows, close to each other or not at all.
    fn rows<const N: usize>() -> impl Strategy<Value = Vec<[u64; N]>> {
        let id = prop_oneof![0u64..40, (1u64..14, 0u64..3000).prop_map(|(kind, rank)| kind << 60 | rank)];
        let row = proptest::collection::vec(id, N).prop_map(|row| row.try_into().unwrap());
        proptest::collection::vec(row, 1..2500).prop_map(|mut rows: Vec<[u64; N]>| {
            rows.sort_unstable();
            rows.dedup();
            rows
        })
    }

    fn check<const N: usize>(rows: &[[u64; N]], block: &RowBlock) {
        assert_eq!((block.rows(), block.width()), (rows.len(), N));
        let wide = |row: &[u64; N]| {
            let mut wide = [0; WIDTH_MAX];
            wide[..N].copy_from_slice(row);
            wide
        };
        for (index, expected) in rows.chunks(PIECE_ROWS).enumerate() {
            let piece = block.piece(index, |_| true).unwrap();
            for place in 0..N {
                let mut found = Vec::new();
                piece.append_ranges(place, std::slice::from_ref(&(0..piece.rows())), &mut found).unwrap();
                assert_eq!(found, expected.iter().map(|row| row[place]).collect::<Vec<_>>());
            }
            assert_eq!(block.first_of(index), Some(&wide(&expected[0])));
        }
        let piece = |index| Ok(Arc::new(block.piece(index, |_| true)?.into_owned()));
        for place in [0, rows.len() / 2, rows.len() - 1] {
            let key = wide(&rows[place]);
            let ranks = [false, true].map(|inclusive| block.rank(&key, inclusive, piece).unwrap());
            assert_eq!(ranks, [place, place + 1]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn rows_of_quads_read_back(rows in rows::<4>()) {
            check(&rows, &opened::<RowBlock>(&encode_rows(&rows)));
        }

        #[test]
        fn rows_of_edges_read_back(rows in rows::<5>()) {
            check(&rows, &opened::<EdgeRowBlock>(&encode_rows(&rows)).0);
        }

        #[test]
        fn quads_read_back_in_every_order(rows in rows::<4>()) {
            let id = |bits| TermId::from_bits(bits).unwrap_or(TermId::UNDEFINED);
            for permutation in Permutation::ALL {
                let mut quads: Vec<Quad> = rows.iter().map(|row| permutation.quad(row.map(id))).collect();
                let contents = encode_quads(&quads, permutation);
                quads.sort_unstable_by_key(|quad| permutation.key(quad));
                quads.dedup();
                let found: Vec<Quad> =
                    contents.iter().flat_map(|content| decode_quads(content, permutation).unwrap()).collect();
                prop_assert_eq!(found, quads);
            }
        }
    }
}
