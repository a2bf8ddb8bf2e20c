//! The trustless gateway of a simulated provider: `GET /ipfs/{cid}?format=raw`, for what is pinned there and was stocked.
//! It has a mood of its own; faults, limits and being down are the pinning API's and do not touch it.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{BLOCK_MAX, Content, PinCid, Span, Status, Timestamp};

use super::{
    reply::{self, Reply},
    world::{Inside, World},
};

pub(super) const PREFIX: &str = "/ipfs/";

/// Blocks that it has at most.
const BLOCKS: usize = 10_000;

/// How a gateway is disposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mood {
    /// Hands out what is pinned.
    #[default]
    Serves,
    /// 404 to all.
    NotFound,
    /// 200 and other bytes.
    WrongBytes,
    /// As it should, after so long.
    Slow(Span),
    /// Resets every connection.
    Down,
}

/// What it has, and what it was asked.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    blocks: BTreeMap<Content, Bytes>,
    pub(super) asked: u64,
    /// Of these with an Authorization header, which a gateway is never sent.
    pub(super) authorized: u64,
}

impl Shelf {
    /// Puts a block there; its CID. `None` where it is too large, or there is no room.
    pub(super) fn stock(&mut self, block: Bytes) -> Option<PinCid> {
        let fits = block.len() <= BLOCK_MAX && self.blocks.len() < BLOCKS;
        // CIDv1, raw, sha2-256.
        let bytes = [&[1, 0x55, 0x12, 32][..], &Sha256::digest(&block)].concat();
        let content = Content::from_bytes(&bytes).ok().filter(|_| fits)?;
        self.blocks.insert(content.clone(), block);
        Some(PinCid::canonical(content))
    }
}

pub(super) async fn answer(world: &World, request: Request<Incoming>) -> Reply {
    let mood = {
        let mut inside = world.inside();
        inside.shelf.asked += 1;
        inside.shelf.authorized += u64::from(request.headers().contains_key(header::AUTHORIZATION));
        inside.behaviour.gateway
    };
    if mood == Mood::Down {
        return Reply::Reset;
    }
    if let Mood::Slow(Span(by)) = mood {
        tokio::time::sleep(by).await;
    }
    let wants_block = request.uri().query() == Some("format=raw") && request.method() == Method::GET;
    if !wants_block {
        return Reply::Answer(reply::empty(406));
    }
    let cid = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let Ok(cid) = PinCid::parse(cid) else { return Reply::Answer(reply::empty(400)) };
    let block = world.inside().block(cid.content(), mood, world.now());
    Reply::Answer(block.map_or_else(|| reply::empty(404), raw))
}

fn raw(block: Bytes) -> reply::Answer {
    let mut answer = reply::empty(200);
    *answer.body_mut() = block.into();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.ipld.raw"));
    answer
}

impl Inside {
    fn block(&self, content: &Content, mood: Mood, now: Timestamp) -> Option<Bytes> {
        let pace = self.behaviour.pin_after;
        let is_pinned = self.pins.of(content).any(|held| held.status(pace, now) == Status::Pinned);
        match mood {
            Mood::NotFound | Mood::Down => None,
            Mood::WrongBytes => Some(Bytes::from_static(b"something else")),
            Mood::Serves | Mood::Slow(_) => self.shelf.blocks.get(content).filter(|_| is_pinned).cloned(),
        }
    }
}

impl Mood {
    /// No answer within any patience that callers have.
    pub const SILENT: Self = Self::Slow(Span(Duration::from_secs(24 * 3600)));
}
