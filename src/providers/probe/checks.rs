//! The checks of a server of the Pinning Services API, in their order.

mod access;
mod ends;
mod lists;
mod pins;

use super::{content, lab::Lab, seen::Shown};
use crate::model::PinCid;

/// The test pins that the lists are asked about, as they were first read.
pub(super) struct Pins {
    /// With a name, and asked for by its id.
    pub(super) first: Shown,
    /// All of them, oldest first.
    pub(super) made: Vec<PinCid>,
    /// The id of one that may be replaced.
    pub(super) spare: Option<String>,
}

/// Whether it lists pins, and nothing else.
pub(super) async fn look(lab: &mut Lab) {
    access::lists(lab).await;
}

pub(super) async fn run(lab: &mut Lab) {
    if !access::works(lab).await {
        return;
    }
    let first = content::block();
    let Some(pins) = pins::make(lab, first).await else { return };
    lists::run(lab, &pins).await;
    ends::run(lab, &pins).await;
}
