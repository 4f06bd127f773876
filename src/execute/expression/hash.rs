//! MD5 and the SHA family over the UTF-8 bytes of a simple string.

use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::column::Arguments;
use super::datum::Datum;
use super::node::Outcome;
use crate::execute::Context;

pub(super) fn md5(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    hash::<Md5>(&arguments[0])
}

pub(super) fn sha1(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    hash::<Sha1>(&arguments[0])
}

pub(super) fn sha256(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    hash::<Sha256>(&arguments[0])
}

pub(super) fn sha384(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    hash::<Sha384>(&arguments[0])
}

pub(super) fn sha512(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    hash::<Sha512>(&arguments[0])
}

fn hash<D: Digest>(datum: &Datum) -> Outcome {
    Ok(datum.as_string().map(|text| Datum::string(HEXLOWER.encode(&D::digest(text.as_bytes())))).into())
}
