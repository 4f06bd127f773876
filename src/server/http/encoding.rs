//! Content codings: which one a client takes, and bodies packed with it as they are written.
//!
//! # Source
//! RFC 9110, 12.5.3 (Accept-Encoding) and 8.4.1 (content codings); RFC 8878 (zstd).

use std::io::{self, Write};
use std::mem;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::accept::quality_of;

/// A client waits for the packing too: fast levels, which take most of what there is to take.
const GZIP_LEVEL: u32 = 4;
const ZSTD_LEVEL: i32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// Chooses by an Accept-Encoding header: the better liked, zstd where both are liked as much.
    pub fn negotiate(accept: Option<&str>) -> Encoding {
        let Some(accept) = accept else { return Encoding::Identity };
        let (gzip, zstd) = (quality_of(accept, "gzip"), quality_of(accept, "zstd"));
        match gzip.max(zstd) {
            0 => Encoding::Identity,
            best if best < quality_of(accept, "identity") => Encoding::Identity,
            best if best == zstd => Encoding::Zstd,
            _ => Encoding::Gzip,
        }
    }

    /// Returns what Content-Encoding calls it; `None` for what is sent as it is.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Encoding::Identity => None,
            Encoding::Gzip => Some("gzip"),
            Encoding::Zstd => Some("zstd"),
        }
    }

    pub fn packer(self) -> io::Result<Packer> {
        Ok(match self {
            Encoding::Identity => Packer::Identity,
            Encoding::Gzip => Packer::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
            Encoding::Zstd => Packer::Zstd(zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?),
        })
    }
}

/// Packs a body piece by piece.
pub(super) enum Packer {
    Identity,
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::Encoder<'static, Vec<u8>>),
}

impl Packer {
    /// Takes a piece and returns what is ready to be sent, which may be nothing yet.
    pub fn pack(&mut self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Packer::Identity => Ok(bytes),
            Packer::Gzip(encoder) => {
                encoder.write_all(&bytes)?;
                Ok(mem::take(encoder.get_mut()))
            }
            Packer::Zstd(encoder) => {
                encoder.write_all(&bytes)?;
                Ok(mem::take(encoder.get_mut()))
            }
        }
    }

    /// Returns what ends the body.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Packer::Identity => Ok(Vec::new()),
            Packer::Gzip(encoder) => encoder.finish(),
            Packer::Zstd(encoder) => encoder.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_better_liked_coding_is_chosen() {
        for (accept, expected) in [
            (None, Encoding::Identity),
            (Some(""), Encoding::Identity),
            (Some("gzip, deflate"), Encoding::Gzip),
            (Some("gzip, deflate, br, zstd"), Encoding::Zstd),
            (Some("gzip, zstd;q=0.5"), Encoding::Gzip),
            (Some("*"), Encoding::Zstd),
            (Some("*;q=0.5, zstd;q=0"), Encoding::Gzip),
            (Some("gzip;q=0"), Encoding::Identity),
            (Some("identity, gzip;q=0.5"), Encoding::Identity),
            (Some("br"), Encoding::Identity),
        ] {
            assert_eq!(Encoding::negotiate(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn pieces_are_one_body() {
        let whole: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
            let mut packer = encoding.packer().unwrap();
            let mut packed = Vec::new();
            for piece in whole.chunks(30_000) {
                packed.extend(packer.pack(piece.to_vec()).unwrap());
            }
            packed.extend(packer.finish().unwrap());
            let mut unpacked = Vec::new();
            match encoding {
                Encoding::Identity => unpacked = packed,
                Encoding::Gzip => flate2::read::GzDecoder::new(packed.as_slice())
                    .read_to_end(&mut unpacked)
                    .map(drop)
                    .unwrap(),
                Encoding::Zstd => unpacked = zstd::decode_all(packed.as_slice()).unwrap(),
            }
            assert_eq!(unpacked, whole, "{encoding:?}");
        }
    }
}
