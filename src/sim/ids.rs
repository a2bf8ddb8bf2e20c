//! The requestids that each kind of service mints.

use multibase::Base;
use rand::{Rng, rngs::StdRng};
use uuid::Uuid;

use crate::{
    model::{PinCid, Timestamp},
    presets::IdKind,
};

const NANOID: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// An id for the `serial`-th pin.
pub(super) fn mint(kind: IdKind, cid: &PinCid, serial: u64, now: Timestamp, dice: &mut StdRng) -> String {
    match kind {
        IdKind::Uuid => Uuid::new_v4().to_string(),
        IdKind::Cid => cid.as_str().to_owned(),
        IdKind::Integer => (serial + 1).to_string(),
        IdKind::Nanoid => (0..21).map(|_| char::from(NANOID[dice.random_range(0..NANOID.len())])).collect(),
        IdKind::Gid => Base::Base64Pad.encode(format!("gid://filebase/Asset/{}", serial + 1)),
        IdKind::UuidTime => format!("{}-{}", Uuid::new_v4(), now.as_millis()),
    }
}

/// Whether a text can be such an id at all, where the service looks.
pub(super) fn fits(kind: IdKind, id: &str) -> bool {
    match kind {
        IdKind::Integer => id.parse::<i64>().is_ok(),
        IdKind::Cid => PinCid::parse(id).is_ok(),
        IdKind::Uuid | IdKind::Nanoid | IdKind::Gid | IdKind::UuidTime => true,
    }
}
